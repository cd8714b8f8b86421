//! Received messages: stored, edited and unsent, with the same result in whatever order the events arrive.

use crate::error::{Error, Result};
use crate::model::chats::inbound::{InboundEvent, ReceivedMessage};
use crate::model::chats::message::Status;
use crate::model::id::MessageId;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::store::chats::{messages, quotes};
use crate::store::engine::query::{self, Connection, params};
use crate::store::engine::transaction::Transaction;
use crate::store::events;
use crate::store::files::medias;

/// Stores a received message, unless an event that overtook this one has already stored or unsent it.
pub(in crate::store) fn store(
    tx: &Transaction<'_>,
    (account, conversation): (i64, i64),
    event: &InboundEvent,
    message: &ReceivedMessage,
) -> Result<()> {
    if was_unsent(tx, account, event)? {
        insert(tx, conversation, event, &ReceivedMessage::default())?;
        return unsend(tx, (account, conversation), event);
    }
    let Some(stamp) = insert(tx, conversation, event, message)? else { return Ok(()) };
    medias::expect(tx, (conversation, stamp), event.message_id.as_deref(), message)
}

/// Applies an edit if it is the newest. An edit that overtakes its message stores it as edited.
pub(in crate::store) fn edit(
    tx: &Transaction<'_>,
    (account, conversation): (i64, i64),
    event: &InboundEvent,
    message: &ReceivedMessage,
) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET text = ?3, edited_at = ?4, mentions = ?5
        WHERE conversation = ?1 AND line_id = ?2 AND tm_delete IS NULL AND (edited_at IS NULL OR edited_at < ?4)
        RETURNING tm_create";
    store(tx, (account, conversation), event, message)?;
    let at = event.at(tx.now());
    let mentions = serde_json::to_string(&message.mentions).map_err(Error::internal)?;
    let values = (conversation, &event.message_id, &message.text, at, mentions);
    let stamp = query::optional_value(tx, SQL, values)?;
    stamp.map_or(Ok(()), |stamp| messages::touch(tx, (conversation, stamp)))
}

/// Removes the content of an unsent message: text, media, what earlier events show of it, and LINE's copies in the journal.
pub(in crate::store) fn unsend(
    tx: &Transaction<'_>,
    (account, conversation): (i64, i64),
    event: &InboundEvent,
) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET text = '', medias = '[]', mentions = '[]', quoted_line_id = NULL, tm_delete = ?3
        WHERE conversation = ?1 AND line_id = ?2 AND tm_delete IS NULL
        RETURNING tm_create";
    let values = (conversation, &event.message_id, tx.now());
    let stamp: Option<Timestamp> = query::optional_value(tx, SQL, values)?;
    forget_bodies(tx, account, event)?;
    tx.note_erasure();
    let Some(stamp) = stamp else { return Ok(()) };
    medias::unsend(tx, (conversation, stamp))?;
    messages::touch(tx, (conversation, stamp))?;
    events::overwrite(tx, conversation, Some(stamp))
}

/// Empties a late event of any kind if its message was unsent.
pub(in crate::store) fn forget_if_unsent(
    tx: &Transaction<'_>,
    account: i64,
    event: &InboundEvent,
) -> Result<()> {
    if event.message_id.is_some() && was_unsent(tx, account, event)? {
        forget_bodies(tx, account, event)?;
    }
    Ok(())
}

fn forget_bodies(tx: &Transaction<'_>, account: i64, event: &InboundEvent) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_events SET body = NULL
        WHERE account = ?1 AND line_message_id = ?2 AND kind <> 'unsend'";
    query::execute(tx, SQL, (account, &event.message_id))?;
    Ok(())
}

/// Inserts a message and returns its stamp; `None` if there is already one with its LINE id. If that one comes from an edit
/// that overtook the message, it takes the time of the message.
fn insert(
    tx: &Transaction<'_>,
    conversation: i64,
    event: &InboundEvent,
    message: &ReceivedMessage,
) -> Result<Option<Timestamp>> {
    const SQL: &str = "
        INSERT INTO messages (conversation, tm_create, id, status, source_target, text, medias, line_id, occurred_at,
            quote_token, quoted_line_id, mentions, tm_update, checksum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?2, checksum2(
            ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, ?10, ?11, ?12, NULL, NULL, NULL, ?2, NULL))
        ON CONFLICT (conversation, line_id) WHERE line_id IS NOT NULL DO UPDATE SET
            occurred_at = excluded.occurred_at, quote_token = coalesce(excluded.quote_token, quote_token)
            WHERE excluded.occurred_at < occurred_at
        RETURNING tm_create";
    let speaker = event.speaker.as_ref().map_or("", |speaker| speaker.as_str());
    let medias = serde_json::to_string(&message.medias).map_err(Error::internal)?;
    let mentions = serde_json::to_string(&message.mentions).map_err(Error::internal)?;
    let stamp = tx.stamp()?;
    let values = params![
        conversation,
        stamp,
        MessageId::new(tx.now()),
        Status::Received,
        speaker,
        message.text,
        medias,
        event.message_id,
        event.occurred(tx.now()),
        message.quote_token,
        message.quoted,
        mentions,
    ];
    let stored: Option<Timestamp> = query::optional_value(tx, SQL, values)?;
    match stored {
        Some(stored) if stored == stamp => announce(tx, (conversation, stamp)).map(Some),
        Some(overtaken) => messages::touch(tx, (conversation, overtaken)).map(|()| None),
        None => Ok(None),
    }
}

/// Announces a new message, and the messages quoting it that overtook it.
fn announce(tx: &Transaction<'_>, (conversation, stamp): (i64, Timestamp)) -> Result<Timestamp> {
    messages::announce(tx, (conversation, stamp), EventKind::MessageCreated)?;
    quotes::touch(tx, conversation, &quotes::quoting(tx, (conversation, stamp))?)?;
    Ok(stamp)
}

/// Whether the message of this event was unsent by an event that overtook it.
fn was_unsent(connection: &Connection, account: i64, event: &InboundEvent) -> Result<bool> {
    const SQL: &str = "
        SELECT 1
        FROM webhook_events
        WHERE account = ?1 AND line_message_id = ?2 AND kind = 'unsend'";
    Ok(query::optional_value::<i64>(connection, SQL, (account, &event.message_id))?.is_some())
}
