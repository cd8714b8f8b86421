//! Locks of idempotency keys: of the requests with one key only one is answered at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::id::CustomerId;

/// A customer's key, by its hash.
type LockKey = (CustomerId, [u8; 32]);

/// The keys of requests that are being answered. Copies are the same.
#[derive(Default, Clone)]
pub struct KeyLocks {
    held: Arc<Mutex<HashSet<LockKey>>>,
}

/// A key that is locked until its request was answered or its client has gone away.
pub struct KeyLock {
    locks: KeyLocks,
    key: LockKey,
}

impl KeyLocks {
    /// Locks a key; nothing while another request has it.
    pub fn lock(&self, key: LockKey) -> Option<KeyLock> {
        self.held().insert(key).then(|| KeyLock { locks: self.clone(), key })
    }

    /// A panic elsewhere leaves the set whole: each change of it is one call.
    fn held(&self) -> MutexGuard<'_, HashSet<LockKey>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        self.locks.held().remove(&self.key);
    }
}
