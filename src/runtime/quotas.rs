//! How much of the month's messages each account has used, as LINE said last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::accounts::account::{Account, Quota};
use crate::model::id::AccountId;
use crate::model::timestamp::Timestamp;

/// What LINE said about accounts, and when. Copies know the same.
#[derive(Debug, Clone, Default)]
pub struct Quotas {
    known: Arc<Mutex<HashMap<AccountId, (Timestamp, Quota)>>>,
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
    pub fn keep_only(&self, accounts: &[Account]) {
        let is_there = |id: &AccountId| accounts.iter().any(|account| account.id == *id);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| is_there(id));
    }
}
