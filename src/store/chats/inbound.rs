//! Receives LINE's webhooks: each event is stored once in the journal and applied once to its conversation.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::chats::conversation::Reachability;
use crate::model::chats::inbound::{InboundChange, InboundEvent};
use crate::model::id::AccountId;
use crate::model::timestamp::Timestamp;
use crate::store::chats::{conversations, lookups, members, participants, received, reconnection};
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::keys;

/// Result of receiving a webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InboundBatch {
    /// Events that are new.
    pub stored: usize,
    /// Events that had been stored before.
    pub duplicates: usize,
    /// Events that were stored but not understood or not applied.
    pub unread: usize,
}

/// Stores each new event of a webhook. A malformed event is stored as it came and does not affect the others. The profile of
/// an event's sender is looked up again if the last lookup is older than `profile_ttl`. `destination` is the bot that the
/// webhook is addressed to.
///
/// `Unavailable` when the storage fails: then nothing of the webhook is stored, and LINE may redeliver it.
pub fn receive(
    tx: &Transaction<'_>,
    account: AccountId,
    (destination, events): (&str, &[InboundEvent]),
    profile_ttl: Duration,
) -> Result<InboundBatch> {
    reconnection::note_destination(tx, account, destination)?;
    let account = keys::account(tx, account)?;
    let mut received = InboundBatch::default();
    for event in in_order(events, tx.now()) {
        if !journal(tx, account, event)? {
            received.duplicates += 1;
            continue;
        }
        received.stored += 1;
        if !apply_or_journal(tx, account, event)? {
            received.unread += 1;
        }
        participants::refresh(tx, account, event, profile_ttl)?;
    }
    Ok(received)
}

/// Sorts the events of a webhook by time, since LINE may mix up their order. An event without a time stays behind the one
/// before it.
fn in_order(events: &[InboundEvent], now: Timestamp) -> Vec<&InboundEvent> {
    let mut before = None;
    let mut timed: Vec<(Option<Timestamp>, &InboundEvent)> = Vec::with_capacity(events.len());
    for event in events {
        before = event.occurred(now).or(before);
        timed.push((before, event));
    }
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, event)| event).collect()
}

/// Writes an event to the journal. Returns whether it is new.
fn journal(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<bool> {
    const SQL: &str = "
        INSERT INTO webhook_events (account, event_id, kind, result, line_message_id, occurred_at, received_at, body,
            checksum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, checksum(?2, ?7, ?8))
        ON CONFLICT (account, event_id) DO NOTHING";
    let InboundEvent { id, kind, message_id, change, body, .. } = event;
    let result = if *change == InboundChange::Unread { "unread" } else { "applied" };
    let values = (account, id, kind, result, message_id, event.occurred(tx.now()), tx.now(), body);
    Ok(query::execute(tx, SQL, values)? > 0)
}

/// Applies an event, or notes in the journal why it could not be applied. Returns whether it was understood and applied.
fn apply_or_journal(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<bool> {
    const SQL: &str =
        "UPDATE webhook_events SET result = 'failed', error = ?3 WHERE account = ?1 AND event_id = ?2";
    match tx.attempt(|tx| apply(tx, account, event)) {
        Ok(()) => Ok(event.change != InboundChange::Unread),
        Err(Error::Unavailable(message)) => Err(Error::Unavailable(message)),
        Err(error) => {
            log::error!("webhook: an event of kind {:?} was kept unread: {}", event.kind, error.chain());
            query::execute(tx, SQL, (account, &event.id, error.chain()))?;
            Ok(false)
        }
    }
}

/// Applies an event to its conversation.
pub(in crate::store) fn apply(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<()> {
    let Some(chat) = &event.chat else { return Ok(()) };
    let conversation = conversations::begin(tx, account, chat)?;
    let at = event.at(tx.now());
    conversations::note_state(tx, conversation, (reach(event), event.standby), at)?;
    if let Some(speaker) = &event.speaker {
        members::join(tx, conversation, std::slice::from_ref(speaker), at)?;
    }
    conversations::keep_tokens(tx, conversation, event, at)?;
    received::forget_if_unsent(tx, account, event)?;
    match &event.change {
        InboundChange::Received(message) => received::store(tx, (account, conversation), event, message),
        InboundChange::Edited(message) => received::edit(tx, (account, conversation), event, message),
        InboundChange::Unsend => received::unsend(tx, (account, conversation), event),
        InboundChange::Follow => lookups::enqueue(tx, conversation, &chat.id),
        InboundChange::MembersJoined(members) => {
            members::join(tx, conversation, members, at)?;
            lookups::enqueue(tx, conversation, &chat.id)
        }
        InboundChange::MembersLeft(members) => {
            members::part(tx, conversation, members, at)?;
            lookups::enqueue(tx, conversation, &chat.id)
        }
        InboundChange::Unfollow
        | InboundChange::Join
        | InboundChange::Leave
        | InboundChange::Noted
        | InboundChange::Unread => Ok(()),
    }
}

/// What an event says about whether the chat can be reached. Someone who writes to us can be written to, whatever events were
/// lost before.
fn reach(event: &InboundEvent) -> Option<Reachability> {
    match event.change {
        InboundChange::Follow
        | InboundChange::Join
        | InboundChange::Received(_)
        | InboundChange::Edited(_) => Some(Reachability::Open),
        InboundChange::Unfollow => Some(Reachability::Blocked),
        InboundChange::Leave => Some(Reachability::Left),
        _ => None,
    }
}
