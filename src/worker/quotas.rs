//! How much of the month's messages each account has used, as LINE said last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::Result;
use crate::model::account::{Account, Quota};
use crate::model::clock::Clock;
use crate::model::id::AccountId;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::accounts;
use crate::worker::PAUSE_MAX;
use crate::worker::pulse::Beat;
use crate::worker::tokens::Tokens;
use crate::worker::wake::Stop;

/// LINE is asked again for a monitoring system after this long.
const PERIOD: Duration = Duration::from_mins(10);

/// What LINE said about accounts, and when. Copies know the same.
#[derive(Debug, Clone, Default)]
pub struct Quotas {
    known: Arc<Mutex<HashMap<AccountId, (Timestamp, Quota)>>>,
}

/// The worker that asks, for the numbers of a monitoring system.
#[derive(Clone)]
pub struct QuotaWorker {
    store: Store,
    tokens: Tokens,
    quotas: Quotas,
    /// Whether anybody reads the numbers; else LINE is left alone.
    wanted: bool,
}

impl Quotas {
    /// What LINE said last about each account.
    pub fn known(&self) -> Vec<(AccountId, Quota)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(account, (_, quota))| (*account, *quota)).collect()
    }

    /// What LINE said and when, if that is not older than this. What seems to be of the future is no answer: the clock was
    /// ahead.
    pub fn fresh(&self, id: AccountId, now: Timestamp, age_max: Duration) -> Option<(Timestamp, Quota)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |(at, _): &(Timestamp, Quota)| *at <= now && now.since(*at) < age_max;
        known.get(&id).copied().filter(is_fresh)
    }

    /// LINE has said this.
    pub fn note(&self, id: AccountId, known: (Timestamp, Quota)) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, known);
    }

    /// Forgets all accounts but these.
    fn keep_only(&self, accounts: &[Account]) {
        let is_there = |id: &AccountId| accounts.iter().any(|account| account.id == *id);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| is_there(id));
    }
}

impl QuotaWorker {
    /// A worker that asks only where its answers are `wanted`.
    pub fn new(store: Store, tokens: Tokens, quotas: Quotas, wanted: bool) -> Self {
        Self { store, tokens, quotas, wanted }
    }

    /// Asks about every account of which nothing is known that is fresh enough. What LINE does not tell stays as it was.
    pub async fn step(&self, now: Timestamp, beat: &Beat) -> Result<()> {
        let accounts = self.store.read(accounts::list).await?;
        self.quotas.keep_only(&accounts);
        for account in accounts.iter().filter(|account| !account.token.expose().is_empty()) {
            if self.quotas.fresh(account.id, now, PERIOD).is_some() {
                continue;
            }
            beat.beat();
            let line = self.tokens.line();
            let asked =
                self.tokens.call(account.id, &account.token, async |token| line.quota(token).await).await;
            match asked {
                Ok(quota) => self.quotas.note(account.id, (now, quota)),
                Err(error) => log::debug!("quota: account {}: {}", account.id, error.chain()),
            }
        }
        Ok(())
    }

    /// Asks until it is stopped.
    pub async fn run(self, clock: Clock, beat: Beat, mut stop: Stop) {
        let mut next_round = clock.now();
        loop {
            beat.beat();
            let now = clock.now();
            if self.wanted && (now >= next_round || next_round > now.after(PERIOD)) {
                next_round = now.after(PERIOD);
                if let Err(error) = self.step(now, &beat).await {
                    log::error!("quota: {}", error.chain());
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE_MAX) => {}
                () = stop.requested() => return,
            }
        }
    }
}
