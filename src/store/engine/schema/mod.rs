//! The versions of the schema, and the migration from an older one to the present.

mod migrations;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{Error, Result};
use crate::model::progress::{self, Unit};
use crate::store::engine::location::lost;
use crate::store::engine::schema::migrations::MIGRATIONS;
use crate::store::engine::{connection, failure};

/// The present schema, from which a new file is created.
const SCHEMA: &str = include_str!("../../../../schema.sql");

/// "kaiw" in ASCII, which marks a file as ours (`PRAGMA application_id`).
pub const APPLICATION_ID: i64 = 0x6B61_6977;

/// Refuses a file of a newer version or of another program before anything changes it.
pub fn refuse_foreign(path: &Path) -> Result<()> {
    lost::refuse(path)?;
    if std::fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        return Ok(());
    }
    undo_half_a_write(path).map_err(|error| failure::of(path, error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = Connection::open_with_flags(path, flags).and_then(|connection| {
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((tables, number(&connection, "application_id")?, number(&connection, "user_version")?))
    });
    let (tables, application, version) = read.map_err(|error| failure::of(path, error))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(Error::Unusable(format!("{} is the database of another program", path.display())));
    }
    refuse_newer(version, MIGRATIONS)
}

/// Rolls back the write of a process that ended while it switched the file to write-ahead logging. It has left a rollback
/// journal, and a file with one can be read only by a connection that may write.
fn undo_half_a_write(path: &Path) -> rusqlite::Result<()> {
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    if !Path::new(&journal).exists() {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

/// The version of a file that has to be migrated; `None` for a new one and for one of the present version.
pub fn older_version(path: &Path) -> Result<Option<i64>> {
    if std::fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        return Ok(None);
    }
    let found = version_of(&connection::open_reading(path)?)?;
    Ok((1..version(MIGRATIONS)).contains(&found).then_some(found))
}

/// The version of an open file; 0 for an empty one.
pub fn version_of(connection: &Connection) -> Result<i64> {
    Ok(number(connection, "user_version")?)
}

/// Creates the tables of a new file, or migrates an older one, in one transaction.
pub fn bring_up_to_date(connection: &mut Connection) -> Result<()> {
    migrate(connection, SCHEMA, MIGRATIONS)
}

/// Refuses to read a file whose version is not that of this program.
pub fn require_current(connection: &Connection) -> Result<()> {
    let (found, expected) = (number(connection, "user_version")?, version(MIGRATIONS));
    if found == expected {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "the database has version {found}, this program reads {expected}; run `kaiwa migrate`"
    )))
}

/// The version of the schema that this program writes.
pub fn current_version() -> i64 {
    version(MIGRATIONS)
}

/// The version of the SQLite that is built in.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// Migrates without foreign keys, which cannot be switched within a transaction, so that a table can be replaced by a new one.
/// They are checked before the commit instead.
fn migrate(connection: &mut Connection, schema: &str, steps: &[&str]) -> Result<()> {
    let enforced = number(connection, "foreign_keys")?;
    connection.pragma_update(None, "foreign_keys", 0)?;
    let migrated = within_transaction(connection, schema, steps);
    connection.pragma_update(None, "foreign_keys", enforced)?;
    migrated
}

fn within_transaction(connection: &mut Connection, schema: &str, steps: &[&str]) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = number(&transaction, "user_version")?;
    refuse_newer(found, steps)?;
    if found == version(steps) {
        return Ok(());
    }
    if found == 0 {
        transaction.execute_batch(schema)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    let missing = u64::try_from(version(steps) - found).unwrap_or(0);
    progress::begin("migrating the database", Unit::Pieces, Some(missing));
    for (step, before) in steps.iter().zip(1..).filter(|(_, before)| found > 0 && *before >= found) {
        log::info!("storage: migrating the database from version {before} to {}", before + 1);
        transaction.execute_batch(step)?;
        progress::advance(1);
    }
    if found > 0 && found < version(steps) {
        require_whole(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", version(steps))?;
    transaction.commit()?;
    Ok(())
}

/// Refuses a file in which a row refers to one that does not exist.
fn require_whole(connection: &Connection) -> Result<()> {
    let dangling = "SELECT count(*) FROM pragma_foreign_key_check";
    match connection.query_row(dangling, [], |row| row.get::<_, i64>(0))? {
        0 => Ok(()),
        count => Err(Error::Unusable(format!(
            "{count} rows would refer to missing ones in the new version of the database; it was left untouched"
        ))),
    }
}

fn version(steps: &[&str]) -> i64 {
    i64::try_from(steps.len()).expect("there are few steps") + 1
}

fn refuse_newer(found: i64, steps: &[&str]) -> Result<()> {
    let known = version(steps);
    if found <= known {
        return Ok(());
    }
    Err(Error::Unusable(format!(
        "the database was written by a newer kaiwa (version {found}, this one knows {known}); it was left untouched"
    )))
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE a (x)";
    const SECOND: &str = "CREATE TABLE a (x, y)";
    const STEP: &str = "ALTER TABLE a ADD COLUMN y";

    fn columns(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM pragma_table_info('a')", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_file_is_migrated_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, FIRST, &[]).unwrap();
        connection.execute_batch("INSERT INTO a VALUES (1)").unwrap();

        migrate(&mut connection, SECOND, &[STEP]).unwrap();
        migrate(&mut connection, SECOND, &[STEP]).unwrap();

        assert_eq!(columns(&connection), 2);
        assert_eq!(number(&connection, "user_version").unwrap(), 2);
        assert_eq!(connection.query_row("SELECT x FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, FIRST, &[]).unwrap();

        let failed = migrate(&mut connection, SECOND, &[STEP, "ALTER TABLE missing ADD COLUMN z"]);

        assert!(failed.is_err());
        assert_eq!(columns(&connection), 1);
        assert_eq!(number(&connection, "user_version").unwrap(), 1);
    }

    #[test]
    fn a_table_that_others_refer_to_can_be_replaced() {
        let first = "CREATE TABLE a (x PRIMARY KEY); CREATE TABLE b (y REFERENCES a (x))";
        let rebuilt =
            "CREATE TABLE new (x PRIMARY KEY, z); INSERT INTO new (x) SELECT x FROM a; DROP TABLE a;
                    ALTER TABLE new RENAME TO a";
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", 1).unwrap();
        migrate(&mut connection, first, &[]).unwrap();
        connection.execute_batch("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)").unwrap();

        migrate(&mut connection, "", &[rebuilt]).unwrap();
        let dangling = migrate(&mut connection, "", &[rebuilt, "DELETE FROM a"]);

        assert!(matches!(dangling, Err(Error::Unusable(text)) if text.contains("1 rows would refer")));
        assert_eq!(number(&connection, "user_version").unwrap(), 2);
        assert!(connection.execute_batch("DELETE FROM a").is_err(), "foreign keys hold again");
    }

    #[test]
    fn a_newer_file_is_refused_and_left_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        let mut connection = Connection::open(&path).unwrap();
        let newer = vec![STEP; MIGRATIONS.len() + 1];
        migrate(&mut connection, FIRST, &newer).unwrap();
        drop(connection);
        let before = std::fs::read(&path).unwrap();

        let refused = refuse_foreign(&path);

        assert!(matches!(refused, Err(Error::Unusable(text)) if text.contains("newer")));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();

        assert!(matches!(refuse_foreign(&path), Err(Error::Unusable(_))));
        std::fs::write(&path, "this is no database at all").unwrap();
        assert!(matches!(refuse_foreign(&path), Err(Error::Unusable(_))));
    }

    #[test]
    fn the_schema_creates_a_database_of_the_present_version() {
        let mut connection = Connection::open_in_memory().unwrap();

        bring_up_to_date(&mut connection).unwrap();

        require_current(&connection).unwrap();
        assert_eq!(number(&connection, "application_id").unwrap(), APPLICATION_ID);
    }

    #[test]
    fn an_interrupted_write_from_before_the_log_is_rolled_back() {
        const FILL: &str = "INSERT INTO a SELECT randomblob(1000) FROM generated";
        let folder = tempfile::tempdir().unwrap();
        let [path, left] = ["whole.db", "left.db"].map(|name| folder.path().join(name));
        let connection = Connection::open(&path).unwrap();
        let head = format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; PRAGMA cache_size = 1"
        );
        connection.execute_batch(&head).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a (x); INSERT INTO a VALUES ('kept');
                CREATE VIEW generated AS
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i FROM n",
            )
            .unwrap();

        // More than the cache holds: the file is changed before the commit, as a kill would leave it.
        connection.execute_batch(&format!("BEGIN; {FILL}")).unwrap();
        for ending in ["", "-journal"] {
            let [from, to] = [&path, &left].map(|path| format!("{}{ending}", path.display()));
            std::fs::copy(from, to).unwrap();
        }

        refuse_foreign(&left).unwrap();
        let rows = Connection::open(&left)
            .unwrap()
            .query_row("SELECT count(*) FROM a", [], |row| row.get::<_, i64>(0));
        assert_eq!(rows.unwrap(), 1);
    }
}
