//! Values that a fault of the disk or of memory has changed: a damaged value affects nothing but itself.
//!
//! Invalid UTF-8 in a text is shown as U+FFFD. A choice that cannot be read becomes the default where there is one, and a
//! row that cannot be read at all is left out. Each case is counted and logged; `kaiwa verify` names what is damaged.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use serde::de::IgnoredAny;

use crate::error::{Error, Result};
use crate::model::page::Page;

/// Why a request or a message that is damaged cannot be sent.
pub(in crate::store) const DAMAGED: &str = "what was stored is damaged; the log of the server has more";

/// Damaged values that were read. It is global because rusqlite's row functions carry no state of ours.
static READS: AtomicU64 = AtomicU64::new(0);

/// Places where damage was found, so that each is logged once.
static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// How many rows a page returns.
pub(in crate::store) fn size_of(page: Page) -> usize {
    usize::try_from(page.size).unwrap_or(usize::MAX)
}

/// How many damaged values were read since the process started.
pub fn reads() -> u64 {
    READS.load(Ordering::Relaxed)
}

/// Counts a damaged value, and logs it if it is the first in this place.
pub(in crate::store) fn report(place: &str, consequence: &str) {
    READS.fetch_add(1, Ordering::Relaxed);
    let mut places = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    if places.insert(place.to_owned()) {
        log::error!("storage: {place} is damaged: {consequence}; `kaiwa verify` lists all damage");
    }
}

/// A text as far as it can be read, whatever its column contains.
pub(in crate::store) struct Text(pub(in crate::store) String);

impl FromSql for Text {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(readable(value, "a text").into_owned()))
    }
}

/// An id as far as it can be read; none where it is damaged.
pub(in crate::store) struct Id(pub(in crate::store) Option<[u8; 16]>);

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self(value.as_bytes().ok().and_then(|bytes| bytes.try_into().ok())))
    }
}

/// A column as a text, as far as it can be read.
pub(in crate::store) fn text(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    Ok(readable(row.get_ref(column)?, column).into_owned())
}

/// The same for a column that may be NULL.
pub(in crate::store) fn optional_text(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<String>> {
    let value = row.get_ref(column)?;
    Ok((value != ValueRef::Null).then(|| readable(value, column).into_owned()))
}

/// The same without a copy, for hot paths, by the index of the column.
pub(in crate::store) fn shown<'row>(
    row: &'row Row<'_>,
    column: usize,
    name: &str,
) -> rusqlite::Result<Cow<'row, str>> {
    Ok(readable(row.get_ref(column)?, name))
}

/// A JSON text, or `otherwise` when it is not JSON.
pub(in crate::store) fn json<'text>(
    text: Cow<'text, str>,
    otherwise: &'static str,
    name: &str,
) -> Cow<'text, str> {
    if text == otherwise || is_json(&text) {
        return text;
    }
    report(name, "it is not JSON and is not shown");
    Cow::Borrowed(otherwise)
}

/// Whether a text is JSON.
pub(in crate::store) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A value, or `default` when it cannot be read.
pub(in crate::store) fn get_or<T: FromSql>(row: &Row<'_>, column: &str, default: T) -> rusqlite::Result<T> {
    match row.get(column) {
        Err(error) if is_damage(&error) => {
            report(column, "the default takes its place");
            Ok(default)
        }
        read => read,
    }
}

/// The rows that can be read. Damaged rows of `table` are reported and left out.
pub(in crate::store) fn sound<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
    table: &str,
) -> impl Iterator<Item = rusqlite::Result<T>> {
    rows.filter_map(move |row| first_readable(row, table).transpose())
}

/// A row; nothing when it is damaged, which is reported.
pub(in crate::store) fn first_readable<T>(
    row: rusqlite::Result<T>,
    table: &str,
) -> rusqlite::Result<Option<T>> {
    match row {
        Err(error) if is_damage(&error) => {
            report(&format!("a row of {table}"), &format!("it is left out: {error}"));
            Ok(None)
        }
        row => row.map(Some),
    }
}

/// The outcome of a part of an operation that was undone if it failed. A failure by damage is reported and returned as a
/// value, so that the operation can go on without that part.
pub(in crate::store) fn only_its_own<T>(
    outcome: Result<T>,
    table: &str,
) -> Result<std::result::Result<T, Error>> {
    match outcome {
        Err(Error::Internal(error)) => {
            let error = Error::Internal(error);
            report(&format!("a row of {table}"), &error.chain());
            Ok(Err(error))
        }
        outcome => outcome.map(Ok),
    }
}

/// The error of a function that finds a row damaged.
pub(in crate::store) fn damaged() -> rusqlite::Error {
    FromSqlError::InvalidType.into()
}

/// Whether the error means that a value is not of its column's type or that a referenced row is missing, rather than that
/// the storage failed.
fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows, Utf8Error,
    };
    matches!(
        error,
        FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
            | Utf8Error(..)
    )
}

fn readable<'row>(value: ValueRef<'row>, name: &str) -> Cow<'row, str> {
    let text = match value {
        ValueRef::Text(bytes) => match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => return Cow::Borrowed(text),
            Cow::Owned(text) => Cow::Owned(text),
        },
        ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes),
        ValueRef::Integer(number) => Cow::Owned(number.to_string()),
        ValueRef::Real(number) => Cow::Owned(number.to_string()),
        ValueRef::Null => Cow::Borrowed(""),
    };
    report(name, "it is shown as far as it can be read");
    text
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_text_is_shown_whatever_stands_in_its_column() {
        const SQL: &str = "
            VALUES ('say 領'), (CAST(x'73617920ff' AS TEXT)), (CAST(x'e9a0' AS TEXT)), (x'73ff79'), (7), (0.5), (NULL)";
        let connection = Connection::open_in_memory().unwrap();
        let mut statement = connection.prepare(SQL).unwrap();

        let read = statement.query_map([], |row| text(row, "column1")).unwrap();

        let expected = ["say 領", "say \u{fffd}", "\u{fffd}", "s\u{fffd}y", "7", "0.5", ""];
        assert_eq!(read.map(std::result::Result::unwrap).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn one_row_that_cannot_be_read_costs_no_other_and_a_failing_storage_is_no_damage() {
        let connection = Connection::open_in_memory().unwrap();
        let read = |sql: &str| {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, i64>(0)).unwrap();
            sound(rows, "numbers").collect::<rusqlite::Result<Vec<_>>>()
        };
        let before = reads();

        assert_eq!(read("VALUES (1), ('two'), (NULL), (4), (0.5), (x'00'), (7)").unwrap(), [1, 4, 7]);
        assert!(read("SELECT json('{') UNION ALL SELECT 1").is_err());

        assert!(reads() >= before + 4);
    }
}
