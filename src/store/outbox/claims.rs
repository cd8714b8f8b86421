//! The outbox to LINE: which delivery of a conversation goes out next, as a reply or as a push.

use std::time::Duration;

use crate::error::Result;
use crate::model::chats::message::FailureReason;
use crate::model::delivery::{DeliveryDecision, DeliveryProgress};
use crate::model::id::{MessageId, RetryKey};
use crate::model::secret::Secret;
use crate::store::chats::conversations;
use crate::store::dispatch::{Head, Lane, Outbox};
use crate::store::engine::damage::damaged;
use crate::store::engine::query::{self, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::outbox::deliveries::{self, ClaimedDelivery, fail};
use crate::store::outbox::lanes::{self, LineOutbox, LineSender};
use crate::store::outbox::unreadable;

/// The pause before a chat that another system controls is looked at again.
const STANDBY_PAUSE: Duration = Duration::from_mins(1);

impl Outbox for LineOutbox {
    const TABLE: &'static str = "deliveries";

    type Claim = ClaimedDelivery;
    type Record = DeliveryDecision;

    fn is_slow(claim: &ClaimedDelivery) -> bool {
        claim.slow
    }

    fn due_alone(tx: &Transaction<'_>, claim: &ClaimedDelivery) -> Result<Option<Lane<LineSender>>> {
        lanes::due_alone(tx, claim.lane)
    }

    /// A delivery whose outcome is ambiguous and whose retry key is about to expire fails instead.
    fn start_head(
        &self,
        tx: &Transaction<'_>,
        lane: &Lane<LineSender>,
        outcomes: &mut Vec<MessageId>,
    ) -> Result<Head<ClaimedDelivery>> {
        if conversations::is_standby(tx, lane.conversation)? {
            lanes::wait(tx, lane.conversation, tx.now().after(STANDBY_PAUSE), lane.slow)?;
            return Ok(Head::Held);
        }
        while let Some(claim) = head(tx, lane)? {
            if !self.policy.expired(claim.progress, tx.now()) {
                return self.start(tx, claim).map(Head::Started);
            }
            let message = "no attempt was answered while LINE still knew the retry key";
            outcomes.push(fail(tx, (claim.lane, claim.stamp), FailureReason::OutcomeUnknown, message)?);
        }
        Ok(Head::Missing)
    }

    fn give_up_head(tx: &Transaction<'_>, conversation: i64) -> Result<Option<MessageId>> {
        unreadable::give_up_head(tx, conversation)
    }

    fn record(
        tx: &Transaction<'_>,
        claim: &ClaimedDelivery,
        decision: &DeliveryDecision,
    ) -> Result<Option<MessageId>> {
        deliveries::record(tx, claim, decision)
    }

    fn recover_deliveries(tx: &Transaction<'_>) -> Result<()> {
        deliveries::recover(tx)
    }
}

impl LineOutbox {
    /// Notes that an attempt starts. A retry key that LINE may have forgotten is replaced, which is safe because no attempt
    /// with it can have been executed.
    fn start(&self, tx: &Transaction<'_>, mut claim: ClaimedDelivery) -> Result<ClaimedDelivery> {
        const SQL: &str = "
            UPDATE deliveries
            SET state = 'sending', attempts = attempts + 1, retry_key = ?2, first_attempt_at = ?3, last_attempt_at = ?4,
                checksum = checksum2(body, ?2)
            WHERE key = ?1";
        if let Some(reply_token) = take_reply_token(tx, &claim)? {
            return start_reply(tx, claim, reply_token);
        }
        if self.policy.key_expired(claim.progress.first_attempt_at, tx.now()) {
            claim.retry_key = RetryKey::random();
            claim.progress.first_attempt_at = tx.now();
        }
        let values = (claim.key, claim.retry_key, claim.progress.first_attempt_at, tx.now());
        query::execute(tx, SQL, values)?;
        Ok(claim)
    }
}

/// The oldest delivery of a lane.
fn head(tx: &Transaction<'_>, lane: &Lane<LineSender>) -> Result<Option<ClaimedDelivery>> {
    const SQL: &str = "
        SELECT key, message_stamp, body, retry_key, attempts + 1 AS attempts, ambiguous,
            coalesce(first_attempt_at, ?2) AS first_attempt_at,
            coalesce(checksum = iif(checksum >> 32 = 0, checksum(body), checksum2(body, retry_key)), 1) AS is_whole
        FROM deliveries
        WHERE conversation = ?1 AND state IN ('queued', 'sending')
        ORDER BY key
        LIMIT 1";
    let read = |row: &Row<'_>| from_row(row, lane);
    query::optional_row(tx, SQL, (lane.conversation, tx.now()), read)
}

/// Removes the reply token of the conversation and returns it. Only a first attempt may be a reply.
fn take_reply_token(tx: &Transaction<'_>, claim: &ClaimedDelivery) -> Result<Option<Secret>> {
    if claim.progress.attempts > 1 { Ok(None) } else { conversations::take_reply_token(tx, claim.lane) }
}

/// Notes that a reply starts, before it does: whatever happens from now on, it is not repeated.
fn start_reply(
    tx: &Transaction<'_>,
    mut claim: ClaimedDelivery,
    reply_token: Secret,
) -> Result<ClaimedDelivery> {
    const SQL: &str = "
        UPDATE deliveries SET state = 'sending', attempts = attempts + 1, reply_token = ?2, last_attempt_at = ?3
        WHERE key = ?1";
    query::execute(tx, SQL, (claim.key, &reply_token, tx.now()))?;
    claim.reply_token = Some(reply_token);
    Ok(claim)
}

/// An error for a body that is not as it was written: it must not reach LINE.
fn from_row(row: &Row<'_>, lane: &Lane<LineSender>) -> Read<ClaimedDelivery> {
    if !row.get::<_, bool>("is_whole")? {
        return Err(damaged());
    }
    Ok(ClaimedDelivery {
        key: row.get("key")?,
        lane: lane.conversation,
        account: lane.party.account,
        stamp: row.get("message_stamp")?,
        slow: lane.slow,
        body: row.get::<_, Option<Vec<u8>>>("body")?.unwrap_or_default(),
        reply_token: None,
        retry_key: row.get("retry_key")?,
        account_id: lane.party.id,
        token: lane.party.token.clone(),
        progress: DeliveryProgress {
            attempts: row.get("attempts")?,
            ambiguous: row.get("ambiguous")?,
            first_attempt_at: row.get("first_attempt_at")?,
        },
    })
}
