//! Subjects of an erasure, and the queries that find their data. What has no index is found by a reader.

use crate::error::Result;
use crate::model::chats::chat::LineId;
use crate::model::id::ConversationId;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::Text;
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::values::Limit;

/// The subject of an erasure.
#[derive(Debug, Clone)]
pub enum ErasureSubject {
    /// A conversation of any kind, with all of its messages.
    Conversation(ConversationId),
    /// A person: their one-to-one chats, and their messages in groups.
    User(LineId),
}

/// A conversation to erase.
pub(in crate::store) struct Chat {
    pub(in crate::store) key: i64,
    pub(in crate::store) account: i64,
    pub(in crate::store) kind: String,
    pub(in crate::store) line_id: String,
}

/// The position of a message: the private key of its conversation, and its stamp.
pub type Spot = (i64, Timestamp);

/// A message that a person wrote or that mentions them.
#[derive(Debug, Clone, Copy)]
pub struct Reference {
    /// Position of the message.
    pub spot: Spot,
    pub(in crate::store) account: i64,
    pub(in crate::store) is_own: bool,
}

/// Webhook events that concern a subject.
#[derive(Debug, Clone, Default)]
pub struct EventRange {
    /// Their keys.
    pub keys: Vec<i64>,
    /// Key up to which the journal has been searched.
    pub seen: i64,
}

/// Up to `limit` webhook events after this key that concern the subject. Reads every event: it may take long.
pub fn events(
    connection: &Connection,
    subject: &ErasureSubject,
    (after, limit): (i64, usize),
) -> Result<EventRange> {
    const SQL: &str = "SELECT coalesce(max(key), 0) FROM webhook_events";
    let newest = query::value(connection, SQL, [])?;
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

/// Up to `limit` messages after this position that a person wrote or that mention them. Reads every message: it may take
/// long.
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
    query::rows(connection, SQL, (user, conversation, stamp, Limit(limit)), |row| {
        let spot = (row.get("conversation")?, row.get("tm_create")?);
        Ok(Reference { account: row.get("account")?, spot, is_own: row.get("is_own")? })
    })
}

/// Up to `limit` conversations that a person is or was a participant of. Reads all participants: it may take long.
pub fn memberships(connection: &Connection, user: &LineId, limit: usize) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT conversation FROM participants WHERE target = ?1 LIMIT ?2";
    query::values(connection, SQL, (user, Limit(limit)))
}

pub(in crate::store) fn by_id(connection: &Connection, id: ConversationId) -> Result<Option<Chat>> {
    const SQL: &str = "SELECT key, account, chat_kind, chat_id FROM conversations WHERE id = ?1";
    query::optional_row(connection, SQL, [id], chat)
}

pub(in crate::store) fn with_user(connection: &Connection, user: &LineId) -> Result<Vec<Chat>> {
    const SQL: &str = "
        SELECT v.key, v.account, chat_kind, chat_id
        FROM accounts a CROSS JOIN conversations v ON v.account = a.key AND v.chat_id = ?1
        WHERE chat_kind = 'user'";
    query::rows(connection, SQL, [user], chat)
}

fn chat(row: &Row<'_>) -> Read<Chat> {
    let (key, account, kind, line_id): (i64, i64, Text, Text) = row.try_into()?;
    Ok(Chat { key, account, kind: kind.0, line_id: line_id.0 })
}

/// Webhook events of a chat after this key that belong to no message, or whose message no longer exists, and unparseable
/// events whose text contains the id of the chat.
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
    query::values(connection, SQL, (chat.account, &chat.kind, &chat.line_id, after, Limit(limit)))
}

/// Webhook events after this key that mention a person.
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
    query::values(connection, SQL, (user, after, Limit(limit)))
}
