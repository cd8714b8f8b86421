//! Locks on idempotency keys: of the requests with one key only one is processed at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::id::CustomerId;

/// A customer and the hash of an idempotency key.
type LockKey = (CustomerId, [u8; 32]);

/// The locked keys. Clones share them.
#[derive(Default, Clone)]
pub struct KeyLocks {
    held: Arc<Mutex<HashSet<LockKey>>>,
}

/// A locked key; dropping it, after the response or when the client has gone, releases it.
pub struct KeyLock {
    locks: KeyLocks,
    key: LockKey,
}

impl KeyLocks {
    /// Locks a key; `None` while another request holds it.
    pub fn lock(&self, key: LockKey) -> Option<KeyLock> {
        self.held().insert(key).then(|| KeyLock { locks: self.clone(), key })
    }

    /// A panic elsewhere leaves the set consistent: each change of it is one call.
    fn held(&self) -> MutexGuard<'_, HashSet<LockKey>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        self.locks.held().remove(&self.key);
    }
}
