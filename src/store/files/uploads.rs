//! Files uploaded by customers: stored until they are sent, then public to LINE's users, and removed with the last message
//! that shows them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::files::media::{MediaStatus, MediaType, StoredFile, Upload, addressed};
use crate::model::id::{CustomerId, MediaId};
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::text;
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::{Limit, unsigned};
use crate::store::files::medias;
use crate::store::keys;

/// Adds the row of an uploaded file that is on disk.
///
/// `FileTooLarge` when all files of the customer together would exceed `customer_bytes_max`.
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
    let capacity = customer_bytes_max.saturating_sub(medias::used_bytes(tx, customer)?);
    if upload.size > capacity {
        return Err(Error::FileTooLarge(format!("there is room for {capacity} more bytes of files")));
    }
    let size = i64::try_from(upload.size).map_err(Error::internal)?;
    let Upload { id, kind, filename, content_type, .. } = upload;
    let values = (id, customer, kind, MediaStatus::Stored, filename, content_type, size, sha256, tx.now());
    query::execute(tx, SQL, values)?;
    Ok(())
}

/// An upload of a customer, if it exists.
pub fn get(connection: &Connection, customer: CustomerId, id: MediaId) -> Result<Option<Upload>> {
    const SQL: &str = "
        SELECT m.id, kind, filename, content_type, size
        FROM medias m JOIN customers c ON c.key = m.customer
        WHERE m.id = ?1 AND c.id = ?2 AND status = 'stored' AND source_message_id IS NULL AND source_url IS NULL";
    query::optional_row(connection, SQL, (id, customer), from_row)
}

/// An upload that was sent, for anyone who knows its id; `None` for every other file.
pub fn sent(connection: &Connection, id: MediaId) -> Result<Option<StoredFile>> {
    const SQL: &str = "
        SELECT id, filename, content_type, size, sha256
        FROM medias
        WHERE id = ?1 AND sent AND status = 'stored'";
    query::optional_row(connection, SQL, [id], medias::from_row)
}

/// Expires uploads that have not been sent within this time; the media worker removes them. Returns the number of expired
/// uploads, at most `limit`.
pub fn expire(tx: &Transaction<'_>, after: Duration, limit: usize) -> Result<usize> {
    const SQL: &str = "
        UPDATE medias SET status = 'gone', due_at = ?1, last_error = 'it was not sent in time'
        WHERE key IN (
            SELECT key
            FROM medias
            WHERE conversation IS NULL AND NOT sent AND status = 'stored' AND tm_create <= ?2
            LIMIT ?3
        )";
    query::execute(tx, SQL, (tx.now(), tx.now().before(after), Limit(limit)))
}

/// Makes uploads public that a message shows: those given, and those of the same customer whose addresses occur in its requests.
/// They live as long as the message does.
///
/// `Conflict` when one of the given uploads has just expired.
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
    // The caller can use the address of an upload directly: as an image of a Flex message, or in a text.
    let addressed: BTreeSet<MediaId> = requests.iter().flat_map(|request| addressed(request)).collect();
    for id in addressed.into_iter().filter(|id| !uploads.contains(id)) {
        show(tx, message, id)?;
    }
    Ok(())
}

/// Detaches all uploads from a message. Returns the private keys of those that no other message shows.
pub(in crate::store) fn release(tx: &Transaction<'_>, message: (i64, Timestamp)) -> Result<Vec<i64>> {
    const SQL: &str =
        "DELETE FROM message_uploads WHERE conversation = ?1 AND message_stamp = ?2 RETURNING media";
    const SQL_SHOWN: &str = "SELECT EXISTS (SELECT 1 FROM message_uploads WHERE media = ?1)";
    let mut released = Vec::new();
    for media in query::values::<i64>(tx, SQL, message)? {
        if !query::value::<bool>(tx, SQL_SHOWN, [media])? {
            released.push(media);
        }
    }
    Ok(released)
}

/// Shows an upload in a message. Returns whether the customer of the message has such an upload.
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
    let Some(key) = query::optional_value::<i64>(tx, SQL, (id, conversation))? else { return Ok(false) };
    query::execute(tx, SQL_SHOW, (conversation, stamp, key))?;
    Ok(true)
}

fn from_row(row: &Row<'_>) -> Read<Upload> {
    Ok(Upload {
        id: row.get("id")?,
        kind: row.get::<_, MediaType>("kind")?,
        filename: text(row, "filename")?,
        content_type: text(row, "content_type")?,
        size: unsigned(row.get("size")?),
    })
}
