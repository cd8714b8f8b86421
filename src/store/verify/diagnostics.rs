//! Diagnostics of a database and its disk that need no key and work beside a running server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;

use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::{connection, failure, schema};
use crate::store::verify::{Findings, references, rows};

/// Network file systems, by the magic numbers of Linux (`statfs(2)`).
const NETWORKS: [(i64, &str); 7] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
];

/// Name of the network file system that this path is on; `None` for a local disk.
pub fn network(path: &Path) -> Result<Option<&'static str>> {
    let kind = statfs(path).map_err(Error::internal)?.f_type;
    Ok(NETWORKS.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name))
}

/// Length of the write-ahead log of a database in bytes; 0 if there is none.
pub fn log_bytes(database: &Path) -> u64 {
    std::fs::metadata(connection::log_path(database)).map_or(0, |log| log.len())
}

/// Permission bits of a file or folder for group and others.
pub fn open_to_others(path: &Path) -> Result<u32> {
    let mode = path.metadata().map_err(Error::internal)?.permissions().mode();
    Ok(mode & 0o077)
}

/// Entries of a folder that group or others can access, sorted by name.
pub fn open_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in folder.read_dir().map_err(Error::internal)? {
        let path = entry.map_err(Error::internal)?.path();
        // The log may come and go during the check.
        if path.exists() && open_to_others(&path)? != 0 {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Checks the pages, the rows and the version of a database.
///
/// `Unusable` when it is damaged, belongs to another program, or does not have the current version.
pub fn database(path: &Path, now: Timestamp) -> Result<()> {
    database_at(path, now).map_err(failure::named(path))
}

fn database_at(path: &Path, now: Timestamp) -> Result<()> {
    schema::refuse_foreign(path)?;
    let connection = connection::open_reading(path)?;
    schema::require_current(&connection)?;
    let found = pages(&connection)?;
    if found != "ok" {
        return Err(damaged(&found));
    }
    let mut findings = Findings::default();
    rows::look(&connection, None, now, &mut findings)?;
    references(&connection, &mut findings)?;
    findings.list().first().map_or(Ok(()), |found| Err(damaged(found)))
}

/// Explains an error at startup: if the database is damaged, the damage and its remedy replace the error.
pub fn explained(path: &Path, now: Timestamp, error: Error) -> Error {
    if !matches!(error, Error::Internal(_)) {
        return error;
    }
    let Err(Error::Unusable(found)) = database(path, now) else { return error };
    log::error!("storage: {}", error.chain());
    Error::Unusable(format!("{}: {found}. Restore a backup; `kaiwa verify` lists all damage", path.display()))
}

fn damaged(found: &str) -> Error {
    Error::Unusable(format!("the database is damaged: {found}"))
}

fn pages(connection: &Connection) -> Result<String> {
    const SQL: &str = "PRAGMA quick_check(1)";
    query::value(connection, SQL, [])
}
