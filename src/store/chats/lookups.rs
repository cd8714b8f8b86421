//! Lookups: names and profile pictures to be requested from LINE.

use std::time::Duration;

use crate::error::Result;
use crate::model::chats::chat::{Chat, LineId};
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::first_readable;
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;

/// Lease of a lookup in flight: it is not due again for this long, so that a crash costs only the wait.
const LEASE: Duration = Duration::from_mins(1);

/// A lookup scheduled further ahead than this can only come from a clock that was ahead.
const WAIT_MAX: Duration = Duration::from_hours(48);

/// A name and profile picture to request.
#[derive(Debug, Clone)]
pub struct Lookup {
    pub(in crate::store) conversation: i64,
    /// The chat in which the name applies.
    pub chat: Chat,
    /// Who is looked up: the chat itself, or a member.
    pub target: LineId,
    /// The account that makes the request.
    pub account: AccountId,
    /// Its channel access token.
    pub token: Secret,
    /// Whether LINE has answered an earlier lookup, with a profile or a refusal.
    pub is_refresh: bool,
    /// Attempts so far, including this one.
    pub attempts: u32,
}

/// Makes a lookup of a person, or of the chat itself, due now.
pub(in crate::store) fn enqueue(tx: &Transaction<'_>, conversation: i64, target: &LineId) -> Result<()> {
    const SQL: &str = "
        INSERT INTO lookups (conversation, target, due_at)
        VALUES (?1, ?2, ?3)
        ON CONFLICT (conversation, target) DO UPDATE SET due_at = ?3, attempts = 0";
    query::execute(tx, SQL, (conversation, target, tx.now()))?;
    Ok(())
}

/// The key of a row, and the lookup if it is readable.
type Due = ((i64, Option<Vec<u8>>), Option<Lookup>);

/// Claims up to `limit` lookups that are due.
pub fn claim(tx: &Transaction<'_>, limit: usize) -> Result<Vec<Lookup>> {
    const SQL: &str = "
        SELECT l.conversation, chat_kind, chat_id, l.target, a.id AS account,
            unseal(a.token, 'accounts.token', a.id) AS token,
            named_at IS NOT NULL AS is_refresh, l.attempts + 1 AS attempts
        FROM (
            SELECT conversation, target, due_at, attempts FROM lookups WHERE due_at <= ?1
            UNION ALL
            SELECT conversation, target, due_at, attempts FROM lookups WHERE due_at > ?2
        ) l
        JOIN participants p ON p.conversation = l.conversation AND p.target = l.target
        JOIN conversations v ON v.key = l.conversation
        JOIN accounts a ON a.key = v.account
        WHERE a.tm_delete IS NULL
        LIMIT ?3";
    const SQL_LEASE: &str = "
        UPDATE lookups SET due_at = ?3, attempts = attempts + 1
        WHERE conversation = ?1 AND target = CAST(?2 AS TEXT)";
    let values = (tx.now(), tx.now().after(WAIT_MAX), Limit(limit));
    let due: Vec<Due> = query::rows(tx, SQL, values, |row| {
        let key = (row.get("conversation")?, row.get_ref("target")?.as_bytes_or_null()?.map(<[u8]>::to_vec));
        Ok((key, first_readable(from_row(row), "lookups")?))
    })?;
    // An unreadable lookup gets a long lease, so that it does not displace others.
    for ((conversation, target), lookup) in &due {
        let lease = if lookup.is_some() { LEASE } else { WAIT_MAX };
        query::execute(tx, SQL_LEASE, (conversation, target, tx.now().after(lease)))?;
    }
    Ok(due.into_iter().filter_map(|(_, lookup)| lookup).collect())
}

/// Postpones a lookup.
pub fn postpone(tx: &Transaction<'_>, lookup: &Lookup, until: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE lookups SET due_at = ?3 WHERE conversation = ?1 AND target = ?2";
    query::execute(tx, SQL, (lookup.conversation, &lookup.target, until))?;
    Ok(())
}

/// Cancels a lookup.
pub(in crate::store) fn cancel(tx: &Transaction<'_>, conversation: i64, target: &LineId) -> Result<()> {
    const SQL: &str = "DELETE FROM lookups WHERE conversation = ?1 AND target = ?2";
    query::execute(tx, SQL, (conversation, target))?;
    Ok(())
}

/// Cancels all lookups of an account.
pub(in crate::store) fn cancel_all_of_account(tx: &Transaction<'_>, account: i64) -> Result<()> {
    const SQL: &str =
        "DELETE FROM lookups WHERE conversation IN (SELECT key FROM conversations WHERE account = ?1)";
    query::execute(tx, SQL, [account])?;
    Ok(())
}

/// Time at which the next lookup is due. A short, indexed read.
pub fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT min(due_at) FROM lookups";
    query::value(connection, SQL, [])
}

fn from_row(row: &Row<'_>) -> Read<Lookup> {
    Ok(Lookup {
        conversation: row.get("conversation")?,
        chat: Chat { kind: row.get("chat_kind")?, id: row.get("chat_id")? },
        target: row.get("target")?,
        account: row.get("account")?,
        token: row.get("token")?,
        is_refresh: row.get("is_refresh")?,
        attempts: row.get("attempts")?,
    })
}
