//! Claims: which deliveries go out now, each as this caller's until its outcome is recorded.

use std::time::Duration;

use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension, Row};

use crate::error::Result;
use crate::model::capacity::Capacity;
use crate::model::chats::message::FailureReason;
use crate::model::delivery::{DeliveryDecision, DeliveryProgress, Policy};
use crate::model::id::RetryKey;
use crate::model::secret::Secret;
use crate::store::chats::conversations;
use crate::store::engine::damage::only_its_own;
use crate::store::engine::transaction::Transaction;
use crate::store::outbox::deliveries::{Claimed, ClaimedDelivery, fail, record};
use crate::store::outbox::lanes::{self, Lane};
use crate::store::outbox::unreadable;

/// After how long a chat that another system controls is looked at again.
const STANDBY_PAUSE: Duration = Duration::from_mins(1);

/// Takes what is due, at most one delivery of each lane. What may not be tried any more is settled instead.
pub fn claim(tx: &Transaction<'_>, room: Capacity, policy: &Policy) -> Result<Claimed> {
    let mut claimed = Claimed::default();
    let mut probed = None;
    for lane in lanes::due(tx, room, policy.backoff_max)? {
        let is_second_probe = lane.is_probe && probed == Some(lane.account);
        if !is_second_probe && claim_head(tx, &lane, policy, &mut claimed)? && lane.is_probe {
            probed = Some(lane.account);
        }
    }
    Ok(claimed)
}

/// The same, and takes the lane's next delivery at once if it is due: one commit for a chat that has more to say.
pub fn record_and_go_on(
    tx: &Transaction<'_>,
    claim: &ClaimedDelivery,
    decision: &DeliveryDecision,
    policy: &Policy,
) -> Result<Claimed> {
    let mut claimed = Claimed::of_outcome(record(tx, claim, decision)?);
    if let Some(lane) = lanes::due_alone(tx, claim.lane)? {
        claim_head(tx, &lane, policy, &mut claimed)?;
    }
    Ok(claimed)
}

/// Takes the oldest delivery of a lane that may still be tried. One that is damaged has failed, and holds up no other. `false`
/// when there is none, or when another system controls the chat at the moment.
fn claim_head(tx: &Transaction<'_>, lane: &Lane, policy: &Policy, claimed: &mut Claimed) -> Result<bool> {
    let mut taken = Claimed::default();
    let outcome = tx.attempt(|tx| take_head(tx, lane, policy, &mut taken));
    let Ok(is_taken) = only_its_own(outcome, "deliveries")? else {
        claimed.outcomes.extend(unreadable::give_up_head(tx, lane.conversation)?);
        return Ok(false);
    };
    claimed.claims.append(&mut taken.claims);
    claimed.outcomes.append(&mut taken.outcomes);
    Ok(is_taken)
}

/// Takes the oldest delivery of a lane that may still be tried, if there is one.
fn take_head(tx: &Transaction<'_>, lane: &Lane, policy: &Policy, claimed: &mut Claimed) -> Result<bool> {
    if conversations::is_standby(tx, lane.conversation)? {
        lanes::wait(tx, lane.conversation, tx.now().after(STANDBY_PAUSE), lane.slow)?;
        return Ok(false);
    }
    while let Some(claim) = head(tx, lane)? {
        if !policy.expired(claim.progress, tx.now()) {
            claimed.claims.push(start(tx, lane, claim, policy)?);
            return Ok(true);
        }
        let message = "no attempt was answered while LINE still knew the retry key";
        claimed.outcomes.push(fail(tx, (claim.lane, claim.stamp), FailureReason::OutcomeUnknown, message)?);
    }
    Ok(false)
}

/// The oldest delivery of a lane.
fn head(tx: &Transaction<'_>, lane: &Lane) -> Result<Option<ClaimedDelivery>> {
    const SQL: &str = "
        SELECT key, message_stamp, body, retry_key, attempts + 1 AS attempts, ambiguous,
            coalesce(first_attempt_at, ?2) AS first_attempt_at,
            coalesce(checksum = iif(checksum >> 32 = 0, checksum(body), checksum2(body, retry_key)), 1) AS is_whole
        FROM deliveries
        WHERE conversation = ?1 AND state IN ('queued', 'sending')
        ORDER BY key
        LIMIT 1";
    let read = |row: &Row<'_>| from_row(row, lane);
    Ok(tx.prepare_cached(SQL)?.query_row((lane.conversation, tx.now()), read).optional()?)
}

/// Notes that an attempt begins. A retry key that LINE may have forgotten is replaced, which is safe because no attempt
/// with it can have been executed.
fn start(
    tx: &Transaction<'_>,
    lane: &Lane,
    mut claim: ClaimedDelivery,
    policy: &Policy,
) -> Result<ClaimedDelivery> {
    const SQL: &str = "
        UPDATE deliveries
        SET state = 'sending', attempts = attempts + 1, retry_key = ?2, first_attempt_at = ?3, last_attempt_at = ?4,
            checksum = checksum2(body, ?2)
        WHERE key = ?1";
    if let Some(reply_token) = take_reply_token(tx, &claim)? {
        return start_reply(tx, lane, claim, reply_token);
    }
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
    lanes::take(tx, lane)?;
    Ok(claim)
}

/// The token for a free reply, which is gone from the conversation from now on. Only a first attempt may be a reply.
fn take_reply_token(tx: &Transaction<'_>, claim: &ClaimedDelivery) -> Result<Option<Secret>> {
    if claim.progress.attempts > 1 { Ok(None) } else { conversations::take_reply_token(tx, claim.lane) }
}

/// Notes that a reply begins, before it does: whatever happens from now on, it is not repeated.
fn start_reply(
    tx: &Transaction<'_>,
    lane: &Lane,
    mut claim: ClaimedDelivery,
    reply_token: Secret,
) -> Result<ClaimedDelivery> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'sending', attempts = attempts + 1, reply_token = ?2, last_attempt_at = ?3
        WHERE key = ?1";
    tx.prepare_cached(SQL)?.execute((claim.key, &reply_token, tx.now()))?;
    lanes::take(tx, lane)?;
    claim.reply_token = Some(reply_token);
    Ok(claim)
}

/// What is not as it was written must not reach LINE.
fn from_row(row: &Row<'_>, lane: &Lane) -> rusqlite::Result<ClaimedDelivery> {
    if !row.get::<_, bool>("is_whole")? {
        return Err(FromSqlError::InvalidType.into());
    }
    Ok(ClaimedDelivery {
        key: row.get("key")?,
        lane: lane.conversation,
        account: lane.account,
        stamp: row.get("message_stamp")?,
        slow: lane.slow,
        body: row.get::<_, Option<Vec<u8>>>("body")?.unwrap_or_default(),
        reply_token: None,
        retry_key: row.get("retry_key")?,
        account_id: lane.account_id,
        token: lane.token.clone(),
        progress: DeliveryProgress {
            attempts: row.get("attempts")?,
            ambiguous: row.get("ambiguous")?,
            first_attempt_at: row.get("first_attempt_at")?,
        },
    })
}
