//! Who or what is erased, and where there is something of it: what has no index is found by a reader.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::Result;
use crate::model::chats::chat::LineId;
use crate::model::id::ConversationId;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::Text;
use crate::store::engine::values::most;

/// Who or what is erased.
#[derive(Debug, Clone)]
pub enum ErasureSubject {
    /// A conversation of any kind, with all that was said in it.
    Conversation(ConversationId),
    /// A person: the chats with them, and what they said in groups.
    User(LineId),
}

/// A conversation that is erased.
pub(in crate::store) struct Chat {
    pub(in crate::store) key: i64,
    pub(in crate::store) account: i64,
    pub(in crate::store) kind: String,
    pub(in crate::store) line_id: String,
}

/// Where a message is: the private key of its conversation, and its stamp.
pub type Spot = (i64, Timestamp);

/// A message that a person has written, or that mentions them.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// Where it is.
    pub spot: Spot,
    pub(in crate::store) account: i64,
    pub(in crate::store) is_own: bool,
}

/// Events of the journal.
#[derive(Debug, Clone, Default)]
pub struct EventRange {
    /// Which.
    pub keys: Vec<i64>,
    /// Up to where the journal was looked through.
    pub seen: i64,
}

/// Up to `limit` events of the journal behind this one that are about the subject. Looks at every event: it may take long.
pub fn events(
    connection: &Connection,
    subject: &ErasureSubject,
    (after, limit): (i64, usize),
) -> Result<EventRange> {
    const SQL: &str = "SELECT coalesce(max(key), 0) FROM webhook_events";
    let newest = connection.prepare_cached(SQL)?.query_row([], |row| row.get(0))?;
    let keys = match subject {
        ErasureSubject::Conversation(id) => match by_id(connection, *id)? {
            Some(chat) => events_of_chat(connection, &chat, (after, limit))?,
            None => Vec::new(),
        },
        ErasureSubject::User(user) => events_of_user(connection, user, (after, limit))?,
    };
    let seen = keys.last().copied().filter(|_| keys.len() == limit).unwrap_or(newest);
    Ok(EventRange { keys, seen })
}

/// Up to `limit` messages behind this one that a person has written, or that mention them. Looks at every message: it may
/// take long.
pub fn references(
    connection: &Connection,
    user: &LineId,
    ((conversation, stamp), limit): (Spot, usize),
) -> Result<Vec<Reference>> {
    const SQL: &str = "
        SELECT v.account, m.conversation, m.tm_create, m.source_target = ?1 AS is_own
        FROM messages m JOIN conversations v ON v.key = m.conversation
        WHERE (m.conversation, m.tm_create) > (?2, ?3)
            AND (m.source_target = ?1 OR instr(m.mentions, json_quote(?1)) > 0)
        ORDER BY m.conversation, m.tm_create
        LIMIT ?4";
    let mut statement = connection.prepare_cached(SQL)?;
    let found = statement.query_map((user, conversation, stamp, most(limit)), |row| {
        let spot = (row.get("conversation")?, row.get("tm_create")?);
        Ok(Reference { account: row.get("account")?, spot, is_own: row.get("is_own")? })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Up to `limit` conversations in which a person takes part or took part. Looks at everybody: it may take long.
pub fn memberships(connection: &Connection, user: &LineId, limit: usize) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT conversation FROM participants WHERE target = ?1 LIMIT ?2";
    keys(connection, SQL, (user, most(limit)))
}

pub(in crate::store) fn by_id(connection: &Connection, id: ConversationId) -> Result<Option<Chat>> {
    const SQL: &str = "SELECT key, account, chat_kind, chat_id FROM conversations WHERE id = ?1";
    Ok(connection.prepare_cached(SQL)?.query_row([id], chat).optional()?)
}

pub(in crate::store) fn with_user(connection: &Connection, user: &LineId) -> Result<Vec<Chat>> {
    const SQL: &str = "
        SELECT v.key, v.account, chat_kind, chat_id
        FROM accounts a CROSS JOIN conversations v ON v.account = a.key AND v.chat_id = ?1
        WHERE chat_kind = 'user'";
    let mut statement = connection.prepare_cached(SQL)?;
    let chats = statement.query_map([user], chat)?;
    Ok(chats.collect::<rusqlite::Result<_>>()?)
}

fn chat(row: &Row<'_>) -> rusqlite::Result<Chat> {
    let (key, account, kind, line_id): (i64, i64, Text, Text) = row.try_into()?;
    Ok(Chat { key, account, kind: kind.0, line_id: line_id.0 })
}

/// The events of a chat behind this one that belong to no message, or whose message is not there any more, and those that can
/// only be seen to mention it.
pub(in crate::store) fn events_of_chat(
    connection: &Connection,
    chat: &Chat,
    (after, limit): (i64, usize),
) -> Result<Vec<i64>> {
    const SQL: &str = "
        SELECT key
        FROM webhook_events
        WHERE key > ?4 AND account = ?1 AND instr(body, ?3) > 0 AND CASE
            WHEN NOT json_valid(body) THEN 1
            WHEN ?2 = 'user' THEN json_extract(body, '$.source.userId') = ?3
                AND json_extract(body, '$.source.groupId') IS NULL AND json_extract(body, '$.source.roomId') IS NULL
            WHEN ?2 = 'group' THEN json_extract(body, '$.source.groupId') = ?3
            ELSE json_extract(body, '$.source.roomId') = ?3 END
        ORDER BY key
        LIMIT ?5";
    keys(connection, SQL, (chat.account, &chat.kind, &chat.line_id, after, most(limit)))
}

/// The events behind this one that mention a person.
pub(in crate::store) fn events_of_user(
    connection: &Connection,
    user: &LineId,
    (after, limit): (i64, usize),
) -> Result<Vec<i64>> {
    const SQL: &str = "
        SELECT key
        FROM webhook_events
        WHERE key > ?2 AND (instr(body, ?1) > 0 OR instr(error, ?1) > 0)
        ORDER BY key
        LIMIT ?3";
    keys(connection, SQL, (user, after, most(limit)))
}

fn keys(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(sql)?;
    let keys = statement.query_map(values, |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}
