//! What waits to be sent in a copy of the database. The server that it was copied from goes on sending.

use crate::error::Result;
use crate::model::chats::message::FailureReason;
use crate::model::timestamp::Timestamp;
use crate::store::dispatch;
use crate::store::engine::transaction::Transaction;
use crate::store::events;
use crate::store::outbox::deliveries;
use crate::store::outbox::lanes::LineOutbox;

/// What a message says that may have been sent after the copy was made.
const UNKNOWN: &str =
    "the data was restored from a backup, and the message may have been sent after that was made";

/// Whoever starts from the copy cannot know what was sent since. A push is repeated under its key, for as long as LINE
/// knows it; what may have gone out as a reply, which has no key, ends as unknown.
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
    tx.execute(SQL, [])?;
    let mut statement = tx.prepare(SQL_REPLIES)?;
    let replies = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for message in replies.collect::<rusqlite::Result<Vec<(i64, Timestamp)>>>()? {
        deliveries::fail(tx, message, FailureReason::OutcomeUnknown, UNKNOWN)?;
    }
    tx.execute(SQL_PUSHES, [tx.now()])?;
    tx.execute(SQL_TOKENS, [])?;
    Ok(())
}
