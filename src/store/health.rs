//! Whether the database can be used.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::store::schema;
use crate::store::transaction::Transaction;

/// Writes a row as it is: the commit that follows shows whether the disk takes it.
pub fn check_writable(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE clock SET last_stamp = last_stamp";
    tx.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// How much room there is for this process on the disk of the file.
pub fn free_bytes(file: &Path) -> Result<u64> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).map_err(Error::internal)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// `Unusable` when the file has another schema than this program.
pub fn check_schema(connection: &Connection) -> Result<()> {
    schema::require_current(connection)
}
