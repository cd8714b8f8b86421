//! Events of the journal that an earlier version did not understand, or could not apply: read again, each applied once.

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::model::chats::inbound::{InboundChange, InboundEvent};
use crate::model::timestamp::Timestamp;
use crate::store::chats::inbound;
use crate::store::engine::damage::{sound, text};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;

/// An event that waits in the journal.
#[derive(Debug, Clone)]
pub struct WaitingEvent {
    /// Where it stands in the journal.
    pub key: i64,
    /// The event as LINE wrote it.
    pub body: String,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It is applied now.
    Applied,
    /// It had been applied meanwhile.
    AppliedBefore,
    /// This version does not understand it either.
    Unread,
    /// It could not be applied; the journal has the reason.
    Failed,
}

/// Up to `limit` events that were received since then and not applied, behind this key.
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
    let limit = most(limit);
    let mut statement = connection.prepare_cached(SQL)?;
    let rows = statement.query_map((after, since, limit), |row| {
        Ok(WaitingEvent { key: row.get("key")?, body: text(row, "body")? })
    })?;
    Ok(sound(rows, "webhook_events").collect::<rusqlite::Result<_>>()?)
}

/// Applies an event as this version reads it, unless it was applied meanwhile. Its reply token is long used up.
///
/// `Unavailable` when the storage fails: then nothing has changed.
pub fn replay(tx: &Transaction<'_>, waiting: &WaitingEvent, event: &InboundEvent) -> Result<Replayed> {
    const SQL: &str = "SELECT account FROM webhook_events WHERE key = ?1 AND result IN ('unread', 'failed')";
    const SQL_APPLIED: &str = "
        UPDATE webhook_events
        SET result = 'applied', error = '', kind = ?2, line_message_id = ?3, occurred_at = ?4
        WHERE key = ?1";
    const SQL_FAILED: &str = "UPDATE webhook_events SET result = 'failed', error = ?2 WHERE key = ?1";
    let mut statement = tx.prepare_cached(SQL)?;
    let mut rows = statement.query([waiting.key])?;
    let Some(account) = rows.next()?.map(|row| row.get(0)).transpose()? else {
        return Ok(Replayed::AppliedBefore);
    };
    if event.change == InboundChange::Unread {
        return Ok(Replayed::Unread);
    }
    let event = InboundEvent { reply_token: None, ..event.clone() };
    // The row comes first: whether a message was withdrawn is asked of the journal.
    tx.prepare_cached(SQL_APPLIED)?.execute((
        waiting.key,
        &event.kind,
        &event.message_id,
        event.occurred(tx.now()),
    ))?;
    match tx.attempt(|tx| inbound::apply(tx, account, &event)) {
        Ok(()) => Ok(Replayed::Applied),
        Err(Error::Unavailable(message)) => Err(Error::Unavailable(message)),
        Err(error) => {
            tx.prepare_cached(SQL_FAILED)?.execute((waiting.key, error.chain()))?;
            Ok(Replayed::Failed)
        }
    }
}
