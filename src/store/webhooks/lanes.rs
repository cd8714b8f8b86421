//! The lanes of webhooks, by customer.
//!
//! Each customer has its share of the capacity, and endpoints whose last attempt timed out have a smaller one together.

use std::rc::Rc;
use std::time::Duration;

use crate::error::Result;
use crate::model::capacity::Capacity;
use crate::model::webhooks::webhook::{ASKED_PAUSE_MAX, PAUSE_MAX};
use crate::store::dispatch::{self, Lane, Lanes};
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;
use crate::store::webhooks::endpoints::{self, Receiver};

/// How far away the next probe is while one is in flight: longer than any attempt can take.
const PROBE_TIME: Duration = Duration::from_mins(2);

/// The outbox to customers.
#[derive(Debug, Clone, Copy)]
pub struct WebhookOutbox {
    /// The most webhooks of one customer that may be in flight.
    pub customer_max: usize,
}

impl Lanes for WebhookOutbox {
    type Party = Receiver;

    const SQL_TAKE: &'static str = "UPDATE webhook_lanes SET in_flight = 1 WHERE conversation = ?1";
    const SQL_FREE: &'static str =
        "UPDATE webhook_lanes SET in_flight = 0, due_at = ?2 WHERE conversation = ?1";
    const SQL_END: &'static str = "
        DELETE FROM webhook_lanes
        WHERE conversation = ?1 AND NOT EXISTS (
            SELECT 1 FROM webhook_deliveries
            WHERE conversation = ?1 AND state IN ('waiting', 'sending')
        )";
    const SQL_RECOVER: &'static str = "UPDATE webhook_lanes SET in_flight = 0 WHERE in_flight = 1";
    const SQL_NEXT_DUE: &'static str = "
        SELECT min(max(coalesce(paused_until, 0), (
            SELECT min(due_at) FROM webhook_lanes l WHERE l.customer = e.customer AND in_flight = 0
        )))
        FROM webhook_endpoints e JOIN customers c ON c.key = e.customer
        WHERE disabled_at IS NULL AND webhook_uri <> ''";

    fn parties(tx: &Transaction<'_>) -> Result<Vec<Receiver>> {
        endpoints::with_lanes(tx, tx.now())
    }

    /// After a pause of the endpoint one lane is the probe.
    fn due_of(
        &self,
        tx: &Transaction<'_>,
        receiver: &Rc<Receiver>,
        share: Capacity,
    ) -> Result<Vec<Lane<Receiver>>> {
        if receiver.paused_until.is_some_and(|until| dispatch::is_on(until, tx.now(), ASKED_PAUSE_MAX)) {
            return Ok(Vec::new());
        }
        let is_probe = receiver.paused_until.is_some();
        let share = if receiver.slow { share.slow } else { share.any };
        let share = share.min(self.customer_max.saturating_sub(receiver.in_flight));
        let due = waiting(tx, receiver.customer, if is_probe { share.min(1) } else { share })?;
        Ok(due.into_iter().map(|conversation| lane(conversation, receiver, is_probe)).collect())
    }

    fn postpone_probe(tx: &Transaction<'_>, receiver: &Receiver) -> Result<()> {
        endpoints::postpone_probe(tx, receiver.customer, tx.now().after(PROBE_TIME))
    }
}

/// Makes sure that a conversation has a lane.
pub(super) fn open(tx: &Transaction<'_>, customer: i64, conversation: i64) -> Result<()> {
    const SQL: &str = "
        INSERT INTO webhook_lanes (conversation, customer, due_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (conversation) DO NOTHING";
    query::execute(tx, SQL, (conversation, customer, tx.now()))?;
    Ok(())
}

/// This lane, if it may move now.
pub(super) fn due_alone(
    tx: &Transaction<'_>,
    customer: i64,
    conversation: i64,
) -> Result<Option<Lane<Receiver>>> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM webhook_lanes WHERE conversation = ?1 AND in_flight = 0 AND due_at <= ?2)";
    let is_due: bool = query::value(tx, SQL, (conversation, tx.now()))?;
    if !is_due {
        return Ok(None);
    }
    let receiver = endpoints::open_to(tx, customer, tx.now())?;
    Ok(receiver.map(|receiver| lane(conversation, &Rc::new(receiver), false)))
}

/// Makes the next delivery of a conversation due now, unless one is in flight.
pub(super) fn make_due(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET due_at = ?2 WHERE conversation = ?1 AND in_flight = 0";
    query::execute(tx, SQL, (conversation, tx.now()))?;
    Ok(())
}

/// Makes all waiting deliveries of a customer due now.
pub(super) fn make_all_due(tx: &Transaction<'_>, customer: i64) -> Result<()> {
    const SQL: &str = "UPDATE webhook_lanes SET due_at = ?2 WHERE customer = ?1 AND in_flight = 0";
    query::execute(tx, SQL, (customer, tx.now()))?;
    Ok(())
}

/// The conversations of a customer whose next delivery is due. A wait that ends later than any schedule has it was set by a
/// clock that was ahead, and is over.
fn waiting(tx: &Transaction<'_>, customer: i64, limit: usize) -> Result<Vec<i64>> {
    const SQL: &str = "
        SELECT conversation, due_at FROM webhook_lanes WHERE customer = ?1 AND in_flight = 0 AND due_at <= ?2
        UNION ALL
        SELECT conversation, due_at FROM webhook_lanes WHERE customer = ?1 AND in_flight = 0 AND due_at > ?3
        ORDER BY due_at
        LIMIT ?4";
    let values = (customer, tx.now(), tx.now().after(PAUSE_MAX), Limit(limit));
    query::values(tx, SQL, values)
}

fn lane(conversation: i64, receiver: &Rc<Receiver>, is_probe: bool) -> Lane<Receiver> {
    Lane { conversation, party: Rc::clone(receiver), slow: receiver.slow, is_probe }
}
