//! Removing what was said, with everything that hangs on it and on nothing else.

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::chats::quotes;
use crate::store::engine::transaction::Transaction;
use crate::store::events;
use crate::store::files::uploads;

/// Removes a message, its deliveries, what customers were told of it, and LINE's own words for it in the journal; its files,
/// and uploads that no other message shows, are removed by the worker for media, which removes their rows too. The journal
/// keeps that the event came, so that a copy of it is told from a new one.
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
    // Nothing is read: a damaged row goes like any other.
    const SQL_JOURNAL: &str = "
        UPDATE webhook_events SET body = NULL, error = ''
        WHERE account = ?1 AND line_message_id = (
            SELECT line_id FROM messages WHERE conversation = ?2 AND tm_create = ?3)";
    tx.prepare_cached(SQL_MEDIAS)?.execute((conversation, stamp, tx.now()))?;
    for upload in uploads::release(tx, (conversation, stamp))? {
        tx.prepare_cached(SQL_UPLOAD)?.execute((upload, tx.now()))?;
    }
    tx.prepare_cached(SQL_DELIVERIES)?.execute((conversation, stamp))?;
    let quoting = quotes::quoting(tx, (conversation, stamp))?;
    tx.prepare_cached(SQL_SENT)?.execute((conversation, stamp))?;
    events::forget(tx, conversation, Some(stamp))?;
    tx.prepare_cached(SQL_JOURNAL)?.execute((account, conversation, stamp))?;
    tx.prepare_cached(SQL)?.execute((conversation, stamp))?;
    quotes::touch(tx, conversation, &quoting)?;
    tx.note_erasure();
    Ok(())
}
