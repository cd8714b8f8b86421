//! Media files: which exist, which have still to be fetched, and which have to be removed.

use crate::error::{Error, Resource, Result};
use crate::model::chats::inbound::ReceivedMessage;
use crate::model::files::media::{MediaSource, MediaStatus, MediaType, StoredFile};
use crate::model::id::{CustomerId, MediaId};
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::text;
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::unsigned;

/// Adds the media of a received message. It is fetched after the webhook was acknowledged.
pub(in crate::store) fn expect(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    message_id: Option<&str>,
    message: &ReceivedMessage,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO medias (id, customer, conversation, message_stamp, kind, status, filename, size,
            source_message_id, source_url, source_preview_url, due_at, tm_create)
        SELECT ?1, customer, key, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11
        FROM conversations
        WHERE key = ?2";
    let (Some(media), Some(source)) = (message.medias.first(), &message.source) else { return Ok(()) };
    let (url, preview_url) = match source {
        MediaSource::Line => (None, None),
        MediaSource::External { url, preview_url } => (Some(url), preview_url.as_ref()),
    };
    let (kind, status, now) = (media.r#type, MediaStatus::Pending, tx.now());
    let size = media.size.and_then(|size| i64::try_from(size).ok());
    let (filename, id) = (&media.filename, media.id);
    let values = (id, conversation, stamp, kind, status, filename, size, message_id, url, preview_url, now);
    query::execute(tx, SQL, values)?;
    Ok(())
}

/// Marks the files of an unsent message as gone; the media worker removes them from disk.
pub(in crate::store) fn unsend(tx: &Transaction<'_>, (conversation, stamp): (i64, Timestamp)) -> Result<()> {
    const SQL: &str = "
        UPDATE medias SET status = ?3, filename = '', source_url = NULL, source_preview_url = NULL, due_at = ?4, last_error = 'unsent'
        WHERE conversation = ?1 AND message_stamp = ?2";
    query::execute(tx, SQL, (conversation, stamp, MediaStatus::Gone, tx.now()))?;
    Ok(())
}

/// Adds the profile picture of a participant, which is fetched from this address. Returns its private key.
pub(in crate::store) fn expect_picture(tx: &Transaction<'_>, conversation: i64, url: &str) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO medias (id, customer, conversation, kind, status, filename, source_url, due_at, tm_create)
        SELECT ?1, customer, key, ?3, ?4, '', ?5, ?6, ?6
        FROM conversations
        WHERE key = ?2
        RETURNING key";
    let values = (MediaId::random(), conversation, MediaType::Image, MediaStatus::Pending, url, tx.now());
    query::value(tx, SQL, values)
}

/// Marks a media as gone that nothing refers to any more. The media worker removes the file, then the row.
pub(in crate::store) fn discard(tx: &Transaction<'_>, key: i64) -> Result<()> {
    const SQL: &str =
        "UPDATE medias SET status = 'gone', due_at = ?2, last_error = 'discarded' WHERE key = ?1";
    query::execute(tx, SQL, (key, tx.now()))?;
    Ok(())
}

/// A stored media of a customer. A short, indexed read.
///
/// `NotFound` for media of other customers, `NotHere` with the reason for one that is pending or gone.
pub fn get(connection: &Connection, customer: CustomerId, id: MediaId) -> Result<StoredFile> {
    const SQL: &str = "
        SELECT m.id, status, filename, content_type, size, sha256, last_error
        FROM medias m JOIN customers c ON c.key = m.customer
        WHERE m.id = ?1 AND c.id = ?2";
    let found = query::optional_row(connection, SQL, (id, customer), |row| {
        let state = match row.get("status")? {
            MediaStatus::Stored => return from_row(row).map(Ok),
            MediaStatus::Gone => "this media is gone",
            MediaStatus::Pending => "this media is pending, it is still being fetched",
        };
        Ok(Err((state, text(row, "last_error")?)))
    })?;
    match found.ok_or(Error::NotFound(Resource::Media))? {
        Ok(file) => Ok(file),
        Err((state, reason)) => {
            let cause = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            Err(Error::NotHere(Resource::Media, format!("{state}{cause}")))
        }
    }
}

/// A media file that the database lists as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Private key, which is the order of listing.
    pub key: i64,
    /// Its id.
    pub id: MediaId,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
}

/// Up to `limit` stored media files after this key, without those whose rows are unreadable.
pub fn stored_after(connection: &Connection, key: i64, limit: usize) -> Result<Vec<Stored>> {
    const SQL: &str = "
        SELECT key, id, size, sha256
        FROM medias
        WHERE key > ?1 AND status = 'stored'
        ORDER BY key
        LIMIT ?2";
    let values = (key, query::with_spare(limit));
    query::readable_rows(connection, SQL, values, ("medias", limit), |row| {
        let size = unsigned(row.get("size")?);
        Ok(Stored { key: row.get("key")?, id: row.get("id")?, size, sha256: row.get("sha256")? })
    })
}

/// Total size of all stored media files in bytes. Reads all of their rows.
pub fn stored_bytes(connection: &Connection) -> Result<u64> {
    const SQL: &str = "SELECT coalesce(sum(size), 0) FROM medias WHERE status = 'stored'";
    query::value(connection, SQL, []).map(unsigned)
}

/// Whether there is any stored media file. Reads every row if there is none.
pub fn is_any_stored(connection: &Connection) -> Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE status = 'stored')";
    query::value(connection, SQL, [])
}

/// Whether a media file is stored. A short, indexed read.
pub fn is_stored(connection: &Connection, id: MediaId) -> Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE id = ?1 AND status = 'stored')";
    query::value(connection, SQL, [id])
}

/// Total size of a customer's stored files in bytes.
pub(in crate::store) fn used_bytes(connection: &Connection, customer: i64) -> Result<u64> {
    const SQL: &str = "SELECT bytes FROM media_usage WHERE customer = ?1";
    Ok(query::optional_value(connection, SQL, [customer])?.map_or(0, unsigned))
}

/// A stored file from its columns.
pub(in crate::store) fn from_row(row: &Row<'_>) -> Read<StoredFile> {
    Ok(StoredFile {
        id: row.get("id")?,
        filename: text(row, "filename")?,
        content_type: text(row, "content_type")?,
        size: unsigned(row.get("size")?),
        sha256: row.get("sha256")?,
    })
}
