//! Quotes between messages, by LINE's ids: the quoted message may arrive later, or be gone.

use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::chats::messages;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::transaction::Transaction;

/// Saves LINE's ids of a sent message, so that quotes of it can be resolved.
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
        query::execute(tx, SQL, (conversation, line_id, stamp))?;
    }
    touch(tx, conversation, &quoting(tx, (conversation, stamp))?)
}

/// The messages that quote this one.
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
    query::values(connection, SQL, (conversation, stamp))
}

/// Updates messages whose quoted message has arrived or is gone.
pub(in crate::store) fn touch(tx: &Transaction<'_>, conversation: i64, quoting: &[Timestamp]) -> Result<()> {
    for stamp in quoting {
        messages::touch(tx, (conversation, *stamp))?;
    }
    Ok(())
}

/// Removes from these messages which one they quoted.
pub(in crate::store) fn forget(tx: &Transaction<'_>, conversation: i64, quoting: &[Timestamp]) -> Result<()> {
    const SQL: &str = "UPDATE messages SET quoted_line_id = NULL WHERE conversation = ?1 AND tm_create = ?2";
    for stamp in quoting {
        query::execute(tx, SQL, (conversation, stamp))?;
    }
    Ok(())
}
