//! Beginning again with a receiver, as if nothing were known of it.

use crate::error::Result;
use crate::model::id::CustomerId;
use crate::store::engine::transaction::Transaction;
use crate::store::keys;
use crate::store::webhooks::{endpoints, lanes};

/// Tells the endpoint again what it was not told, at once.
pub fn enable(tx: &Transaction<'_>, customer: CustomerId) -> Result<()> {
    receiver(tx, keys::customer(tx, customer)?)
}

/// The same where it was disabled.
pub fn enable_if_disabled(tx: &Transaction<'_>, customer: CustomerId) -> Result<()> {
    match endpoints::get(tx, customer)?.disabled {
        Some(_) => enable(tx, customer),
        None => Ok(()),
    }
}

/// What was known of the old receiver does not hold for a new one.
pub(in crate::store) fn receiver(tx: &Transaction<'_>, customer: i64) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_endpoints
        SET slow = 0, failing_since = NULL, failing_last = NULL, paused_until = NULL, disabled_reason = NULL,
            disabled_at = NULL
        WHERE customer = ?1";
    tx.prepare_cached(SQL)?.execute([customer])?;
    lanes::make_due(tx, customer)?;
    tx.note_webhook();
    Ok(())
}
