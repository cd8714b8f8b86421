//! Statements as operations run them: an operation states its SQL, its parameters and how a row is read.
//!
//! Each connection keeps its statements prepared. A row that cannot be read is an error, unless the function says that it
//! leaves such rows out.

pub use rusqlite::{Connection, Params, Row, params};

use rusqlite::OptionalExtension;
use rusqlite::types::FromSql;

use crate::error::Result;
use crate::store::engine::damage::{first_readable, sound};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;

/// Rows that a page reads beyond its size, to take the place of damaged ones.
const SPARE: usize = 100;

/// What reading a row returns.
pub type Read<T> = rusqlite::Result<T>;

/// How many rows a statement has to find so that `limit` of them can be read although some are damaged.
pub(in crate::store) fn with_spare(limit: usize) -> Limit {
    Limit(limit.saturating_add(SPARE))
}

/// No limit for [`readable_rows`].
pub(in crate::store) const ALL: usize = usize::MAX;

/// Runs a statement that writes, and returns how many rows it changed.
pub(in crate::store) fn execute(
    tx: &Transaction<'_>,
    sql: &'static str,
    values: impl Params,
) -> Result<usize> {
    Ok(tx.prepare_cached(sql)?.execute(values)?)
}

/// All rows.
pub(in crate::store) fn rows<T>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> Read<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_map(values, read)?.collect::<Read<_>>()?)
}

/// The first column of all rows.
pub(in crate::store) fn values<T: FromSql>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
) -> Result<Vec<T>> {
    rows(connection, sql, values, |row| row.get(0))
}

/// The first `limit` rows that can be read. Rows of `table` that cannot be read are reported and left out; nothing is read
/// beyond the last row that is returned.
pub(in crate::store) fn readable_rows<T>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
    (table, limit): (&str, usize),
    read: impl FnMut(&Row<'_>) -> Read<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(sound(rows, table).take(limit).collect::<Read<_>>()?)
}

/// The first row. It is an error when there is none.
pub(in crate::store) fn row<T>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Read<T>,
) -> Result<T> {
    Ok(connection.prepare_cached(sql)?.query_row(values, read)?)
}

/// The first column of the first row. It is an error when there is no row.
pub(in crate::store) fn value<T: FromSql>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
) -> Result<T> {
    row(connection, sql, values, |row| row.get(0))
}

/// The first row, if there is one.
pub(in crate::store) fn optional_row<T>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Read<T>,
) -> Result<Option<T>> {
    Ok(connection.prepare_cached(sql)?.query_row(values, read).optional()?)
}

/// The first column of the first row, if there is one.
pub(in crate::store) fn optional_value<T: FromSql>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
) -> Result<Option<T>> {
    optional_row(connection, sql, values, |row| row.get(0))
}

/// The first row. When there is none, or it cannot be read, that is reported as damage of `table`.
pub(in crate::store) fn readable_row<T>(
    connection: &Connection,
    sql: &'static str,
    values: impl Params,
    table: &str,
    read: impl FnOnce(&Row<'_>) -> Read<T>,
) -> Result<Option<T>> {
    Ok(first_readable(connection.prepare_cached(sql)?.query_row(values, read), table)?)
}
