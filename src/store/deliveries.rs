//! The outbox: what must reach LINE, in which order, and what came of it.
//!
//! Each conversation with something to deliver has a lane. Only the oldest delivery of a lane may be under way; lanes
//! do not wait for each other, but all lanes of a parked account wait for a single probe.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Error, Result};
use crate::model::account::Parked;
use crate::model::delivery::{Acceptance, Decision, Policy, Progress};
use crate::model::id::{MessageId, RetryKey};
use crate::model::message::FailureReason;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::transaction::Transaction;
use crate::store::{accounts, messages};

/// While a parked account is probed, the next probe is this far away.
const PROBE_TIME: Duration = Duration::from_mins(1);

/// A later time than this can only come from a clock that was ahead: the row is due, or it would wait as long as the
/// clock was wrong.
const WAIT_MAX: Duration = Duration::from_hours(2);

/// How much may be taken at once.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Deliveries of any kind.
    pub any: usize,
    /// Deliveries among them whose lane got no answer in time at its last attempt.
    pub slow: usize,
}

/// A delivery that is under way: it is this caller's until it is recorded.
#[derive(Debug, Clone)]
pub struct Claim {
    key: i64,
    lane: i64,
    account: i64,
    stamp: Timestamp,
    /// Whether its lane got no answer in time at the last attempt.
    pub slow: bool,
    /// The exact bytes to send.
    pub body: Vec<u8>,
    /// The same for every attempt with these bytes.
    pub retry_key: RetryKey,
    /// The channel access token.
    pub token: Secret,
    /// What a decision about it needs to know.
    pub progress: Progress,
}

/// What callers who wait for a message should look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The message has an outcome, be it that it has to wait.
    pub message: Option<MessageId>,
}

/// A lane whose oldest delivery may go out.
struct Lane {
    conversation: i64,
    account: i64,
    token: Secret,
    slow: bool,
}

/// Puts the requests that carry a message behind all others of its conversation.
///
/// `Conflict` when the account was removed.
pub(super) fn enqueue(
    tx: &Transaction<'_>,
    conversation: i64,
    stamp: Timestamp,
    requests: &[Vec<u8>],
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO deliveries (conversation, message_stamp, body, retry_key, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    const SQL_LANE: &str = "
        INSERT INTO lanes (conversation, account, due_at)
        SELECT v.key, a.key, ?2
        FROM conversations v JOIN accounts a ON a.key = v.account
        WHERE v.key = ?1 AND a.tm_delete IS NULL
        ON CONFLICT (conversation) DO UPDATE SET due_at = due_at";
    for request in requests {
        tx.prepare_cached(SQL)?.execute((conversation, stamp, request, RetryKey::random(), tx.now()))?;
    }
    if tx.prepare_cached(SQL_LANE)?.execute((conversation, tx.now()))? == 0 {
        return Err(Error::Conflict("the LINE account of this conversation was removed".to_owned()));
    }
    Ok(())
}

/// Puts back what was under way when the process ended. LINE may have executed it.
pub fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE deliveries SET state = 'queued', ambiguous = 1 WHERE state = 'sending'";
    const SQL_LANES: &str = "UPDATE lanes SET in_flight = 0 WHERE in_flight = 1";
    tx.prepare_cached(SQL)?.execute([])?;
    tx.prepare_cached(SQL_LANES)?.execute([])?;
    Ok(())
}

/// Takes what is due, at most one delivery of each lane. What may not be tried any more is settled instead.
pub fn claim(tx: &Transaction<'_>, room: Room, policy: &Policy) -> Result<(Vec<Claim>, Vec<MessageId>)> {
    let mut claims = Vec::new();
    let mut settled = Vec::new();
    for lane in due_lanes(tx, room)? {
        while let Some(claim) = head(tx, &lane)? {
            if !policy.expired(claim.progress, tx.now()) {
                claims.push(start(tx, claim, policy)?);
                break;
            }
            let message = "no attempt was answered while LINE still knew the retry key";
            settled.extend(fail(tx, &claim, FailureReason::OutcomeUnknown, message)?.message);
        }
    }
    Ok((claims, settled))
}

/// Writes down what follows from an attempt, and makes the lane's next delivery due.
pub fn record(tx: &Transaction<'_>, claim: &Claim, decision: &Decision) -> Result<Recorded> {
    if !still_sending(tx, claim)? {
        return Ok(Recorded::default());
    }
    match decision {
        Decision::Accept(acceptance) => accept(tx, claim, acceptance),
        Decision::Fail(reason, message) => fail(tx, claim, *reason, message),
        Decision::Retry { at, ambiguous, slow, message } => {
            put_back(tx, claim, *ambiguous, message)?;
            wait(tx, claim.lane, *at, *slow)?;
            outcome_of(tx, claim)
        }
        Decision::Park { reason, until, message } => {
            put_back(tx, claim, claim.progress.ambiguous, message)?;
            wait(tx, claim.lane, tx.now(), false)?;
            let parked = Parked { reason: *reason, message: message.clone(), until: *until };
            accounts::park(tx, claim.account, &parked)?;
            outcome_of(tx, claim)
        }
    }
}

/// When something will be due; `None` when nothing waits. Reads one row for each account.
pub fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "
        SELECT min(max(coalesce(parked_until, 0), (
            SELECT min(due_at)
            FROM (
                SELECT min(due_at) AS due_at FROM lanes WHERE account = a.key AND in_flight = 0 AND slow = 0
                UNION ALL
                SELECT min(due_at) FROM lanes WHERE account = a.key AND in_flight = 0 AND slow = 1
            )
        )))
        FROM accounts a
        WHERE tm_delete IS NULL";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| row.get(0))?)
}

/// Ends everything that waits to be sent by an account.
pub(super) fn fail_all_of_account(tx: &Transaction<'_>, account: i64) -> Result<()> {
    const SQL: &str = "SELECT conversation FROM lanes WHERE account = ?1";
    const SQL_MESSAGES: &str = "
        SELECT DISTINCT message_stamp
        FROM deliveries
        WHERE conversation = ?1 AND state IN ('queued', 'sending')";
    const SQL_FAIL: &str = "
        UPDATE deliveries SET state = 'failed'
        WHERE conversation = ?1 AND state IN ('queued', 'sending')";
    let lanes: Vec<i64> =
        tx.prepare_cached(SQL)?.query_map([account], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for lane in lanes {
        let mut statement = tx.prepare_cached(SQL_MESSAGES)?;
        let stamps: Vec<Timestamp> =
            statement.query_map([lane], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for stamp in stamps {
            let failure =
                (FailureReason::AccountRemoved, "the LINE account was removed before the message was sent");
            messages::settle(tx, (lane, stamp), Some(failure))?;
        }
        tx.prepare_cached(SQL_FAIL)?.execute([lane])?;
        advance(tx, lane)?;
    }
    Ok(())
}

/// Lanes that may move, a fair share for each account.
fn due_lanes(tx: &Transaction<'_>, room: Room) -> Result<Vec<Lane>> {
    const SQL: &str = "
        SELECT key, token, parked_until
        FROM accounts a
        WHERE tm_delete IS NULL AND EXISTS (SELECT 1 FROM lanes WHERE account = a.key)";
    let mut statement = tx.prepare_cached(SQL)?;
    let accounts = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let accounts: Vec<(i64, Secret, Option<Timestamp>)> = accounts.collect::<rusqlite::Result<_>>()?;
    let share = |slots: usize| slots.div_ceil(accounts.len().max(1));
    let mut lanes = Vec::new();
    for (account, token, parked_until) in &accounts {
        let probing = parked_until.is_some();
        if parked_until.is_some_and(|until| until > tx.now() && until <= tx.now().after(WAIT_MAX)) {
            continue;
        }
        for (slow, slots) in [(false, room.any), (true, room.slow)] {
            let free = room.any.saturating_sub(lanes.len());
            let limit = if probing { 1 } else { share(slots) }.min(free);
            lanes.extend(due_lanes_of(tx, (*account, token), slow, limit)?);
        }
        if probing {
            accounts::put_off_probe(tx, *account, tx.now().after(PROBE_TIME))?;
        }
    }
    Ok(lanes)
}

fn due_lanes_of(
    tx: &Transaction<'_>,
    (account, token): (i64, &Secret),
    slow: bool,
    limit: usize,
) -> Result<Vec<Lane>> {
    const SQL: &str = "
        SELECT conversation
        FROM lanes
        WHERE account = ?1 AND in_flight = 0 AND slow = ?2 AND (due_at <= ?3 OR due_at > ?4)
        ORDER BY due_at
        LIMIT ?5";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = tx.prepare_cached(SQL)?;
    let due = statement.query_map((account, slow, tx.now(), tx.now().after(WAIT_MAX), limit), |row| {
        Ok(Lane { conversation: row.get(0)?, account, token: token.clone(), slow })
    })?;
    Ok(due.collect::<rusqlite::Result<_>>()?)
}

/// The oldest delivery of a lane.
fn head(tx: &Transaction<'_>, lane: &Lane) -> Result<Option<Claim>> {
    const SQL: &str = "
        SELECT key, message_stamp, body, retry_key, attempts + 1 AS attempts, ambiguous, created_at,
            coalesce(first_attempt_at, ?2) AS first_attempt_at
        FROM deliveries
        WHERE conversation = ?1 AND state IN ('queued', 'sending')
        ORDER BY key
        LIMIT 1";
    let read = |row: &Row<'_>| from_row(row, lane);
    Ok(tx.prepare_cached(SQL)?.query_row((lane.conversation, tx.now()), read).optional()?)
}

/// Notes that an attempt begins. A retry key that LINE may have forgotten is replaced, which is safe because no attempt
/// with it can have been executed.
fn start(tx: &Transaction<'_>, mut claim: Claim, policy: &Policy) -> Result<Claim> {
    const SQL: &str = "
        UPDATE deliveries
        SET state = 'sending', attempts = attempts + 1, retry_key = ?2, first_attempt_at = ?3, last_attempt_at = ?4
        WHERE key = ?1";
    const SQL_LANE: &str = "UPDATE lanes SET in_flight = 1 WHERE conversation = ?1";
    if policy.key_expired(claim.progress.first_attempt_at, tx.now()) {
        claim.retry_key = RetryKey::random();
        claim.progress.first_attempt_at = tx.now();
    }
    tx.prepare_cached(SQL)?.execute((
        claim.key,
        claim.retry_key,
        claim.progress.first_attempt_at,
        tx.now(),
    ))?;
    tx.prepare_cached(SQL_LANE)?.execute([claim.lane])?;
    Ok(claim)
}

/// Whether the delivery is still under way; the account may have been removed meanwhile.
fn still_sending(connection: &Connection, claim: &Claim) -> Result<bool> {
    const SQL: &str = "SELECT state = 'sending' FROM deliveries WHERE key = ?1";
    Ok(connection.prepare_cached(SQL)?.query_row([claim.key], |row| row.get(0))?)
}

fn accept(tx: &Transaction<'_>, claim: &Claim, acceptance: &Acceptance) -> Result<Recorded> {
    const SQL: &str = "
        UPDATE deliveries
        SET state = 'accepted', body = NULL, request_id = ?2, accepted_request_id = ?3, line_message_ids = ?4
        WHERE key = ?1";
    let Acceptance { request_id, accepted_request_id, message_ids } = acceptance;
    let message_ids = serde_json::to_string(message_ids).map_err(Error::internal)?;
    tx.prepare_cached(SQL)?.execute((claim.key, request_id, accepted_request_id, message_ids))?;
    accounts::release(tx, claim.account)?;
    advance(tx, claim.lane)?;
    if more_of_message(tx, claim)? {
        return Ok(Recorded::default());
    }
    Ok(Recorded { message: Some(messages::settle(tx, (claim.lane, claim.stamp), None)?) })
}

/// Ends a delivery, and with it the later parts of the same message.
fn fail(tx: &Transaction<'_>, claim: &Claim, reason: FailureReason, message: &str) -> Result<Recorded> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'failed', last_error = ?3
        WHERE conversation = ?1 AND message_stamp = ?2 AND state IN ('queued', 'sending')";
    tx.prepare_cached(SQL)?.execute((claim.lane, claim.stamp, message))?;
    advance(tx, claim.lane)?;
    Ok(Recorded { message: Some(messages::settle(tx, (claim.lane, claim.stamp), Some((reason, message)))?) })
}

fn put_back(tx: &Transaction<'_>, claim: &Claim, ambiguous: bool, error: &str) -> Result<()> {
    const SQL: &str =
        "UPDATE deliveries SET state = 'queued', ambiguous = ?2, last_error = ?3 WHERE key = ?1";
    tx.prepare_cached(SQL)?.execute((claim.key, ambiguous, error))?;
    Ok(())
}

fn wait(tx: &Transaction<'_>, lane: i64, until: Timestamp, slow: bool) -> Result<()> {
    const SQL: &str = "UPDATE lanes SET in_flight = 0, due_at = ?2, slow = ?3 WHERE conversation = ?1";
    tx.prepare_cached(SQL)?.execute((lane, until, slow))?;
    Ok(())
}

/// Makes the next delivery of a lane due, or ends a lane that has none.
fn advance(tx: &Transaction<'_>, lane: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM lanes
        WHERE conversation = ?1 AND NOT EXISTS (
            SELECT 1 FROM deliveries WHERE conversation = ?1 AND state IN ('queued', 'sending')
        )";
    if tx.prepare_cached(SQL)?.execute([lane])? == 0 {
        wait(tx, lane, tx.now(), false)?;
    }
    Ok(())
}

fn more_of_message(connection: &Connection, claim: &Claim) -> Result<bool> {
    const SQL: &str = "
        SELECT EXISTS (
            SELECT 1
            FROM deliveries
            WHERE conversation = ?1 AND message_stamp = ?2 AND state IN ('queued', 'sending')
        )";
    Ok(connection.prepare_cached(SQL)?.query_row((claim.lane, claim.stamp), |row| row.get(0))?)
}

/// The message has to wait, which is an outcome for those who wait with it.
fn outcome_of(connection: &Connection, claim: &Claim) -> Result<Recorded> {
    const SQL: &str = "SELECT id FROM messages WHERE conversation = ?1 AND tm_create = ?2";
    let message = connection.prepare_cached(SQL)?.query_row((claim.lane, claim.stamp), |row| row.get(0))?;
    Ok(Recorded { message: Some(message) })
}

fn from_row(row: &Row<'_>, lane: &Lane) -> rusqlite::Result<Claim> {
    Ok(Claim {
        key: row.get("key")?,
        lane: lane.conversation,
        account: lane.account,
        stamp: row.get("message_stamp")?,
        slow: lane.slow,
        body: row.get::<_, Option<Vec<u8>>>("body")?.unwrap_or_default(),
        retry_key: row.get("retry_key")?,
        token: lane.token.clone(),
        progress: Progress {
            attempts: row.get("attempts")?,
            ambiguous: row.get("ambiguous")?,
            created_at: row.get("created_at")?,
            first_attempt_at: row.get("first_attempt_at")?,
        },
    })
}
