//! Channel access tokens: the current one of each account, and when the next one is fetched.

use std::time::Duration;

use crate::error::Result;
use crate::model::accounts::account::Credential;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::text;
use crate::store::engine::query::{self, ALL, Connection};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;

/// Delay before a failed fetch of a token is repeated.
const LEASE: Duration = Duration::from_secs(30);

/// A fetch scheduled further ahead than this can only come from a clock that was ahead.
const WAIT_MAX: Duration = Duration::from_hours(48);

/// Credentials for fetching the tokens of an account, and the last token.
#[derive(Debug, Clone)]
pub struct TokenChannel {
    /// LINE's channel id.
    pub id: String,
    /// The channel secret.
    pub secret: Secret,
    /// The secret that replaces it during a rotation.
    pub secret_next: Option<Secret>,
    /// The last token; empty before the first one.
    pub token: Secret,
    /// When the last token expires.
    pub expires_at: Option<Timestamp>,
}

/// Sets the credential of an account. A token that has to be fetched is due at once.
pub(in crate::store) fn set(tx: &Transaction<'_>, account: AccountId, credential: &Credential) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET token = seal(?2, 'accounts.token', id), channel_id = ?3, token_expires_at = NULL, token_refresh_at = ?4
        WHERE id = ?1";
    let (token, channel_id, refresh_at) = match credential {
        Credential::Token(token) => (token.expose(), None, None),
        Credential::ChannelId(id) => ("", Some(id), Some(tx.now())),
    };
    query::execute(tx, SQL, (account, token, channel_id, refresh_at))?;
    Ok(())
}

/// Claims up to `limit` accounts whose next token is due, and returns them with their current tokens.
pub fn claim(tx: &Transaction<'_>, limit: usize) -> Result<Vec<(AccountId, Secret)>> {
    const SQL: &str = "
        SELECT id, unseal(token, 'accounts.token', id)
        FROM accounts
        WHERE token_refresh_at IS NOT NULL AND (token_refresh_at <= ?1 OR token_refresh_at > ?2)
        LIMIT ?3";
    const SQL_LEASE: &str = "UPDATE accounts SET token_refresh_at = ?2 WHERE id = ?1";
    let values = (tx.now(), tx.now().after(WAIT_MAX), Limit(limit));
    let due: Vec<(AccountId, Secret)> =
        query::readable_rows(tx, SQL, values, ("accounts", ALL), |row| row.try_into())?;
    for (account, _) in &due {
        query::execute(tx, SQL_LEASE, (account, tx.now().after(LEASE)))?;
    }
    Ok(due)
}

/// Credentials for fetching the tokens of an account; `None` for a static token.
pub fn channel(connection: &Connection, account: AccountId) -> Result<Option<TokenChannel>> {
    const SQL: &str = "
        SELECT channel_id, unseal(secret, 'accounts.secret', id) AS secret,
            unseal(secret_next, 'accounts.secret_next', id) AS secret_next,
            unseal(token, 'accounts.token', id) AS token, token_expires_at
        FROM accounts
        WHERE id = ?1 AND channel_id IS NOT NULL";
    query::optional_row(connection, SQL, [account], |row| {
        Ok(TokenChannel {
            id: text(row, "channel_id")?,
            secret: row.get("secret")?,
            secret_next: row.get("secret_next")?,
            token: row.get("token")?,
            expires_at: row.get("token_expires_at")?,
        })
    })
}

/// Saves a token fetched for this channel, unless the channel id or secret of the account has changed in the meantime.
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
    query::execute(tx, SQL, values)?;
    Ok(())
}

/// Time at which the next token is due. A short, indexed read.
pub fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT min(token_refresh_at) FROM accounts WHERE token_refresh_at IS NOT NULL";
    query::value(connection, SQL, [])
}
