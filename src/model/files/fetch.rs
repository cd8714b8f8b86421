//! Fetching a file from somebody else: from whom, what can be in the way, and when it is tried again.

use std::fmt;
use std::time::Duration;

/// The pauses after the attempts; the last one is repeated.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
    Duration::from_hours(1),
];

/// The least pause where only a person can help: with a new token, or by removing files.
const PAUSE_FOR_PEOPLE: Duration = Duration::from_hours(1);

/// The least pause after a token was refused; a new one may be on its way.
const PAUSE_FOR_TOKEN: Duration = Duration::from_mins(5);

/// LINE deletes content after a time that it does not tell; what could not be had for so long is given up.
const PATIENCE: Duration = Duration::from_hours(7 * 24);

/// LINE has refused good requests for an hour and a half before (2026-02-03), so a refusal is not believed at once.
const PATIENCE_WITH_REFUSALS: Duration = Duration::from_hours(3);

/// What is to be done for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTask {
    /// Its bytes are to be removed.
    Remove,
    /// It is to be fetched from LINE.
    FetchFromLine,
    /// It is to be fetched from an address that somebody else chose.
    FetchFromElsewhere,
}

/// Why a file could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// It is not ready, or the other side cannot be asked at the moment.
    NotYet(String),
    /// The request was refused.
    Refused(String),
    /// The channel's token was refused.
    Token(String),
    /// The customer has no room for it.
    NoRoom(String),
    /// No further attempt can succeed.
    Final(String),
}

/// Whether so many bytes are all of a file that was said to have `announced`, where their end was told by the protocol or
/// by nothing but a closed connection. Nothing is all of a file only where that was said to be empty.
pub fn is_whole(size: u64, announced: Option<u64>, ended_by_closing: bool) -> bool {
    announced == Some(size) || (!ended_by_closing && size > 0)
}

impl FetchError {
    /// How long to wait before the next attempt, after so many and so long after the first; `None` to give up.
    pub fn pause(&self, attempts: u32, age: Duration) -> Option<Duration> {
        let last = PAUSES.len() - 1;
        let index = usize::try_from(attempts.saturating_sub(1)).map_or(last, |index| index.min(last));
        let pause = PAUSES[index];
        let within = |patience| age < patience;
        match self {
            Self::NotYet(_) => within(PATIENCE).then_some(pause),
            Self::Refused(_) => within(PATIENCE_WITH_REFUSALS).then_some(pause),
            Self::Token(_) => within(PATIENCE).then_some(pause.max(PAUSE_FOR_TOKEN)),
            Self::NoRoom(_) => Some(PAUSE_FOR_PEOPLE),
            Self::Final(_) => None,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotYet(reason)
        | Self::Refused(reason)
        | Self::Token(reason)
        | Self::NoRoom(reason)
        | Self::Final(reason)) = self;
        formatter.write_str(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[test]
    fn what_a_closed_connection_ends_is_whole_when_it_was_announced_and_nothing_only_then() {
        for (size, announced, ended_by_closing, whole) in [
            (5, None, false, true),
            (5, Some(5), false, true),
            (5, Some(6), false, true),
            (0, Some(0), false, true),
            (0, Some(6), false, false),
            (0, None, false, false),
            (0, None, true, false),
            (5, None, true, false),
            (5, Some(5), true, true),
            (5, Some(6), true, false),
            (7, Some(6), true, false),
            (0, Some(0), true, true),
            (0, Some(6), true, false),
        ] {
            let found = is_whole(size, announced, ended_by_closing);

            assert_eq!(found, whole, "{size} of {announced:?}, by closing: {ended_by_closing}");
        }
    }

    #[test]
    fn what_is_not_ready_is_asked_for_quickly_at_first_and_then_hourly_for_a_week() {
        let not_yet = FetchError::NotYet(String::new());
        let seconds: Vec<_> =
            (1..=12).map(|attempts| not_yet.pause(attempts, SOON).unwrap().as_secs()).collect();

        assert_eq!(seconds, [1, 2, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 3_600, 3_600]);
        assert!(not_yet.pause(99, Duration::from_hours(7 * 24 - 1)).is_some());
        assert_eq!(not_yet.pause(99, PATIENCE), None);
    }

    #[test]
    fn a_refusal_is_believed_after_three_hours_and_an_end_at_once() {
        assert!(FetchError::Refused(String::new()).pause(9, Duration::from_mins(179)).is_some());
        assert_eq!(FetchError::Refused(String::new()).pause(9, Duration::from_hours(3)), None);
        assert_eq!(FetchError::Final(String::new()).pause(1, SOON), None);
    }

    #[test]
    fn what_people_must_mend_is_tried_less_often() {
        assert_eq!(FetchError::Token(String::new()).pause(1, SOON), Some(PAUSE_FOR_TOKEN));
        assert_eq!(FetchError::NoRoom(String::new()).pause(1, 2 * PATIENCE), Some(Duration::from_hours(1)));
    }
}
