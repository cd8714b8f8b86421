//! Queued messages in a copy of the database, while the server that it was copied from continues to send.

use crate::error::Result;
use crate::model::chats::message::FailureReason;
use crate::model::timestamp::Timestamp;
use crate::store::dispatch;
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::events;
use crate::store::outbox::deliveries;
use crate::store::outbox::lanes::LineOutbox;

/// Failure message of a message that may have been sent after the copy was made.
const UNKNOWN: &str =
    "the data was restored from a backup, and the message may have been sent after the backup was made";

/// Marks all queued deliveries as ambiguous, since a server that starts from the copy cannot know what has been sent since.
/// Pushes are repeated under their retry key for as long as LINE remembers it. A message that may have gone out as a reply, which
/// has no key, fails as unknown.
pub fn mark_in_doubt(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "
        UPDATE deliveries SET ambiguous = 1
        WHERE state IN ('queued', 'sending')";
    const SQL_REPLIES: &str = "
        SELECT DISTINCT d.conversation, d.message_stamp
        FROM deliveries d
        JOIN conversations v ON v.key = d.conversation
        JOIN accounts a ON a.key = v.account
        WHERE d.state IN ('queued', 'sending')
            AND d.attempts = 0 AND a.delivery_mode = 'prefer_reply'";
    const SQL_PUSHES: &str = "
        UPDATE deliveries SET attempts = max(attempts, 1), first_attempt_at = coalesce(first_attempt_at, ?1)
        WHERE state IN ('queued', 'sending')";
    const SQL_TOKENS: &str =
        "UPDATE conversations SET reply_token = NULL, reply_token_at = NULL WHERE reply_token IS NOT NULL";
    events::skip_sequences(tx)?;
    dispatch::recover::<LineOutbox>(tx)?;
    query::execute(tx, SQL, [])?;
    let replies: Vec<(i64, Timestamp)> = query::rows(tx, SQL_REPLIES, [], |row| row.try_into())?;
    for message in replies {
        deliveries::fail(tx, message, FailureReason::OutcomeUnknown, UNKNOWN)?;
    }
    query::execute(tx, SQL_PUSHES, [tx.now()])?;
    query::execute(tx, SQL_TOKENS, [])?;
    Ok(())
}
