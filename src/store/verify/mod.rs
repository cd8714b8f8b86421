//! Verifies a database and its media files. Everything here only reads, and may take long.

pub(in crate::store) mod columns;
pub mod diagnostics;
pub(in crate::store) mod rows;
pub(in crate::store) mod tables;

use std::fs::File;
use std::io;
use std::path::Path;

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::model::progress::{self, Unit};
use crate::model::timestamp::Timestamp;
use crate::store::encryption::sealer::Sealer;
use crate::store::engine::location::lost;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::{connection, failure, schema};
use crate::store::files::hashing::{Cancel, Hashing};
use crate::store::files::media_store::{MediaStore, Variant};
use crate::store::files::medias::{self, Stored};
use data_encoding::HEXLOWER;

/// Number of findings that are listed; further ones are only counted.
const FINDINGS_MAX: usize = 100;

/// Media files per query.
const PAGE: usize = 500;

/// States that a database of the current version must not be in, each with a query that counts them.
const IMPOSSIBLE: [(&str, &str); 12] = [
    (
        "a lane without a queued delivery",
        "SELECT count(*) FROM lanes l WHERE NOT EXISTS (
            SELECT 1 FROM deliveries d WHERE d.conversation = l.conversation AND d.state IN ('queued', 'sending'))",
    ),
    (
        "a queued delivery without a lane",
        "SELECT count(*) FROM deliveries
        WHERE state IN ('queued', 'sending') AND conversation NOT IN (SELECT conversation FROM lanes)",
    ),
    (
        "two deliveries of one lane in flight",
        "SELECT count(*) FROM (
            SELECT 1 FROM deliveries WHERE state = 'sending' GROUP BY conversation HAVING count(*) > 1)",
    ),
    (
        "an outgoing message that no delivery is sending",
        "SELECT count(*) FROM messages m WHERE status = 'sending' AND NOT EXISTS (
            SELECT 1 FROM deliveries d
            WHERE d.conversation = m.conversation AND d.message_stamp = m.tm_create
                AND d.state IN ('queued', 'sending'))",
    ),
    (
        "a message marked as sent before all of its deliveries were accepted",
        "SELECT count(*) FROM messages m JOIN deliveries d
            ON d.conversation = m.conversation AND d.message_stamp = m.tm_create
        WHERE m.status = 'sent' AND d.state <> 'accepted'",
    ),
    (
        "an accepted delivery that still has its body, or a queued one without a body",
        "SELECT count(*) FROM deliveries WHERE state <> 'failed' AND (state = 'accepted') <> (body IS NULL)",
    ),
    (
        "a queued delivery that already has a reply token",
        "SELECT count(*) FROM deliveries WHERE state = 'queued' AND reply_token IS NOT NULL",
    ),
    (
        "a stored media file without a length or a hash",
        "SELECT count(*) FROM medias WHERE status = 'stored' AND (size IS NULL OR sha256 IS NULL)",
    ),
    (
        "an upload that a message shows but that is not available",
        "SELECT count(*) FROM message_uploads u JOIN medias m ON m.key = u.media
        WHERE m.status <> 'stored' OR NOT m.sent",
    ),
    (
        "an upload that was sent but that no message shows",
        "SELECT count(*) FROM medias
        WHERE sent AND status = 'stored' AND key NOT IN (SELECT media FROM message_uploads)",
    ),
    (
        "a conversation whose count of participants is wrong",
        "SELECT count(*) FROM conversations v WHERE participant_count <> (
            SELECT count(*) FROM participants p WHERE p.conversation = v.key AND present = 1)",
    ),
    (
        "a message newer than the last stamp",
        "SELECT count(*) FROM messages WHERE tm_create > (SELECT last_stamp FROM clock)",
    ),
];

/// The same for what is only miscounted, which costs no more than a row.
const MISCOUNTED: [(&str, &str); 3] = [
    (
        "an event, or the pruned events of a customer, beyond the last sequence number",
        "SELECT (SELECT count(*) FROM events WHERE sequence > given) + (
            SELECT count(*) FROM customers WHERE events_pruned > given)
        FROM (SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS given)",
    ),
    (
        "a customer whose files do not have the counted length",
        "SELECT count(*)
        FROM (SELECT customer, sum(size) AS bytes FROM medias WHERE status = 'stored' GROUP BY customer) m
        FULL JOIN media_usage u ON u.customer = m.customer
        WHERE coalesce(u.bytes, 0) <> coalesce(m.bytes, 0)",
    ),
    (
        "a webhook endpoint without the id of its customer",
        "SELECT count(*) FROM webhook_endpoints e JOIN customers c ON c.key = e.customer WHERE e.id <> c.id",
    ),
];

/// Problems found by a verification, each as a sentence for the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    list: Vec<String>,
    count: u64,
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: impl Into<String>) {
        self.count += 1;
        if self.list.len() < FINDINGS_MAX {
            self.list.push(finding.into());
        }
    }

    /// Whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The first findings, at most 100.
    pub fn list(&self) -> &[String] {
        &self.list
    }

    /// The number of all findings.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// Verifies a database as a whole: its pages, its references, and the invariants of the program. It may be in use. Returns
/// its schema version.
///
/// `Unusable` when it is missing, belongs to another program, or has a newer version.
pub fn database(path: &Path, findings: &mut Findings) -> Result<i64> {
    lost::require(path)?;
    schema::refuse_foreign(path)?;
    let connection = connection::open_reading(path)?;
    let version = schema::version_of(&connection)?;
    progress::begin("checking the database", Unit::Bytes, None);
    // A file may be so damaged that the checks themselves fail.
    match look(&connection, version, findings) {
        // A failing disk proves nothing about the file.
        Err(error @ Error::Unavailable(_)) => return Err(failure::named(path)(error)),
        Err(error) => findings.add(format!("the database cannot be read: {}", error.chain())),
        Ok(()) => {}
    }
    Ok(version)
}

/// Verifies each row of a database of the current version: that it is readable and holds what was written. The database may
/// be in use. Secrets are opened if their key is available.
pub fn rows(path: &Path, keys: Option<&KeySource>, now: Timestamp, findings: &mut Findings) -> Result<()> {
    progress::begin("reading every row", Unit::Bytes, None);
    let connection = connection::open_reading(path)?;
    if schema::version_of(&connection)? == schema::current_version() {
        let sealer = keys.and_then(|keys| Sealer::unlock(&connection, keys).ok());
        rows::look(&connection, sealer.as_ref(), now, findings).map_err(failure::named(path))?;
        look_for(&MISCOUNTED, &connection, findings)?;
    }
    Ok(())
}

/// Verifies all media files that the database lists, and returns their number.
pub fn files(database: &Path, media_store: &MediaStore, findings: &mut Findings) -> Result<u64> {
    let connection = connection::open_reading(database)?;
    progress::begin("checking the files", Unit::Bytes, Some(medias::stored_bytes(&connection)?));
    let mut count = 0;
    each_stored(&connection, |stored| {
        count += 1;
        let found = hash_of(media_store, stored)?;
        // It may have been erased since the query.
        if found != Some((stored.size, HEXLOWER.encode(&stored.sha256)))
            && medias::is_stored(&connection, stored.id)?
        {
            let problem = if found.is_none() { "is missing" } else { "is not what was stored" };
            findings.add(format!("the file {} {problem}", stored.id));
        }
        Ok(())
    })?;
    Ok(count)
}

/// Calls `call` for every media file that the database lists, in the order of keys. Holds no read transaction open meanwhile.
pub fn each_stored(connection: &Connection, mut call: impl FnMut(&Stored) -> Result<()>) -> Result<()> {
    let mut after = 0;
    loop {
        let page = medias::stored_after(connection, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.key;
        page.iter().try_for_each(&mut call)?;
    }
}

fn look(connection: &Connection, version: i64, findings: &mut Findings) -> Result<()> {
    const SQL_PAGES: &str = "SELECT integrity_check FROM pragma_integrity_check";
    sentences(connection, SQL_PAGES)?
        .into_iter()
        .filter(|found| found != "ok")
        .for_each(|found| findings.add(found));
    references(connection, findings)?;
    if version == schema::current_version() { look_for(&IMPOSSIBLE, connection, findings) } else { Ok(()) }
}

fn look_for(
    promises: &[(&'static str, &'static str)],
    connection: &Connection,
    findings: &mut Findings,
) -> Result<()> {
    for (name, sql) in promises {
        let count: i64 = query::value(connection, sql, [])?;
        if count > 0 {
            findings.add(format!("{name} ({count})"));
        }
    }
    Ok(())
}

/// Rows with dangling references. Those of a table without a rowid are only counted.
pub(super) fn references(connection: &Connection, findings: &mut Findings) -> Result<()> {
    const SQL: &str = "
        SELECT iif(c.rowid IS NULL, c.\"table\", c.\"table\" || ' with ' || (
                SELECT name FROM pragma_table_info(c.\"table\") WHERE pk = 1) || ' ' || c.rowid)
            || ': ' || (
                SELECT group_concat(\"from\", ', ' ORDER BY seq)
                FROM pragma_foreign_key_list(c.\"table\") WHERE id = c.fkid)
            || ': ' || iif(c.rowid IS NULL, count(*) || ' rows refer', 'this refers')
            || ' to rows that are not in ' || c.parent
        FROM pragma_foreign_key_check c
        GROUP BY c.\"table\", c.rowid, c.fkid";
    sentences(connection, SQL)?.into_iter().for_each(|found| findings.add(found));
    Ok(())
}

fn sentences(connection: &Connection, sql: &'static str) -> Result<Vec<String>> {
    query::values(connection, sql, [])
}

/// Length and SHA-256 of the file on disk; `None` if it is missing.
fn hash_of(media_store: &MediaStore, stored: &Stored) -> Result<Option<(u64, String)>> {
    let file: File = match media_store.read(stored.id, Variant::Whole) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::internal(error)),
    };
    let mut bytes = Hashing::new(file, &Cancel::default());
    io::copy(&mut bytes, &mut io::sink()).map_err(Error::internal)?;
    Ok(Some(bytes.finish()))
}
