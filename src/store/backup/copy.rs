//! Consistent copies of the database.

use std::ffi::c_int;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};
use crate::files;
use crate::model::progress::{self, Unit};
use crate::model::timestamp::Timestamp;
use crate::store::backup::waiting;
use crate::store::engine::location::lost;
use crate::store::engine::query;
use crate::store::engine::stamps::Stamps;
use crate::store::engine::transaction::{Notes, Transaction};
use crate::store::engine::{checksum, connection, failure, health, schema};
use crate::store::files::hashing::Cancel;

/// Virtual machine steps of SQLite between two checks for cancellation: a few milliseconds.
const STEPS_BETWEEN_LOOKS: c_int = 10_000;

/// Free space required beyond the computed need, in bytes.
const SPARE_BYTES: u64 = 16 * 1024 * 1024;

/// Extension of a copy that is still being written.
const PART: &str = ".part";

/// Opens a read-only connection for making copies, until `cancel` is requested.
pub fn open(database: &Path, cancel: &Cancel) -> Result<Connection> {
    lost::require(database)?;
    let mut connection = connection::open_reading(database)?;
    // Read-only on the database, but `VACUUM INTO` has to write the copy.
    connection.execute_batch("PRAGMA query_only = OFF")?;
    let cancel = cancel.clone();
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || cancel.is_requested()))?;
    Ok(connection)
}

/// Copies the database as it is now into a new file with owner-only permissions: no write-ahead log, no erased data.
/// It blocks no writer, but the write-ahead log of the database grows until it ends. The copy is not synced.
pub fn into_new_file(database: &Connection, copy: &Path) -> Result<()> {
    // A path is bytes and need not be valid UTF-8.
    const SQL: &str = "VACUUM INTO CAST(?1 AS TEXT)";
    files::create(copy).map_err(|error| failure::on_disk("write", copy, &error))?;
    progress::begin("copying the database", Unit::Bytes, None);
    database.execute(SQL, [copy.as_os_str().as_bytes()])?;
    Ok(())
}

/// Makes a copy safe to start from at any later time: messages queued in it may have been sent since it was made.
pub fn prepare(copy: &Path, now: Timestamp) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(copy, flags)?;
    checksum::install(&connection)?;
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; BEGIN IMMEDIATE")?;
    let stamps = Stamps::read(&connection)?;
    stamps.judge(&connection, now)?;
    // Nobody is listening: no server has the copy open.
    let notes = Notes::default();
    waiting::mark_in_doubt(&Transaction::new(&connection, &stamps, &notes, now))?;
    stamps.write(&connection)?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// Copies a database of an older schema version beside itself before it is migrated: `kaiwa.db.version-1`. The copy of
/// an earlier attempt is replaced.
///
/// `Unusable` when the disk has too little space for the copy and the migration.
pub fn before_migration(database: &Path) -> Result<()> {
    match schema::older_version(database)? {
        Some(version) => beside(database, version),
        None => Ok(()),
    }
}

fn beside(database: &Path, version: i64) -> Result<()> {
    let connection = open(database, &Cancel::default())?;
    require_capacity(database, &connection)?;
    let copy = files::with_suffix(database, &format!(".version-{version}"));
    let part = files::with_suffix(&copy, PART);
    let failed = |error| failure::on_disk("write", &copy, &error);
    into_new_file(&connection, &part)?;
    let part_file = File::open(&part).map_err(failed)?;
    files::share_owner(&part_file, database).and_then(|()| part_file.sync_all()).map_err(failed)?;
    files::rename(&part, &copy).map_err(failed)?;
    log::info!("storage: the database of version {version} was copied to {}", copy.display());
    Ok(())
}

/// The copy is at most as large as the database, and so is what the migrations rewrite.
fn require_capacity(database: &Path, connection: &Connection) -> Result<()> {
    const SQL: &str = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let size: i64 = query::value(connection, SQL, [])?;
    let needed = u64::try_from(size).unwrap_or(0).saturating_mul(2).saturating_add(SPARE_BYTES);
    enough(health::free_bytes(database)?, needed)
}

fn enough(available: u64, needed: u64) -> Result<()> {
    if available >= needed {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "the database has to be copied and migrated to a newer version: {needed} bytes are needed on its disk, and \
         {available} are free; it was left untouched"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_reported_before_anything_is_written() {
        assert!(enough(10, 10).is_ok());
        let refused = enough(9, 10).unwrap_err();

        assert!(matches!(&refused, Error::Unusable(text) if text.contains("untouched")), "{refused}");
    }

    #[test]
    fn the_copy_before_a_migration_is_beside_the_database_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("kaiwa.db");
        connection::open_writing(&database).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();

        beside(&database, 3).unwrap();
        connection::open_writing(&database).unwrap().execute_batch("CREATE TABLE u (a)").unwrap();
        beside(&database, 3).unwrap();

        let copy = folder.path().join("kaiwa.db.version-3");
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let tables = "SELECT count(*) FROM sqlite_schema";
        let count: i64 = Connection::open(&copy).unwrap().query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 2, "the newer copy has replaced the older one");
        assert!(!folder.path().join("kaiwa.db.version-3.part").exists());
    }

    #[test]
    fn a_cancelled_copy_ends() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("kaiwa.db");
        let connection = connection::open_writing(&database).unwrap();
        let rows =
            "CREATE TABLE t (a); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 9999)
                    INSERT INTO t SELECT i FROM n";
        connection.execute_batch(rows).unwrap();
        let cancel = Cancel::default();
        let reading = open(&database, &cancel).unwrap();

        into_new_file(&reading, &folder.path().join("first")).unwrap();
        cancel.request();
        let refused = into_new_file(&reading, &folder.path().join("second"));

        assert!(refused.is_err());
        assert!(connection.execute_batch("INSERT INTO t VALUES (1)").is_ok(), "a copy blocks no writer");
    }
}
