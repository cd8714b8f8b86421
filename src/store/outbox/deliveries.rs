//! Deliveries to LINE: the requests that carry a message, and how each attempt is recorded.

use crate::error::{Error, Result};
use crate::model::accounts::account::Suspension;
use crate::model::chats::message::FailureReason;
use crate::model::delivery::{Acceptance, DeliveryDecision, DeliveryProgress, REPLY_UNKNOWN};
use crate::model::id::{AccountId, MessageId, RetryKey};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::accounts;
use crate::store::chats::{messages, quotes};
use crate::store::dispatch::advance;
use crate::store::engine::damage::DAMAGED;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::transaction::Transaction;
use crate::store::outbox::lanes::{self, LineOutbox};

/// Why a message is not sent any more.
pub(in crate::store) const NAMES_ERASED: &str = "it mentions somebody who was erased";

/// A delivery in flight. It belongs to the caller until it is recorded.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    pub(super) key: i64,
    pub(super) lane: i64,
    pub(super) account: i64,
    pub(super) stamp: Timestamp,
    /// Whether the last attempt of its lane timed out.
    pub slow: bool,
    /// The exact bytes to send.
    pub body: Vec<u8>,
    /// Makes the request a reply, which is attempted once; `None` for a push.
    pub reply_token: Option<Secret>,
    /// The same for every attempt with these bytes.
    pub retry_key: RetryKey,
    /// The account that sends it.
    pub account_id: AccountId,
    /// The channel access token.
    pub token: Secret,
    /// What a decision about it needs to know.
    pub progress: DeliveryProgress,
}

/// Queues the requests that carry a message, behind all others of its conversation.
///
/// `Conflict` when the account was removed.
pub(in crate::store) fn enqueue(
    tx: &Transaction<'_>,
    conversation: i64,
    stamp: Timestamp,
    requests: &[Vec<u8>],
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO deliveries (conversation, message_stamp, body, retry_key, created_at, checksum)
        VALUES (?1, ?2, ?3, ?4, ?5, checksum2(?3, ?4))";
    for request in requests {
        query::execute(tx, SQL, (conversation, stamp, request, RetryKey::random(), tx.now()))?;
    }
    lanes::open(tx, conversation)
}

/// Whether an attempt of a message that failed may have been executed.
pub(in crate::store) fn may_have_been_sent(
    connection: &Connection,
    conversation: i64,
    stamp: Timestamp,
) -> Result<bool> {
    const SQL: &str = "
        SELECT EXISTS (
            SELECT 1
            FROM deliveries
            WHERE conversation = ?1 AND message_stamp = ?2 AND state = 'failed' AND ambiguous = 1
        )";
    query::value(connection, SQL, (conversation, stamp))
}

/// Queues the failed requests of a message, behind all others of its conversation, as requests that LINE has never seen.
///
/// `Conflict` when the account was removed, or when what was stored to be sent is damaged or was erased.
pub(in crate::store) fn requeue(tx: &Transaction<'_>, conversation: i64, stamp: Timestamp) -> Result<()> {
    const SQL: &str = "
        SELECT iif(coalesce(checksum = iif(checksum >> 32 = 0, checksum(body), checksum2(body, retry_key)), 1), body, NULL)
        FROM deliveries
        WHERE conversation = ?1 AND message_stamp = ?2 AND state = 'failed'
        ORDER BY key";
    const SQL_ERASED: &str = "
        SELECT EXISTS (
            SELECT 1
            FROM deliveries
            WHERE conversation = ?1 AND message_stamp = ?2 AND state = 'failed' AND body IS NULL
        )";
    const SQL_DELETE: &str =
        "DELETE FROM deliveries WHERE conversation = ?1 AND message_stamp = ?2 AND state = 'failed'";
    if query::value(tx, SQL_ERASED, (conversation, stamp))? {
        return Err(Error::Conflict(format!("{NAMES_ERASED}; write a new one")));
    }
    let bodies: Vec<Option<Vec<u8>>> = query::values(tx, SQL, (conversation, stamp))?;
    let bodies: Option<Vec<Vec<u8>>> = bodies.into_iter().collect();
    let bodies = bodies.ok_or_else(|| Error::Conflict(DAMAGED.to_owned()))?;
    query::execute(tx, SQL_DELETE, (conversation, stamp))?;
    enqueue(tx, conversation, stamp, &bodies)
}

/// Releases what was in flight when the process ended. LINE may have executed it: a push can be repeated with its key, a reply
/// cannot and fails.
pub(super) fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL_REPLIES: &str = "
        SELECT conversation, message_stamp
        FROM deliveries
        WHERE state IN ('queued', 'sending') AND state = 'sending' AND reply_token IS NOT NULL";
    const SQL: &str = "
        UPDATE deliveries SET state = 'queued', ambiguous = 1
        WHERE state IN ('queued', 'sending') AND state = 'sending'";
    for message in query::rows(tx, SQL_REPLIES, [], |row| Ok((row.get(0)?, row.get(1)?)))? {
        fail(tx, message, FailureReason::OutcomeUnknown, REPLY_UNKNOWN)?;
    }
    query::execute(tx, SQL, [])?;
    Ok(())
}

/// Records what follows from an attempt, and makes the lane's next delivery due.
pub(super) fn record(
    tx: &Transaction<'_>,
    claim: &ClaimedDelivery,
    decision: &DeliveryDecision,
) -> Result<Option<MessageId>> {
    match is_sending(tx, claim)? {
        Some(true) => {}
        Some(false) => return Ok(None),
        None => return lanes::free_erased(tx, claim.lane).map(|()| None),
    }
    match decision {
        DeliveryDecision::Accept(acceptance) => accept(tx, claim, acceptance),
        DeliveryDecision::Fail(reason, message) => {
            fail(tx, (claim.lane, claim.stamp), *reason, message).map(Some)
        }
        DeliveryDecision::Retry { at, ambiguous, slow, message } => {
            release(tx, claim, *ambiguous, message)?;
            lanes::wait(tx, claim.lane, *at, *slow)?;
            message_of(tx, claim).map(Some)
        }
        DeliveryDecision::Push { message } => {
            release(tx, claim, false, message)?;
            lanes::wait(tx, claim.lane, tx.now(), false)?;
            // Those who wait for the message learn the push's outcome, unless the push itself has to wait.
            if accounts::is_suspended(tx, claim.account)? {
                message_of(tx, claim).map(Some)
            } else {
                Ok(None)
            }
        }
        DeliveryDecision::Suspend { reason, until, message } => {
            release(tx, claim, claim.progress.ambiguous, message)?;
            forget_attempts(tx, claim)?;
            lanes::wait(tx, claim.lane, tx.now(), false)?;
            let suspension = Suspension { reason: *reason, message: message.clone(), until: *until };
            accounts::suspend(tx, claim.account, &suspension, &claim.token)?;
            message_of(tx, claim).map(Some)
        }
    }
}

/// The time of a suspension does not count against a delivery, unless an attempt may have been executed.
fn forget_attempts(tx: &Transaction<'_>, claim: &ClaimedDelivery) -> Result<()> {
    const SQL: &str = "
        UPDATE deliveries SET attempts = 0, first_attempt_at = NULL, retry_key = ?2, checksum = iif(
            checksum = iif(checksum >> 32 = 0, checksum(body), checksum2(body, retry_key)), checksum2(body, ?2), checksum)
        WHERE key = ?1 AND ambiguous = 0";
    query::execute(tx, SQL, (claim.key, RetryKey::random()))?;
    Ok(())
}

/// Whether the delivery is still in flight: the account may have been removed meanwhile. `None` when it was erased.
fn is_sending(connection: &Connection, claim: &ClaimedDelivery) -> Result<Option<bool>> {
    const SQL: &str = "SELECT state = 'sending' FROM deliveries WHERE key = ?1";
    query::optional_value(connection, SQL, [claim.key])
}

fn accept(
    tx: &Transaction<'_>,
    claim: &ClaimedDelivery,
    acceptance: &Acceptance,
) -> Result<Option<MessageId>> {
    const SQL: &str = "
        UPDATE deliveries
        SET state = 'accepted', body = NULL, request_id = ?2, accepted_request_id = ?3, line_message_ids = ?4,
            cost = iif(reply_token IS NOT NULL, 0, (
                SELECT iif(chat_kind = 'user', 1, member_count) FROM conversations v WHERE v.key = deliveries.conversation
            ))
        WHERE key = ?1";
    let Acceptance { request_id, accepted_request_id, message_ids, quote_token } = acceptance;
    quotes::note_sent(tx, (claim.lane, claim.stamp), message_ids)?;
    let message_ids = serde_json::to_string(message_ids).map_err(Error::internal)?;
    query::execute(tx, SQL, (claim.key, request_id, accepted_request_id, message_ids))?;
    if let Some(quote_token) = quote_token {
        messages::allow_quoting(tx, (claim.lane, claim.stamp), quote_token)?;
    }
    accounts::release_after(tx, claim.account, claim.reply_token.is_some())?;
    advance::<LineOutbox>(tx, claim.lane)?;
    if more_of_message(tx, claim)? {
        return Ok(None);
    }
    messages::settle(tx, (claim.lane, claim.stamp), None).map(Some)
}

/// Fails a delivery, and with it the later requests of the same message.
pub(in crate::store) fn fail(
    tx: &Transaction<'_>,
    (lane, stamp): (i64, Timestamp),
    reason: FailureReason,
    message: &str,
) -> Result<MessageId> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'failed', last_error = ?3, ambiguous = max(ambiguous, ?4 AND state = 'sending')
        WHERE conversation = ?1 AND message_stamp = ?2 AND state IN ('queued', 'sending')";
    let is_unclear = matches!(reason, FailureReason::OutcomeUnknown | FailureReason::Internal);
    query::execute(tx, SQL, (lane, stamp, message, is_unclear))?;
    advance::<LineOutbox>(tx, lane)?;
    messages::settle(tx, (lane, stamp), Some((reason, message)))
}

fn release(tx: &Transaction<'_>, claim: &ClaimedDelivery, ambiguous: bool, error: &str) -> Result<()> {
    const SQL: &str = "UPDATE deliveries SET state = 'queued', reply_token = NULL, ambiguous = ?2, last_error = ?3 WHERE key = ?1";
    query::execute(tx, SQL, (claim.key, ambiguous, error))?;
    Ok(())
}

fn more_of_message(connection: &Connection, claim: &ClaimedDelivery) -> Result<bool> {
    const SQL: &str = "
        SELECT EXISTS (
            SELECT 1
            FROM deliveries
            WHERE conversation = ?1 AND message_stamp = ?2 AND state IN ('queued', 'sending')
        )";
    query::value(connection, SQL, (claim.lane, claim.stamp))
}

/// The message of a delivery that has to wait, which is an outcome for those who wait for it.
fn message_of(connection: &Connection, claim: &ClaimedDelivery) -> Result<MessageId> {
    const SQL: &str = "SELECT id FROM messages WHERE conversation = ?1 AND tm_create = ?2";
    query::value(connection, SQL, (claim.lane, claim.stamp))
}
