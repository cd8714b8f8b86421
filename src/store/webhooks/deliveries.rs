//! What customers are told: each event once it was committed, in order within its conversation, until the receiver has
//! taken it or the schedule ends.

use rusqlite::Row;
use serde::Serialize;

use crate::contract::views::EventView;
use crate::error::{Error, Result};
use crate::model::capacity::Capacity;
use crate::model::id::EventId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::model::webhooks::webhook::{AttemptError, WebhookDecision, WebhookOutcome, WebhookProgress};
use crate::model::webhooks::webhook_delivery::{DeliveryState, WebhookAttempt};
use crate::store::engine::damage::{only_its_own, sound};
use crate::store::engine::transaction::Transaction;
use crate::store::events::{self, EventSubject};
use crate::store::webhooks::lanes::Lane;
use crate::store::webhooks::{endpoints, lanes};

/// Of each delivery the newest attempts are kept: as many as the schedule has, and those of four replays.
const ATTEMPTS_MAX: u32 = 50;

/// A delivery that is under way: it is this caller's until it is recorded.
#[derive(Debug, Clone)]
pub struct ClaimedWebhook {
    event: i64,
    lane: i64,
    customer: i64,
    is_probe: bool,
    /// Whether its receiver gave no answer in time at the last attempt.
    pub slow: bool,
    /// The same for every attempt: the receiver knows by it what it has taken before.
    pub id: EventId,
    /// Where it goes.
    pub uri: String,
    /// The HTTP method.
    pub method: String,
    /// With each of these it is signed.
    pub secrets: Vec<Secret>,
    /// The exact bytes: the same for every attempt, unless what they tell was withdrawn.
    pub body: Vec<u8>,
    /// What a decision about it needs to know.
    pub progress: WebhookProgress,
    /// Which attempt this is, from 1.
    pub number: u32,
}

/// Tells a customer what something has become: an event for those who read, and a delivery if it has said where.
pub(in crate::store) fn announce(
    tx: &Transaction<'_>,
    subject: &EventSubject,
    kind: EventKind,
    shown: &impl Serialize,
) -> Result<()> {
    let event = events::append(tx, subject, kind, shown)?;
    enqueue(tx, event, (subject.customer, subject.conversation))
}

/// Lets a customer be told of an event, if it has said where.
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
    tx.prepare_cached(SQL)?.execute((event, id, customer, conversation, tx.stamp()?))?;
    lanes::open(tx, customer, conversation)?;
    tx.note_webhook();
    Ok(())
}

/// Takes what is due, at most one delivery of each lane, and no more of one customer than `each` at once.
pub fn claim(tx: &Transaction<'_>, room: Capacity, each: usize) -> Result<Vec<ClaimedWebhook>> {
    let mut claims = Vec::new();
    for lane in lanes::due(tx, room, each)? {
        claims.extend(claim_head(tx, &lane)?);
    }
    Ok(claims)
}

/// Writes an attempt down, with what follows from it for the delivery and for the receiver.
pub fn record(
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
    let is_there = tx.prepare_cached(SQL)?.execute(values)? > 0;
    if is_there {
        record_attempt(tx, claim.event, attempt)?;
    }
    endpoints::note(tx, claim.customer, attempt.outcome, claim.is_probe)?;
    match due {
        Some(at) if is_there => lanes::wait(tx, claim.lane, at),
        _ => lanes::advance(tx, claim.lane),
    }
}

/// What came of an attempt is not known: it goes out again then.
pub fn release(tx: &Transaction<'_>, claim: &ClaimedWebhook, at: Timestamp) -> Result<()> {
    const SQL: &str =
        "UPDATE webhook_deliveries SET state = 'waiting' WHERE event = ?1 AND state = 'sending'";
    tx.prepare_cached(SQL)?.execute([claim.event])?;
    lanes::wait(tx, claim.lane, at)
}

/// The same, and takes the lane's next delivery at once if it is due.
pub fn record_and_go_on(
    tx: &Transaction<'_>,
    claim: &ClaimedWebhook,
    attempt: &WebhookAttempt,
    decision: WebhookDecision,
) -> Result<Option<ClaimedWebhook>> {
    record(tx, claim, attempt, decision)?;
    match lanes::due_alone(tx, claim.customer, claim.lane)? {
        Some(lane) => claim_head(tx, &lane),
        None => Ok(None),
    }
}

/// Puts back what was under way when the process ended. The receiver may have taken it, and is told again.
pub fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_deliveries INDEXED BY webhook_deliveries_waiting
        SET state = 'waiting', attempts = attempts + 1, tm_update = ?1
        WHERE state IN ('waiting', 'sending') AND state = 'sending'
        RETURNING event, attempts, last_attempt_at";
    let mut statement = tx.prepare_cached(SQL)?;
    let interrupted = statement.query_map([tx.now()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let interrupted = sound(interrupted, "webhook_deliveries").collect::<rusqlite::Result<Vec<_>>>()?;
    for (event, number, started_at) in interrupted {
        let outcome = WebhookOutcome::Failed(AttemptError::Interrupted);
        let duration = tx.now().since(started_at);
        record_attempt(tx, event, &WebhookAttempt { number, started_at, duration, outcome })?;
    }
    lanes::recover(tx)
}

/// Takes the oldest delivery of a lane. One that is damaged has failed, and holds up no other.
fn claim_head(tx: &Transaction<'_>, lane: &Lane) -> Result<Option<ClaimedWebhook>> {
    match only_its_own(tx.attempt(|tx| take_head(tx, lane)), "webhook_deliveries")? {
        Ok(claim) => Ok(claim),
        Err(_) => give_up_head(tx, lane).map(|()| None),
    }
}

/// The oldest delivery of a lane cannot be read.
fn give_up_head(tx: &Transaction<'_>, lane: &Lane) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_deliveries SET state = 'failed', tm_update = ?2
        WHERE event = (
            SELECT min(event)
            FROM webhook_deliveries INDEXED BY webhook_deliveries_waiting
            WHERE conversation = ?1 AND state IN ('waiting', 'sending')
        )";
    tx.prepare_cached(SQL)?.execute((lane.conversation, tx.now()))?;
    lanes::advance(tx, lane.conversation)
}

/// Takes the oldest delivery of a lane; a lane without one ends.
fn take_head(tx: &Transaction<'_>, lane: &Lane) -> Result<Option<ClaimedWebhook>> {
    const SQL: &str = "
        UPDATE webhook_deliveries SET state = 'sending', last_attempt_at = ?2, first_attempt_at = ?3
        WHERE event = ?1";
    let Some(claim) = head(tx, lane)? else {
        lanes::advance(tx, lane.conversation)?;
        return Ok(None);
    };
    tx.prepare_cached(SQL)?.execute((claim.event, tx.now(), claim.progress.first_attempt_at))?;
    lanes::take(tx, lane)?;
    Ok(Some(claim))
}

fn head(tx: &Transaction<'_>, lane: &Lane) -> Result<Option<ClaimedWebhook>> {
    const SQL: &str = "
        SELECT sequence, attempts + 1 AS number, tries + 1 AS tries, coalesce(first_attempt_at, ?2) AS first_attempt_at,
            e.id, kind, created_at, e.conversation, data
        FROM webhook_deliveries d INDEXED BY webhook_deliveries_waiting JOIN events e ON e.sequence = d.event
        WHERE d.conversation = ?1 AND state IN ('waiting', 'sending')
        ORDER BY event
        LIMIT 1";
    let mut statement = tx.prepare_cached(SQL)?;
    let mut rows = statement.query((lane.conversation, tx.now()))?;
    rows.next()?.map(|row| from_row(row, lane)).transpose()
}

fn from_row(row: &Row<'_>, lane: &Lane) -> Result<ClaimedWebhook> {
    let shown = events::show(row, |event, _| {
        let body = serde_json::to_vec(&EventView::from(event)).map_err(Error::internal);
        (event.sequence, event.id, body)
    });
    let ((event, id, body), receiver) = (shown?, &lane.receiver);
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
    tx.prepare_cached(SQL)?.execute((event, number, started_at, duration, status, error))?;
    if let Some(forgotten) = number.checked_sub(ATTEMPTS_MAX).filter(|forgotten| *forgotten > 0) {
        tx.prepare_cached(SQL_FORGET)?.execute((event, forgotten))?;
    }
    Ok(())
}
