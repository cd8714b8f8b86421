//! Files: which there are, which are still to be fetched, and which must go.

use crate::error::Result;
use crate::model::inbound::Saying;
use crate::model::media::{MediaSource, MediaStatus};
use crate::model::timestamp::Timestamp;
use crate::store::transaction::Transaction;

/// Notes the file of a received message, which is fetched after the event was answered.
pub(super) fn expect(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    message_id: Option<&str>,
    saying: &Saying,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO medias (id, customer, conversation, message_stamp, kind, status, filename, source_message_id,
            source_url, due_at, tm_create)
        SELECT ?1, customer, key, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9
        FROM conversations
        WHERE key = ?2";
    let (Some(media), Some(source)) = (saying.medias.first(), &saying.source) else { return Ok(()) };
    let url = match source {
        MediaSource::Line => None,
        MediaSource::External(url) => Some(url),
    };
    let (kind, status, now) = (media.r#type, MediaStatus::Pending, tx.now());
    let values = (media.id, conversation, stamp, kind, status, &media.filename, message_id, url, now);
    tx.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

/// The files of a withdrawn message are no longer anybody's; what is on disk is removed by the worker for media.
pub(super) fn withdraw(tx: &Transaction<'_>, (conversation, stamp): (i64, Timestamp)) -> Result<()> {
    const SQL: &str = "
        UPDATE medias SET status = ?3, filename = '', source_url = NULL, due_at = ?4, last_error = 'withdrawn'
        WHERE conversation = ?1 AND message_stamp = ?2";
    tx.prepare_cached(SQL)?.execute((conversation, stamp, MediaStatus::Gone, tx.now()))?;
    Ok(())
}
