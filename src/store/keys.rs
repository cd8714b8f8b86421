//! The private keys of rows, by the ids that everybody else knows them by.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Resource, Result};
use crate::model::id::{AccountId, ConversationId, CustomerId};

/// The private key of a customer, for the rows that refer to it.
pub(super) fn customer(connection: &Connection, id: CustomerId) -> Result<i64> {
    const SQL: &str = "SELECT key FROM customers WHERE id = ?1";
    let found = connection.prepare_cached(SQL)?.query_row([id], |row| row.get(0)).optional()?;
    found.ok_or(Error::NotFound(Resource::Customer))
}

/// The private key of an account, for the rows that refer to it.
pub(super) fn account(connection: &Connection, id: AccountId) -> Result<i64> {
    const SQL: &str = "SELECT key FROM accounts WHERE id = ?1 AND tm_delete IS NULL";
    let found = connection.prepare_cached(SQL)?.query_row([id], |row| row.get(0)).optional()?;
    found.ok_or(Error::NotFound(Resource::Account))
}

/// The private key of a customer's conversation.
pub(super) fn conversation(connection: &Connection, customer: CustomerId, id: ConversationId) -> Result<i64> {
    const SQL: &str = "
        SELECT v.key
        FROM conversations v JOIN customers c ON c.key = v.customer
        WHERE v.id = ?1 AND c.id = ?2";
    let found = connection.prepare_cached(SQL)?.query_row((id, customer), |row| row.get(0)).optional()?;
    found.ok_or(Error::NotFound(Resource::Conversation))
}
