//! Files that customers uploaded: kept until they are sent, then shown to LINE's users, and gone with the last message that
//! shows them.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Error, Result};
use crate::model::files::media::{MediaStatus, MediaType, StoredFile, Upload, addressed};
use crate::model::id::{CustomerId, MediaId};
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::text;
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;
use crate::store::files::medias;
use crate::store::keys;

/// Notes a file that is on disk.
///
/// `FileTooLarge` when all files of the customer would have more than `customer_bytes_max` together.
pub fn add(
    tx: &Transaction<'_>,
    customer: CustomerId,
    upload: &Upload,
    sha256: [u8; 32],
    customer_bytes_max: u64,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO medias (id, customer, kind, status, filename, content_type, size, sha256, tm_create)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let customer = keys::customer(tx, customer)?;
    let room = customer_bytes_max.saturating_sub(medias::used_bytes(tx, customer)?);
    if upload.size > room {
        return Err(Error::FileTooLarge(format!("there is room for {room} more bytes of files")));
    }
    let size = i64::try_from(upload.size).map_err(Error::internal)?;
    let Upload { id, kind, filename, content_type, .. } = upload;
    let values = (id, customer, kind, MediaStatus::Stored, filename, content_type, size, sha256, tx.now());
    tx.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

/// An upload of a customer; `None` when there is no such one.
pub fn get(connection: &Connection, customer: CustomerId, id: MediaId) -> Result<Option<Upload>> {
    const SQL: &str = "
        SELECT m.id, kind, filename, content_type, size
        FROM medias m JOIN customers c ON c.key = m.customer
        WHERE m.id = ?1 AND c.id = ?2 AND status = 'stored' AND source_message_id IS NULL AND source_url IS NULL";
    Ok(connection.prepare_cached(SQL)?.query_row((id, customer), from_row).optional()?)
}

/// An upload that was sent, for whoever knows its id; `None` for every other file.
pub fn sent(connection: &Connection, id: MediaId) -> Result<Option<StoredFile>> {
    const SQL: &str = "
        SELECT id, filename, content_type, size, sha256
        FROM medias
        WHERE id = ?1 AND sent AND status = 'stored'";
    Ok(connection.prepare_cached(SQL)?.query_row([id], medias::from_row).optional()?)
}

/// Uploads that nobody has sent within this time have expired: the worker for media removes them. Says how many of up to
/// `limit` there were.
pub fn expire(tx: &Transaction<'_>, after: Duration, limit: usize) -> Result<usize> {
    const SQL: &str = "
        UPDATE medias SET status = 'gone', due_at = ?1, last_error = 'it was not sent in time'
        WHERE key IN (
            SELECT key
            FROM medias
            WHERE conversation IS NULL AND NOT sent AND status = 'stored' AND tm_create <= ?2
            LIMIT ?3
        )";
    let limit = most(limit);
    Ok(tx.prepare_cached(SQL)?.execute((tx.now(), tx.now().before(after), limit))?)
}

/// A message shows these uploads of its customer, and those whose addresses stand in its requests: they can be fetched from
/// now on, and live as long as it does.
///
/// `Conflict` when one of the first has just expired.
pub(in crate::store) fn publish(
    tx: &Transaction<'_>,
    message: (i64, Timestamp),
    uploads: &[MediaId],
    requests: &[Vec<u8>],
) -> Result<()> {
    for id in uploads {
        if !show(tx, message, *id)? {
            return Err(Error::Conflict(
                "an upload of this message was not sent in time and is gone".to_owned(),
            ));
        }
    }
    // A caller can write an address of ours by itself: as the picture of a layout, or within a text.
    let addressed: BTreeSet<MediaId> = requests.iter().flat_map(|request| addressed(request)).collect();
    for id in addressed.into_iter().filter(|id| !uploads.contains(id)) {
        show(tx, message, id)?;
    }
    Ok(())
}

/// A message shows nothing any more. Tells the private keys of those uploads that no other message shows.
pub(in crate::store) fn release(tx: &Transaction<'_>, message: (i64, Timestamp)) -> Result<Vec<i64>> {
    const SQL: &str =
        "DELETE FROM message_uploads WHERE conversation = ?1 AND message_stamp = ?2 RETURNING media";
    const SQL_SHOWN: &str = "SELECT EXISTS (SELECT 1 FROM message_uploads WHERE media = ?1)";
    let mut statement = tx.prepare_cached(SQL)?;
    let shown = statement.query_map(message, |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    let mut released = Vec::new();
    for media in shown {
        if !tx.prepare_cached(SQL_SHOWN)?.query_row([media], |row| row.get(0))? {
            released.push(media);
        }
    }
    Ok(released)
}

/// Whether the message's customer has such an upload, which the message shows from now on.
fn show(tx: &Transaction<'_>, (conversation, stamp): (i64, Timestamp), id: MediaId) -> Result<bool> {
    const SQL: &str = "
        UPDATE medias SET sent = 1
        WHERE id = ?1 AND status = 'stored' AND source_message_id IS NULL AND source_url IS NULL
            AND customer = (SELECT customer FROM conversations WHERE key = ?2)
        RETURNING key";
    const SQL_SHOW: &str = "
        INSERT INTO message_uploads (conversation, message_stamp, media)
        VALUES (?1, ?2, ?3)
        ON CONFLICT DO NOTHING";
    let found = tx.prepare_cached(SQL)?.query_row((id, conversation), |row| row.get(0)).optional()?;
    let Some(key) = found else { return Ok(false) };
    let key: i64 = key;
    tx.prepare_cached(SQL_SHOW)?.execute((conversation, stamp, key))?;
    Ok(true)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        id: row.get("id")?,
        kind: row.get::<_, MediaType>("kind")?,
        filename: text(row, "filename")?,
        content_type: text(row, "content_type")?,
        size: u64::try_from(row.get::<_, i64>("size")?).unwrap_or(0),
    })
}
