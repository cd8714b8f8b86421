//! Deliveries whose rows are damaged.

use crate::error::Result;
use crate::model::chats::message::FailureReason;
use crate::model::id::MessageId;
use crate::model::timestamp::Timestamp;
use crate::store::dispatch::advance;
use crate::store::engine::damage::{DAMAGED, get_or, only_its_own};
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::outbox::deliveries;
use crate::store::outbox::lanes::LineOutbox;

/// Fails the oldest delivery of a conversation, which cannot be read, and its message if that is there.
pub(in crate::store) fn give_up_head(tx: &Transaction<'_>, conversation: i64) -> Result<Option<MessageId>> {
    const SQL: &str = "
        SELECT key, message_stamp
        FROM deliveries
        WHERE conversation = ?1 AND state IN ('queued', 'sending')
        ORDER BY key
        LIMIT 1";
    const SQL_END: &str = "UPDATE deliveries SET state = 'failed', last_error = ?2 WHERE key = ?1";
    let found = query::optional_row(tx, SQL, [conversation], |row| {
        Ok((row.get::<_, i64>("key")?, get_or(row, "message_stamp", Timestamp::NEVER)?))
    })?;
    let Some((key, stamp)) = found else {
        return advance::<LineOutbox>(tx, conversation).map(|()| None);
    };
    let end =
        |tx: &Transaction<'_>| deliveries::fail(tx, (conversation, stamp), FailureReason::Internal, DAMAGED);
    if let Ok(message) = only_its_own(tx.attempt(end), "messages")? {
        return Ok(Some(message));
    }
    query::execute(tx, SQL_END, (key, DAMAGED))?;
    advance::<LineOutbox>(tx, conversation).map(|()| None)
}
