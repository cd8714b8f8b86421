//! The backlog, for an operator: read now and then, from indexes that hold only what waits.

use crate::error::Result;
use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::text;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::values::unsigned;

/// What waits to be delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Requests to LINE without an outcome.
    pub deliveries: u64,
    /// When the oldest of them was created.
    pub oldest: Option<Timestamp>,
    /// Chats with a request in flight.
    pub in_flight: u64,
    /// Chats that wait for their next request.
    pub waiting: u64,
    /// Chats among both whose last attempt timed out.
    pub slow: u64,
    /// How many accounts are suspended, by reason.
    pub suspended: Vec<(String, u64)>,
    /// Webhooks that are not delivered yet.
    pub undelivered: u64,
    /// When the event of the oldest happened.
    pub oldest_undelivered: Option<Timestamp>,
    /// How many endpoints are `disabled`, `paused` at their own request, and `failing` but not disabled.
    pub receivers: [(&'static str, u64); 3],
}

/// The present backlog.
pub fn measure(connection: &Connection, now: Timestamp) -> Result<Backlog> {
    const LANES: &str = "
        SELECT count(*) FILTER (WHERE in_flight = 1), count(*) FILTER (WHERE in_flight = 0),
            count(*) FILTER (WHERE slow = 1)
        FROM lanes";
    const DELIVERIES: &str =
        "SELECT count(*), min(created_at) FROM deliveries WHERE state IN ('queued', 'sending')";
    let (in_flight, waiting, slow) = query::row(connection, LANES, [], |row| {
        Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), unsigned(row.get(2)?)))
    })?;
    let (deliveries, oldest) =
        query::row(connection, DELIVERIES, [], |row| Ok((unsigned(row.get(0)?), row.get(1)?)))?;
    let (undelivered, oldest_undelivered) = undelivered(connection)?;
    let receivers = receivers(connection, now)?;
    let suspended = suspended(connection)?;
    Ok(Backlog {
        deliveries,
        oldest,
        in_flight,
        waiting,
        slow,
        suspended,
        undelivered,
        oldest_undelivered,
        receivers,
    })
}

/// How many webhooks are not delivered yet, and when the event of the oldest happened.
fn undelivered(connection: &Connection) -> Result<(u64, Option<Timestamp>)> {
    // The index holds what waits; only the oldest is looked up.
    const SQL: &str = "
        SELECT waiting, (SELECT tm_create FROM webhook_deliveries WHERE event = oldest)
        FROM (
            SELECT count(*) AS waiting, min(event) AS oldest
            FROM webhook_deliveries
            WHERE state IN ('waiting', 'sending')
        )";
    query::row(connection, SQL, [], |row| Ok((unsigned(row.get(0)?), row.get(1)?)))
}

fn receivers(connection: &Connection, now: Timestamp) -> Result<[(&'static str, u64); 3]> {
    const SQL: &str = "
        SELECT count(*) FILTER (WHERE disabled_at IS NOT NULL), count(*) FILTER (WHERE paused_until > ?1),
            count(*) FILTER (WHERE disabled_at IS NULL AND failing_since IS NOT NULL)
        FROM webhook_endpoints";
    let [disabled, paused, failing] = query::row(connection, SQL, [now], |row| {
        Ok([unsigned(row.get(0)?), unsigned(row.get(1)?), unsigned(row.get(2)?)])
    })?;
    Ok([("disabled", disabled), ("paused", paused), ("failing", failing)])
}

/// How many accounts are suspended, by reason.
pub fn suspended(connection: &Connection) -> Result<Vec<(String, u64)>> {
    const SQL: &str = "
        SELECT suspension_reason, count(*)
        FROM accounts
        WHERE suspension_reason IS NOT NULL AND tm_delete IS NULL
        GROUP BY suspension_reason
        ORDER BY suspension_reason";
    query::rows(connection, SQL, [], |row| Ok((text(row, "suspension_reason")?, unsigned(row.get(1)?))))
}

/// How many messages of a customer have no outcome; counting ends at `most`.
pub fn of_customer(connection: &Connection, customer: CustomerId, most: u64) -> Result<u64> {
    // CROSS JOIN keeps the order: from what waits, and not from all conversations of the customer.
    const SQL: &str = "
        SELECT count(*) FROM (
            SELECT DISTINCT d.conversation, d.message_stamp
            FROM customers c
                CROSS JOIN accounts a ON a.customer = c.key
                CROSS JOIN lanes l ON l.account = a.key
                CROSS JOIN deliveries d ON d.conversation = l.conversation AND d.state IN ('queued', 'sending')
            WHERE c.id = ?1
            LIMIT ?2
        )";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    query::row(connection, SQL, (customer, most), |row| Ok(unsigned(row.get(0)?)))
}
