//! A channel that is connected again: the conversations of its removed account go on.
//!
//! LINE says which bot a channel is: when its token is looked at, and in each webhook. An account that turns out to be the
//! bot of an account that the same customer has removed takes its place: the rows of both get the same key, those of the one with
//! fewer are changed. Users have the same ids for the same bot, so that each chat is what it was.

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::accounts::account::Check;
use crate::model::chats::chat::LineId;
use crate::model::id::AccountId;
use crate::store::accounts;
use crate::store::engine::transaction::Transaction;

/// Rows of the journal that are changed at once: more would hold up the writer.
const EVENTS_MAX: i64 = 20_000;

/// Notes for which bot a webhook of an account was, unless that is known.
pub(in crate::store) fn note_destination(
    tx: &Transaction<'_>,
    id: AccountId,
    destination: &str,
) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET bot_user_id = ?2
        WHERE id = ?1 AND bot_user_id = '' AND tm_delete IS NULL";
    let Some(bot) = LineId::parse(destination) else { return Ok(()) };
    if tx.prepare_cached(SQL)?.execute((id, bot))? > 0 { go_on(tx, id) } else { Ok(()) }
}

/// Notes what LINE said about an account's token. When it is the bot of an account that was removed, its conversations go on.
pub fn save_check(tx: &Transaction<'_>, id: AccountId, check: &Check) -> Result<()> {
    accounts::save_check(tx, id, check)?;
    if matches!(check, Check::Good(_)) { go_on(tx, id) } else { Ok(()) }
}

/// Lets the conversations of removed accounts of the same bot go on with this one, those of the last removed first.
fn go_on(tx: &Transaction<'_>, id: AccountId) -> Result<()> {
    const SQL: &str = "
        SELECT old.key
        FROM accounts new JOIN accounts old ON old.customer = new.customer AND old.bot_user_id = new.bot_user_id
        WHERE new.id = ?1 AND new.tm_delete IS NULL AND new.bot_user_id <> '' AND old.tm_delete IS NOT NULL
        ORDER BY old.tm_delete DESC";
    const SQL_KEY: &str = "SELECT key FROM accounts WHERE id = ?1";
    let mut statement = tx.prepare_cached(SQL)?;
    let removed: Vec<i64> = statement.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for old in removed {
        let new = tx.prepare_cached(SQL_KEY)?.query_row([id], |row| row.get(0))?;
        adopt_key(tx, id, (old, new))?;
    }
    Ok(())
}

/// Lets the conversations of an account that was just removed go on with another one of the same bot, if there is one.
pub(in crate::store) fn go_on_elsewhere(tx: &Transaction<'_>, removed: AccountId) -> Result<()> {
    const SQL: &str = "
        SELECT new.id
        FROM accounts old JOIN accounts new ON old.customer = new.customer AND old.bot_user_id = new.bot_user_id
        WHERE old.id = ?1 AND old.bot_user_id <> '' AND new.tm_delete IS NULL
        ORDER BY new.tm_create DESC
        LIMIT 1";
    let found = tx.prepare_cached(SQL)?.query_row([removed], |row| row.get(0)).optional()?;
    found.map_or(Ok(()), |id| go_on(tx, id))
}

/// An account that has begun a conversation with a chat of the removed one stays apart from it: two cannot be made one.
fn adopt_key(tx: &Transaction<'_>, id: AccountId, (old, new): (i64, i64)) -> Result<()> {
    const SQL_BOTH: &str = "
        SELECT EXISTS (
            SELECT 1 FROM conversations mine JOIN conversations theirs ON theirs.chat_id = mine.chat_id
            WHERE mine.account = ?1 AND theirs.account = ?2)";
    let (few, many) = if events(tx, new)? <= events(tx, old)? { (new, old) } else { (old, new) };
    if events(tx, few)? > EVENTS_MAX
        || tx.prepare_cached(SQL_BOTH)?.query_row((few, many), |row| row.get(0))?
    {
        log::warn!(
            "account {id}: the conversations of a removed account of the same bot stay apart from its own"
        );
        return Ok(());
    }
    move_rows(tx, few, many)?;
    // For a moment rows refer to an account that is not there.
    tx.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    tx.prepare_cached("DELETE FROM accounts WHERE key = ?1")?.execute([old])?;
    tx.prepare_cached("UPDATE accounts SET key = ?2 WHERE key = ?1")?.execute((new, many))?;
    tx.execute_batch("PRAGMA defer_foreign_keys = OFF")?;
    log::info!("account {id}: the conversations of a removed account of the same bot go on");
    Ok(())
}

/// How many events an account has, as far as it matters.
fn events(connection: &Connection, account: i64) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM (SELECT 1 FROM webhook_events WHERE account = ?1 LIMIT ?2)";
    Ok(connection.prepare_cached(SQL)?.query_row((account, EVENTS_MAX + 1), |row| row.get(0))?)
}

fn move_rows(tx: &Transaction<'_>, from: i64, to: i64) -> Result<()> {
    // Of an event that has come to both, one copy is enough.
    const SQL: [&str; 4] = [
        "UPDATE conversations SET account = ?2 WHERE account = ?1",
        "UPDATE lanes SET account = ?2 WHERE account = ?1",
        "UPDATE OR IGNORE webhook_events SET account = ?2 WHERE account = ?1",
        "DELETE FROM webhook_events WHERE account = ?1 AND ?2 <> ?1",
    ];
    for sql in SQL {
        tx.prepare_cached(sql)?.execute((from, to))?;
    }
    Ok(())
}
