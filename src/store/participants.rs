//! Who takes part in a conversation: their names and pictures, and when LINE is asked for them again.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::chat::LineId;
use crate::model::conversation::{Participant, Profile, TARGET_NAME_UNKNOWN};
use crate::model::inbound::InboundEvent;
use crate::model::media::MediaStatus;
use crate::store::transaction::Transaction;
use crate::store::{conversations, lookups, medias};

/// Everybody who takes part in a conversation, in their order.
pub(super) fn of(connection: &Connection, conversation: i64) -> Result<Vec<Participant>> {
    const SQL: &str = "
        SELECT target, target_name, m.id AS picture
        FROM participants p LEFT JOIN medias m ON m.key = p.picture AND m.status = 'stored'
        WHERE p.conversation = ?1
        ORDER BY position";
    let mut statement = connection.prepare_cached(SQL)?;
    let participants = statement.query_map([conversation], |row| {
        let (target, target_name) = (row.get("target")?, row.get("target_name")?);
        Ok(Participant { target, target_name, picture: row.get("picture")? })
    })?;
    Ok(participants.collect::<rusqlite::Result<_>>()?)
}

/// Somebody takes part, and their name will be asked for unless LINE gives none.
pub(super) fn join(tx: &Transaction<'_>, conversation: i64, target: &LineId, named: bool) -> Result<()> {
    const SQL: &str = "
        INSERT INTO participants (conversation, position, target, target_name)
        SELECT ?1, 1 + coalesce(max(position), 0), ?2, ?3
        FROM participants
        WHERE conversation = ?1
        ON CONFLICT (conversation, target) DO NOTHING";
    let added = tx.prepare_cached(SQL)?.execute((conversation, target, TARGET_NAME_UNKNOWN))?;
    if added > 0 && named {
        lookups::enqueue(tx, conversation, target)?;
    }
    Ok(())
}

/// Somebody takes part no longer. What they said keeps their id.
pub(super) fn part(tx: &Transaction<'_>, conversation: i64, target: &LineId) -> Result<()> {
    const SQL: &str = "
        DELETE FROM participants
        WHERE conversation = ?1 AND target = ?2 AND position > 1
        RETURNING picture";
    lookups::cancel(tx, conversation, target)?;
    let parted = tx.prepare_cached(SQL)?.query_row((conversation, target), |row| row.get(0)).optional()?;
    let Some(picture) = parted else { return Ok(()) };
    if let Some(picture) = picture {
        medias::discard(tx, picture)?;
    }
    conversations::touch(tx, conversation)
}

/// Something happened: LINE is asked again for name and picture of the chat and the speaker if it last was so long ago, or
/// later than now, which can only come from a clock that was ahead.
pub(super) fn refresh(
    tx: &Transaction<'_>,
    account: i64,
    event: &InboundEvent,
    after: Duration,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO lookups (conversation, target, due_at)
        SELECT p.conversation, p.target, ?4
        FROM conversations v JOIN participants p ON p.conversation = v.key
        WHERE v.account = ?1 AND v.chat_id = ?2 AND p.target IN (?2, ?3) AND named_at NOT BETWEEN ?5 AND ?4
        ON CONFLICT (conversation, target) DO NOTHING";
    let Some(chat) = &event.chat else { return Ok(()) };
    let fresh_since = tx.now().before(after).next();
    tx.prepare_cached(SQL)?.execute((account, &chat.id, &event.speaker, tx.now(), fresh_since))?;
    Ok(())
}

/// LINE told the name and the picture of somebody who takes part; nothing when it refused to.
pub(super) fn describe(
    tx: &Transaction<'_>,
    conversation: i64,
    target: &LineId,
    profile: Option<&Profile>,
) -> Result<()> {
    const SQL: &str = "UPDATE participants SET named_at = ?3 WHERE conversation = ?1 AND target = ?2";
    const SQL_NAME: &str = "
        UPDATE participants SET target_name = ?3
        WHERE conversation = ?1 AND target = ?2 AND target_name <> ?3";
    let found = tx.prepare_cached(SQL)?.execute((conversation, target, tx.now()))?;
    let Some(profile) = profile.filter(|_| found > 0) else { return Ok(()) };
    let renamed = tx.prepare_cached(SQL_NAME)?.execute((conversation, target, &profile.name))?;
    let lost_picture = set_picture(tx, conversation, target, profile.picture_url.as_deref())?;
    if renamed > 0 || lost_picture { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// Another address is another picture: the old one goes, and the new one is shown once it is here. Says whether one was
/// shown that is shown no longer.
fn set_picture(tx: &Transaction<'_>, conversation: i64, target: &LineId, url: Option<&str>) -> Result<bool> {
    const SQL_KNOWN: &str = "
        SELECT m.key, source_url, status
        FROM participants p JOIN medias m ON m.key = p.picture
        WHERE p.conversation = ?1 AND p.target = ?2";
    const SQL: &str = "UPDATE participants SET picture = ?3 WHERE conversation = ?1 AND target = ?2";
    let mut statement = tx.prepare_cached(SQL_KNOWN)?;
    let known =
        statement.query_row((conversation, target), |row| <(i64, String, MediaStatus)>::try_from(row));
    let known = known.optional()?;
    if known.as_ref().map(|(_, url, _)| url.as_str()) == url {
        return Ok(false);
    }
    let picture = url.map(|url| medias::expect_picture(tx, conversation, url)).transpose()?;
    tx.prepare_cached(SQL)?.execute((conversation, target, picture))?;
    let Some((known, _, status)) = known else { return Ok(false) };
    medias::discard(tx, known)?;
    Ok(status == MediaStatus::Stored)
}
