//! Channel access tokens: the one that each account speaks with, and when the next one is fetched.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::accounts::account::Credential;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::{sound, text};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;

/// A token that could not be fetched is asked for again after this long.
const LEASE: Duration = Duration::from_secs(30);

/// A later time than this for fetching a token can only come from a clock that was ahead.
const WAIT_MAX: Duration = Duration::from_hours(48);

/// What the tokens of an account are fetched with, and the last one.
#[derive(Debug, Clone)]
pub struct TokenChannel {
    /// LINE's id of the channel.
    pub id: String,
    /// The channel secret.
    pub secret: Secret,
    /// The secret that takes its place during a rotation.
    pub secret_next: Option<Secret>,
    /// The last token; empty while there was none.
    pub token: Secret,
    /// When the last token ends.
    pub expires_at: Option<Timestamp>,
}

/// From now on an account speaks with this. A token that has to be fetched is due at once.
pub(in crate::store) fn set(tx: &Transaction<'_>, account: AccountId, credential: &Credential) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET token = seal(?2, 'accounts.token', id), channel_id = ?3, token_expires_at = NULL, token_refresh_at = ?4
        WHERE id = ?1";
    let (token, channel_id, refresh_at) = match credential {
        Credential::Token(token) => (token.expose(), None, None),
        Credential::ChannelId(id) => ("", Some(id), Some(tx.now())),
    };
    tx.prepare_cached(SQL)?.execute((account, token, channel_id, refresh_at))?;
    Ok(())
}

/// Takes up to `limit` accounts whose next token is due, with the tokens that they have.
pub fn claim(tx: &Transaction<'_>, limit: usize) -> Result<Vec<(AccountId, Secret)>> {
    const SQL: &str = "
        SELECT id, unseal(token, 'accounts.token', id)
        FROM accounts
        WHERE token_refresh_at IS NOT NULL AND (token_refresh_at <= ?1 OR token_refresh_at > ?2)
        LIMIT ?3";
    const SQL_LEASE: &str = "UPDATE accounts SET token_refresh_at = ?2 WHERE id = ?1";
    let limit = most(limit);
    let mut statement = tx.prepare_cached(SQL)?;
    let due = statement
        .query_map((tx.now(), tx.now().after(WAIT_MAX), limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let due = sound(due, "accounts").collect::<rusqlite::Result<Vec<(AccountId, Secret)>>>()?;
    for (account, _) in &due {
        tx.prepare_cached(SQL_LEASE)?.execute((account, tx.now().after(LEASE)))?;
    }
    Ok(due)
}

/// What the tokens of an account are fetched with; nothing when it has a token that was given.
pub fn channel(connection: &Connection, account: AccountId) -> Result<Option<TokenChannel>> {
    const SQL: &str = "
        SELECT channel_id, unseal(secret, 'accounts.secret', id) AS secret,
            unseal(secret_next, 'accounts.secret_next', id) AS secret_next,
            unseal(token, 'accounts.token', id) AS token, token_expires_at
        FROM accounts
        WHERE id = ?1 AND channel_id IS NOT NULL";
    let channel = connection.prepare_cached(SQL)?.query_row([account], |row| {
        Ok(TokenChannel {
            id: text(row, "channel_id")?,
            secret: row.get("secret")?,
            secret_next: row.get("secret_next")?,
            token: row.get("token")?,
            expires_at: row.get("token_expires_at")?,
        })
    });
    Ok(channel.optional()?)
}

/// Keeps a token that was fetched for this channel, unless the account has got another id or secret meanwhile.
pub fn save(
    tx: &Transaction<'_>,
    (account, channel): (AccountId, &TokenChannel),
    token: &Secret,
    (refresh_at, expires_at): (Timestamp, Timestamp),
) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET token = seal(?3, 'accounts.token', id), token_refresh_at = ?4, token_expires_at = ?5
        WHERE id = ?1 AND channel_id = ?2 AND unseal(secret, 'accounts.secret', id) = ?6";
    let values = (account, &channel.id, token, refresh_at, expires_at, &channel.secret);
    tx.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

/// When the next token is due. A short, indexed read.
pub fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT min(token_refresh_at) FROM accounts WHERE token_refresh_at IS NOT NULL";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| row.get(0))?)
}
