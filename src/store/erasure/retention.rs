//! Retention: what is older than the policy allows is found by a read and removed, in parts.

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::engine::query::{self, ALL, Connection};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;
use crate::store::erasure::forget;

/// How long things are kept, in days; 0 keeps them forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Messages with their files, of customers without a setting of their own.
    pub message_days: u32,
    /// Bodies of webhook events as LINE wrote them. Those of a customer are never kept longer than its messages.
    pub webhook_body_days: u32,
}

/// What exceeds the retention policy.
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

/// Up to `limit` messages and bodies each that are too old now. Examines every conversation and at most `limit` rows of each, so
/// it may take long.
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

/// Removes what has expired.
pub fn remove(tx: &Transaction<'_>, expired: &Expired) -> Result<()> {
    const SQL_BODY: &str = "UPDATE webhook_events SET body = NULL WHERE key = ?1";
    for (account, conversation, stamp) in &expired.messages {
        forget::message(tx, *account, (*conversation, *stamp))?;
    }
    for body in &expired.bodies {
        query::execute(tx, SQL_BODY, [body])?;
    }
    tx.note_erasure();
    Ok(())
}

/// A message that is being sent never expires.
fn messages(
    connection: &Connection,
    keep: RetentionPolicy,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, i64, Timestamp)>> {
    // CROSS JOIN keeps the order of the tables: one look at the oldest message of each conversation.
    const SQL: &str = "
        SELECT v.account, m.conversation, m.tm_create
        FROM customers c
        CROSS JOIN conversations v ON v.customer = c.key
        CROSS JOIN messages m ON m.conversation = v.key
        WHERE coalesce(c.message_days, ?1) > 0
            AND m.tm_create < ?2 - coalesce(c.message_days, ?1) * 86400000000
            AND m.status <> 'sending'
        LIMIT ?3";
    let values = (keep.message_days, now, Limit(limit));
    query::readable_rows(connection, SQL, values, ("messages", ALL), |row| row.try_into())
}

fn bodies(connection: &Connection, keep: RetentionPolicy, now: Timestamp, limit: usize) -> Result<Vec<i64>> {
    // The shorter of the two times. 40,000 days mean forever: that long ago was before 1970.
    const SQL: &str = "
        SELECT e.key
        FROM accounts a
        CROSS JOIN customers c ON c.key = a.customer
        CROSS JOIN webhook_events e ON e.account = a.key
        WHERE e.body IS NOT NULL
            AND e.received_at < ?3 - 86400000000 * min(
                coalesce(nullif(?2, 0), 40000), coalesce(nullif(coalesce(c.message_days, ?1), 0), 40000))
        LIMIT ?4";
    let values = (keep.message_days, keep.webhook_body_days, now, Limit(limit));
    query::values(connection, SQL, values)
}
