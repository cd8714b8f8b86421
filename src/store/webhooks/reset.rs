//! Resets an endpoint: its past failures are forgotten.

use crate::error::Result;
use crate::model::id::CustomerId;
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::keys;
use crate::store::webhooks::{endpoints, lanes};

/// Enables the endpoint, and makes everything that waits for it due.
pub fn enable(tx: &Transaction<'_>, customer: CustomerId) -> Result<()> {
    receiver(tx, keys::customer(tx, customer)?)
}

/// Enables the endpoint if it is disabled.
pub fn enable_if_disabled(tx: &Transaction<'_>, customer: CustomerId) -> Result<()> {
    match endpoints::get(tx, customer)?.disabled {
        Some(_) => enable(tx, customer),
        None => Ok(()),
    }
}

/// Forgets what was known of the endpoint, which may have a new receiver, and makes what waits for it due.
pub(in crate::store) fn receiver(tx: &Transaction<'_>, customer: i64) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_endpoints
        SET slow = 0, failing_since = NULL, failing_last = NULL, paused_until = NULL, disabled_reason = NULL,
            disabled_at = NULL
        WHERE customer = ?1";
    query::execute(tx, SQL, [customer])?;
    lanes::make_all_due(tx, customer)?;
    tx.note_webhook();
    Ok(())
}
