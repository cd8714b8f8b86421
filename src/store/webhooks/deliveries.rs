//! Webhook deliveries: each event once it is committed, in order within its conversation, until the receiver takes it or the
//! schedule ends.

use serde::Serialize;

use crate::contract::views::EventView;
use crate::error::{Error, Result};
use crate::model::id::{EventId, MessageId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::model::webhooks::webhook::{AttemptError, WebhookDecision, WebhookOutcome, WebhookProgress};
use crate::model::webhooks::webhook_delivery::{DeliveryState, WebhookAttempt};
use crate::store::dispatch::{self, Head, Lane, Outbox};
use crate::store::engine::query::{self, ALL, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::events::{self, EventSubject};
use crate::store::webhooks::endpoints::Receiver;
use crate::store::webhooks::lanes::WebhookOutbox;
use crate::store::webhooks::{endpoints, lanes};

/// How many attempts of a delivery are kept, the newest: as many as the schedule has, and those of four replays.
const ATTEMPTS_MAX: u32 = 50;

/// A webhook in flight. It belongs to the caller until it is recorded.
#[derive(Debug, Clone)]
pub struct ClaimedWebhook {
    event: i64,
    lane: i64,
    customer: i64,
    is_probe: bool,
    /// Whether the last attempt of its endpoint timed out.
    pub slow: bool,
    /// The same for every attempt, so that the receiver recognizes what it has taken before.
    pub id: EventId,
    /// The endpoint's address.
    pub uri: String,
    /// The HTTP method.
    pub method: String,
    /// Each of these signs it.
    pub secrets: Vec<Secret>,
    /// The exact bytes: the same for every attempt, unless their message was unsent.
    pub body: Vec<u8>,
    /// What a decision about it needs to know.
    pub progress: WebhookProgress,
    /// Which attempt this is, from 1.
    pub number: u32,
}

/// What is recorded of an attempt.
#[derive(Debug, Clone, Copy)]
pub enum AttemptRecord {
    /// The attempt, and what follows from it.
    Attempted(WebhookAttempt, WebhookDecision),
    /// Its outcome cannot be recorded: the delivery is due again at this time.
    Unknown(Timestamp),
}

/// Announces a change to a customer: an event for its feeds, and a webhook if it has an endpoint.
pub(in crate::store) fn announce(
    tx: &Transaction<'_>,
    subject: &EventSubject,
    kind: EventKind,
    shown: &impl Serialize,
) -> Result<()> {
    let event = events::append(tx, subject, kind, shown)?;
    enqueue(tx, event, (subject.customer, subject.conversation))
}

/// Queues a webhook for an event, if the customer has an endpoint.
fn enqueue(
    tx: &Transaction<'_>,
    (event, id): (i64, EventId),
    (customer, conversation): (i64, i64),
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO webhook_deliveries (event, id, customer, conversation, tm_create, tm_update)
        VALUES (?1, ?2, ?3, ?4, ?5, ?5)";
    if !endpoints::is_wanted(tx, customer)? {
        return Ok(());
    }
    query::execute(tx, SQL, (event, id, customer, conversation, tx.stamp()?))?;
    lanes::open(tx, customer, conversation)?;
    tx.note_webhook();
    Ok(())
}

impl Outbox for WebhookOutbox {
    const TABLE: &'static str = "webhook_deliveries";

    type Claim = ClaimedWebhook;
    type Record = AttemptRecord;

    fn is_slow(claim: &ClaimedWebhook) -> bool {
        claim.slow
    }

    fn due_alone(tx: &Transaction<'_>, claim: &ClaimedWebhook) -> Result<Option<Lane<Receiver>>> {
        lanes::due_alone(tx, claim.customer, claim.lane)
    }

    fn start_head(
        &self,
        tx: &Transaction<'_>,
        lane: &Lane<Receiver>,
        _outcomes: &mut Vec<MessageId>,
    ) -> Result<Head<ClaimedWebhook>> {
        const SQL: &str = "
            UPDATE webhook_deliveries SET state = 'sending', last_attempt_at = ?2, first_attempt_at = ?3
            WHERE event = ?1";
        let Some(claim) = head(tx, lane)? else { return Ok(Head::Missing) };
        query::execute(tx, SQL, (claim.event, tx.now(), claim.progress.first_attempt_at))?;
        Ok(Head::Started(claim))
    }

    fn give_up_head(tx: &Transaction<'_>, conversation: i64) -> Result<Option<MessageId>> {
        give_up_head(tx, conversation).map(|()| None)
    }

    fn record(
        tx: &Transaction<'_>,
        claim: &ClaimedWebhook,
        record: &AttemptRecord,
    ) -> Result<Option<MessageId>> {
        let recorded = match record {
            AttemptRecord::Attempted(attempt, decision) => record_decision(tx, claim, attempt, *decision),
            AttemptRecord::Unknown(due) => release(tx, claim, *due),
        };
        recorded.map(|()| None)
    }

    fn recover_deliveries(tx: &Transaction<'_>) -> Result<()> {
        recover(tx)
    }
}

/// Records an attempt, and what follows from it for the delivery and for the endpoint.
fn record_decision(
    tx: &Transaction<'_>,
    claim: &ClaimedWebhook,
    attempt: &WebhookAttempt,
    decision: WebhookDecision,
) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_deliveries SET state = ?2, attempts = ?3, tries = ?4, tm_update = ?5
        WHERE event = ?1 AND state = 'sending'";
    let (state, due) = match decision {
        WebhookDecision::Deliver => (DeliveryState::Delivered, None),
        WebhookDecision::Fail => (DeliveryState::Failed, None),
        WebhookDecision::Retry(at) | WebhookDecision::Wait(at) => (DeliveryState::Waiting, Some(at)),
    };
    let counts = !matches!(decision, WebhookDecision::Wait(_));
    let tries = claim.progress.tries - u32::from(!counts);
    let values = (claim.event, state, attempt.number, tries, tx.now());
    // The event may have been removed meanwhile.
    let is_there = query::execute(tx, SQL, values)? > 0;
    if is_there {
        record_attempt(tx, claim.event, attempt)?;
    }
    endpoints::note(tx, claim.customer, attempt.outcome, claim.is_probe)?;
    match due {
        Some(at) if is_there => dispatch::free::<WebhookOutbox>(tx, claim.lane, at),
        _ => dispatch::advance::<WebhookOutbox>(tx, claim.lane),
    }
}

/// Releases a delivery whose outcome is unknown: it is due again at this time.
fn release(tx: &Transaction<'_>, claim: &ClaimedWebhook, due: Timestamp) -> Result<()> {
    const SQL: &str =
        "UPDATE webhook_deliveries SET state = 'waiting' WHERE event = ?1 AND state = 'sending'";
    query::execute(tx, SQL, [claim.event])?;
    dispatch::free::<WebhookOutbox>(tx, claim.lane, due)
}

/// Releases what was in flight when the process ended. The receiver may have taken it, and gets it again.
fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_deliveries
        SET state = 'waiting', attempts = attempts + 1, tm_update = ?1
        WHERE state IN ('waiting', 'sending') AND state = 'sending'
        RETURNING event, attempts, last_attempt_at";
    let interrupted = query::readable_rows(tx, SQL, [tx.now()], ("webhook_deliveries", ALL), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    for (event, number, started_at) in interrupted {
        let outcome = WebhookOutcome::Failed(AttemptError::Interrupted);
        let duration = tx.now().since(started_at);
        record_attempt(tx, event, &WebhookAttempt { number, started_at, duration, outcome })?;
    }
    Ok(())
}

/// Fails the oldest delivery of a lane, which cannot be read.
fn give_up_head(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_deliveries SET state = 'failed', tm_update = ?2
        WHERE event = (
            SELECT min(event)
            FROM webhook_deliveries
            WHERE conversation = ?1 AND state IN ('waiting', 'sending')
        )";
    query::execute(tx, SQL, (conversation, tx.now()))?;
    dispatch::advance::<WebhookOutbox>(tx, conversation)
}

/// The oldest delivery of a lane.
fn head(tx: &Transaction<'_>, lane: &Lane<Receiver>) -> Result<Option<ClaimedWebhook>> {
    const SQL: &str = "
        SELECT sequence, attempts + 1 AS number, tries + 1 AS tries, coalesce(first_attempt_at, ?2) AS first_attempt_at,
            e.id, kind, created_at, e.conversation, data
        FROM webhook_deliveries d JOIN events e ON e.sequence = d.event
        WHERE d.conversation = ?1 AND state IN ('waiting', 'sending')
        ORDER BY event
        LIMIT 1";
    let mut statement = tx.prepare_cached(SQL)?;
    let mut rows = statement.query((lane.conversation, tx.now()))?;
    rows.next()?.map(|row| from_row(row, lane)).transpose()
}

fn from_row(row: &Row<'_>, lane: &Lane<Receiver>) -> Result<ClaimedWebhook> {
    let shown = events::show(row, |event, _| {
        let body = serde_json::to_vec(&EventView::from(event)).map_err(Error::internal);
        (event.sequence, event.id, body)
    });
    let ((event, id, body), receiver) = (shown?, &lane.party);
    Ok(ClaimedWebhook {
        event,
        lane: lane.conversation,
        customer: receiver.customer,
        is_probe: lane.is_probe,
        slow: receiver.slow,
        id,
        uri: receiver.uri.clone(),
        method: receiver.method.clone(),
        secrets: receiver.secrets.clone(),
        body: body?,
        progress: WebhookProgress {
            tries: row.get("tries")?,
            first_attempt_at: row.get("first_attempt_at")?,
        },
        number: row.get("number")?,
    })
}

fn record_attempt(tx: &Transaction<'_>, event: i64, attempt: &WebhookAttempt) -> Result<()> {
    const SQL: &str = "
        INSERT INTO webhook_attempts (event, number, started_at, duration_milliseconds, status, error)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    const SQL_FORGET: &str = "DELETE FROM webhook_attempts WHERE event = ?1 AND number <= ?2";
    let WebhookAttempt { number, started_at, duration, outcome } = *attempt;
    let (status, error) = match outcome {
        WebhookOutcome::Answered { status, .. } => (Some(status), None),
        WebhookOutcome::Failed(error) => (None, Some(error)),
    };
    let duration = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    query::execute(tx, SQL, (event, number, started_at, duration, status, error))?;
    if let Some(forgotten) = number.checked_sub(ATTEMPTS_MAX).filter(|forgotten| *forgotten > 0) {
        query::execute(tx, SQL_FORGET, (event, forgotten))?;
    }
    Ok(())
}
