//! What is older than it may be kept: found in parts by a read, and removed in parts.

use rusqlite::Connection;

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::sound;
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;
use crate::store::erasure::forget;

/// How long things are kept, in days; 0 keeps them for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Messages with their files, of customers who have said nothing else.
    pub message_days: u32,
    /// Webhook events as LINE wrote them. Those of a customer are never kept longer than its messages.
    pub webhook_body_days: u32,
}

/// What has to go.
#[derive(Debug, Default)]
pub struct Expired {
    messages: Vec<(i64, i64, Timestamp)>,
    bodies: Vec<i64>,
}

impl Expired {
    /// How many things there are.
    pub fn count(&self) -> usize {
        self.messages.len() + self.bodies.len()
    }
}

/// Up to `limit` things of each kind that are too old now. Looks at every conversation, and at most at that many rows of
/// each: it may take long.
pub fn expired(
    connection: &Connection,
    keep: RetentionPolicy,
    now: Timestamp,
    limit: usize,
) -> Result<Expired> {
    Ok(Expired {
        messages: messages(connection, keep, now, limit)?,
        bodies: bodies(connection, keep, now, limit)?,
    })
}

/// Removes them.
pub fn remove(tx: &Transaction<'_>, expired: &Expired) -> Result<()> {
    const SQL_BODY: &str = "UPDATE webhook_events SET body = NULL WHERE key = ?1";
    for (account, conversation, stamp) in &expired.messages {
        forget::message(tx, *account, (*conversation, *stamp))?;
    }
    for body in &expired.bodies {
        tx.prepare_cached(SQL_BODY)?.execute([body])?;
    }
    tx.note_erasure();
    Ok(())
}

/// A message that is still being sent is never too old.
fn messages(
    connection: &Connection,
    keep: RetentionPolicy,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, i64, Timestamp)>> {
    // The order of the tables is kept: for each conversation one look at its oldest message.
    const SQL: &str = "
        SELECT v.account, m.conversation, m.tm_create
        FROM customers c
        CROSS JOIN conversations v ON v.customer = c.key
        CROSS JOIN messages m ON m.conversation = v.key
        WHERE coalesce(c.message_days, ?1) > 0
            AND m.tm_create < ?2 - coalesce(c.message_days, ?1) * 86400000000
            AND m.status <> 'sending'
        LIMIT ?3";
    let mut statement = connection.prepare_cached(SQL)?;
    let rows = statement.query_map((keep.message_days, now, most(limit)), |row| row.try_into())?;
    Ok(sound(rows, "messages").collect::<rusqlite::Result<_>>()?)
}

fn bodies(connection: &Connection, keep: RetentionPolicy, now: Timestamp, limit: usize) -> Result<Vec<i64>> {
    // The shorter of the two times; 40,000 days are for ever, since that was before 1970.
    const SQL: &str = "
        SELECT e.key
        FROM accounts a
        CROSS JOIN customers c ON c.key = a.customer
        CROSS JOIN webhook_events e ON e.account = a.key
        WHERE e.body IS NOT NULL
            AND e.received_at < ?3 - 86400000000 * min(
                coalesce(nullif(?2, 0), 40000), coalesce(nullif(coalesce(c.message_days, ?1), 0), 40000))
        LIMIT ?4";
    let mut statement = connection.prepare_cached(SQL)?;
    let values = (keep.message_days, keep.webhook_body_days, now, most(limit));
    let rows = statement.query_map(values, |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
