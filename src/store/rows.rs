//! Whether every row can be read as the program reads it, and still holds what was written.
//!
//! SQLite's own checks look at pages, indexes, types and conditions. What they let pass is looked at here: whether texts are
//! UTF-8, whether what should be JSON, an id of LINE's or a choice is one, whether secrets open, and the checksums.

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Statement};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::{Error, Result};
use crate::model::account::{DeliveryMode, ParkReason};
use crate::model::chat::{ChatKind, LineId};
use crate::model::conversation::Reach;
use crate::model::event::EventKind;
use crate::model::id::{AccountId, ConversationId, CustomerId, EventId, MediaId, MessageId, RetryKey};
use crate::model::media::{Media, MediaStatus, MediaType};
use crate::model::mention::Mention;
use crate::model::message::{FailureReason, Status};
use crate::model::sources::Sources;
use crate::model::webhook::{AttemptError, DisabledReason};
use crate::model::webhook_delivery::DeliveryState;
use crate::store::check::Findings;
use crate::store::sealing::Sealer;
use crate::store::tables::{TABLES, Table};

/// What a value must be beyond its type, where it is not NULL.
type Reads = fn(ValueRef<'_>) -> bool;

/// Columns whose values are more than numbers and texts.
const COLUMNS: &[(&str, &str, Reads)] = &[
    ("customers", "id", reads::<CustomerId>),
    ("customers", "sources", reads::<Sources>),
    ("accounts", "sources", reads::<Sources>),
    ("accounts", "id", reads::<AccountId>),
    ("conversations", "id", reads::<ConversationId>),
    ("messages", "id", reads::<MessageId>),
    ("events", "id", reads::<EventId>),
    ("medias", "id", reads::<MediaId>),
    ("medias", "sha256", reads::<[u8; 32]>),
    ("idempotency_keys", "name", reads::<[u8; 32]>),
    ("idempotency_keys", "request", reads::<[u8; 32]>),
    ("idempotency_keys", "created_id", reads::<MessageId>),
    ("deliveries", "retry_key", reads::<RetryKey>),
    ("webhook_endpoints", "id", reads::<CustomerId>),
    ("webhook_deliveries", "id", reads::<EventId>),
    ("accounts", "delivery_mode", reads::<DeliveryMode>),
    ("accounts", "parked_reason", reads::<ParkReason>),
    ("accounts", "check_state", is_check_state),
    ("conversations", "chat_kind", reads::<ChatKind>),
    ("conversations", "chat_id", reads::<LineId>),
    ("conversations", "reach", reads::<Reach>),
    ("participants", "target", reads::<LineId>),
    ("lookups", "target", reads::<LineId>),
    ("messages", "status", reads::<Status>),
    ("messages", "failure_reason", reads::<FailureReason>),
    ("messages", "medias", is_json::<Vec<Media>>),
    ("messages", "mentions", is_json::<Vec<Mention>>),
    ("events", "kind", reads::<EventKind>),
    ("events", "data", is_json::<IgnoredAny>),
    ("medias", "kind", reads::<MediaType>),
    ("medias", "status", reads::<MediaStatus>),
    ("webhook_events", "result", is_result),
    ("webhook_events", "body", is_json::<IgnoredAny>),
    ("deliveries", "state", is_delivery_state),
    ("deliveries", "body", is_json::<IgnoredAny>),
    ("deliveries", "line_message_ids", is_json::<Vec<String>>),
    ("webhook_endpoints", "disabled_reason", reads::<DisabledReason>),
    ("webhook_deliveries", "state", reads::<DeliveryState>),
    ("webhook_attempts", "error", reads::<AttemptError>),
];

/// Columns whose values are sealed.
const SEALED: &[&str] = &[
    "accounts.secret",
    "accounts.secret_next",
    "accounts.token",
    "webhook_endpoints.secret",
    "webhook_endpoints.secret_previous",
];

/// Reads everything. Secrets are opened if their key is given.
///
/// `Unavailable` when the disk does not work, which says nothing of the rows.
pub fn look(connection: &Connection, sealer: Option<&Sealer>, findings: &mut Findings) -> Result<()> {
    for table in TABLES {
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
    /// The type that it was declared with; none for what is computed.
    declared: Option<String>,
    reads: Option<Reads>,
}

fn columns(connection: &Connection, table: &Table, statement: &Statement<'_>) -> Result<Vec<Column>> {
    const SQL: &str = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
    let names = statement.column_names();
    let column = |name: &str| {
        let declared = connection.query_row(SQL, [table.name, name], |row| row.get(0)).optional()?;
        let special = COLUMNS.iter().find(|(of, column, _)| (*of, *column) == (table.name, name));
        let reads = special.map(|(_, _, reads)| *reads);
        Ok(Column { name: name.to_owned(), full_name: format!("{}.{name}", table.name), declared, reads })
    };
    names.map(column).collect()
}

/// What is wrong with a value. Whether there may be none, SQLite's own check knows.
fn fault(column: &Column, value: ValueRef<'_>) -> Option<&'static str> {
    let Some(declared) = column.declared.as_deref() else {
        return (value == ValueRef::Integer(0)).then_some("this is not what was written");
    };
    match (value, declared) {
        (ValueRef::Null, _) => None,
        (ValueRef::Text(text), "TEXT") if std::str::from_utf8(text).is_err() => Some("this is no UTF-8"),
        (ValueRef::Integer(_), "INTEGER") | (ValueRef::Blob(_), "BLOB") | (ValueRef::Text(_), "TEXT") => {
            let is_readable = column.reads.is_none_or(|reads| reads(value));
            (!is_readable).then_some("this is nothing that can stand there")
        }
        _ => Some("this has another type"),
    }
}

/// Secrets are bound to the public id of their row.
fn not_opened(
    sealer: Option<&Sealer>,
    column: &Column,
    value: ValueRef<'_>,
    row: &Row<'_>,
) -> Option<&'static str> {
    let sealer = sealer.filter(|_| SEALED.contains(&column.full_name.as_str()))?;
    let text = value.as_str_or_null().ok().flatten().filter(|text| !text.is_empty())?;
    let id = row.get_ref("id").ok().and_then(|id| id.as_blob().ok()).unwrap_or_default();
    (!sealer.opens(text, &column.full_name, id)).then_some("this is nothing that the key opens")
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

fn reads<T: FromSql>(value: ValueRef<'_>) -> bool {
    T::column_result(value).is_ok()
}

fn is_json<T: DeserializeOwned>(value: ValueRef<'_>) -> bool {
    value.as_bytes().is_ok_and(|text| serde_json::from_slice::<T>(text).is_ok())
}

fn is_one_of(value: ValueRef<'_>, words: &[&str]) -> bool {
    value.as_str().is_ok_and(|word| words.contains(&word))
}

fn is_check_state(value: ValueRef<'_>) -> bool {
    is_one_of(value, &["unchecked", "good", "refused", "unreachable"])
}

fn is_result(value: ValueRef<'_>) -> bool {
    is_one_of(value, &["applied", "unread", "failed"])
}

fn is_delivery_state(value: ValueRef<'_>) -> bool {
    is_one_of(value, &["queued", "sending", "accepted", "failed"])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{checksum, schema};

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
    fn columns_that_are_looked_at_are_there() {
        let connection = database();
        let mut found = connection.prepare("SELECT 1 FROM pragma_table_xinfo(?1) WHERE name = ?2").unwrap();
        let sealed = SEALED.iter().map(|name| name.split_once('.').unwrap());
        for (table, column) in COLUMNS.iter().map(|(table, column, _)| (*table, *column)).chain(sealed) {
            assert!(found.exists([table, column]).unwrap(), "{table}.{column}");
        }
    }
}
