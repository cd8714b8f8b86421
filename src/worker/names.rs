//! Asks LINE for the names and pictures of users, groups and members, after their webhooks were answered.

use std::time::Duration;

use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::runtime::tokens::Tokens;
use crate::runtime::wakers::Waker;
use crate::store::Store;
use crate::store::chats::lookups::{self, Lookup};
use crate::store::chats::members;
use crate::store::reader::Reader;
use crate::worker::{Worker, WorkerContext, pause};

/// How often LINE is asked for a name that it refuses: it does for users who blocked the account or never consented.
const REFUSED_ATTEMPTS_MAX: u32 = 3;

/// The pause after LINE refused a name.
const REFUSED_PAUSE: Duration = Duration::from_hours(24);

/// The pause after LINE was unavailable; it doubles with each further attempt.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(2);

/// The longest pause after LINE was unavailable.
const UNAVAILABLE_PAUSE_MAX: Duration = Duration::from_hours(1);

/// The worker that asks for names.
pub struct NameWorker {
    store: Store,
    reader: Reader,
    tokens: Tokens,
    /// Wakes the media worker, which fetches and removes pictures.
    medias: Waker,
}

impl NameWorker {
    /// The most names that are asked for at once.
    pub const CONCURRENCY: usize = 16;

    /// A worker that asks with these tokens, and wakes `medias` for the pictures.
    pub fn new(store: Store, tokens: Tokens, medias: Waker) -> Result<Self> {
        let reader = store.reader()?;
        Ok(Self { store, reader, tokens, medias })
    }

    /// Asks for the names that are due.
    async fn ask_due(&self, clock: &Clock) -> Result<()> {
        let due = self.store.write(clock.now(), |tx| lookups::claim(tx, Self::CONCURRENCY)).await?;
        let has_asked = !due.is_empty();
        for outcome in join_all(due.into_iter().map(|lookup| self.ask(lookup, clock))).await {
            outcome?;
        }
        if has_asked {
            self.medias.wake();
        }
        Ok(())
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

impl Worker for NameWorker {
    const NAME: &'static str = "names";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        self.ask_due(&context.clock).await?;
        Ok(pause(self.reader.read(lookups::next_due)?, context.clock.now()))
    }
}

/// The pause after a failed attempt; `None` when the name stays unknown, or stays what it was.
fn next_pause(error: &Error, attempts: u32, is_refresh: bool) -> Option<Duration> {
    match error {
        // 401 and 429 are about the account, not the name.
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
    fn a_name_that_line_refuses_is_asked_for_three_times_a_day_apart() {
        assert_eq!(next_pause(&refused(404), 1, false), Some(REFUSED_PAUSE));
        assert_eq!(next_pause(&refused(404), 2, false), Some(REFUSED_PAUSE));
        assert_eq!(next_pause(&refused(404), 3, false), None);
        assert_eq!(next_pause(&refused(404), 1, true), None, "it has a name: the next event is soon enough");
    }

    #[test]
    fn while_line_is_unavailable_the_pauses_grow_to_an_hour() {
        let lost = Error::LineUnavailable(String::new());

        assert_eq!(next_pause(&lost, 1, false), Some(Duration::from_secs(4)));
        assert_eq!(next_pause(&refused(401), 11, false), Some(Duration::from_hours(1)));
        assert_eq!(next_pause(&lost, 1_000, true), Some(Duration::from_hours(1)), "it is never given up");
    }
}
