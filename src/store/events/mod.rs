//! What customers are told: each change of what the API shows, frozen in the transaction of its cause.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::id::{ConversationId, CustomerId, EventId};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::{EventKind, EventRow};
use crate::store::engine::damage::{first_readable, is_json, report, shown};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;
use crate::store::keys;

/// Rows that are looked at in one read.
const ROWS_MAX: i64 = 256;

/// A read ends with the event that brings its texts to so many bytes.
const BYTES_MAX: usize = 64 * 1024;

/// Events that are pruned in one transaction.
pub const PRUNED_MAX: usize = 256;

/// Numbers that a copy of the database leaves to its original: more than it will write while anybody remembers one.
const RESTORE_GAP: i64 = 1_000_000_000_000;

/// What an event is about: the private keys of its customer and conversation, and the stamp of its message.
pub(super) struct EventSubject {
    pub(super) customer: i64,
    pub(super) conversation: i64,
    pub(super) message: Option<Timestamp>,
}

/// Which of a customer's events somebody reads, and how far they have come.
#[derive(Debug, Clone)]
pub struct EventCursor {
    pub(super) customer: i64,
    conversation: Option<i64>,
    kinds: Vec<EventKind>,
    after: i64,
}

/// Where a reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedStart {
    /// With what happens from now on.
    Now,
    /// With the event that follows this one.
    After(i64),
}

/// How far a read has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadProgress {
    /// To the newest event.
    End,
    /// Not to the newest event, perhaps.
    More,
    /// Nowhere: events that follow are gone.
    Lost,
}

/// Writes down what something has become, and gives the event's sequence number and id. Whoever listens to the customer is
/// told after the commit.
pub(super) fn append(
    tx: &Transaction<'_>,
    subject: &EventSubject,
    kind: EventKind,
    shown: &impl Serialize,
) -> Result<(i64, EventId)> {
    const SQL: &str = "
        INSERT INTO events (id, customer, conversation, message_stamp, kind, created_at, data, checksum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7))";
    let EventSubject { customer, conversation, message } = subject;
    let data = serde_json::to_string(shown).map_err(Error::internal)?;
    let id = EventId::new(tx.now());
    let values = (id, customer, conversation, message, kind, tx.now(), data);
    tx.prepare_cached(SQL)?.execute(values)?;
    tx.note_event(*customer);
    Ok((tx.last_insert_rowid(), id))
}

/// Lets all events of a message, or of the conversation itself, show what the newest one shows: nothing older is left of
/// what was withdrawn.
pub(super) fn overwrite(tx: &Transaction<'_>, conversation: i64, message: Option<Timestamp>) -> Result<()> {
    const SQL: &str = "
        UPDATE events SET data = newest.data,
            checksum = checksum(id, customer, conversation, message_stamp, kind, created_at, newest.data)
        FROM (
            SELECT data
            FROM events
            WHERE conversation = ?1 AND message_stamp IS ?2
            ORDER BY sequence DESC
            LIMIT 1
        ) newest
        WHERE conversation = ?1 AND message_stamp IS ?2";
    tx.prepare_cached(SQL)?.execute((conversation, message))?;
    Ok(())
}

/// Removes all events of a message, or of the conversation itself, which is about to go.
pub(super) fn forget(tx: &Transaction<'_>, conversation: i64, message: Option<Timestamp>) -> Result<()> {
    const SQL: &str = "DELETE FROM events WHERE conversation = ?1 AND message_stamp IS ?2";
    tx.prepare_cached(SQL)?.execute((conversation, message))?;
    Ok(())
}

/// Removes all events of a conversation that is about to go, also those that only their delivery tells from others.
pub(super) fn forget_all(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM events
        WHERE conversation = ?1 OR sequence IN (SELECT event FROM webhook_deliveries WHERE conversation = ?1)";
    tx.prepare_cached(SQL)?.execute([conversation])?;
    Ok(())
}

/// Removes events that tell of this and belong to nothing any more: what they refer to is not there.
pub(super) fn forget_lost(tx: &Transaction<'_>, word: &str) -> Result<()> {
    const SQL: &str = "
        DELETE FROM events
        WHERE instr(data, ?1) > 0 AND (
            NOT EXISTS (SELECT 1 FROM conversations v WHERE v.key = events.conversation)
            OR message_stamp IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM messages m WHERE m.conversation = events.conversation AND m.tm_create = message_stamp))";
    tx.prepare_cached(SQL)?.execute([word])?;
    Ok(())
}

/// Goes on in a copy of the database with numbers that nobody has seen: the database that it was copied from goes on with
/// the next ones. Nobody takes up in the copy where they ended elsewhere.
pub(super) fn skip_sequences(tx: &Transaction<'_>) -> Result<()> {
    const SQL_BEGIN: &str = "
        INSERT INTO sqlite_sequence (name, seq)
        SELECT 'events', 0
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')";
    const SQL: &str = "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'events'";
    const SQL_PRUNED: &str =
        "UPDATE customers SET events_pruned = (SELECT seq FROM sqlite_sequence WHERE name = 'events')";
    tx.execute(SQL_BEGIN, [])?;
    tx.execute(SQL, [RESTORE_GAP])?;
    tx.execute(SQL_PRUNED, [])?;
    Ok(())
}

/// Begins to read a customer's events: of one conversation or of all, and of these kinds. A short, indexed read.
///
/// `None` when events that follow the beginning are gone, or when it never was an event of this database. `NotFound` for a
/// customer who is not known and for a conversation of somebody else.
pub fn open(
    connection: &Connection,
    (customer, conversation): (CustomerId, Option<ConversationId>),
    kinds: Vec<EventKind>,
    start: FeedStart,
) -> Result<Option<EventCursor>> {
    const SQL: &str = "
        SELECT coalesce((SELECT max(sequence) FROM events WHERE customer = ?1 AND sequence <= given), 0), given
        FROM (SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS given)";
    let conversation = conversation.map(|id| keys::conversation(connection, customer, id)).transpose()?;
    let customer = keys::customer(connection, customer)?;
    // The newest event may have been erased with what it was about.
    let (newest, given): (i64, i64) =
        connection.prepare_cached(SQL)?.query_row([customer], |row| row.try_into())?;
    let pruned = pruned(connection, customer)?;
    let after = match start {
        FeedStart::Now => newest.max(pruned),
        FeedStart::After(sequence) => sequence,
    };
    let is_there = (pruned..=given.max(pruned)).contains(&after);
    Ok(is_there.then_some(EventCursor { customer, conversation, kinds, after }))
}

/// Shows the next events to `visit`, in order and at most so many that they fit into memory. A short, indexed read.
pub fn next(
    connection: &Connection,
    reading: &mut EventCursor,
    mut visit: impl FnMut(&EventRow<'_>),
) -> Result<ReadProgress> {
    const SQL: &str = "
        SELECT sequence, id, kind, created_at, conversation, data
        FROM events
        WHERE customer = ?1 AND sequence > ?2
        ORDER BY sequence
        LIMIT ?3";
    if pruned(connection, reading.customer)? > reading.after {
        return Ok(ReadProgress::Lost);
    }
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query((reading.customer, reading.after, ROWS_MAX))?;
    let (mut seen, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        reading.after = row.get("sequence")?;
        seen += 1;
        let read = |event: &EventRow<'_>, conversation| {
            if reading.wants(event.kind, conversation) {
                visit(event);
                bytes += event.data.len();
            }
        };
        first_readable(show(row, read), "events")?;
        if bytes >= BYTES_MAX {
            return Ok(ReadProgress::More);
        }
    }
    Ok(if seen == ROWS_MAX { ReadProgress::More } else { ReadProgress::End })
}

/// An event, and the conversation that it is about. What is no JSON any more cannot be told.
pub(super) fn show<T>(row: &Row<'_>, view: impl FnOnce(&EventRow<'_>, i64) -> T) -> rusqlite::Result<T> {
    let data = shown(row, row.as_ref().column_index("data")?, "data")?;
    if !is_json(&data) {
        return Err(FromSqlError::InvalidType.into());
    }
    let (id, kind, created_at) = (row.get("id")?, row.get("kind")?, row.get("created_at")?);
    let event = EventRow { sequence: row.get("sequence")?, id, kind, created_at, data: &data };
    Ok(view(&event, row.get("conversation")?))
}

/// Up to where a customer's events may be gone. A number beyond those that were given is damage, and says nothing.
fn pruned(connection: &Connection, customer: i64) -> Result<i64> {
    const SQL: &str = "
        SELECT events_pruned, events_pruned <= coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
        FROM customers
        WHERE key = ?1";
    let (pruned, is_given): (i64, bool) =
        connection.prepare_cached(SQL)?.query_row([customer], |row| row.try_into())?;
    if is_given {
        return Ok(pruned);
    }
    report("events_pruned", "it counts as if no event were gone");
    Ok(0)
}

/// When the oldest event happened; `None` when there is none. A short, indexed read.
pub fn oldest(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT created_at FROM events ORDER BY sequence LIMIT 1";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| row.get(0)).optional()?)
}

/// Removes events that happened before this time, the oldest first and at most [`PRUNED_MAX`], and says how many.
pub fn prune(tx: &Transaction<'_>, before: Timestamp) -> Result<usize> {
    const SQL_LAST: &str = "
        SELECT max(sequence)
        FROM (SELECT sequence, created_at FROM events ORDER BY sequence LIMIT ?2)
        WHERE created_at < ?1";
    const SQL_NOTE: &str = "
        UPDATE customers SET events_pruned = max(events_pruned, gone.newest)
        FROM (SELECT customer, max(sequence) AS newest FROM events WHERE sequence <= ?1 GROUP BY customer) gone
        WHERE key = gone.customer";
    const SQL: &str = "DELETE FROM events WHERE sequence <= ?1";
    let last: Option<i64> =
        tx.prepare_cached(SQL_LAST)?.query_row((before, most(PRUNED_MAX)), |row| row.get(0))?;
    let Some(last) = last else { return Ok(0) };
    tx.prepare_cached(SQL_NOTE)?.execute([last])?;
    Ok(tx.prepare_cached(SQL)?.execute([last])?)
}

impl EventCursor {
    /// The event up to which everything was read.
    pub fn after(&self) -> i64 {
        self.after
    }

    fn wants(&self, kind: EventKind, conversation: i64) -> bool {
        self.kinds.contains(&kind) && self.conversation.is_none_or(|wanted| wanted == conversation)
    }
}
