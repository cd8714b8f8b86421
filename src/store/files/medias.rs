//! Files: which there are, which are still to be fetched, and which must go.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Error, Resource, Result};
use crate::model::chats::inbound::ReceivedMessage;
use crate::model::files::media::{MediaSource, MediaStatus, MediaType, StoredFile};
use crate::model::id::{CustomerId, MediaId};
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::{SPARE, sound, text};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;

/// Notes the file of a received message, which is fetched after the event was answered.
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
    tx.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

/// The files of a withdrawn message are no longer anybody's; what is on disk is removed by the worker for media.
pub(in crate::store) fn withdraw(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
) -> Result<()> {
    const SQL: &str = "
        UPDATE medias SET status = ?3, filename = '', source_url = NULL, source_preview_url = NULL, due_at = ?4, last_error = 'withdrawn'
        WHERE conversation = ?1 AND message_stamp = ?2";
    tx.prepare_cached(SQL)?.execute((conversation, stamp, MediaStatus::Gone, tx.now()))?;
    Ok(())
}

/// Notes the picture of somebody who takes part, which is fetched from this address, and tells its private key.
pub(in crate::store) fn expect_picture(tx: &Transaction<'_>, conversation: i64, url: &str) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO medias (id, customer, conversation, kind, status, filename, source_url, due_at, tm_create)
        SELECT ?1, customer, key, ?3, ?4, '', ?5, ?6, ?6
        FROM conversations
        WHERE key = ?2
        RETURNING key";
    let values = (MediaId::random(), conversation, MediaType::Image, MediaStatus::Pending, url, tx.now());
    Ok(tx.prepare_cached(SQL)?.query_row(values, |row| row.get(0))?)
}

/// A file belongs to nothing any more; the worker for media removes it, and then its row.
pub(in crate::store) fn discard(tx: &Transaction<'_>, key: i64) -> Result<()> {
    const SQL: &str =
        "UPDATE medias SET status = 'gone', due_at = ?2, last_error = 'discarded' WHERE key = ?1";
    tx.prepare_cached(SQL)?.execute((key, tx.now()))?;
    Ok(())
}

/// A complete file of a customer. A short, indexed read.
///
/// `NotFound` for everybody else's, and `NotHere` for one that is not here, with the reason.
pub fn get(connection: &Connection, customer: CustomerId, id: MediaId) -> Result<StoredFile> {
    const SQL: &str = "
        SELECT m.id, status, filename, content_type, size, sha256, last_error
        FROM medias m JOIN customers c ON c.key = m.customer
        WHERE m.id = ?1 AND c.id = ?2";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query((id, customer))?;
    let row = rows.next()?.ok_or(Error::NotFound(Resource::Media))?;
    let reason = text(row, "last_error")?;
    let not_here = |state: &str| {
        let cause = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        Err(Error::NotHere(Resource::Media, format!("{state}{cause}")))
    };
    match row.get("status")? {
        MediaStatus::Stored => Ok(from_row(row)?),
        MediaStatus::Gone => not_here("this media is gone"),
        MediaStatus::Pending => not_here("this media is pending, it is still being fetched"),
    }
}

/// A file that is promised to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Where it stands in the order of files.
    pub key: i64,
    /// Its id.
    pub id: MediaId,
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// Up to `limit` files that are promised to be on disk, behind this key; without those whose rows cannot be read.
pub fn stored_after(connection: &Connection, key: i64, limit: usize) -> Result<Vec<Stored>> {
    const SQL: &str = "
        SELECT key, id, size, sha256
        FROM medias
        WHERE key > ?1 AND status = 'stored'
        ORDER BY key
        LIMIT ?2";
    let spare = i64::from(SPARE);
    let mut statement = connection.prepare_cached(SQL)?;
    let rows = statement.query_map((key, most(limit).saturating_add(spare)), |row| {
        let size = u64::try_from(row.get::<_, i64>("size")?).unwrap_or(0);
        Ok(Stored { key: row.get("key")?, id: row.get("id")?, size, sha256: row.get("sha256")? })
    })?;
    Ok(sound(rows, "medias").take(limit).collect::<rusqlite::Result<_>>()?)
}

/// How many bytes all files have that are promised to be on disk. Reads all of their rows.
pub fn stored_bytes(connection: &Connection) -> Result<u64> {
    const SQL: &str = "SELECT coalesce(sum(size), 0) FROM medias WHERE status = 'stored'";
    let bytes: i64 = connection.prepare_cached(SQL)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Whether any file is promised to be on disk. Without one it reads every row.
pub fn is_any_stored(connection: &Connection) -> Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE status = 'stored')";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| row.get(0))?)
}

/// Whether a file is promised to be on disk. A short, indexed read.
pub fn is_stored(connection: &Connection, id: MediaId) -> Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM medias WHERE id = ?1 AND status = 'stored')";
    Ok(connection.prepare_cached(SQL)?.query_row([id], |row| row.get(0))?)
}

/// How many bytes a customer's stored files have.
pub(in crate::store) fn used_bytes(connection: &Connection, customer: i64) -> Result<u64> {
    const SQL: &str = "SELECT bytes FROM media_usage WHERE customer = ?1";
    let used =
        connection.prepare_cached(SQL)?.query_row([customer], |row| row.get::<_, i64>(0)).optional()?;
    Ok(used.and_then(|used| u64::try_from(used).ok()).unwrap_or_default())
}

/// A complete file, from its columns.
pub(in crate::store) fn from_row(row: &Row<'_>) -> rusqlite::Result<StoredFile> {
    Ok(StoredFile {
        id: row.get("id")?,
        filename: text(row, "filename")?,
        content_type: text(row, "content_type")?,
        size: u64::try_from(row.get::<_, i64>("size")?).unwrap_or(0),
        sha256: row.get("sha256")?,
    })
}
