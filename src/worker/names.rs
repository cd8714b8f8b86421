//! Asking LINE for the names and pictures of users, groups and members, after their events were answered.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::tokens::Tokens;
use crate::runtime::wakers::{Stop, Waker};
use crate::store::Store;
use crate::store::chats::lookups::{self, Lookup};
use crate::store::chats::members;
use crate::store::reader::Reader;
use crate::worker::rounds;

/// LINE does not tell the name of those who blocked the account or never agreed; it is asked this often in all.
const REFUSED_ATTEMPTS_MAX: u32 = 3;

/// The pause after LINE did not tell a name.
const REFUSED_PAUSE: Duration = Duration::from_hours(24);

/// The pause after LINE could not be asked; it doubles with each further attempt.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause after LINE could not be asked.
const UNAVAILABLE_PAUSE_MAX: Duration = Duration::from_hours(1);

/// The worker that asks for names.
#[derive(Clone)]
pub struct NameWorker {
    store: Store,
    reader: Rc<Reader>,
    tokens: Tokens,
    /// Whom a picture concerns that has to be fetched, or removed.
    medias: Waker,
}

impl NameWorker {
    /// Names that are asked for at once.
    pub const CONCURRENCY: usize = 16;

    /// A worker that asks with these tokens, and wakes who fetches pictures.
    pub fn new(store: Store, tokens: Tokens, medias: Waker) -> Result<Self> {
        let reader = Rc::new(store.reader()?);
        Ok(Self { store, reader, tokens, medias })
    }

    /// Asks for the names that are due, and says how many those were.
    pub async fn step(&self, clock: &Clock) -> Result<usize> {
        let due = self.store.write(clock.now(), |tx| lookups::claim(tx, Self::CONCURRENCY)).await?;
        let asked = due.len();
        for outcome in join_all(due.into_iter().map(|lookup| self.ask(lookup, clock))).await {
            outcome?;
        }
        if asked > 0 {
            self.medias.wake();
        }
        Ok(asked)
    }

    /// Asks for names until it is stopped.
    pub async fn run(self, clock: Clock, waker: Waker, heartbeat: Heartbeat, stop: Stop) {
        let round = async || {
            self.step(&clock).await?;
            self.reader.read(lookups::next_due)
        };
        rounds("names", &clock, (waker, heartbeat, stop), round).await;
    }

    async fn ask(&self, lookup: Lookup, clock: &Clock) -> Result<()> {
        let line = self.tokens.line();
        let profile = async |token: &Secret| line.profile(token, &lookup.chat, &lookup.target).await;
        let answer = self.tokens.call(lookup.account, &lookup.token, profile).await;
        let now = clock.now();
        self.store
            .write(now, move |tx| match answer {
                Ok(profile) => members::resolve(tx, &lookup, &profile),
                Err(error) => match next_pause(&error, lookup.attempts, lookup.is_refresh) {
                    Some(pause) => lookups::postpone(tx, &lookup, now.after(pause)),
                    None => members::give_up(tx, &lookup),
                },
            })
            .await
    }
}

/// How long to wait after a failed attempt; `None` when the name stays unknown, or stays what it was.
fn next_pause(error: &Error, attempts: u32, is_refresh: bool) -> Option<Duration> {
    match error {
        // 401 and 429 concern the account, not the name.
        Error::LineRefused { status, .. } if !matches!(status, 401 | 429) => {
            (attempts < REFUSED_ATTEMPTS_MAX && !is_refresh).then_some(REFUSED_PAUSE)
        }
        _ => Some(UNAVAILABLE_PAUSE.saturating_mul(1 << attempts.min(20)).min(UNAVAILABLE_PAUSE_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> Error {
        Error::LineRefused { status, message: String::new(), account: None }
    }

    #[test]
    fn a_name_that_line_does_not_tell_is_asked_for_three_times_a_day_apart() {
        assert_eq!(next_pause(&refused(404), 1, false), Some(REFUSED_PAUSE));
        assert_eq!(next_pause(&refused(404), 2, false), Some(REFUSED_PAUSE));
        assert_eq!(next_pause(&refused(404), 3, false), None);
        assert_eq!(next_pause(&refused(404), 1, true), None, "it has a name: the next event is early enough");
    }

    #[test]
    fn while_line_cannot_be_asked_the_pauses_grow_to_an_hour() {
        let lost = Error::LineUnavailable(String::new());

        assert_eq!(next_pause(&lost, 1, false), Some(Duration::from_secs(4)));
        assert_eq!(next_pause(&refused(401), 11, false), Some(Duration::from_hours(1)));
        assert_eq!(next_pause(&lost, 1_000, true), Some(Duration::from_hours(1)), "it is never given up");
    }
}
