//! Removes an account, with everything that waits because of it.

use crate::error::Result;
use crate::model::id::{AccountId, CustomerId, MessageId};
use crate::store::chats::{lookups, reconnection};
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::outbox::undeliverable;
use crate::store::{accounts, keys};

/// Removes an account and its secrets. Its conversations stay readable, and continue when the channel is connected again.
/// Messages that waited to be sent fail; they are returned.
pub fn remove_account(tx: &Transaction<'_>, customer: CustomerId, id: AccountId) -> Result<Vec<MessageId>> {
    const SQL: &str = "
        UPDATE accounts SET
            secret = '', secret_next = NULL, token = '', channel_id = NULL, token_expires_at = NULL,
            token_refresh_at = NULL, sources = '{}', tm_update = ?2, tm_delete = ?2
        WHERE id = ?1";
    accounts::get(tx, customer, id)?;
    let key = keys::account(tx, id)?;
    lookups::cancel_all_of_account(tx, key)?;
    let settled = undeliverable::end_all_of_account(tx, key)?;
    query::execute(tx, SQL, (id, tx.now()))?;
    reconnection::hand_over(tx, id)?;
    Ok(settled)
}
