//! Retention: a read finds expired data in batches, a write removes each batch.

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::engine::query::{self, ALL, Connection};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;
use crate::store::erasure::forget;

/// How long data is kept, in days; 0 means forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// Messages and their media, for customers without a setting of their own.
    pub message_days: u32,
    /// Bodies of webhook events. Those of a customer are never kept longer than its messages.
    pub webhook_body_days: u32,
}

/// Expired data.
#[derive(Debug, Default)]
pub struct Expired {
    messages: Vec<(i64, i64, Timestamp)>,
    bodies: Vec<i64>,
}

impl Expired {
    /// Number of expired items.
    pub fn count(&self) -> usize {
        self.messages.len() + self.bodies.len()
    }
}

/// Up to `limit` items of each kind that have expired by now. Looks at every conversation, and at up to `limit` rows of each:
/// it may take long.
pub fn expired(
    connection: &Connection,
    policy: RetentionPolicy,
    now: Timestamp,
    limit: usize,
) -> Result<Expired> {
    Ok(Expired {
        messages: messages(connection, policy, now, limit)?,
        bodies: bodies(connection, policy, now, limit)?,
    })
}

/// Removes expired items.
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

/// A message that is still being sent never expires.
fn messages(
    connection: &Connection,
    policy: RetentionPolicy,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(i64, i64, Timestamp)>> {
    // CROSS JOIN fixes the order of the tables: one look at the oldest message of each conversation.
    const SQL: &str = "
        SELECT v.account, m.conversation, m.tm_create
        FROM customers c
        CROSS JOIN conversations v ON v.customer = c.key
        CROSS JOIN messages m ON m.conversation = v.key
        WHERE coalesce(c.message_days, ?1) > 0
            AND m.tm_create < ?2 - coalesce(c.message_days, ?1) * 86400000000
            AND m.status <> 'sending'
        LIMIT ?3";
    let values = (policy.message_days, now, Limit(limit));
    query::readable_rows(connection, SQL, values, ("messages", ALL), |row| row.try_into())
}

fn bodies(
    connection: &Connection,
    policy: RetentionPolicy,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<i64>> {
    // The shorter of the two times. 40,000 days stand for forever, since that long ago is before 1970.
    const SQL: &str = "
        SELECT e.key
        FROM accounts a
        CROSS JOIN customers c ON c.key = a.customer
        CROSS JOIN webhook_events e ON e.account = a.key
        WHERE e.body IS NOT NULL
            AND e.received_at < ?3 - 86400000000 * min(
                coalesce(nullif(?2, 0), 40000), coalesce(nullif(coalesce(c.message_days, ?1), 0), 40000))
        LIMIT ?4";
    let values = (policy.message_days, policy.webhook_body_days, now, Limit(limit));
    query::values(connection, SQL, values)
}
