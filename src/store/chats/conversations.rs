//! Conversations: their names, their states, and LINE's one-time tokens for them.

use crate::contract::views::ConversationView;
use crate::error::{Error, Resource, Result};
use crate::model::chats::chat::{Chat, ChatKind, LineId};
use crate::model::chats::conversation::{
    Conversation, ConversationChange, DETAIL_DEFAULT, NAME_DEFAULT, Reachability,
};
use crate::model::chats::inbound::InboundEvent;
use crate::model::delivery::Policy;
use crate::model::id::{AccountId, ConversationId, CustomerId};
use crate::model::page::Page;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::store::chats::participants;
use crate::store::engine::damage::{get_or, size_of, text};
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::events::EventSubject;
use crate::store::keys;
use crate::store::webhooks::deliveries;

/// The columns that [`from_row`] reads, of the conversations `v` that the rest of the statement finds.
macro_rules! read {
    ($rest:literal) => {
        concat!(
            "SELECT v.key, v.id, a.id AS account, v.name, v.detail, chat_kind, chat_id, reach, standby, participant_count,
                v.tm_create, v.tm_update, v.customer
            FROM ",
            $rest
        )
    };
}

/// A page of a customer's conversations, newest first. It lists up to a hundred members of each, so it may take long.
pub fn page(connection: &Connection, customer: CustomerId, page: Page) -> Result<Vec<Conversation>> {
    const SQL: &str = read!(
        "customers c
        JOIN conversations v ON v.customer = c.key
        JOIN accounts a ON a.key = v.account
        WHERE c.id = ?1 AND v.tm_create < ?2
        ORDER BY v.tm_create DESC
        LIMIT ?3"
    );
    let size = size_of(page);
    let values = (customer, page.before, query::with_spare(size));
    let found = query::readable_rows(connection, SQL, values, ("conversations", size), from_row)?;
    let keys: Vec<i64> = found.iter().map(|(key, _)| *key).collect();
    let mut listed = participants::listed_of_all(connection, &keys)?;
    let shown = |(key, conversation)| {
        let participants = listed.remove(&key).unwrap_or_default();
        Conversation { participants, ..conversation }
    };
    Ok(found.into_iter().map(shown).collect())
}

/// A customer's conversation; `NotFound` for conversations of other customers.
pub fn get(connection: &Connection, customer: CustomerId, id: ConversationId) -> Result<Conversation> {
    const SQL: &str = read!(
        "conversations v
        JOIN customers c ON c.key = v.customer
        JOIN accounts a ON a.key = v.account
        WHERE v.id = ?1 AND c.id = ?2"
    );
    let found = query::optional_row(connection, SQL, (id, customer), from_row)?;
    with_participants(connection, found.ok_or(Error::NotFound(Resource::Conversation))?)
}

/// Renames a conversation.
pub fn update(
    tx: &Transaction<'_>,
    customer: CustomerId,
    id: ConversationId,
    change: &ConversationChange,
) -> Result<Conversation> {
    const SQL: &str = "
        UPDATE conversations SET name = coalesce(?2, name), detail = coalesce(?3, detail)
        WHERE key = ?1";
    let key = keys::conversation(tx, customer, id)?;
    query::execute(tx, SQL, (key, &change.name, &change.detail))?;
    touch(tx, key)?;
    get(tx, customer, id)
}

/// The conversation of a chat, created if it does not exist.
pub(in crate::store) fn begin(tx: &Transaction<'_>, account: i64, chat: &Chat) -> Result<i64> {
    const SQL_FIND: &str = "SELECT key FROM conversations WHERE account = ?1 AND chat_id = ?2";
    const SQL: &str = "
        INSERT INTO conversations (id, customer, account, chat_kind, chat_id, name, detail, tm_create, tm_update)
        SELECT ?1, customer, key, ?3, ?4, ?5, ?6, ?7, ?7
        FROM accounts
        WHERE key = ?2
        RETURNING key";
    let found = query::optional_value(tx, SQL_FIND, (account, &chat.id))?;
    if let Some(key) = found {
        return Ok(key);
    }
    let stamp = tx.stamp()?;
    let values =
        (ConversationId::new(tx.now()), account, chat.kind, &chat.id, NAME_DEFAULT, DETAIL_DEFAULT, stamp);
    let key = query::value(tx, SQL, values)?;
    participants::add(tx, key, &chat.id, stamp)?;
    announce(tx, key, EventKind::ConversationCreated)?;
    Ok(key)
}

/// Whether another system controls the chat, so that nothing may be sent.
pub(in crate::store) fn is_standby(connection: &Connection, conversation: i64) -> Result<bool> {
    const SQL: &str = "SELECT standby FROM conversations WHERE key = ?1";
    query::value(connection, SQL, [conversation])
}

/// Saves LINE's one-time tokens: the newest for a free reply, and the newest for marking as read.
pub(in crate::store) fn keep_tokens(
    tx: &Transaction<'_>,
    conversation: i64,
    event: &InboundEvent,
    at: Timestamp,
) -> Result<()> {
    const SQL_REPLY: &str = "
        UPDATE conversations SET reply_token = ?2, reply_token_at = ?3
        WHERE key = ?1";
    const SQL_READ: &str = "
        UPDATE conversations SET read_token = ?2, read_token_at = ?3
        WHERE key = ?1 AND read_token_at <= ?3";
    if let (Some(token), false) = (&event.reply_token, event.standby) {
        query::execute(tx, SQL_REPLY, (conversation, token, tx.now()))?;
    }
    if let Some(token) = &event.read_token {
        query::execute(tx, SQL_READ, (conversation, token, at))?;
    }
    Ok(())
}

/// LINE's token for marking a customer's conversation as read; `None` until a message has brought one.
pub fn read_token(
    connection: &Connection,
    customer: CustomerId,
    id: ConversationId,
) -> Result<Option<Secret>> {
    const SQL: &str = "SELECT read_token FROM conversations WHERE key = ?1";
    let key = keys::conversation(connection, customer, id)?;
    query::value(connection, SQL, [key])
}

/// Takes the token for a free reply and removes it, if LINE still accepts it and the account prefers replies.
pub(in crate::store) fn take_reply_token(tx: &Transaction<'_>, conversation: i64) -> Result<Option<Secret>> {
    const SQL: &str = "
        SELECT reply_token
        FROM conversations v JOIN accounts a ON a.key = v.account
        WHERE v.key = ?1 AND reply_token IS NOT NULL AND reply_token_at BETWEEN ?2 AND ?3
            AND delivery_mode = 'prefer_reply'";
    const SQL_TAKE: &str =
        "UPDATE conversations SET reply_token = NULL, reply_token_at = NULL WHERE key = ?1";
    let values = (conversation, tx.now().before(Policy::REPLY_TOKEN_AGE_MAX), tx.now());
    let token = query::optional_value(tx, SQL, values)?;
    if token.is_some() {
        query::execute(tx, SQL_TAKE, [conversation])?;
    }
    Ok(token)
}

/// Updates from an event whether the chat can be reached (`None`: the event does not say) and whether another system has
/// control of it. Events may arrive out of order: one older than the last that set a state does not change it.
pub(in crate::store) fn note_state(
    tx: &Transaction<'_>,
    conversation: i64,
    (reach, standby): (Option<Reachability>, bool),
    at: Timestamp,
) -> Result<()> {
    const SQL: &str = "
        UPDATE conversations SET
            standby = iif(standby_at <= ?4, ?3, standby),
            standby_at = max(standby_at, ?4),
            reach = iif(?2 IS NOT NULL AND reach_at <= ?4, ?2, reach),
            reach_at = iif(?2 IS NOT NULL, max(reach_at, ?4), reach_at)
        WHERE key = ?1";
    query::execute(tx, SQL, (conversation, reach, standby, at))?;
    Ok(())
}

/// Must follow every change of what a conversation shows: updates its time, and announces the change to the customer.
pub(in crate::store) fn touch(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET tm_update = ?2 WHERE key = ?1";
    query::execute(tx, SQL, (conversation, tx.now()))?;
    announce(tx, conversation, EventKind::ConversationUpdated)
}

fn announce(tx: &Transaction<'_>, conversation: i64, kind: EventKind) -> Result<()> {
    const SQL: &str = read!(
        "conversations v JOIN accounts a ON a.key = v.account
        WHERE v.key = ?1"
    );
    let read = |row: &Row<'_>| Ok((row.get("customer")?, from_row(row)?));
    let found = query::readable_row(tx, SQL, [conversation], "conversations", read)?;
    let Some((customer, found)) = found else { return Ok(()) };
    let shown = with_participants(tx, found)?;
    let subject = EventSubject { customer, conversation, message: None };
    deliveries::announce(tx, &subject, kind, &ConversationView::from(&shown))
}

fn with_participants(connection: &Connection, found: (i64, Conversation)) -> Result<Conversation> {
    let (key, conversation) = found;
    Ok(Conversation { participants: participants::listed(connection, key)?, ..conversation })
}

fn from_row(row: &Row<'_>) -> Read<(i64, Conversation)> {
    let conversation = Conversation {
        id: row.get("id")?,
        // A conversation is shown even if its account cannot be identified.
        account: get_or(row, "account", AccountId::from_bytes([0; 16]))?,
        name: text(row, "name")?,
        detail: text(row, "detail")?,
        chat: Chat {
            kind: get_or(row, "chat_kind", ChatKind::User)?,
            id: LineId::stored(text(row, "chat_id")?),
        },
        reach: get_or(row, "reach", Reachability::Open)?,
        standby: get_or(row, "standby", false)?,
        participants: Vec::new(),
        participant_count: 1 + get_or(row, "participant_count", 0_u32)?,
        tm_create: row.get("tm_create")?,
        tm_update: row.get("tm_update")?,
    };
    Ok((row.get("key")?, conversation))
}
