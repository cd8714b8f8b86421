//! Whether the database can be used.

use rusqlite::Connection;

use crate::error::Result;
use crate::store::schema;
use crate::store::transaction::Transaction;

/// Writes a row as it is: the commit that follows shows whether the disk takes it.
pub fn check_writable(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE clock SET last_stamp = last_stamp";
    tx.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// `Unusable` when the file has another schema than this program.
pub fn check_schema(connection: &Connection) -> Result<()> {
    schema::require_current(connection)
}
