//! Detects rows that have lost the id by which the configuration, tokens and LINE refer to them.

use crate::error::{Error, Result};
use crate::store::engine::query::{self, Connection};

/// Refuses to create a customer or an account for an unknown id while an existing row has lost its own: it may be that very
/// one, with everything that belongs to it. Secrets are bound to the id, so those of a row with a changed id do not open.
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
    match query::optional_value::<String>(connection, SQL, [])? {
        None => Ok(()),
        Some(row) => Err(Error::Unusable(format!(
            "{row}: id: this is damaged, and may be what the configuration declares; nothing is made in its place. Restore \
             a backup; `kaiwa verify` lists all damage"
        ))),
    }
}
