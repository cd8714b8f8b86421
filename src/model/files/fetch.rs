//! Fetching files from LINE and third parties: tasks, errors and the retry policy.

use std::fmt;
use std::time::Duration;

/// The pauses after failed attempts; the last one repeats.
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

/// Minimum pause if only a person can help, by removing files.
const PAUSE_WITHOUT_CAPACITY: Duration = Duration::from_hours(1);

/// Minimum pause after a token was refused; a new one may be on its way.
const TOKEN_PAUSE: Duration = Duration::from_mins(5);

/// How long fetching is retried. LINE deletes content after an undisclosed time.
const RETRY_PERIOD: Duration = Duration::from_hours(7 * 24);

/// How long refusals are retried. LINE has refused valid requests for an hour and a half before (2026-02-03).
const REFUSAL_RETRY_PERIOD: Duration = Duration::from_hours(3);

/// A task for the file of a media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaTask {
    /// Remove its bytes.
    Remove,
    /// Fetch it from LINE.
    FetchFromLine,
    /// Fetch it from a third-party URL.
    FetchFromElsewhere,
}

/// Why a file could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// It is not ready, or the server cannot be reached at the moment.
    NotYet(String),
    /// The request was refused.
    Refused(String),
    /// The channel's token was refused.
    Token(String),
    /// The customer has no capacity for it.
    NoRoom(String),
    /// No further attempt can succeed.
    Final(String),
}

/// Whether this many bytes are the complete file, given its announced size and whether only a closed
/// connection ended them. Zero bytes are complete only if that was announced.
pub fn is_whole(size: u64, announced: Option<u64>, ended_by_closing: bool) -> bool {
    announced == Some(size) || (!ended_by_closing && size > 0)
}

impl FetchError {
    /// The pause before the next attempt, given the number of attempts and the time since the first; `None`
    /// to give up.
    pub fn pause(&self, attempts: u32, age: Duration) -> Option<Duration> {
        let last = PAUSES.len() - 1;
        let index = usize::try_from(attempts.saturating_sub(1)).map_or(last, |index| index.min(last));
        let pause = PAUSES[index];
        let within = |period| age < period;
        match self {
            Self::NotYet(_) => within(RETRY_PERIOD).then_some(pause),
            Self::Refused(_) => within(REFUSAL_RETRY_PERIOD).then_some(pause),
            Self::Token(_) => within(RETRY_PERIOD).then_some(pause.max(TOKEN_PAUSE)),
            Self::NoRoom(_) => Some(PAUSE_WITHOUT_CAPACITY),
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
    fn a_file_that_ends_with_the_connection_is_complete_only_at_its_announced_size() {
        for (size, announced, ended_by_closing, complete) in [
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

            assert_eq!(found, complete, "{size} of {announced:?}, by closing: {ended_by_closing}");
        }
    }

    #[test]
    fn a_file_that_is_not_ready_is_retried_quickly_at_first_then_hourly_for_a_week() {
        let not_yet = FetchError::NotYet(String::new());
        let seconds: Vec<_> =
            (1..=12).map(|attempts| not_yet.pause(attempts, SOON).unwrap().as_secs()).collect();

        assert_eq!(seconds, [1, 2, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 3_600, 3_600]);
        assert!(not_yet.pause(99, Duration::from_hours(7 * 24 - 1)).is_some());
        assert_eq!(not_yet.pause(99, RETRY_PERIOD), None);
    }

    #[test]
    fn a_refusal_is_final_after_three_hours_and_a_final_error_at_once() {
        assert!(FetchError::Refused(String::new()).pause(9, Duration::from_mins(179)).is_some());
        assert_eq!(FetchError::Refused(String::new()).pause(9, Duration::from_hours(3)), None);
        assert_eq!(FetchError::Final(String::new()).pause(1, SOON), None);
    }

    #[test]
    fn errors_that_need_a_person_are_retried_less_often() {
        assert_eq!(FetchError::Token(String::new()).pause(1, SOON), Some(TOKEN_PAUSE));
        assert_eq!(
            FetchError::NoRoom(String::new()).pause(1, 2 * RETRY_PERIOD),
            Some(Duration::from_hours(1))
        );
    }
}
