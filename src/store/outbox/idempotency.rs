//! Idempotency keys: a repeated request creates nothing more, and gets what was created.
//!
//! The row of a key is written in the transaction of its effect: there is never one without the other.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::created::Created;
use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::transaction::Transaction;
use crate::store::keys;

/// How many expired keys each new key removes: more than one, so that they do not pile up.
const FORGET_MAX: i64 = 100;

/// A request that has a key.
#[derive(Debug, Clone)]
pub struct IdempotencyClaim {
    /// Whose key it is.
    pub customer: CustomerId,
    /// The SHA-256 of the key.
    pub name: [u8; 32],
    /// A SHA-256 of everything that identifies the request.
    pub request: [u8; 32],
    /// How long the key is kept.
    pub keep: Duration,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy)]
pub struct KnownKey {
    /// The SHA-256 of its request.
    pub request: [u8; 32],
    /// What that request created.
    pub created: Created,
}

/// Stores what a request with a key creates in this transaction. Does nothing without a key.
///
/// `KeyInUse` when another request with the same key was faster.
pub fn note(tx: &Transaction<'_>, claim: Option<&IdempotencyClaim>, created: Created) -> Result<()> {
    const SQL: &str = "
        INSERT INTO idempotency_keys (customer, name, request, created_kind, created_id, noted_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (customer, name) DO UPDATE SET
            request = ?3, created_kind = ?4, created_id = ?5, noted_at = ?6
        WHERE noted_at < ?7";
    let Some(IdempotencyClaim { customer, name, request, keep }) = claim else { return Ok(()) };
    let forgotten = tx.now().before(*keep);
    forget(tx, forgotten)?;
    let (kind, id) = created.parts();
    let values = (keys::customer(tx, *customer)?, name, request, kind, id, tx.now(), forgotten);
    if query::execute(tx, SQL, values)? == 0 { Err(Error::KeyInUse) } else { Ok(()) }
}

/// What is known of a customer's key, if it was stored after this time.
pub fn find(
    connection: &Connection,
    customer: CustomerId,
    name: [u8; 32],
    after: Timestamp,
) -> Result<Option<KnownKey>> {
    const SQL: &str = "
        SELECT request, created_kind, created_id
        FROM idempotency_keys k JOIN customers c ON c.key = k.customer
        WHERE c.id = ?1 AND k.name = ?2 AND noted_at >= ?3";
    let found = query::optional_row(connection, SQL, (customer, name, after), |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
    })?;
    let Some((request, kind, id)) = found else { return Ok(None) };
    let created =
        Created::from_parts(&kind, id).ok_or_else(|| Error::internal("a key of an unknown kind"))?;
    Ok(Some(KnownKey { request, created }))
}

fn forget(tx: &Transaction<'_>, before: Timestamp) -> Result<()> {
    const SQL: &str = "
        DELETE FROM idempotency_keys WHERE (customer, name) IN (
            SELECT customer, name FROM idempotency_keys WHERE noted_at < ?1 ORDER BY noted_at LIMIT ?2)";
    query::execute(tx, SQL, (before, FORGET_MAX))?;
    Ok(())
}
