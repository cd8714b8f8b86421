//! Databases of older versions are migrated without loss and become the same as new ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kaiwa::config::key_source::KeySource;
use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::accounts::sources::FieldSource;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::Store;
use kaiwa::store::accounts::customers;
use kaiwa::store::engine::schema::current_version;
use rusqlite::Connection;
use rusqlite::types::Value;

/// A database of version 1, as SQL.
const VERSION_1: &str = include_str!("../fixtures/version_1.sql");

/// Operations that wait for the writer; there are none.
const QUEUE: usize = 1;

#[test]
fn a_database_of_version_1_is_migrated_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kaiwa.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    let before = tables(&connection);
    let rows_before: Vec<_> =
        before.iter().map(|(table, columns)| rows(&connection, table, columns)).collect();
    drop(connection);

    drop(open(&path));

    let connection = Connection::open(&path).unwrap();
    let copy = folder.path().join("kaiwa.db.version-1");
    assert_eq!(copy.exists(), current_version() > 1, "a copy is made before a step");
    if copy.exists() {
        let copy = Connection::open(copy).unwrap();
        let copied: Vec<_> = before.iter().map(|(table, columns)| rows(&copy, table, columns)).collect();
        assert_eq!(copied, rows_before, "the copy is the file as it was");
    }
    let after = tables(&connection);
    for ((table, columns), rows_before) in before.iter().zip(rows_before) {
        assert!(!rows_before.is_empty(), "the file of version 1 has rows in {table}");
        let columns: Vec<_> = columns.iter().map(|column| renamed(column)).collect();
        assert!(columns.iter().all(|column| after[table].contains(column)), "{table} lost a column");
        assert_eq!(rows(&connection, table, &columns), rows_before, "the rows of {table}");
    }
    let damage: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(damage, "ok");
}

#[test]
fn uploads_of_an_older_database_belong_to_every_message_that_shows_them() {
    const UPLOADS: &str = "
        INSERT INTO messages (conversation, tm_create, id, status, source_target, text, medias, tm_update)
        SELECT 1, value, randomblob(16), iif(value = 107, 'failed', 'sent'), '', CASE value
                WHEN 106 THEN 'at https://a.example/m/0190a1b2-c3d4-7a00-8000-0000000f0011/a.png' ELSE '' END,
            CASE value
                WHEN 103 THEN '[{\"id\":\"0190a1b2-c3d4-7a00-8000-0000000f0012\"},{\"id\":\"0190a1b2-c3d4-7a00-8000-0000000f0011\"}]'
                WHEN 104 THEN '[{\"id\":\"0190a1b2-c3d4-7a00-8000-0000000f0099\",\"contents\":{\"hero\":{\"url\":
                    \"https://a.example/m/0190a1b2-c3d4-7a00-8000-0000000f0011/a.png\"}}}]'
                WHEN 105 THEN '[{\"id\":\"0190a1b2-c3d4-7a00'
                ELSE '[]' END, value
        FROM generate WHERE value BETWEEN 101 AND 107;
        INSERT INTO medias (key, id, customer, conversation, message_stamp, kind, status, filename, size, sha256, tm_create)
        VALUES
            (11, x'0190a1b2c3d47a0080000000000f0011', 1, 1, 101, 'image', 'stored', '', 1, zeroblob(32), 100),
            (12, x'0190a1b2c3d47a0080000000000f0012', 1, 1, 102, 'image', 'stored', '', 1, zeroblob(32), 100),
            (13, x'0190a1b2c3d47a0080000000000f0013', 1, NULL, NULL, 'image', 'stored', '', 1, zeroblob(32), 100);
        INSERT INTO deliveries (conversation, message_stamp, state, body, retry_key, created_at)
        VALUES (1, 107, 'failed', CAST('{\"url\":\"https://a.example/m/0190a1b2-c3d4-7a00-8000-0000000f0012/a.png\"}' AS BLOB),
            zeroblob(16), 107);
        DROP VIEW generate;";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kaiwa.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    let numbers = "CREATE VIEW generate AS WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 200)
                   SELECT value FROM n;";
    connection.execute_batch(&[numbers, UPLOADS].concat()).unwrap();
    drop(connection);

    drop(open(&path));

    let connection = Connection::open(&path).unwrap();
    let links = "SELECT message_stamp, media FROM message_uploads ORDER BY media, message_stamp";
    let mut statement = connection.prepare(links).unwrap();
    let links = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap);
    let expected = [(101, 11), (103, 11), (104, 11), (106, 11), (102, 12), (103, 12), (107, 12)];
    assert_eq!(links.collect::<Vec<(i64, i64)>>(), expected);
    let sent =
        "SELECT group_concat(key) FROM medias WHERE sent AND conversation IS NULL AND message_stamp IS NULL";
    assert_eq!(connection.query_row(sent, [], |row| row.get::<_, String>(0)).unwrap(), "11,12");
}

#[test]
fn a_migrated_database_of_version_1_equals_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    Connection::open(&old).unwrap().execute_batch(VERSION_1).unwrap();

    let (old, new) = (shape(&old), shape(&new));

    let missing: Vec<_> = new.difference(&old).collect();
    let surplus: Vec<_> = old.difference(&new).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "what the steps make is not what schema.sql makes\nmissing: {missing:#?}\nsurplus: {surplus:#?}"
    );
}

#[test]
fn no_token_overwrites_what_an_earlier_version_stored_about_a_customer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kaiwa.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    let values = "'set', '', 'POST', 'https://set.example.com/'";
    let sql = format!("UPDATE customers SET (name, detail, webhook_method, webhook_uri) = ({values})");
    connection.execute_batch(&sql).unwrap();
    drop(connection);
    let store = open(&path);
    let known = store.reader().unwrap().read(customers::list).unwrap().remove(0);
    let another = Some("another".to_owned());
    let claim = ProfileChange {
        name: another.clone(),
        detail: another.clone(),
        webhook_method: another.clone(),
        webhook_uri: another,
        ..ProfileChange::default()
    };

    let now = Timestamp::now();
    let held = store.write_blocking(now, move |tx| customers::take_claim(tx, known.id, claim)).unwrap();

    let held: Vec<_> = held.iter().map(|held| (held.field, held.by)).collect();
    assert_eq!(held, ["name", "webhook_method", "webhook_uri"].map(|field| (field, FieldSource::Call)));
}

/// Opens and migrates a database, whose key file is beside it.
fn open(path: &Path) -> Store {
    Store::open(path, &KeySource::File(path.with_extension("key")), QUEUE).unwrap()
}

/// The column names of each table, without those whose values are encrypted by the migration.
fn tables(connection: &Connection) -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::new();
    let sql = "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
               WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
               AND NOT (tables.name = 'accounts' AND columns.name IN ('secret', 'secret_next', 'token'))";
    for [table, column] in texts(connection, sql) {
        tables.entry(table).or_insert_with(Vec::new).push(column);
    }
    tables
}

/// The current name of a column of version 1.
fn renamed(column: &str) -> String {
    const RENAMED: [(&str, &str); 3] = [
        ("parked_reason", "suspension_reason"),
        ("parked_message", "suspension_message"),
        ("parked_until", "suspended_until"),
    ];
    let found = RENAMED.iter().find(|(before, _)| *before == column);
    found.map_or(column, |(_, after)| after).to_owned()
}

/// All rows of a table, ordered by their values.
fn rows(connection: &Connection, table: &str, columns: &[String]) -> Vec<Vec<Value>> {
    let columns = columns.join(", ");
    let sql = format!("SELECT {columns} FROM {table} ORDER BY {columns}");
    let mut statement = connection.prepare(&sql).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The schema of a database that this program has opened, one line per part, regardless of column order.
fn shape(path: &Path) -> BTreeSet<String> {
    const PARTS: [&str; 4] = [
        "SELECT name, CASE type WHEN 'table' THEN 'table' ELSE sql END FROM sqlite_schema
         WHERE type <> 'index' AND name NOT LIKE 'sqlite_%'
         UNION SELECT name, 'without rowid ' || wr || ', strict ' || strict FROM pragma_table_list
         WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'",
        "SELECT tables.name, 'column ' || columns.name || ' ' || type || ', not null ' || \"notnull\" || ', default '
                || coalesce(dflt_value, 'none') || ', key ' || pk
         FROM (SELECT name FROM sqlite_schema WHERE type = 'table') AS tables,
              pragma_table_xinfo(tables.name) AS columns",
        "SELECT tables.name, 'foreign key ' || \"from\" || ' to ' || \"table\" || '.' || coalesce(\"to\", '')
                || ' part ' || seq || ', on update ' || on_update || ', on delete ' || on_delete
         FROM (SELECT name FROM sqlite_schema WHERE type = 'table') AS tables,
              pragma_foreign_key_list(tables.name)",
        "SELECT tables.name, 'index ' || group_concat(coalesce(columns.name, 'expression') || ' ' || \"desc\" || coll)
                || ', unique ' || \"unique\" || ', origin ' || origin || ', partial ' || partial || ', '
                || CASE origin WHEN 'c' THEN (SELECT sql FROM sqlite_schema WHERE name = indexes.name) ELSE '' END
         FROM (SELECT name FROM sqlite_schema WHERE type = 'table') AS tables,
              pragma_index_list(tables.name) AS indexes, pragma_index_xinfo(indexes.name) AS columns
         WHERE columns.key = 1 GROUP BY indexes.name",
    ];
    drop(open(path));
    let connection = Connection::open(path).unwrap();
    let lines = PARTS.into_iter().flat_map(|sql| texts(&connection, sql));
    let parts = lines.map(|[of, what]| format!("{of}: {}", on_one_line(&what)));
    let tables =
        texts(&connection, "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL");
    let checks = tables.into_iter().flat_map(|[of, sql]| {
        checks(&sql).into_iter().map(move |check| format!("{of}: {check}")).collect::<Vec<_>>()
    });
    parts.chain(checks).collect()
}

fn texts(connection: &Connection, sql: &str) -> Vec<[String; 2]> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?])).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The check constraints in the SQL of a table: no pragma lists them.
fn checks(sql: &str) -> Vec<String> {
    let sql = on_one_line(sql);
    let from_each = sql.match_indices("CHECK (").map(|(at, _)| &sql[at..]);
    from_each.map(|rest| rest[..closing(rest)].to_owned()).collect()
}

/// The text after the parenthesis that closes the first one.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 1 => return at + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Without comments and line breaks.
fn on_one_line(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn check_constraints_are_found_whole_and_without_comments() {
    let sql =
        "CREATE TABLE a (\n    b TEXT CHECK (b IN\n        ('c', 'd')), -- CHECK (e)\n    CHECK ((b) = 1)\n)";

    assert_eq!(checks(sql), ["CHECK (b IN ('c', 'd'))", "CHECK ((b) = 1)"]);
}
