//! What quotes what, by LINE's ids: a message that is quoted may come later, or go.

use rusqlite::Connection;

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::chats::messages;
use crate::store::engine::transaction::Transaction;

/// LINE's ids of what was sent, so that those who quote it are understood.
pub(in crate::store) fn note_sent(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    line_ids: &[String],
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO sent_ids (conversation, line_id, message_stamp)
        VALUES (?1, ?2, ?3)
        ON CONFLICT (conversation, line_id) DO NOTHING";
    for line_id in line_ids {
        tx.prepare_cached(SQL)?.execute((conversation, line_id, stamp))?;
    }
    touch(tx, conversation, &quoting(tx, (conversation, stamp))?)
}

/// Which messages quote this one.
pub(in crate::store) fn quoting(
    connection: &Connection,
    (conversation, stamp): (i64, Timestamp),
) -> Result<Vec<Timestamp>> {
    const SQL: &str = "
        SELECT tm_create
        FROM messages
        WHERE conversation = ?1 AND quoted_line_id IN (
            SELECT line_id FROM messages WHERE conversation = ?1 AND tm_create = ?2 AND line_id IS NOT NULL
            UNION ALL
            SELECT line_id FROM sent_ids WHERE conversation = ?1 AND message_stamp = ?2
        )";
    let mut statement = connection.prepare_cached(SQL)?;
    let stamps = statement.query_map((conversation, stamp), |row| row.get(0))?;
    Ok(stamps.collect::<rusqlite::Result<_>>()?)
}

/// These messages quote one that has come, or gone.
pub(in crate::store) fn touch(tx: &Transaction<'_>, conversation: i64, quoting: &[Timestamp]) -> Result<()> {
    for stamp in quoting {
        messages::touch(tx, (conversation, *stamp))?;
    }
    Ok(())
}

/// Nothing in these messages tells any more which one they quoted.
pub(in crate::store) fn forget(tx: &Transaction<'_>, conversation: i64, quoting: &[Timestamp]) -> Result<()> {
    const SQL: &str = "UPDATE messages SET quoted_line_id = NULL WHERE conversation = ?1 AND tm_create = ?2";
    for stamp in quoting {
        tx.prepare_cached(SQL)?.execute((conversation, stamp))?;
    }
    Ok(())
}
