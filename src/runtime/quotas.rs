//! The last known monthly quota of each account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::accounts::account::{Account, Quota};
use crate::model::id::AccountId;
use crate::model::timestamp::Timestamp;

/// The last quota of each account and when LINE reported it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Quotas {
    known: Arc<Mutex<HashMap<AccountId, (Timestamp, Quota)>>>,
}

impl Quotas {
    /// The last known quota of each account.
    pub fn known(&self) -> Vec<(AccountId, Quota)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(account, (_, quota))| (*account, *quota)).collect()
    }

    /// The quota and when LINE reported it, if it is not older than this. One from the future does not count:
    /// the clock was ahead.
    pub fn fresh(&self, id: AccountId, now: Timestamp, age_max: Duration) -> Option<(Timestamp, Quota)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |(at, _): &(Timestamp, Quota)| *at <= now && now.since(*at) < age_max;
        known.get(&id).copied().filter(is_fresh)
    }

    /// Records a quota.
    pub fn record(&self, id: AccountId, known: (Timestamp, Quota)) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, known);
    }

    /// Removes all accounts but these.
    pub fn retain(&self, accounts: &[Account]) {
        let exists = |id: &AccountId| accounts.iter().any(|account| account.id == *id);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| exists(id));
    }
}
