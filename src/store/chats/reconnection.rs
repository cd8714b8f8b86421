//! Reconnects a channel: the conversations of its removed account continue.
//!
//! LINE identifies the bot of a channel when its token is checked, and in each webhook. An account that turns out to be the same
//! bot as an account that the same customer has removed replaces it: the rows of both get the same key, and those of the one
//! with fewer rows are changed. User ids are the same for the same bot, so each chat continues as before.

use crate::error::Result;
use crate::model::accounts::account::Check;
use crate::model::chats::chat::LineId;
use crate::model::id::AccountId;
use crate::store::accounts;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::transaction::Transaction;

/// Maximum number of journal rows changed at once: more would block the writer for too long.
const EVENTS_MAX: i64 = 20_000;

/// Saves the bot that a webhook of an account was addressed to, if it is not known yet.
pub(in crate::store) fn note_destination(
    tx: &Transaction<'_>,
    id: AccountId,
    destination: &str,
) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET bot_user_id = ?2
        WHERE id = ?1 AND bot_user_id = '' AND tm_delete IS NULL";
    let Some(bot) = LineId::parse(destination) else { return Ok(()) };
    if query::execute(tx, SQL, (id, bot))? > 0 { take_over(tx, id) } else { Ok(()) }
}

/// Saves what LINE said about an account's token. If it is the bot of a removed account, that one's conversations continue.
pub fn save_check(tx: &Transaction<'_>, id: AccountId, check: &Check) -> Result<()> {
    accounts::save_check(tx, id, check)?;
    if matches!(check, Check::Good(_)) { take_over(tx, id) } else { Ok(()) }
}

/// Takes over the conversations of removed accounts of the same bot, those of the last removed first.
fn take_over(tx: &Transaction<'_>, id: AccountId) -> Result<()> {
    const SQL: &str = "
        SELECT old.key
        FROM accounts new JOIN accounts old ON old.customer = new.customer AND old.bot_user_id = new.bot_user_id
        WHERE new.id = ?1 AND new.tm_delete IS NULL AND new.bot_user_id <> '' AND old.tm_delete IS NOT NULL
        ORDER BY old.tm_delete DESC";
    const SQL_KEY: &str = "SELECT key FROM accounts WHERE id = ?1";
    for old in query::values(tx, SQL, [id])? {
        let new = query::value(tx, SQL_KEY, [id])?;
        adopt_key(tx, id, (old, new))?;
    }
    Ok(())
}

/// Continues the conversations of an account that was just removed with another one of the same bot, if there is one.
pub(in crate::store) fn hand_over(tx: &Transaction<'_>, removed: AccountId) -> Result<()> {
    const SQL: &str = "
        SELECT new.id
        FROM accounts old JOIN accounts new ON old.customer = new.customer AND old.bot_user_id = new.bot_user_id
        WHERE old.id = ?1 AND old.bot_user_id <> '' AND new.tm_delete IS NULL
        ORDER BY new.tm_create DESC
        LIMIT 1";
    let found = query::optional_value(tx, SQL, [removed])?;
    found.map_or(Ok(()), |id| take_over(tx, id))
}

/// Leaves the removed account's conversations alone if both accounts have one with the same chat: two cannot be merged.
fn adopt_key(tx: &Transaction<'_>, id: AccountId, (old, new): (i64, i64)) -> Result<()> {
    const SQL_BOTH: &str = "
        SELECT EXISTS (
            SELECT 1 FROM conversations mine JOIN conversations theirs ON theirs.chat_id = mine.chat_id
            WHERE mine.account = ?1 AND theirs.account = ?2)";
    let (few, many) = if events(tx, new)? <= events(tx, old)? { (new, old) } else { (old, new) };
    if events(tx, few)? > EVENTS_MAX || query::value(tx, SQL_BOTH, (few, many))? {
        log::warn!(
            "account {id}: the conversations of a removed account of the same bot cannot be merged with its own"
        );
        return Ok(());
    }
    move_rows(tx, few, many)?;
    // For a moment rows refer to an account that does not exist.
    tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    query::execute(tx, "DELETE FROM accounts WHERE key = ?1", [old])?;
    query::execute(tx, "UPDATE accounts SET key = ?2 WHERE key = ?1", (new, many))?;
    tx.execute_batch("PRAGMA defer_foreign_keys = OFF")?;
    log::info!("account {id}: it takes over the conversations of a removed account of the same bot");
    Ok(())
}

/// Number of events of an account, counted up to just above the limit.
fn events(connection: &Connection, account: i64) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM (SELECT 1 FROM webhook_events WHERE account = ?1 LIMIT ?2)";
    query::value(connection, SQL, (account, EVENTS_MAX + 1))
}

fn move_rows(tx: &Transaction<'_>, from: i64, to: i64) -> Result<()> {
    // One copy of an event that both accounts received is enough.
    const SQL: [&str; 4] = [
        "UPDATE conversations SET account = ?2 WHERE account = ?1",
        "UPDATE lanes SET account = ?2 WHERE account = ?1",
        "UPDATE OR IGNORE webhook_events SET account = ?2 WHERE account = ?1",
        "DELETE FROM webhook_events WHERE account = ?1 AND ?2 <> ?1",
    ];
    for sql in SQL {
        query::execute(tx, sql, (from, to))?;
    }
    Ok(())
}
