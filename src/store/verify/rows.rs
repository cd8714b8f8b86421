//! Verifies that every row is readable by the program and still holds what was written.
//!
//! SQLite's own checks cover pages, indexes, types and constraints. This covers the rest: valid UTF-8, valid JSON, LINE ids and
//! enumerations, secrets that the key opens, and the checksums.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Statement};

use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store::encryption::sealer::Sealer;
use crate::store::engine::stamps;
use crate::store::verify::Findings;
use crate::store::verify::columns::{Reads, reads_of};
use crate::store::verify::tables::{TABLES, Table};

/// Columns with sealed values.
const SEALED: &[&str] = &[
    "sealing.probe",
    "accounts.secret",
    "accounts.secret_next",
    "accounts.token",
    "webhook_endpoints.secret",
    "webhook_endpoints.secret_previous",
];

/// Reads every row of every table. Secrets are opened if a sealer is given.
///
/// `Unavailable` when the disk fails, which proves nothing about the rows.
pub fn look(
    connection: &Connection,
    sealer: Option<&Sealer>,
    now: Timestamp,
    findings: &mut Findings,
) -> Result<()> {
    look_at_tables(connection, |_| true, sealer, findings)?;
    match stamps::is_damaged(connection, now) {
        Err(error @ Error::Unavailable(_)) => return Err(error),
        Ok(true) => findings.add("clock with only 1: last_stamp: no row can have been given this time"),
        // An unreadable row is reported above.
        Ok(false) | Err(_) => {}
    }
    Ok(())
}

/// The same for the tables that `is_meant` accepts.
pub fn look_at_tables(
    connection: &Connection,
    is_meant: impl Fn(&str) -> bool,
    sealer: Option<&Sealer>,
    findings: &mut Findings,
) -> Result<()> {
    for table in TABLES.iter().filter(|table| is_meant(table.name)) {
        match look_at(connection, table, sealer, findings) {
            Err(error @ Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                findings.add(format!("{} cannot be read to its end: {}", table.name, error.chain()));
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn look_at(
    connection: &Connection,
    table: &Table,
    sealer: Option<&Sealer>,
    findings: &mut Findings,
) -> Result<()> {
    let mut statement = connection.prepare(table.sql)?;
    let columns = columns(connection, table, &statement)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for (place, column) in columns.iter().enumerate() {
            let value = row.get_ref(place)?;
            if let Some(fault) = fault(column, value).or_else(|| not_opened(sealer, column, value, row)) {
                findings.add(format!("{}: {}: {fault}", key(table, row), column.name));
            }
        }
    }
    Ok(())
}

/// A column of a table, in the order of the query.
struct Column {
    name: String,
    /// `table.column`.
    full_name: String,
    /// Declared type; `None` for a computed column.
    declared: Option<String>,
    reads: Option<Reads>,
}

fn columns(connection: &Connection, table: &Table, statement: &Statement<'_>) -> Result<Vec<Column>> {
    const SQL: &str = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
    let names = statement.column_names();
    let column = |name: &str| {
        let declared = connection.query_row(SQL, [table.name, name], |row| row.get(0)).optional()?;
        let reads = reads_of(table.name, name);
        Ok(Column { name: name.to_owned(), full_name: format!("{}.{name}", table.name), declared, reads })
    };
    names.map(column).collect()
}

/// What is wrong with a value. Whether it may be NULL is covered by SQLite's own checks.
fn fault(column: &Column, value: ValueRef<'_>) -> Option<&'static str> {
    let Some(declared) = column.declared.as_deref() else {
        return (value == ValueRef::Integer(0)).then_some("the checksum does not match");
    };
    match (value, declared) {
        (ValueRef::Null, _) => None,
        (ValueRef::Text(text), "TEXT") if std::str::from_utf8(text).is_err() => {
            Some("this is not valid UTF-8")
        }
        (ValueRef::Integer(_), "INTEGER") | (ValueRef::Blob(_), "BLOB") | (ValueRef::Text(_), "TEXT") => {
            let is_readable = column.reads.is_none_or(|reads| reads(value));
            (!is_readable).then_some("this is not a valid value")
        }
        _ => Some("this has the wrong type"),
    }
}

/// Whether the key does not open a secret, which is bound to the public id of its row.
fn not_opened(
    sealer: Option<&Sealer>,
    column: &Column,
    value: ValueRef<'_>,
    row: &Row<'_>,
) -> Option<&'static str> {
    let sealer = sealer.filter(|_| SEALED.contains(&column.full_name.as_str()))?;
    let text = value.as_str_or_null().ok().flatten().filter(|text| !text.is_empty())?;
    let id = row.get_ref("id").ok().and_then(|id| id.as_blob().ok()).unwrap_or_default();
    (!sealer.opens(text, &column.full_name, id)).then_some("the key does not open this")
}

fn key(table: &Table, row: &Row<'_>) -> String {
    let of = |name: &&str| {
        let value = match row.get_ref(*name) {
            Ok(ValueRef::Integer(number)) => number.to_string(),
            Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => "unreadable".to_owned(),
        };
        format!("{name} {value}")
    };
    format!("{} with {}", table.name, table.key.iter().map(of).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::engine::{checksum, schema};
    use crate::store::verify::columns::COLUMNS;

    fn database() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        checksum::install(&connection).unwrap();
        schema::bring_up_to_date(&mut connection).unwrap();
        connection
    }

    #[test]
    fn every_table_is_read_with_all_of_its_columns() {
        let connection = database();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let mut statement = connection.prepare(tables).unwrap();
        let tables: BTreeSet<String> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();

        assert_eq!(tables, TABLES.iter().map(|table| table.name.to_owned()).collect());
        for table in TABLES {
            let statement = connection.prepare(table.sql).unwrap();
            let read: BTreeSet<&str> = statement.column_names().collect();
            let mut all = connection.prepare("SELECT name FROM pragma_table_xinfo(?1)").unwrap();
            let all = all.query_map([table.name], |row| row.get(0)).unwrap().map(Result::unwrap);
            for column in all.collect::<Vec<String>>() {
                assert!(read.contains(column.as_str()), "{}.{column}", table.name);
            }
        }
    }

    #[test]
    fn checked_columns_exist() {
        let connection = database();
        let mut found = connection.prepare("SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2").unwrap();
        let sealed = SEALED.iter().map(|name| name.split_once('.').unwrap());
        for (table, column) in COLUMNS.iter().map(|(table, column, _)| (*table, *column)).chain(sealed) {
            assert!(found.exists([table, column]).unwrap(), "{table}.{column}");
        }
    }

    #[test]
    fn every_number_has_a_check() {
        const SQL: &str = "
            SELECT t.name, c.name
            FROM sqlite_schema t, pragma_table_xinfo(t.name) c
            WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type = 'INTEGER'";
        let connection = database();
        let mut statement = connection.prepare(SQL).unwrap();
        let numbers = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let numbers: Vec<(String, String)> = numbers.map(Result::unwrap).collect();

        let unknown: Vec<_> =
            numbers.iter().filter(|(table, column)| reads_of(table, column).is_none()).collect();

        assert!(numbers.len() > 100 && unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn a_checksum_of_an_earlier_version_covers_its_columns_and_a_new_one_all_that_is_shown() {
        const SQL: &str = "
            INSERT INTO messages (conversation, tm_create, id, status, source_target, text, tm_update, checksum)
            VALUES (1, 1, zeroblob(16), 'sent', '', 'first', 1, checksum(
                    1, 1, zeroblob(16), 'sent', '', 'first', '[]', NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL)),
                (1, 2, CAST('0123456789abcdef' AS BLOB), 'sent', '', 'second', 2, checksum2(
                    1, 2, CAST('0123456789abcdef' AS BLOB), 'sent', '', 'second', '[]', NULL, NULL, NULL, NULL, NULL, '[]',
                    NULL, NULL, NULL, 2, NULL))";
        let connection = database();
        connection.pragma_update(None, "foreign_keys", 0).unwrap();
        connection.execute(SQL, []).unwrap();
        let found = |change: &str| {
            connection.execute_batch("SAVEPOINT change").unwrap();
            connection.execute(change, []).unwrap();
            let mut findings = Findings::default();
            look_at_tables(&connection, |table| table == "messages", None, &mut findings).unwrap();
            connection.execute_batch("ROLLBACK TO change; RELEASE change").unwrap();
            findings.list().len()
        };

        assert_eq!(found("UPDATE messages SET edited_at = NULL"), 0);
        assert_eq!(
            found("UPDATE messages SET mentions = '[ ]'"),
            1,
            "the earlier one does not cover mentions"
        );
        assert_eq!(found("UPDATE messages SET text = text || '!'"), 2);
        assert_eq!(
            found("UPDATE messages SET checksum = checksum | (1 << 32)"),
            1,
            "neither passes for the other"
        );
        assert_eq!(found("UPDATE messages SET checksum = checksum & ~(1 << 32)"), 1);
    }
}
