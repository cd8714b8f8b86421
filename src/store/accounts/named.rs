//! Rows that have lost the id by which the configuration, tokens and LINE name them.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};

/// Refuses to make a customer or an account for an id that is not known while a row of these has lost its own: it may be
/// that one, with all that belongs to it. Secrets are bound to the id, so that those of a changed one do not open.
///
/// `Unusable` with the name of the row.
pub fn require_all(connection: &Connection) -> Result<()> {
    const SQL: &str = "
        SELECT 'customers with key ' || key FROM customers WHERE length(id) <> 16
        UNION ALL
        SELECT 'accounts with key ' || key FROM accounts
        WHERE length(id) <> 16 OR tm_delete IS NULL AND secret <> '' AND NOT opens(secret, 'accounts.secret', id)
            AND (token = '' OR NOT opens(token, 'accounts.token', id))
        LIMIT 1";
    let unnamed: Option<String> = connection.query_row(SQL, [], |row| row.get(0)).optional()?;
    match unnamed {
        None => Ok(()),
        Some(row) => Err(Error::Unusable(format!(
            "{row}: id: this is damaged, and may be what the configuration declares; nothing is made in its place. Restore \
             a backup; `kaiwa verify` tells what else is damaged"
        ))),
    }
}
