//! Replays events of the journal that an earlier version did not understand or could not apply.

use crate::error::{Error, Result};
use crate::model::chats::inbound::{InboundChange, InboundEvent};
use crate::model::timestamp::Timestamp;
use crate::store::chats::inbound;
use crate::store::engine::damage::text;
use crate::store::engine::query::{self, ALL, Connection};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;

/// An event of the journal that has not been applied.
#[derive(Debug, Clone)]
pub struct WaitingEvent {
    /// Its key in the journal.
    pub key: i64,
    /// The event as LINE wrote it.
    pub body: String,
}

/// Result of replaying an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It has now been applied.
    Applied,
    /// It had been applied in the meantime.
    AppliedBefore,
    /// This version does not understand it either.
    Unread,
    /// It could not be applied; the journal records why.
    Failed,
}

/// Up to `limit` unapplied events received since then, after this key.
pub fn waiting(
    connection: &Connection,
    since: Timestamp,
    after: i64,
    limit: usize,
) -> Result<Vec<WaitingEvent>> {
    const SQL: &str = "
        SELECT key, body
        FROM webhook_events
        WHERE key > ?1 AND result IN ('unread', 'failed') AND received_at >= ?2 AND body IS NOT NULL
        ORDER BY key
        LIMIT ?3";
    let values = (after, since, Limit(limit));
    query::readable_rows(connection, SQL, values, ("webhook_events", ALL), |row| {
        Ok(WaitingEvent { key: row.get("key")?, body: text(row, "body")? })
    })
}

/// Applies an event as this version understands it, unless it was applied in the meantime. Its reply token expired long ago.
///
/// `Unavailable` when the storage fails: then nothing has changed.
pub fn replay(tx: &Transaction<'_>, waiting: &WaitingEvent, event: &InboundEvent) -> Result<Replayed> {
    const SQL: &str = "SELECT account FROM webhook_events WHERE key = ?1 AND result IN ('unread', 'failed')";
    const SQL_APPLIED: &str = "
        UPDATE webhook_events
        SET result = 'applied', error = '', kind = ?2, line_message_id = ?3, occurred_at = ?4
        WHERE key = ?1";
    const SQL_FAILED: &str = "UPDATE webhook_events SET result = 'failed', error = ?2 WHERE key = ?1";
    let Some(account) = query::optional_value(tx, SQL, [waiting.key])? else {
        return Ok(Replayed::AppliedBefore);
    };
    if event.change == InboundChange::Unread {
        return Ok(Replayed::Unread);
    }
    let event = InboundEvent { reply_token: None, ..event.clone() };
    // The row is updated first: whether a message was unsent is read from the journal.
    query::execute(tx, SQL_APPLIED, (waiting.key, &event.kind, &event.message_id, event.occurred(tx.now())))?;
    match tx.attempt(|tx| inbound::apply(tx, account, &event)) {
        Ok(()) => Ok(Replayed::Applied),
        Err(Error::Unavailable(message)) => Err(Error::Unavailable(message)),
        Err(error) => {
            query::execute(tx, SQL_FAILED, (waiting.key, error.chain()))?;
            Ok(Replayed::Failed)
        }
    }
}
