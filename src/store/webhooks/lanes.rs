//! Lanes of what customers are told: which conversation may be told of next.
//!
//! Only the oldest delivery of a conversation is under way, and no conversation waits for another. Each customer has its
//! share of what is under way, and receivers that did not answer in time have a smaller one together.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::capacity::Capacity;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::webhook::{ASKED_PAUSE_MAX, PAUSE_MAX};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;
use crate::store::webhooks::endpoints;
use crate::store::webhooks::endpoints::Receiver;

/// After a pause one delivery goes first; another one only after this time, which is longer than any attempt.
const PROBE_TIME: Duration = Duration::from_mins(2);

/// A lane whose oldest delivery may go out.
pub(in crate::store) struct Lane {
    pub(in crate::store) conversation: i64,
    pub(in crate::store) receiver: Receiver,
    /// Whether it shows if the receiver's pause is over. Only one may go first.
    pub(in crate::store) is_probe: bool,
}

/// Makes sure that a conversation has a lane.
pub(in crate::store) fn open(tx: &Transaction<'_>, customer: i64, conversation: i64) -> Result<()> {
    const SQL: &str = "
        INSERT INTO webhook_lanes (conversation, customer, due_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (conversation) DO NOTHING";
    tx.prepare_cached(SQL)?.execute((conversation, customer, tx.now()))?;
    Ok(())
}

/// Lanes that may move. Customers with the least under way come first, and none has more than `each`.
///
/// A wait that ends later than any schedule has it can only come from a clock that was ahead; it has ended.
pub(in crate::store) fn due(tx: &Transaction<'_>, mut room: Capacity, each: usize) -> Result<Vec<Lane>> {
    let receivers = endpoints::with_lanes(tx, tx.now())?;
    let count = receivers.len();
    let mut lanes = Vec::new();
    for (index, receiver) in receivers.into_iter().enumerate() {
        let waits = |until: Timestamp| until > tx.now() && until <= tx.now().after(ASKED_PAUSE_MAX);
        if receiver.paused_until.is_some_and(waits) {
            continue;
        }
        let share = room.share(count - index);
        let share = if receiver.slow { share.slow } else { share.any };
        let share = share.min(each.saturating_sub(receiver.in_flight));
        let is_probe = receiver.paused_until.is_some();
        let taken = due_of(tx, receiver.customer, if is_probe { share.min(1) } else { share })?;
        room = room.without(taken.len(), if receiver.slow { taken.len() } else { 0 });
        let lane = |conversation| Lane { conversation, receiver: receiver.clone(), is_probe };
        lanes.extend(taken.into_iter().map(lane));
    }
    Ok(lanes)
}

/// This very lane, if it may move now.
pub(in crate::store) fn due_alone(
    tx: &Transaction<'_>,
    customer: i64,
    conversation: i64,
) -> Result<Option<Lane>> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM webhook_lanes WHERE conversation = ?1 AND in_flight = 0 AND due_at <= ?2)";
    let is_due: bool = tx.prepare_cached(SQL)?.query_row((conversation, tx.now()), |row| row.get(0))?;
    if !is_due {
        return Ok(None);
    }
    let receiver = endpoints::open_to(tx, customer, tx.now())?;
    Ok(receiver.map(|receiver| Lane { conversation, receiver, is_probe: false }))
}

/// The oldest delivery of a lane is under way. One that goes first is the only one for a while.
pub(in crate::store) fn take(tx: &Transaction<'_>, lane: &Lane) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET in_flight = 1 WHERE conversation = ?1";
    if lane.is_probe {
        endpoints::put_off_probe(tx, lane.receiver.customer, tx.now().after(PROBE_TIME))?;
    }
    tx.prepare_cached(SQL)?.execute([lane.conversation])?;
    Ok(())
}

/// The oldest delivery of a lane goes out again, not before `until`.
pub(in crate::store) fn wait(tx: &Transaction<'_>, conversation: i64, until: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET in_flight = 0, due_at = ?2 WHERE conversation = ?1";
    tx.prepare_cached(SQL)?.execute((conversation, until))?;
    Ok(())
}

/// Makes the next delivery of a lane due, or ends a lane that has none.
pub(in crate::store) fn advance(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM webhook_lanes
        WHERE conversation = ?1 AND NOT EXISTS (
            SELECT 1 FROM webhook_deliveries INDEXED BY webhook_deliveries_waiting
            WHERE conversation = ?1 AND state IN ('waiting', 'sending')
        )";
    if tx.prepare_cached(SQL)?.execute([conversation])? == 0 {
        wait(tx, conversation, tx.now())?;
    }
    Ok(())
}

/// What is due next of a conversation is due now, unless it is under way.
pub(in crate::store) fn hurry(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET due_at = ?2 WHERE conversation = ?1 AND in_flight = 0";
    tx.prepare_cached(SQL)?.execute((conversation, tx.now()))?;
    Ok(())
}

/// Everything that a customer is to be told is due now.
pub(in crate::store) fn make_due(tx: &Transaction<'_>, customer: i64) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET due_at = ?2 WHERE customer = ?1 AND in_flight = 0";
    tx.prepare_cached(SQL)?.execute((customer, tx.now()))?;
    Ok(())
}

/// Nothing is under way when a process starts.
pub(in crate::store) fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET in_flight = 0 WHERE in_flight = 1";
    tx.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// When something will be due; `None` when nothing waits. Reads a few rows for each customer.
pub fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "
        SELECT min(max(coalesce(paused_until, 0), (
            SELECT min(due_at) FROM webhook_lanes l WHERE l.customer = e.customer AND in_flight = 0
        )))
        FROM webhook_endpoints e JOIN customers c ON c.key = e.customer
        WHERE disabled_at IS NULL AND webhook_uri <> ''";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| row.get(0)).optional()?.flatten())
}

fn due_of(tx: &Transaction<'_>, customer: i64, limit: usize) -> Result<Vec<i64>> {
    const SQL: &str = "
        SELECT conversation, due_at FROM webhook_lanes WHERE customer = ?1 AND in_flight = 0 AND due_at <= ?2
        UNION ALL
        SELECT conversation, due_at FROM webhook_lanes WHERE customer = ?1 AND in_flight = 0 AND due_at > ?3
        ORDER BY due_at
        LIMIT ?4";
    let limit = most(limit);
    let mut statement = tx.prepare_cached(SQL)?;
    let due =
        statement.query_map((customer, tx.now(), tx.now().after(PAUSE_MAX), limit), |row| row.get(0))?;
    Ok(due.collect::<rusqlite::Result<_>>()?)
}
