//! The history of webhook deliveries: lists them and replays them.

use std::time::Duration;

use crate::error::{Error, Resource, Result};
use crate::model::id::{ConversationId, CustomerId, EventId};
use crate::model::page::Page;
use crate::model::webhooks::webhook::WebhookOutcome;
use crate::model::webhooks::webhook_delivery::{DeliveryState, WebhookAttempt, WebhookDelivery};
use crate::store::engine::damage::size_of;
use crate::store::engine::query::{self, ALL, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::keys;
use crate::store::webhooks::lanes;

/// The deliveries that meet a condition, as [`delivery`] reads them. The outer joins keep damaged rows, so that they are
/// noticed.
macro_rules! deliveries {
    ($condition:literal) => {
        concat!(
            "SELECT d.id, e.kind, v.id AS conversation, d.state, d.attempts, d.tm_create, d.tm_update, a.number, started_at,
                duration_milliseconds, status, error, CASE WHEN d.state = 'waiting' AND d.event = (
                    SELECT min(event) FROM webhook_deliveries w
                    WHERE w.conversation = d.conversation AND w.state IN ('waiting', 'sending')
                ) THEN (SELECT due_at FROM webhook_lanes l WHERE l.conversation = d.conversation) END AS due_at
            FROM webhook_deliveries d
            LEFT JOIN events e ON e.sequence = d.event
            LEFT JOIN conversations v ON v.key = d.conversation
            LEFT JOIN webhook_attempts a ON a.event = d.event AND a.number = d.attempts
            WHERE ",
            $condition
        )
    };
}

/// Which deliveries to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeliveryFilter {
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only those of this conversation.
    pub conversation: Option<ConversationId>,
}

/// A page of a customer's deliveries, newest first. It may take long: deliveries that the filter excludes are read too.
///
/// `NotFound` for another customer's conversation.
pub fn page(
    connection: &Connection,
    customer: CustomerId,
    filter: DeliveryFilter,
    page: Page,
) -> Result<Vec<WebhookDelivery>> {
    const SQL: &str = deliveries!(
        "d.customer = ?1 AND d.tm_create < ?2 AND (?3 IS NULL OR d.conversation = ?3)
        ORDER BY d.tm_create DESC
        LIMIT ?4"
    );
    const SQL_IN_STATE: &str = deliveries!(
        "d.customer = ?1 AND d.tm_create < ?2 AND (?3 IS NULL OR d.conversation = ?3) AND d.state = ?5
        ORDER BY d.tm_create DESC
        LIMIT ?4"
    );
    let conversation =
        filter.conversation.map(|id| keys::conversation(connection, customer, id)).transpose()?;
    // An unknown customer has no deliveries.
    let customer = match keys::customer(connection, customer) {
        Err(Error::NotFound(_)) => return Ok(Vec::new()),
        found => found?,
    };
    let size = size_of(page);
    let (before, limit, readable) = (page.before, query::with_spare(size), ("webhook_deliveries", size));
    match filter.state {
        None => {
            query::readable_rows(connection, SQL, (customer, before, conversation, limit), readable, delivery)
        }
        Some(state) => query::readable_rows(
            connection,
            SQL_IN_STATE,
            (customer, before, conversation, limit, state),
            readable,
            delivery,
        ),
    }
}

/// One delivery, with its attempts from the oldest to the newest. A short, indexed read.
pub fn get(
    connection: &Connection,
    customer: CustomerId,
    id: EventId,
) -> Result<(WebhookDelivery, Vec<WebhookAttempt>)> {
    const SQL: &str = "
        SELECT number, started_at, duration_milliseconds, status, error
        FROM webhook_attempts
        WHERE event = ?1
        ORDER BY number";
    let event = find(connection, customer, id)?;
    let attempts = query::readable_rows(connection, SQL, [event], ("webhook_attempts", ALL), attempt)?;
    Ok((one(connection, event)?, attempts))
}

/// Delivers a webhook again, whether it was delivered or failed. Its schedule starts over.
///
/// `Conflict` while it is in flight.
pub fn replay(tx: &Transaction<'_>, customer: CustomerId, id: EventId) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_deliveries SET state = 'waiting', tries = 0, first_attempt_at = NULL, tm_update = ?2
        WHERE event = ?1 AND state <> 'sending'
        RETURNING customer, conversation";
    let event = find(tx, customer, id)?;
    let lane = query::optional_row(tx, SQL, (event, tx.now()), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let in_flight = || Error::Conflict("the delivery is in flight".to_owned());
    let (customer, conversation) = lane.ok_or_else(in_flight)?;
    lanes::open(tx, customer, conversation)?;
    lanes::make_due(tx, conversation)?;
    tx.note_webhook();
    Ok(())
}

fn find(connection: &Connection, customer: CustomerId, id: EventId) -> Result<i64> {
    const SQL: &str = "
        SELECT event
        FROM webhook_deliveries d JOIN customers c ON c.key = d.customer
        WHERE d.id = ?1 AND c.id = ?2";
    let found = query::optional_value(connection, SQL, (id, customer))?;
    found.ok_or(Error::NotFound(Resource::WebhookDelivery))
}

fn one(connection: &Connection, event: i64) -> Result<WebhookDelivery> {
    const SQL: &str = deliveries!("d.event = ?1");
    query::row(connection, SQL, [event], delivery)
}

fn delivery(row: &Row<'_>) -> Read<WebhookDelivery> {
    let number: Option<u32> = row.get("number")?;
    Ok(WebhookDelivery {
        id: row.get("id")?,
        kind: row.get("kind")?,
        conversation: row.get("conversation")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        last: number.map(|_| attempt(row)).transpose()?,
        due_at: row.get("due_at")?,
        tm_create: row.get("tm_create")?,
        tm_update: row.get("tm_update")?,
    })
}

fn attempt(row: &Row<'_>) -> Read<WebhookAttempt> {
    let status: Option<u16> = row.get("status")?;
    let milliseconds: i64 = row.get("duration_milliseconds")?;
    Ok(WebhookAttempt {
        number: row.get("number")?,
        started_at: row.get("started_at")?,
        duration: Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()),
        outcome: match status {
            Some(status) => WebhookOutcome::Answered { status, retry_after: None },
            None => WebhookOutcome::Failed(row.get("error")?),
        },
    })
}
