//! Events: each change of what the API shows, recorded in the transaction of its cause.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::id::{ConversationId, CustomerId, EventId};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::{EventKind, EventRow};
use crate::store::engine::damage::{damaged, first_readable, is_json, report, shown};
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;
use crate::store::keys;

/// Maximum number of rows per read.
const ROWS_MAX: usize = 256;

/// A read ends after the event that brings its data to this many bytes.
const BYTES_MAX: usize = 64 * 1024;

/// Maximum number of events pruned in one transaction.
pub const PRUNED_MAX: usize = 256;

/// Sequence numbers that a copy of the database skips: more than the original will give out while any client remembers one.
const RESTORE_GAP: i64 = 1_000_000_000_000;

/// Subject of an event: the private keys of its customer and conversation, and the stamp of its message.
pub(super) struct EventSubject {
    pub(super) customer: i64,
    pub(super) conversation: i64,
    pub(super) message: Option<Timestamp>,
}

/// A client's position in a customer's events, and its filter.
#[derive(Debug, Clone)]
pub struct EventCursor {
    pub(super) customer: i64,
    conversation: Option<i64>,
    kinds: Vec<EventKind>,
    after: i64,
}

/// Where a feed starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedStart {
    /// With the next event from now on.
    Now,
    /// With the event after this one.
    After(i64),
}

/// Result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadProgress {
    /// It reached the newest event.
    End,
    /// There may be further events.
    More,
    /// Events after the cursor have been pruned.
    Lost,
}

/// Records the new state of a resource, and returns the event's sequence number and id. Listeners of the customer are
/// notified after the commit.
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
    query::execute(tx, SQL, values)?;
    tx.note_event(*customer);
    Ok((tx.last_insert_rowid(), id))
}

/// Overwrites all events of a message, or of the conversation itself, with the data of the newest one, so that no unsent
/// content is left in an older one.
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
    query::execute(tx, SQL, (conversation, message))?;
    Ok(())
}

/// Removes all events of a message, or of the conversation itself, before it is deleted.
pub(super) fn forget(tx: &Transaction<'_>, conversation: i64, message: Option<Timestamp>) -> Result<()> {
    const SQL: &str = "DELETE FROM events WHERE conversation = ?1 AND message_stamp IS ?2";
    query::execute(tx, SQL, (conversation, message))?;
    Ok(())
}

/// Removes all events of a conversation before it is deleted, including those that only their webhook delivery ties to it.
pub(super) fn forget_all(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM events
        WHERE conversation = ?1 OR sequence IN (SELECT event FROM webhook_deliveries WHERE conversation = ?1)";
    query::execute(tx, SQL, [conversation])?;
    Ok(())
}

/// Removes orphaned events whose data contains this word: the conversation or message that they refer to no longer exists.
pub(super) fn forget_lost(tx: &Transaction<'_>, word: &str) -> Result<()> {
    const SQL: &str = "
        DELETE FROM events
        WHERE instr(data, ?1) > 0 AND (
            NOT EXISTS (SELECT 1 FROM conversations v WHERE v.key = events.conversation)
            OR message_stamp IS NOT NULL AND NOT EXISTS (
                SELECT 1 FROM messages m WHERE m.conversation = events.conversation AND m.tm_create = message_stamp))";
    query::execute(tx, SQL, [word])?;
    Ok(())
}

/// Skips sequence numbers in a copy of the database, since the original continues with the next ones. No cursor from the
/// original is valid in the copy.
pub(super) fn skip_sequences(tx: &Transaction<'_>) -> Result<()> {
    const SQL_BEGIN: &str = "
        INSERT INTO sqlite_sequence (name, seq)
        SELECT 'events', 0
        WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'events')";
    const SQL: &str = "UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'events'";
    const SQL_PRUNED: &str =
        "UPDATE customers SET events_pruned = (SELECT seq FROM sqlite_sequence WHERE name = 'events')";
    query::execute(tx, SQL_BEGIN, [])?;
    query::execute(tx, SQL, [RESTORE_GAP])?;
    query::execute(tx, SQL_PRUNED, [])?;
    Ok(())
}

/// Opens a cursor on a customer's events: of one conversation or of all, and of these kinds. A short, indexed read.
///
/// `None` when events after the start have been pruned, or when the start was never an event of this database. `NotFound` for
/// an unknown customer and for a conversation of another customer.
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
    // The newest event may have been erased with its subject.
    let (newest, given): (i64, i64) = query::row(connection, SQL, [customer], |row| row.try_into())?;
    let pruned = pruned(connection, customer)?;
    let after = match start {
        FeedStart::Now => newest.max(pruned),
        FeedStart::After(sequence) => sequence,
    };
    let is_there = (pruned..=given.max(pruned)).contains(&after);
    Ok(is_there.then_some(EventCursor { customer, conversation, kinds, after }))
}

/// Passes the next events to `visit`, in order, up to `ROWS_MAX` rows or `BYTES_MAX` bytes. A short, indexed read.
pub fn next(
    connection: &Connection,
    cursor: &mut EventCursor,
    mut visit: impl FnMut(&EventRow<'_>),
) -> Result<ReadProgress> {
    const SQL: &str = "
        SELECT sequence, id, kind, created_at, conversation, data
        FROM events
        WHERE customer = ?1 AND sequence > ?2
        ORDER BY sequence
        LIMIT ?3";
    if pruned(connection, cursor.customer)? > cursor.after {
        return Ok(ReadProgress::Lost);
    }
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query((cursor.customer, cursor.after, Limit(ROWS_MAX)))?;
    let (mut seen, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        cursor.after = row.get("sequence")?;
        seen += 1;
        let read = |event: &EventRow<'_>, conversation| {
            if cursor.wants(event.kind, conversation) {
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

/// Passes an event and the key of its conversation to `view`. Data that is no longer valid JSON is an error.
pub(super) fn show<T>(row: &Row<'_>, view: impl FnOnce(&EventRow<'_>, i64) -> T) -> Read<T> {
    let data = shown(row, row.as_ref().column_index("data")?, "data")?;
    if !is_json(&data) {
        return Err(damaged());
    }
    let (id, kind, created_at) = (row.get("id")?, row.get("kind")?, row.get("created_at")?);
    let event = EventRow { sequence: row.get("sequence")?, id, kind, created_at, data: &data };
    Ok(view(&event, row.get("conversation")?))
}

/// Sequence number up to which a customer's events may be pruned. A number that was never given out is damage, and ignored.
fn pruned(connection: &Connection, customer: i64) -> Result<i64> {
    const SQL: &str = "
        SELECT events_pruned, events_pruned <= coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)
        FROM customers
        WHERE key = ?1";
    let (pruned, is_given): (i64, bool) = query::row(connection, SQL, [customer], |row| row.try_into())?;
    if is_given {
        return Ok(pruned);
    }
    report("events_pruned", "no event counts as pruned");
    Ok(0)
}

/// Creation time of the oldest event; `None` if there is none. A short, indexed read.
pub fn oldest(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "SELECT created_at FROM events ORDER BY sequence LIMIT 1";
    query::optional_value(connection, SQL, [])
}

/// Removes the oldest events created before this time, at most [`PRUNED_MAX`]. Returns how many.
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
    let last: Option<i64> = query::value(tx, SQL_LAST, (before, Limit(PRUNED_MAX)))?;
    let Some(last) = last else { return Ok(0) };
    query::execute(tx, SQL_NOTE, [last])?;
    query::execute(tx, SQL, [last])
}

impl EventCursor {
    /// Sequence number up to which everything has been read.
    pub fn after(&self) -> i64 {
        self.after
    }

    fn wants(&self, kind: EventKind, conversation: i64) -> bool {
        self.kinds.contains(&kind) && self.conversation.is_none_or(|wanted| wanted == conversation)
    }
}
