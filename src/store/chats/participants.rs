//! Who takes part in a conversation: their names and pictures, and when LINE is asked for them again.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::error::Result;
use crate::model::chats::chat::LineId;
use crate::model::chats::conversation::{MEMBERS_LISTED_MAX, Participant, TARGET_NAME_UNKNOWN};
use crate::model::chats::inbound::InboundEvent;
use crate::model::files::media::MediaStatus;
use crate::model::id::{ConversationId, CustomerId};
use crate::model::page::ParticipantPage;
use crate::model::timestamp::Timestamp;
use crate::store::chats::lookups;
use crate::store::engine::damage::{get_or, sound, text};
use crate::store::engine::transaction::Transaction;
use crate::store::files::medias;
use crate::store::keys;

/// The other side and the first members are listed with their conversation.
const LISTED_MAX: u32 = 1 + MEMBERS_LISTED_MAX;

/// Those who are listed with their conversation, in their order.
pub(in crate::store) fn listed(connection: &Connection, conversation: i64) -> Result<Vec<Participant>> {
    let listed = behind(connection, conversation, 0, LISTED_MAX)?;
    Ok(listed.into_iter().map(|(_, participant)| participant).collect())
}

/// A page of those who take part, each with its place, which it keeps for good. The account itself has no row, and takes
/// the first place of the first page. A short, indexed read.
pub fn page(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    page: ParticipantPage,
) -> Result<Vec<(u32, Participant)>> {
    let conversation = keys::conversation(connection, customer, conversation)?;
    let size = page.size - u32::from(page.after.is_none());
    behind(connection, conversation, page.after.unwrap_or(0), size)
}

fn behind(
    connection: &Connection,
    conversation: i64,
    place: u32,
    limit: u32,
) -> Result<Vec<(u32, Participant)>> {
    const SQL: &str = "
        SELECT position, target, target_name, m.id AS picture
        FROM participants p LEFT JOIN medias m ON m.key = p.picture AND m.status = 'stored'
        WHERE p.conversation = ?1 AND present = 1 AND position > ?2
        ORDER BY position
        LIMIT ?3";
    let mut statement = connection.prepare_cached(SQL)?;
    let participants = statement.query_map((conversation, place, limit), |row| {
        let (target, target_name) = (LineId::stored(text(row, "target")?), text(row, "target_name")?);
        let participant = Participant { target, target_name, picture: get_or(row, "picture", None)? };
        Ok((row.get("position")?, participant))
    })?;
    Ok(sound(participants, "participants").collect::<rusqlite::Result<_>>()?)
}

/// Those who have left are passed over unread, however many they are.
const SQL_IS_LISTED: &str = "
    SELECT position <= coalesce((
        SELECT l.position
        FROM participants l INDEXED BY participants_present
        WHERE l.conversation = ?1 AND l.present = 1
        ORDER BY l.position
        LIMIT 1 OFFSET ?3
    ), position)
    FROM participants
    WHERE conversation = ?1 AND target = ?2 AND present = 1";

/// Whether somebody who is there is listed with the conversation, so that the customer is told of a change. The others
/// are only counted: each would have the same hundred members written down once more.
pub(in crate::store) fn is_listed(
    connection: &Connection,
    conversation: i64,
    target: &LineId,
) -> Result<bool> {
    let values = (conversation, target, LISTED_MAX - 1);
    let found = connection.prepare_cached(SQL_IS_LISTED)?.query_row(values, |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(false))
}

/// Notes that somebody took part at this time of LINE's, and says whether that is new. LINE will be asked about them.
pub(in crate::store) fn add(
    tx: &Transaction<'_>,
    conversation: i64,
    target: &LineId,
    at: Timestamp,
) -> Result<bool> {
    const SQL: &str = "
        INSERT INTO participants (conversation, position, target, target_name, present, present_at)
        SELECT ?1, 1 + coalesce(max(position), 0), ?2, ?3, 1, ?4
        FROM participants
        WHERE conversation = ?1";
    const SQL_SEEN: &str = "
        UPDATE participants SET present = 1, present_at = ?3 WHERE conversation = ?1 AND target = ?2";
    let is_new = match find(tx, conversation, target)? {
        None => {
            tx.prepare_cached(SQL)?.execute((conversation, target, TARGET_NAME_UNKNOWN, at))?;
            true
        }
        Some(known) if known.is_the_chat || known.present_at > at => false,
        Some(known) => {
            tx.prepare_cached(SQL_SEEN)?.execute((conversation, target, at))?;
            !known.present
        }
    };
    if is_new {
        count_participants(tx, conversation, 1)?;
        lookups::enqueue(tx, conversation, target)?;
    }
    Ok(is_new)
}

/// Notes that somebody left at this time of LINE's, and says whether they were listed until now. Their place is kept
/// without picture, because LINE may tell what they did before only after that, and with their name, which what they said
/// shows.
pub(in crate::store) fn remove(
    tx: &Transaction<'_>,
    conversation: i64,
    target: &LineId,
    at: Timestamp,
) -> Result<bool> {
    const SQL: &str = "
        UPDATE participants SET present = 0, present_at = ?3, named_at = NULL, picture = NULL
        WHERE conversation = ?1 AND target = ?2";
    let (was_present, was_listed, picture) = match find(tx, conversation, target)? {
        Some(known) if known.is_the_chat || known.present_at > at => return Ok(false),
        Some(known) => (known.present, is_listed(tx, conversation, target)?, known.picture),
        None => (add(tx, conversation, target, at)?, false, None),
    };
    if was_present {
        count_participants(tx, conversation, -1)?;
    }
    lookups::cancel(tx, conversation, target)?;
    tx.prepare_cached(SQL)?.execute((conversation, target, at))?;
    if let Some(picture) = picture {
        medias::discard(tx, picture)?;
    }
    Ok(was_listed)
}

/// What is known of somebody who takes part, or did.
struct KnownParticipant {
    /// The user, group or room that the chat is with, who is always there.
    is_the_chat: bool,
    present: bool,
    present_at: Timestamp,
    picture: Option<i64>,
}

fn find(tx: &Transaction<'_>, conversation: i64, target: &LineId) -> Result<Option<KnownParticipant>> {
    const SQL: &str = "
        SELECT position = 1 AS is_the_chat, present, present_at, picture
        FROM participants
        WHERE conversation = ?1 AND target = ?2";
    let mut statement = tx.prepare_cached(SQL)?;
    let known = statement.query_row((conversation, target), |row| {
        let (is_the_chat, present) = (row.get("is_the_chat")?, row.get("present")?);
        Ok(KnownParticipant {
            is_the_chat,
            present,
            present_at: row.get("present_at")?,
            picture: row.get("picture")?,
        })
    });
    Ok(known.optional()?)
}

/// LINE told how many people a group or room has.
pub(in crate::store) fn count_members(tx: &Transaction<'_>, conversation: i64, count: u32) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET member_count = ?2 WHERE key = ?1";
    tx.prepare_cached(SQL)?.execute((conversation, count))?;
    Ok(())
}

/// Somebody came (1) or left (-1).
pub(in crate::store) fn count_participants(
    tx: &Transaction<'_>,
    conversation: i64,
    change: i64,
) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET participant_count = participant_count + ?2 WHERE key = ?1";
    tx.prepare_cached(SQL)?.execute((conversation, change))?;
    Ok(())
}

/// Operations run in another order than that in which they read the clock: a name may have come a moment later than now.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// Runs with every event, so it looks at one participant, however many the chat has.
const SQL_REFRESH: &str = "
    INSERT INTO lookups (conversation, target, due_at)
    SELECT p.conversation, p.target, ?4
    FROM conversations v JOIN participants p ON p.conversation = v.key
    WHERE v.account = ?1 AND v.chat_id = ?2 AND p.target = ?3 AND named_at NOT BETWEEN ?5 AND ?6
    ON CONFLICT (conversation, target) DO NOTHING";

/// Something happened: LINE is asked again for name and picture of the chat and the speaker if it last was so long ago, or
/// later than [`CLOCK_SKEW`] from now, which can only come from a clock that was ahead.
pub(in crate::store) fn refresh(
    tx: &Transaction<'_>,
    account: i64,
    event: &InboundEvent,
    after: Duration,
) -> Result<()> {
    let Some(chat) = &event.chat else { return Ok(()) };
    let now = tx.now();
    let fresh_since = now.before(after).next();
    // One after the other: with `IN` SQLite reads all participants of the chat.
    let mut statement = tx.prepare_cached(SQL_REFRESH)?;
    for target in std::iter::once(&chat.id).chain(&event.speaker) {
        statement.execute((account, &chat.id, target, now, fresh_since, now.after(CLOCK_SKEW)))?;
    }
    Ok(())
}

/// Another address is another picture: the old one goes, and the new one is shown once it is here. One that could not be
/// fetched is tried again. Says whether one was shown that is shown no longer.
pub(in crate::store) fn set_picture(
    tx: &Transaction<'_>,
    conversation: i64,
    target: &LineId,
    url: Option<&str>,
) -> Result<bool> {
    const SQL_KNOWN: &str = "
        SELECT m.key, source_url, status
        FROM participants p JOIN medias m ON m.key = p.picture
        WHERE p.conversation = ?1 AND p.target = ?2";
    const SQL: &str = "UPDATE participants SET picture = ?3 WHERE conversation = ?1 AND target = ?2";
    let mut statement = tx.prepare_cached(SQL_KNOWN)?;
    let known = statement.query_row((conversation, target), |row| {
        Ok((row.get("key")?, text(row, "source_url")?, get_or(row, "status", MediaStatus::Gone)?))
    });
    let known = known.optional()?;
    let is_good = |(_, _, status): &&(i64, String, MediaStatus)| *status != MediaStatus::Gone;
    if known.as_ref().filter(is_good).map(|(_, url, _)| url.as_str()) == url {
        return Ok(false);
    }
    let picture = url.map(|url| medias::expect_picture(tx, conversation, url)).transpose()?;
    tx.prepare_cached(SQL)?.execute((conversation, target, picture))?;
    let Some((known, _, status)) = known else { return Ok(false) };
    medias::discard(tx, known)?;
    Ok(status == MediaStatus::Stored)
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value;

    use super::*;

    /// How SQLite finds the rows of this statement.
    fn plan(sql: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../../schema.sql")).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let values = rusqlite::params_from_iter(vec![Value::Null; statement.parameter_count()]);
        let lines: Vec<String> =
            statement.query_map(values, |row| row.get("detail")).unwrap().map(Result::unwrap).collect();
        lines.join("\n")
    }

    #[test]
    fn an_event_looks_at_those_whom_it_names_and_not_at_the_whole_group() {
        let refresh = plan(SQL_REFRESH);
        assert!(refresh.contains("(conversation=? AND target=?)"), "{refresh}");
        let is_listed = plan(SQL_IS_LISTED);
        assert!(is_listed.contains("participants_present (conversation=?)"), "{is_listed}");
        assert!(is_listed.contains("(conversation=? AND target=?)"), "{is_listed}");
    }
}
