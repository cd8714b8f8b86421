//! Backups: one tar file with a consistent copy of the database, the media files that it lists, and a manifest with the
//! SHA-256 of each.
//!
//! A backup is made beside a running server over a read-only connection and blocks no write. It is written in a temporary
//! folder beside its destination and gets its final name only once all of it is on disk.

pub mod archive;
pub mod copy;
pub mod manifest;
mod part;
pub mod remains;
pub mod restore;
pub mod rotation;
mod waiting;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::model::progress::{self, Unit};
use crate::model::timestamp::Timestamp;
use crate::store::backup::archive::Archive;
use crate::store::backup::manifest::{About, Missing, Name};
use crate::store::backup::part::PartialBackup;
use crate::store::engine::query::Connection;
use crate::store::engine::{connection, failure, schema};
use crate::store::files::hashing::Cancel;
use crate::store::files::media_store::{MediaStore, Variant};
use crate::store::files::medias::{self, Stored};

/// Media files per query.
const PAGE: usize = 500;

/// Contents of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupSummary {
    /// Length of the backup in bytes.
    pub size: u64,
    /// Version of the database schema.
    pub schema: i64,
    /// Media files of messages and uploads, without previews.
    pub media_files: u64,
    /// Media files that were erased while the backup was being made.
    pub media_erased: u64,
    /// Media files that the database lists but that were not on disk.
    pub media_lost: u64,
}

/// Writes a backup of the database and the media store into a new file. `now` is the time of the backup.
///
/// `Conflict` when the file exists already or another process is writing it. A missing media file does not end the
/// backup: it is counted as lost.
pub fn write(
    database: &Path,
    media_store: &MediaStore,
    file: &Path,
    now: Timestamp,
    cancel: &Cancel,
) -> Result<BackupSummary> {
    write_copy(database, media_store, file, (now, cancel)).map_err(failure::damaged(database))
}

fn write_copy(
    database: &Path,
    media_store: &MediaStore,
    file: &Path,
    (now, cancel): (Timestamp, &Cancel),
) -> Result<BackupSummary> {
    let part = PartialBackup::begin(file)?;
    let live = open(database, cancel).map_err(failure::named(database))?;
    let copied = part.path(manifest::DATABASE);
    copy::into_new_file(&live, &copied)
        .and_then(|()| copy::prepare(&copied, now))
        .map_err(failure::named(file))?;
    let about = About::new(schema::current_version(), now);
    let mut summary = BackupSummary { schema: about.schema, ..BackupSummary::default() };
    let mut archive = Archive::begin(&part, &about, cancel)?;
    let (content, copy) = (File::open(&copied).map_err(Error::internal)?, connection::open_reading(&copied)?);
    let bytes = content.metadata().map_err(Error::internal)?.len() + medias::stored_bytes(&copy)?;
    progress::begin("writing the backup", Unit::Bytes, Some(bytes));
    archive.add(&Name::Database, &content)?;
    add_medias(&mut archive, &copy, (&live, media_store), &mut summary)?;
    summary.size = archive.finish()?;
    part.finish(archive::NAME)?;
    Ok(summary)
}

fn open(database: &Path, cancel: &Cancel) -> Result<Connection> {
    let live = copy::open(database, cancel)?;
    schema::require_current(&live)?;
    Ok(live)
}

/// Adds the media files that the copy lists. One that is no longer on disk may have been erased since the copy was made.
fn add_medias(
    archive: &mut Archive<'_>,
    copy: &Connection,
    (live, media_store): (&Connection, &MediaStore),
    summary: &mut BackupSummary,
) -> Result<()> {
    let mut after = 0;
    loop {
        let page = medias::stored_after(copy, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.key;
        for stored in page {
            add_media(archive, &stored, (live, media_store), summary)?;
        }
    }
}

fn add_media(
    archive: &mut Archive<'_>,
    stored: &Stored,
    (live, media_store): (&Connection, &MediaStore),
    summary: &mut BackupSummary,
) -> Result<()> {
    let whole = Name::Media(stored.id, Variant::Whole);
    let Some(file) = if_any(media_store.read(stored.id, Variant::Whole))? else {
        let is_erased = !medias::is_stored(live, stored.id)?;
        let missing = if is_erased { Missing::Erased } else { Missing::Lost };
        *(if is_erased { &mut summary.media_erased } else { &mut summary.media_lost }) += 1;
        return archive.note_missing(&whole, missing);
    };
    archive.add(&whole, &file)?;
    summary.media_files += 1;
    match if_any(media_store.read(stored.id, Variant::Preview))? {
        Some(preview) => archive.add(&Name::Media(stored.id, Variant::Preview), &preview),
        None => Ok(()),
    }
}

fn if_any(file: io::Result<File>) -> Result<Option<File>> {
    match file {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::internal(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::MediaId;

    fn database_with(path: &Path, id: MediaId, status: &str) {
        let mut connection = connection::open_writing(path).unwrap();
        schema::bring_up_to_date(&mut connection).unwrap();
        let customer =
            "INSERT INTO customers (key, id, name, detail, webhook_method, webhook_uri, tm_create, tm_update)
                        VALUES (1, zeroblob(16), '', '', 'POST', '', 1, 1)";
        connection.execute_batch(customer).unwrap();
        let media = "INSERT INTO medias (id, customer, kind, status, filename, size, sha256, tm_create)
                     VALUES (?1, 1, 'file', ?2, '', 3, zeroblob(32), 1)";
        connection.execute(media, (id, status)).unwrap();
    }

    #[test]
    fn a_file_that_was_erased_in_the_meantime_is_distinguished_from_a_lost_one() {
        let data = tempfile::tempdir().unwrap();
        let copied = data.path().join("copied.db");
        let id = MediaId::random();
        database_with(&copied, id, "stored");
        for (status, counts) in [("gone", (1, 0)), ("stored", (0, 1))] {
            let live = data.path().join(format!("live-{status}.db"));
            database_with(&live, id, status);
            let part = PartialBackup::begin(&data.path().join("backup")).unwrap();
            let about = About::new(1, Timestamp::NEVER);
            let mut archive = Archive::begin(&part, &about, &Cancel::default()).unwrap();
            let (copied, live) =
                (connection::open_reading(&copied).unwrap(), connection::open_reading(&live).unwrap());
            let (media_store, mut summary) =
                (MediaStore::open(data.path()).unwrap(), BackupSummary::default());

            add_medias(&mut archive, &copied, (&live, &media_store), &mut summary).unwrap();

            assert_eq!(
                (summary.media_erased, summary.media_lost, summary.media_files),
                (counts.0, counts.1, 0)
            );
            assert!(archive.finish().unwrap() > 0, "the backup continues");
        }
    }

    #[test]
    fn two_processes_do_not_write_one_backup_and_an_interrupted_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup");
        let first = PartialBackup::begin(&file).unwrap();

        assert!(matches!(PartialBackup::begin(&file), Err(Error::Conflict(_))));
        drop(first);
        std::fs::create_dir(folder.path().join(".backup.part")).unwrap();
        std::fs::write(folder.path().join(".backup.part/left behind"), "half").unwrap();
        let second = PartialBackup::begin(&file).unwrap();

        assert!(!second.path("left behind").exists());
    }
}
