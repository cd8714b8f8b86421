//! Invariants of the database file that hold at every moment, even at a kill.

use std::collections::HashMap;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use kaiwa::config::Config;
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use crate::harness::event_audit;

/// Violations that must not be found, and the queries that find them.
const IMPOSSIBLE: [(&str, &str); 19] = [
    (
        "a lane without a waiting delivery",
        "SELECT 1 FROM lanes l WHERE NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.conversation = l.conversation AND d.state IN ('queued', 'sending'))",
    ),
    (
        "a waiting delivery without a lane",
        "SELECT 1 FROM deliveries
        WHERE state IN ('queued', 'sending') AND conversation NOT IN (SELECT conversation FROM lanes)",
    ),
    (
        "two deliveries of one lane in flight",
        "SELECT 1 FROM deliveries WHERE state = 'sending' GROUP BY conversation HAVING count(*) > 1",
    ),
    (
        "a lane whose in-flight mark is wrong",
        "SELECT 1 FROM lanes l WHERE in_flight <> (
            SELECT count(*) FROM deliveries d WHERE d.conversation = l.conversation AND d.state = 'sending')",
    ),
    (
        "a delivery in flight or ended before an older one of its lane",
        "SELECT 1 FROM deliveries d WHERE state <> 'queued' AND EXISTS (
            SELECT 1 FROM deliveries w
            WHERE w.conversation = d.conversation AND w.key < d.key AND w.state IN ('queued', 'sending'))",
    ),
    (
        "an outgoing message that is being sent by no delivery",
        "SELECT 1 FROM messages m WHERE status = 'sending' AND NOT EXISTS (
            SELECT 1 FROM deliveries d
            WHERE d.conversation = m.conversation AND d.message_stamp = m.tm_create
                AND d.state IN ('queued', 'sending'))",
    ),
    (
        "a message that was sent before all of its deliveries were accepted",
        "SELECT 1 FROM messages m JOIN deliveries d
            ON d.conversation = m.conversation AND d.message_stamp = m.tm_create
        WHERE m.status = 'sent' AND d.state <> 'accepted'",
    ),
    (
        "an accepted delivery with a body, or a waiting one without",
        "SELECT 1 FROM deliveries WHERE state <> 'failed' AND (state = 'accepted') <> (body IS NULL)",
    ),
    (
        "a waiting delivery with its own reply token",
        "SELECT 1 FROM deliveries WHERE state = 'queued' AND reply_token IS NOT NULL",
    ),
    (
        "a delivery that was both pushed and replied",
        "SELECT 1 FROM deliveries WHERE reply_token IS NOT NULL AND first_attempt_at IS NOT NULL",
    ),
    (
        "an event of a message without the message",
        "SELECT 1 FROM webhook_events
        WHERE kind IN ('message', 'messageEdited') AND line_message_id NOT IN (
            SELECT line_id FROM messages WHERE line_id IS NOT NULL)",
    ),
    (
        "a stored file of which something is not known, or which is still to be fetched",
        "SELECT 1 FROM medias
        WHERE status = 'stored' AND (sha256 IS NULL OR size IS NULL OR content_type IS NULL OR due_at IS NOT NULL)",
    ),
    (
        "a file that waits and is never due",
        "SELECT 1 FROM medias WHERE status = 'pending' AND due_at IS NULL",
    ),
    (
        "a file that is due and waits for nothing",
        "SELECT 1 FROM medias WHERE due_at IS NOT NULL AND status = 'stored'",
    ),
    (
        "a received file without its message",
        "SELECT 1 FROM medias WHERE source_message_id IS NOT NULL AND conversation IS NULL",
    ),
    (
        "a message that shows a file otherwise than it is",
        "SELECT 1 FROM messages g, json_each(g.medias) j
        JOIN medias m ON m.id = unhex(replace(j.value ->> 'id', '-', ''))
        WHERE j.value ->> 'status' <> m.status",
    ),
    (
        "an unsent message that still has text",
        "SELECT 1 FROM messages WHERE tm_delete IS NOT NULL AND (text <> '' OR medias <> '[]')",
    ),
    (
        "an unsent message whose file is not gone",
        "SELECT 1 FROM messages g
        JOIN medias m ON m.conversation = g.conversation AND m.message_stamp = g.tm_create
        WHERE g.tm_delete IS NOT NULL AND m.status <> 'gone'",
    ),
    (
        "an unsent message whose text is still in the journal, or which is not marked as unsent",
        "WITH unsent AS (SELECT line_message_id FROM webhook_events WHERE kind = 'unsend')
        SELECT 1 FROM webhook_events
        WHERE kind <> 'unsend' AND body IS NOT NULL AND line_message_id IN (SELECT line_message_id FROM unsent)
        UNION ALL
        SELECT 1 FROM messages
        WHERE tm_delete IS NULL AND line_id IN (SELECT line_message_id FROM unsent)",
    ),
];

/// The violations in this file and the media folder beside it, which no process has open. Nothing is changed.
pub fn faults(database: &Path) -> Vec<String> {
    let (connection, folder) = copy(database);
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let unsound = (integrity != "ok").then(|| format!("integrity_check: {integrity}"));
    let dangling = rows(&connection, "PRAGMA foreign_key_check");
    let dangling = (dangling > 0).then(|| format!("{dangling} references to nothing"));
    let impossible = IMPOSSIBLE.iter().filter_map(|(name, query)| {
        let found = rows(&connection, query);
        (found > 0).then(|| format!("{name}: {found}"))
    });
    let half = half_files(&connection, &database.with_file_name("media"));
    let data_directory = database.parent().unwrap().to_owned();
    let keys = Config { data_directory, ..Config::default() }.key_source();
    let unreported = event_audit::differences(&folder.path().join("copy.db"), &keys);
    unsound.into_iter().chain(dangling).chain(impossible).chain(half).chain(unreported).collect()
}

/// LINE's ids of all received messages, by our ids.
pub fn line_ids(database: &Path) -> HashMap<String, String> {
    const SQL: &str = "SELECT id, line_id FROM messages WHERE line_id IS NOT NULL";
    let (connection, _folder) = copy(database);
    let mut statement = connection.prepare(SQL).unwrap();
    let ids = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let ids = ids.map(Result::unwrap);
    ids.map(|(id, line_id): ([u8; 16], String)| (Uuid::from_bytes(id).to_string(), line_id)).collect()
}

/// Stored files that are missing or differ, and files that must not exist.
fn half_files(connection: &Connection, folder: &Path) -> Vec<String> {
    const SQL: &str = "SELECT id, status, size, sha256 FROM medias WHERE status = 'stored' OR due_at IS NULL";
    type Row = ([u8; 16], String, Option<i64>, Option<Vec<u8>>);
    let mut statement = connection.prepare(SQL).unwrap();
    let rows = statement.query_map([], |row| row.try_into()).unwrap();
    let is_wrong = |(id, status, size, sha256): &Row| {
        let file = std::fs::read(folder.join(Uuid::from_bytes(*id).to_string())).ok();
        if status == "gone" {
            return file.is_some();
        }
        file.is_none_or(|bytes| {
            *size != i64::try_from(bytes.len()).ok()
                || sha256.as_deref() != Some(digest(&SHA256, &bytes).as_ref())
        })
    };
    let wrong = rows.map(Result::unwrap).filter(is_wrong);
    wrong.map(|(id, status, ..)| format!("a file that is not {status}: {}", Uuid::from_bytes(id))).collect()
}

/// A copy of the database as it is on disk, with its log, in a separate folder.
fn copy(database: &Path) -> (Connection, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(database, &copy).unwrap();
    let log = database.with_extension("db-wal");
    if log.exists() {
        std::fs::copy(log, copy.with_extension("db-wal")).unwrap();
    }
    (Connection::open(copy).unwrap(), folder)
}

fn rows(connection: &Connection, query: &str) -> usize {
    let mut statement = connection.prepare(query).unwrap();
    let mut rows = statement.query([]).unwrap();
    std::iter::from_fn(|| rows.next().unwrap().map(|_| ())).count()
}
