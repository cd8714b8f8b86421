//! Files that customers uploaded. One that is not sent expires; one that is sent is public to LINE's users as long as a message
//! shows it.

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

/// Adds an upload that is on disk.
///
/// `FileTooLarge` when the customer's files would exceed `customer_bytes_max` bytes in total.
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
    query::execute(tx, SQL, values)?;
    Ok(())
}

/// An upload of a customer, if there is one with this id.
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

/// Marks up to `limit` uploads that were not sent within this time as gone; the media worker removes them. Returns how many
/// there were.
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

/// Publishes the uploads that a message shows: these, and those whose addresses are in its requests. They can be fetched from
/// now on, and are kept as long as the message.
///
/// `Conflict` when one of `uploads` has just expired.
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
    // A caller can also write an address of ours into a layout or a text.
    let addressed: BTreeSet<MediaId> = requests.iter().flat_map(|request| addressed(request)).collect();
    for id in addressed.into_iter().filter(|id| !uploads.contains(id)) {
        show(tx, message, id)?;
    }
    Ok(())
}

/// Removes the uploads from a message, and returns the private keys of those that no other message shows.
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

/// Lets a message show an upload of its customer; `false` when there is no such upload.
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
