//! Connections with the settings on which durability and erasure depend. The critical ones are read back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};
use crate::files;
use crate::store::engine::location::lost;
use crate::store::engine::{checksum, failure, seeded};

/// The first SQLite version without the WAL-reset bug, by which two connections can corrupt a file.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// How long a connection waits for the lock of another one.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `PRAGMA synchronous`: a commit is on disk when it returns.
const FULL: &str = "2";

/// Prepared statements that each connection caches.
const STATEMENTS_MAX: usize = 96;

/// A connection that writes. The file is created if there is none.
pub fn open_writing(path: &Path) -> Result<Connection> {
    refuse_old_sqlite(rusqlite::version_number())?;
    lost::refuse(path)?;
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -32768;",
    )?;
    connection.pragma_update(None, "synchronous", FULL)?;
    for (pragma, expected) in [("journal_mode", "wal"), ("synchronous", FULL), ("foreign_keys", "1")] {
        require(&connection, pragma, expected)?;
    }
    seeded::weaken(&connection)?;
    Ok(connection)
}

/// A read-only connection.
pub fn open_reading(path: &Path) -> Result<Connection> {
    lost::refuse(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
    Ok(connection)
}

/// Where SQLite keeps the log of a database.
pub fn log_path(database: &Path) -> PathBuf {
    files::beside(database, "-wal")
}

fn prepare(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Without it SQLite prepares a cached statement again whenever a parameter that the planner looked at is bound again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA mmap_size = 0;",
    )?;
    checksum::install(connection)
}

fn refuse_old_sqlite(version: i32) -> Result<()> {
    if version < SQLITE_VERSION_MIN {
        let found = rusqlite::version();
        return Err(Error::Unusable(format!(
            "SQLite {found} can damage its files; 3.51.3 or newer is needed"
        )));
    }
    Ok(())
}

/// The value of a pragma, as SQLite reports it for this file.
pub fn setting(connection: &Connection, pragma: &str) -> Result<String> {
    Ok(connection.pragma_query_value(None, pragma, |row| {
        let value: rusqlite::types::Value = row.get(0)?;
        Ok(match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
    })?)
}

/// `Unusable` when a setting did not take effect, which SQLite does not report.
fn require(connection: &Connection, pragma: &str, expected: &str) -> Result<()> {
    let found = setting(connection, pragma)?;
    if found == expected {
        return Ok(());
    }
    Err(Error::Unusable(format!("SQLite has {pragma} = {found} on this file, and {expected} is needed")))
}

/// Creates the file before SQLite does, with access for its owner only; SQLite gives its companions the same owner and mode.
/// An existing file is not opened: closing it would drop the locks of all connections of this process to it.
fn make_private(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    files::open_or_create(path).map(drop).map_err(|error| failure::on_disk("open", path, &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_sqlite_with_the_reset_bug_is_refused() {
        assert!(refuse_old_sqlite(3_051_002).is_err());
        assert!(refuse_old_sqlite(rusqlite::version_number()).is_ok());
    }

    #[test]
    fn a_setting_that_does_not_take_effect_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_writing(&folder.path().join("kaiwa.db")).unwrap();
        connection.execute_batch("PRAGMA synchronous = NORMAL").unwrap();

        let error = require(&connection, "synchronous", "2").unwrap_err();

        assert!(error.to_string().contains("synchronous = 1"), "{error}");
    }

    #[test]
    fn another_connection_leaves_the_first_its_locks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        let first = open_writing(&path).unwrap();
        first.execute_batch("CREATE TABLE t (a)").unwrap();
        let of_file = format!(":{} ", path.metadata().unwrap().ino());
        let is_locked = || {
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            locks.lines().any(|lock| lock.contains("POSIX") && lock.contains(&of_file))
        };
        assert!(is_locked());

        let others = (open_writing(&path).unwrap(), open_reading(&path).unwrap());

        assert!(is_locked(), "another process could remove the log");
        drop(others);
        assert!(is_locked());
    }

    #[test]
    fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        open_writing(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();

        assert!(open_reading(&path).unwrap().execute_batch("INSERT INTO t VALUES (1)").is_err());
    }
}
