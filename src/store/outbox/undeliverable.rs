//! Deliveries that can no longer be made: their account was removed, or they mention somebody who was erased.

use crate::error::Result;
use crate::model::chats::message::FailureReason;
use crate::model::id::MessageId;
use crate::model::timestamp::Timestamp;
use crate::store::chats::messages;
use crate::store::dispatch::advance;
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::outbox::deliveries::{NAMES_ERASED, fail};
use crate::store::outbox::lanes::{self, LineOutbox};

/// Fails everything that an account has not sent yet, and returns those messages. The outcome of what may have been sent is
/// unknown.
pub(in crate::store) fn end_all_of_account(tx: &Transaction<'_>, account: i64) -> Result<Vec<MessageId>> {
    const SQL_MESSAGES: &str = "
        SELECT message_stamp, max(ambiguous OR state = 'sending')
        FROM deliveries
        WHERE conversation = ?1 AND state IN ('queued', 'sending')
        GROUP BY message_stamp";
    const SQL_FAIL: &str = "
        UPDATE deliveries SET state = 'failed', ambiguous = max(ambiguous, state = 'sending')
        WHERE conversation = ?1 AND state IN ('queued', 'sending')";
    const REMOVED: &str = "the LINE account was removed before the message was sent";
    const UNKNOWN: &str = "the LINE account was removed while the message was on its way";
    let mut settled = Vec::new();
    for lane in lanes::of_account(tx, account)? {
        let messages: Vec<(Timestamp, bool)> =
            query::rows(tx, SQL_MESSAGES, [lane], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (stamp, unclear) in messages {
            let removed = (FailureReason::AccountRemoved, REMOVED);
            let failure = if unclear { (FailureReason::OutcomeUnknown, UNKNOWN) } else { removed };
            settled.push(messages::settle(tx, (lane, stamp), Some(failure))?);
        }
        query::execute(tx, SQL_FAIL, [lane])?;
        advance::<LineOutbox>(tx, lane)?;
    }
    Ok(settled)
}

/// Fails the requests of a message that LINE has not accepted, and removes their bytes, which mention somebody who is erased.
pub(in crate::store) fn give_up(tx: &Transaction<'_>, message: (i64, Timestamp)) -> Result<()> {
    const SQL_WAITING: &str = "
        SELECT max(ambiguous = 1 OR state = 'sending')
        FROM deliveries
        WHERE conversation = ?1 AND message_stamp = ?2 AND state IN ('queued', 'sending')";
    const SQL: &str = "
        UPDATE deliveries SET body = NULL, checksum = NULL
        WHERE conversation = ?1 AND message_stamp = ?2 AND state = 'failed'";
    let is_unclear: Option<bool> = query::value(tx, SQL_WAITING, message)?;
    if let Some(is_unclear) = is_unclear {
        let reason = if is_unclear { FailureReason::OutcomeUnknown } else { FailureReason::Refused };
        fail(tx, message, reason, NAMES_ERASED)?;
    }
    query::execute(tx, SQL, message)?;
    Ok(())
}
