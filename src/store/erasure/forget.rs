//! Removes a message with everything that depends on it and nothing else.

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::chats::quotes;
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::events;
use crate::store::files::uploads;

/// Removes a message, its deliveries and events, and the bodies of its webhook events in the journal. The media worker removes
/// its media files and uploads that no other message shows, together with their rows. The journal keeps the row of
/// each webhook event, so that a redelivery is recognized as one.
pub(in crate::store) fn message(
    tx: &Transaction<'_>,
    account: i64,
    (conversation, stamp): (i64, Timestamp),
) -> Result<()> {
    const SQL_MEDIAS: &str = "
        UPDATE medias SET conversation = NULL, message_stamp = NULL, status = 'gone', filename = '',
            source_message_id = NULL, source_url = NULL, source_preview_url = NULL, due_at = ?3, last_error = 'removed'
        WHERE conversation = ?1 AND message_stamp = ?2";
    const SQL_UPLOAD: &str = "UPDATE medias SET status = 'gone', filename = '', due_at = ?2, last_error = 'removed' WHERE key = ?1";
    const SQL_DELIVERIES: &str = "DELETE FROM deliveries WHERE conversation = ?1 AND message_stamp = ?2";
    const SQL_SENT: &str = "DELETE FROM sent_ids WHERE conversation = ?1 AND message_stamp = ?2";
    const SQL: &str = "DELETE FROM messages WHERE conversation = ?1 AND tm_create = ?2";
    // Nothing is read here, so a damaged row is removed like any other.
    const SQL_JOURNAL: &str = "
        UPDATE webhook_events SET body = NULL, error = ''
        WHERE account = ?1 AND line_message_id = (
            SELECT line_id FROM messages WHERE conversation = ?2 AND tm_create = ?3)";
    query::execute(tx, SQL_MEDIAS, (conversation, stamp, tx.now()))?;
    for upload in uploads::release(tx, (conversation, stamp))? {
        query::execute(tx, SQL_UPLOAD, (upload, tx.now()))?;
    }
    query::execute(tx, SQL_DELIVERIES, (conversation, stamp))?;
    let quoting = quotes::quoting(tx, (conversation, stamp))?;
    query::execute(tx, SQL_SENT, (conversation, stamp))?;
    events::forget(tx, conversation, Some(stamp))?;
    query::execute(tx, SQL_JOURNAL, (account, conversation, stamp))?;
    query::execute(tx, SQL, (conversation, stamp))?;
    quotes::touch(tx, conversation, &quoting)?;
    tx.note_erasure();
    Ok(())
}
