//! Private keys of rows, looked up by public id.

use crate::error::{Error, Resource, Result};
use crate::model::id::{AccountId, ConversationId, CustomerId};
use crate::store::engine::query::{self, Connection};

/// Private key of a customer.
pub(super) fn customer(connection: &Connection, id: CustomerId) -> Result<i64> {
    const SQL: &str = "SELECT key FROM customers WHERE id = ?1";
    let found = query::optional_value(connection, SQL, [id])?;
    found.ok_or(Error::NotFound(Resource::Customer))
}

/// Private key of an account that is not removed.
pub(super) fn account(connection: &Connection, id: AccountId) -> Result<i64> {
    const SQL: &str = "SELECT key FROM accounts WHERE id = ?1 AND tm_delete IS NULL";
    let found = query::optional_value(connection, SQL, [id])?;
    found.ok_or(Error::NotFound(Resource::Account))
}

/// Private key of a customer's conversation.
pub(super) fn conversation(connection: &Connection, customer: CustomerId, id: ConversationId) -> Result<i64> {
    const SQL: &str = "
        SELECT v.key
        FROM conversations v JOIN customers c ON c.key = v.customer
        WHERE v.id = ?1 AND c.id = ?2";
    let found = query::optional_value(connection, SQL, (id, customer))?;
    found.ok_or(Error::NotFound(Resource::Conversation))
}
