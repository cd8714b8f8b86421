//! Taking in what LINE sends: each event once, in the journal and in its conversation.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Result};
use crate::model::conversation::Reach;
use crate::model::id::{AccountId, MessageId};
use crate::model::inbound::{Change, InboundEvent};
use crate::model::message::Status;
use crate::store::transaction::Transaction;
use crate::store::{accounts, conversations, lookups};

/// What became of a webhook's events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Received {
    /// Events that were stored.
    pub stored: usize,
    /// Events that had been stored before.
    pub duplicates: usize,
    /// Events that were stored without being understood or applied.
    pub unread: usize,
}

/// Stores each event of a webhook that was not stored before. An odd event is kept as it came and costs no other.
///
/// `Unavailable` when the storage fails: then nothing of the webhook is stored, and LINE may send it again.
pub fn receive(tx: &Transaction<'_>, account: AccountId, events: &[InboundEvent]) -> Result<Received> {
    let account = accounts::key(tx, account)?;
    let mut received = Received::default();
    for event in events {
        if !journal(tx, account, event)? {
            received.duplicates += 1;
            continue;
        }
        received.stored += 1;
        if !apply_or_keep(tx, account, event)? {
            received.unread += 1;
        }
    }
    Ok(received)
}

/// Writes an event down, and says whether it is new.
fn journal(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<bool> {
    const SQL: &str = "
        INSERT INTO webhook_events (account, event_id, kind, result, line_message_id, occurred_at, received_at, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (account, event_id) DO NOTHING";
    let InboundEvent { id, kind, occurred_at, message_id, change, body, .. } = event;
    let result = if *change == Change::Unread { "unread" } else { "applied" };
    let values = (account, id, kind, result, message_id, occurred_at, tx.now(), body);
    Ok(tx.prepare_cached(SQL)?.execute(values)? > 0)
}

/// Applies an event; one that cannot be applied stays in the journal with the reason. Says whether it was understood.
fn apply_or_keep(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<bool> {
    const SQL: &str =
        "UPDATE webhook_events SET result = 'failed', error = ?3 WHERE account = ?1 AND event_id = ?2";
    match tx.attempt(|tx| apply(tx, account, event)) {
        Ok(()) => Ok(event.change != Change::Unread),
        Err(Error::Unavailable(message)) => Err(Error::Unavailable(message)),
        Err(error) => {
            log::error!("webhook: an event of kind {:?} was kept unread: {}", event.kind, error.chain());
            tx.prepare_cached(SQL)?.execute((account, &event.id, error.chain()))?;
            Ok(false)
        }
    }
}

fn apply(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<()> {
    let Some(chat) = &event.chat else { return Ok(()) };
    let conversation = conversations::begin(tx, account, chat)?;
    let at = event.occurred_at.unwrap_or(tx.now());
    conversations::note_state(tx, conversation, (reach(event), event.standby), at)?;
    if let Some(speaker) = &event.speaker {
        conversations::join(tx, conversation, speaker, true)?;
    }
    match &event.change {
        Change::Text(text) => store_text(tx, (account, conversation), event, text),
        Change::Unsend => withdraw(tx, (account, conversation), event),
        Change::Follow => lookups::enqueue(tx, conversation, &chat.id),
        Change::Unfollow | Change::Join | Change::Leave | Change::Unread => Ok(()),
    }
}

/// What an event tells about whether the chat can be reached. Whoever writes to us can be written to, whatever events
/// were lost before.
fn reach(event: &InboundEvent) -> Option<Reach> {
    match event.change {
        Change::Follow | Change::Join => Some(Reach::Open),
        Change::Unfollow => Some(Reach::Blocked),
        Change::Leave => Some(Reach::Left),
        _ if event.kind == "message" || event.kind == "postback" => Some(Reach::Open),
        _ => None,
    }
}

/// Stores a text that somebody wrote, unless its withdrawal came before it.
fn store_text(
    tx: &Transaction<'_>,
    (account, conversation): (i64, i64),
    event: &InboundEvent,
    text: &str,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO messages
            (conversation, tm_create, id, status, source_target, text, line_id, occurred_at, tm_update, tm_delete)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?2, ?9)
        ON CONFLICT (conversation, line_id) WHERE line_id IS NOT NULL DO NOTHING";
    let withdrawn = withdrawn(tx, account, event)?;
    let text = if withdrawn { "" } else { text };
    let speaker = event.speaker.as_ref().map_or("", |speaker| speaker.as_str());
    let deleted = withdrawn.then_some(tx.now());
    let id = MessageId::new(tx.now());
    let InboundEvent { message_id, occurred_at, .. } = event;
    let values =
        (conversation, tx.stamp(), id, Status::Received, speaker, text, message_id, occurred_at, deleted);
    tx.prepare_cached(SQL)?.execute(values)?;
    if withdrawn {
        forget_body(tx, account, event)?;
    }
    Ok(())
}

/// Removes what somebody withdrew: the text of the message and LINE's copy of it in the journal.
fn withdraw(tx: &Transaction<'_>, (account, conversation): (i64, i64), event: &InboundEvent) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET text = '', medias = '[]', tm_update = ?3, tm_delete = ?3
        WHERE conversation = ?1 AND line_id = ?2 AND tm_delete IS NULL";
    tx.prepare_cached(SQL)?.execute((conversation, &event.message_id, tx.now()))?;
    forget_body(tx, account, event)
}

fn forget_body(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_events SET body = NULL
        WHERE account = ?1 AND line_message_id = ?2 AND kind <> 'unsend'";
    tx.prepare_cached(SQL)?.execute((account, &event.message_id))?;
    Ok(())
}

/// Whether the message of this event was withdrawn by an event that overtook it.
fn withdrawn(connection: &Connection, account: i64, event: &InboundEvent) -> Result<bool> {
    const SQL: &str = "
        SELECT 1
        FROM webhook_events
        WHERE account = ?1 AND line_message_id = ?2 AND kind = 'unsend'";
    let found =
        connection.prepare_cached(SQL)?.query_row((account, &event.message_id), |_| Ok(())).optional()?;
    Ok(found.is_some())
}
