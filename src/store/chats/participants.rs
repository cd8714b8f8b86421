//! Participants of a conversation: their names and profile pictures, and when those are looked up again.

use std::collections::HashMap;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::chats::chat::LineId;
use crate::model::chats::conversation::{MEMBERS_LISTED_MAX, Participant, TARGET_NAME_UNKNOWN};
use crate::model::chats::inbound::InboundEvent;
use crate::model::files::media::MediaStatus;
use crate::model::id::{ConversationId, CustomerId};
use crate::model::page::ParticipantPage;
use crate::model::timestamp::Timestamp;
use crate::store::chats::lookups;
use crate::store::engine::damage::{get_or, text};
use crate::store::engine::query::{self, ALL, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::files::medias;
use crate::store::keys;

/// Number of participants listed with their conversation: the other side and the first members.
const LISTED_MAX: u32 = 1 + MEMBERS_LISTED_MAX;

/// The columns that [`from_row`] reads, of the participants `p` that the rest of the statement finds.
macro_rules! read {
    ($from:literal, $condition:literal) => {
        concat!(
            "SELECT p.conversation, position, target, target_name, m.id AS picture
            FROM ",
            $from,
            " LEFT JOIN medias m ON m.key = p.picture AND m.status = 'stored'
            WHERE ",
            $condition
        )
    };
}

/// The participants that these conversations list, up to the last one's position. `INDEXED BY` for the same reason as in
/// [`SQL_IS_LISTED`].
const SQL_LISTED_OF_ALL: &str = read!(
    "json_each(?1) k CROSS JOIN participants p ON p.conversation = k.value",
    "present = 1 AND position <= coalesce((
        SELECT l.position
        FROM participants l INDEXED BY participants_present
        WHERE l.conversation = k.value AND l.present = 1
        ORDER BY l.position
        LIMIT 1 OFFSET ?2
    ), 9223372036854775807)"
);

/// The participants that a conversation lists, in their order.
pub(in crate::store) fn listed(connection: &Connection, conversation: i64) -> Result<Vec<Participant>> {
    let listed = after(connection, conversation, 0, LISTED_MAX)?;
    Ok(listed.into_iter().map(|(_, participant)| participant).collect())
}

/// The participants that each of these conversations lists, in their order, in one statement.
pub(in crate::store) fn listed_of_all(
    connection: &Connection,
    conversations: &[i64],
) -> Result<HashMap<i64, Vec<Participant>>> {
    let keys = serde_json::to_string(conversations).map_err(Error::internal)?;
    let read = |row: &Row<'_>| Ok((row.get("conversation")?, from_row(row)?));
    let (values, table) = ((keys, LISTED_MAX - 1), ("participants", ALL));
    let mut rows = query::readable_rows(connection, SQL_LISTED_OF_ALL, values, table, read)?;
    // In the order of the index already, which the statement does not promise.
    rows.sort_by_key(|(conversation, (position, _))| (*conversation, *position));
    let mut listed: HashMap<i64, Vec<Participant>> = HashMap::with_capacity(conversations.len());
    for (conversation, (_, participant)) in rows {
        listed.entry(conversation).or_default().push(participant);
    }
    Ok(listed)
}

/// A page of the participants, each with its permanent position. The account itself has no row and takes the first place of
/// the first page. A short, indexed read.
pub fn page(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    page: ParticipantPage,
) -> Result<Vec<(u32, Participant)>> {
    let conversation = keys::conversation(connection, customer, conversation)?;
    let size = page.size - u32::from(page.after.is_none());
    after(connection, conversation, page.after.unwrap_or(0), size)
}

fn after(
    connection: &Connection,
    conversation: i64,
    position: u32,
    limit: u32,
) -> Result<Vec<(u32, Participant)>> {
    const SQL: &str = read!(
        "participants p",
        "p.conversation = ?1 AND present = 1 AND position > ?2
        ORDER BY position
        LIMIT ?3"
    );
    let values = (conversation, position, limit);
    query::readable_rows(connection, SQL, values, ("participants", ALL), from_row)
}

fn from_row(row: &Row<'_>) -> Read<(u32, Participant)> {
    let (target, target_name) = (LineId::stored(text(row, "target")?), text(row, "target_name")?);
    let participant = Participant { target, target_name, picture: get_or(row, "picture", None)? };
    Ok((row.get("position")?, participant))
}

/// The index skips members who have left without reading them, however many they are.
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

/// Whether a present participant is listed with the conversation, so that a change is announced to the customer. The others are
/// only counted: an event for each of them would repeat the same hundred members.
pub(in crate::store) fn is_listed(
    connection: &Connection,
    conversation: i64,
    target: &LineId,
) -> Result<bool> {
    let values = (conversation, target, LISTED_MAX - 1);
    let found = query::optional_value(connection, SQL_IS_LISTED, values)?;
    Ok(found.unwrap_or(false))
}

/// Adds a participant who was present at this time by LINE's clock. Returns whether that is new. Their profile will be looked up.
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
            query::execute(tx, SQL, (conversation, target, TARGET_NAME_UNKNOWN, at))?;
            true
        }
        Some(known) if known.is_the_chat || known.present_at > at => false,
        Some(known) => {
            query::execute(tx, SQL_SEEN, (conversation, target, at))?;
            !known.present
        }
    };
    if is_new {
        count_participants(tx, conversation, 1)?;
        lookups::enqueue(tx, conversation, target)?;
    }
    Ok(is_new)
}

/// Marks a participant as having left at this time by LINE's clock. Returns whether they were listed until now. The row stays,
/// without the profile picture, because LINE may deliver what they did before only later, and with the name, which their messages
/// show.
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
    query::execute(tx, SQL, (conversation, target, at))?;
    if let Some(picture) = picture {
        medias::discard(tx, picture)?;
    }
    Ok(was_listed)
}

/// What is known of a current or former participant.
struct KnownParticipant {
    /// It is the user, group or room of the chat itself, which is always present.
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
    query::optional_row(tx, SQL, (conversation, target), |row| {
        Ok(KnownParticipant {
            is_the_chat: row.get("is_the_chat")?,
            present: row.get("present")?,
            present_at: row.get("present_at")?,
            picture: row.get("picture")?,
        })
    })
}

/// Saves the number of members of a group or room that LINE reported.
pub(in crate::store) fn count_members(tx: &Transaction<'_>, conversation: i64, count: u32) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET member_count = ?2 WHERE key = ?1";
    query::execute(tx, SQL, (conversation, count))?;
    Ok(())
}

/// Changes the number of participants: 1 for one who joined, -1 for one who left.
pub(in crate::store) fn count_participants(
    tx: &Transaction<'_>,
    conversation: i64,
    change: i64,
) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET participant_count = participant_count + ?2 WHERE key = ?1";
    query::execute(tx, SQL, (conversation, change))?;
    Ok(())
}

/// Operations do not run in the order in which they read the clock: a profile may be slightly newer than now.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// Runs for every event, so it looks at one participant, however many the chat has.
const SQL_REFRESH: &str = "
    INSERT INTO lookups (conversation, target, due_at)
    SELECT p.conversation, p.target, ?4
    FROM conversations v JOIN participants p ON p.conversation = v.key
    WHERE v.account = ?1 AND v.chat_id = ?2 AND p.target = ?3 AND named_at NOT BETWEEN ?5 AND ?6
    ON CONFLICT (conversation, target) DO NOTHING";

/// Schedules a lookup of the chat and the speaker of an event if the last one is older than `after`, or later than
/// [`CLOCK_SKEW`] from now, which can only come from a clock that was ahead.
pub(in crate::store) fn refresh(
    tx: &Transaction<'_>,
    account: i64,
    event: &InboundEvent,
    after: Duration,
) -> Result<()> {
    let Some(chat) = &event.chat else { return Ok(()) };
    let now = tx.now();
    let fresh_since = now.before(after).next();
    // One statement for each: with `IN`, SQLite reads all participants of the chat.
    for target in std::iter::once(&chat.id).chain(&event.speaker) {
        let values = (account, &chat.id, target, now, fresh_since, now.after(CLOCK_SKEW));
        query::execute(tx, SQL_REFRESH, values)?;
    }
    Ok(())
}

/// Sets the profile picture by its address. The old one is discarded, and the new one is shown once it has been fetched. One
/// that could not be fetched is tried again. Returns whether a picture that was shown is no longer shown.
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
    let known = query::optional_row(tx, SQL_KNOWN, (conversation, target), |row| {
        Ok((row.get("key")?, text(row, "source_url")?, get_or(row, "status", MediaStatus::Gone)?))
    })?;
    let is_good = |(_, _, status): &&(i64, String, MediaStatus)| *status != MediaStatus::Gone;
    if known.as_ref().filter(is_good).map(|(_, url, _)| url.as_str()) == url {
        return Ok(false);
    }
    let picture = url.map(|url| medias::expect_picture(tx, conversation, url)).transpose()?;
    query::execute(tx, SQL, (conversation, target, picture))?;
    let Some((known, _, status)) = known else { return Ok(false) };
    medias::discard(tx, known)?;
    Ok(status == MediaStatus::Stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SQLite's query plan of a statement.
    fn plan(sql: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../../schema.sql")).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        // Parameters that are not bound are NULL.
        let lines: Vec<String> =
            statement.raw_query().mapped(|row| row.get("detail")).map(Result::unwrap).collect();
        lines.join("\n")
    }

    #[test]
    fn an_event_reads_the_participants_it_names_and_a_page_those_it_lists() {
        let refresh = plan(SQL_REFRESH);
        assert!(refresh.contains("(conversation=? AND target=?)"), "{refresh}");
        let is_listed = plan(SQL_IS_LISTED);
        assert!(is_listed.contains("participants_present (conversation=?)"), "{is_listed}");
        assert!(is_listed.contains("(conversation=? AND target=?)"), "{is_listed}");
        let listed = plan(SQL_LISTED_OF_ALL);
        assert!(listed.contains("(conversation=? AND position<?)"), "{listed}");
        assert!(listed.contains("participants_present (conversation=?)"), "{listed}");
    }
}
