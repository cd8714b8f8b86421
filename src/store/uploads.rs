//! Files that customers uploaded: kept until they are sent, and shown to LINE's users from then on.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Error, Result};
use crate::model::id::{CustomerId, MediaId};
use crate::model::media::{MediaStatus, MediaType, StoredFile, Upload};
use crate::model::timestamp::Timestamp;
use crate::store::transaction::Transaction;
use crate::store::{customers, medias};

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
    let customer = customers::key(tx, customer)?;
    let room = customer_bytes_max.saturating_sub(used_bytes(tx, customer)?);
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
        WHERE id = ?1 AND conversation IS NOT NULL AND status = 'stored' AND source_message_id IS NULL
            AND source_url IS NULL";
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
            WHERE conversation IS NULL AND status = 'stored' AND tm_create <= ?2
            LIMIT ?3
        )";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(tx.prepare_cached(SQL)?.execute((tx.now(), tx.now().before(after), limit))?)
}

/// The upload belongs to the first message that it is sent with, and can be fetched from now on.
///
/// `Conflict` when it has just expired.
pub(super) fn publish(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    id: MediaId,
) -> Result<()> {
    const SQL: &str = "
        UPDATE medias SET
            conversation = coalesce(conversation, ?2), message_stamp = iif(conversation IS NULL, ?3, message_stamp)
        WHERE id = ?1 AND status = 'stored'";
    if tx.prepare_cached(SQL)?.execute((id, conversation, stamp))? > 0 {
        return Ok(());
    }
    Err(Error::Conflict("an upload of this message was not sent in time and is gone".to_owned()))
}

fn used_bytes(connection: &Connection, customer: i64) -> Result<u64> {
    const SQL: &str = "SELECT coalesce(sum(size), 0) FROM medias WHERE customer = ?1 AND status = 'stored'";
    let used: i64 = connection.prepare_cached(SQL)?.query_row([customer], |row| row.get(0))?;
    Ok(u64::try_from(used).unwrap_or(0))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        id: row.get("id")?,
        kind: row.get::<_, MediaType>("kind")?,
        filename: row.get("filename")?,
        content_type: row.get("content_type")?,
        size: u64::try_from(row.get::<_, i64>("size")?).unwrap_or(0),
    })
}
