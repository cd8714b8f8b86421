//! What holds in the database file at every moment, also in the moment of a kill.

use std::path::Path;

use kaiwa::config::Config;
use rusqlite::Connection;

use crate::harness::told;

/// What must not be found, and how to look for it.
const IMPOSSIBLE: [(&str, &str); 11] = [
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
        "two deliveries of one lane under way",
        "SELECT 1 FROM deliveries WHERE state = 'sending' GROUP BY conversation HAVING count(*) > 1",
    ),
    (
        "a lane whose mark of being under way is wrong",
        "SELECT 1 FROM lanes l WHERE in_flight <> (
            SELECT count(*) FROM deliveries d WHERE d.conversation = l.conversation AND d.state = 'sending')",
    ),
    (
        "a delivery under way or over before an older one of its lane",
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
        "an accepted delivery that has kept its body, or a waiting one without",
        "SELECT 1 FROM deliveries WHERE state <> 'failed' AND (state = 'accepted') <> (body IS NULL)",
    ),
    (
        "a delivery that waits with a reply token of its own",
        "SELECT 1 FROM deliveries WHERE state = 'queued' AND reply_token IS NOT NULL",
    ),
    (
        "a delivery that was both pushed and replied",
        "SELECT 1 FROM deliveries WHERE reply_token IS NOT NULL AND first_attempt_at IS NOT NULL",
    ),
    (
        "an event of a message without the message",
        "SELECT 1 FROM webhook_events
        WHERE kind = 'message' AND line_message_id NOT IN (
            SELECT line_id FROM messages WHERE line_id IS NOT NULL)",
    ),
];

/// What is wrong in this file, which no process has open. Nothing of it is changed.
pub fn faults(database: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(database, &copy).unwrap();
    let log = database.with_extension("db-wal");
    if log.exists() {
        std::fs::copy(log, copy.with_extension("db-wal")).unwrap();
    }
    let connection = Connection::open(&copy).unwrap();
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    let unsound = (integrity != "ok").then(|| format!("integrity_check: {integrity}"));
    let dangling = rows(&connection, "PRAGMA foreign_key_check");
    let dangling = (dangling > 0).then(|| format!("{dangling} references to nothing"));
    let impossible = IMPOSSIBLE.iter().filter_map(|(name, query)| {
        let found = rows(&connection, query);
        (found > 0).then(|| format!("{name}: {found}"))
    });
    let data_directory = database.parent().unwrap().to_owned();
    let keys = Config { data_directory, ..Config::default() }.key_source();
    let untold = told::differences(&copy, &keys);
    unsound.into_iter().chain(dangling).chain(impossible).chain(untold).collect()
}

fn rows(connection: &Connection, query: &str) -> usize {
    let mut statement = connection.prepare(query).unwrap();
    let mut rows = statement.query([]).unwrap();
    std::iter::from_fn(|| rows.next().unwrap().map(|_| ())).count()
}
