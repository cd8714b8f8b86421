//! Messages: a page of them, one of them, and sending one.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::contract::views::MessageView;
use crate::error::{Error, Resource, Result};
use crate::model::event::EventKind;
use crate::model::id::{ConversationId, CustomerId, MediaId, MessageId};
use crate::model::media::Media;
use crate::model::mention::Mention;
use crate::model::message::{Failure, FailureReason, MessageRow, Quote, Status};
use crate::model::page::Page;
use crate::model::timestamp::Timestamp;
use crate::store::chats::conversations;
use crate::store::engine::damage::{SPARE, get_or, json, optional_text, shown, size_of, sound, sound_one};
use crate::store::engine::transaction::Transaction;
use crate::store::events;
use crate::store::events::Subject;
use crate::store::files::uploads;
use crate::store::outbox::deliveries;

/// What somebody has to know before sending again what may have been sent.
const MAY_DOUBLE: &str = "the message may have been sent although no clear answer came, so that sending it again may show \
    it twice; send `\"force\": true` to do so all the same";

/// What a message shows, in the order in which [`show`] reads it, of those that this condition names.
macro_rules! shown {
    ($condition:literal) => {
        concat!(
            "SELECT m.id, v.id, chat_id, m.status, m.source_target, m.text, m.medias, m.failure_reason,
                m.failure_message, m.cost, m.tm_create, m.tm_update, m.tm_delete, m.occurred_at, coalesce(target_name, ''),
                f.id AS picture, coalesce(m.quoted_line_id, ''), coalesce((
                    SELECT q.id FROM messages q WHERE q.conversation = m.conversation AND q.line_id = m.quoted_line_id
                ), (
                    SELECT q.id
                    FROM sent_ids s JOIN messages q ON q.conversation = s.conversation AND q.tm_create = s.message_stamp
                    WHERE s.conversation = m.conversation AND s.line_id = m.quoted_line_id
                )) AS quoted, m.mentions, v.customer
            FROM messages m JOIN conversations v ON v.key = m.conversation
            LEFT JOIN participants p ON p.conversation = m.conversation AND p.target = m.source_target
            LEFT JOIN medias f ON f.key = p.picture AND f.status = 'stored'
            ",
            $condition
        )
    };
}

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its id, made by the caller so that it can wait for the outcome.
    pub id: MessageId,
    /// What it says.
    pub text: String,
    /// Who is named in that.
    pub mentions: Vec<Mention>,
    /// The message that it quotes.
    pub quoted: Option<MessageId>,
    /// What else it carries, as messages show it.
    pub medias: Vec<Media>,
    /// The uploads among them and beside them: LINE and its users may fetch them from now on.
    pub uploads: Vec<MediaId>,
    /// The requests that carry it to LINE, in order: exactly these bytes are sent.
    pub requests: Vec<Vec<u8>>,
}

/// Shows each message of a page, newest first, to `visit`. A short, clustered read.
pub fn page(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    page: Page,
    mut visit: impl FnMut(&MessageRow<'_>),
) -> Result<()> {
    const SQL: &str = shown!(
        "WHERE v.key = ?1 AND m.tm_create < ?2 AND m.tm_delete IS NULL
        ORDER BY m.tm_create DESC
        LIMIT ?3"
    );
    let key = conversations::key(connection, customer, conversation)?;
    let mut statement = connection.prepare_cached(SQL)?;
    let rows = statement.query_map((key, page.before, page.size + SPARE), |row| show(row, &mut visit))?;
    sound(rows, "messages").take(size_of(page)).try_for_each(|row| Ok(row?))
}

/// Shows one message to `view`. One that was withdrawn is still shown, without its text.
pub fn get<T>(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    id: MessageId,
    view: impl FnOnce(&MessageRow<'_>) -> T,
) -> Result<T> {
    const SQL: &str = shown!("WHERE m.id = ?1 AND v.key = ?2");
    let key = conversations::key(connection, customer, conversation)?;
    let shown = connection.prepare_cached(SQL)?.query_row((id, key), |row| show(row, view)).optional()?;
    shown.ok_or(Error::NotFound(Resource::Message))
}

/// LINE's token with which a message of the conversation can be quoted; `None` when it cannot be, or is not there.
pub fn quote_token(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    id: MessageId,
) -> Result<Option<String>> {
    const SQL: &str = "
        SELECT quote_token
        FROM messages
        WHERE id = ?1 AND conversation = ?2 AND tm_delete IS NULL";
    let key = conversations::key(connection, customer, conversation)?;
    let found = connection.prepare_cached(SQL)?.query_row((id, key), |row| optional_text(row, "quote_token"));
    Ok(found.optional()?.flatten())
}

/// Stores a message and what carries it to LINE, which is tried from then on until it is decided.
///
/// `Conflict` when the account of the conversation was removed.
pub fn send(
    tx: &Transaction<'_>,
    customer: CustomerId,
    conversation: ConversationId,
    message: &NewMessage,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO messages (conversation, tm_create, id, status, source_target, text, medias, mentions,
            quoted_line_id, tm_update, checksum)
        SELECT ?1, ?2, ?3, ?4, '', ?5, ?6, ?7, quoted, ?2, checksum2(
            ?1, ?2, ?3, ?4, '', ?5, ?6, NULL, NULL, NULL, NULL, quoted, ?7, NULL, NULL, NULL, ?2, NULL)
        FROM (SELECT (
            SELECT coalesce(line_id, (
                SELECT min(line_id)
                FROM sent_ids s
                WHERE s.conversation = q.conversation AND s.message_stamp = q.tm_create))
            FROM messages q
            WHERE q.id = ?8 AND q.conversation = ?1
        ) AS quoted)";
    let key = conversations::key(tx, customer, conversation)?;
    let medias = serde_json::to_string(&message.medias).map_err(Error::internal)?;
    let mentions = serde_json::to_string(&message.mentions).map_err(Error::internal)?;
    let stamp = tx.stamp()?;
    let status = Status::Sending;
    let values = (key, stamp, message.id, status, &message.text, medias, mentions, message.quoted);
    tx.prepare_cached(SQL)?.execute(values)?;
    uploads::publish(tx, (key, stamp), &message.uploads, &message.requests)?;
    deliveries::enqueue(tx, key, stamp, &message.requests)?;
    announce(tx, (key, stamp), EventKind::MessageCreated)
}

/// What must follow whenever something of a message changed: it says when, its checksum fits, and the customer is told.
pub(in crate::store) fn touch(tx: &Transaction<'_>, message: (i64, Timestamp)) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET tm_update = ?3, checksum = checksum2(
            conversation, tm_create, id, status, source_target, text, medias, line_id, occurred_at, edited_at,
            quote_token, quoted_line_id, mentions, failure_reason, failure_message, cost, ?3, tm_delete)
        WHERE conversation = ?1 AND tm_create = ?2";
    tx.prepare_cached(SQL)?.execute((message.0, message.1, tx.now()))?;
    announce(tx, message, EventKind::MessageUpdated)
}

/// Tells the customer of a message as it stands.
pub(in crate::store) fn announce(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    kind: EventKind,
) -> Result<()> {
    const SQL: &str = shown!("WHERE v.key = ?1 AND m.tm_create = ?2");
    let mut statement = tx.prepare_cached(SQL)?;
    let mut rows = statement.query((conversation, stamp))?;
    let row = rows.next()?.ok_or(Error::NotFound(Resource::Message))?;
    let subject = Subject { customer: row.get("customer")?, conversation, message: Some(stamp) };
    let told = show(row, |message| events::append(tx, &subject, kind, &MessageView::from(message)));
    sound_one(told, "messages")?.unwrap_or(Ok(()))
}

/// Notes how LINE lets a message be quoted: by the first of its parts that can be.
pub(in crate::store) fn allow_quoting(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    quote_token: &str,
) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET quote_token = ?3, checksum = checksum2(
            conversation, tm_create, id, status, source_target, text, medias, line_id, occurred_at, edited_at,
            ?3, quoted_line_id, mentions, failure_reason, failure_message, cost, tm_update, tm_delete)
        WHERE conversation = ?1 AND tm_create = ?2 AND quote_token IS NULL";
    tx.prepare_cached(SQL)?.execute((conversation, stamp, quote_token))?;
    Ok(())
}

/// Sends a message again that has failed, behind all others of its conversation.
///
/// `Conflict` when it has not failed, when its account was removed, and, unless `force` is given, when it may have been
/// sent: then it may arrive twice.
pub fn retry(
    tx: &Transaction<'_>,
    (customer, conversation): (CustomerId, ConversationId),
    id: MessageId,
    force: bool,
) -> Result<()> {
    const SQL_FIND: &str = "SELECT tm_create, status FROM messages WHERE id = ?1 AND conversation = ?2";
    const SQL: &str = "
        UPDATE messages SET status = ?3, failure_reason = NULL, failure_message = NULL
        WHERE conversation = ?1 AND tm_create = ?2";
    let key = conversations::key(tx, customer, conversation)?;
    let found = tx.prepare_cached(SQL_FIND)?.query_row((id, key), |row| Ok((row.get(0)?, row.get(1)?)));
    let (stamp, status): (Timestamp, Status) = found.optional()?.ok_or(Error::NotFound(Resource::Message))?;
    if status != Status::Failed {
        return Err(Error::Conflict("only a message that has failed can be sent again".to_owned()));
    }
    if !force && deliveries::may_have_been_sent(tx, key, stamp)? {
        return Err(Error::Conflict(MAY_DOUBLE.to_owned()));
    }
    tx.prepare_cached(SQL)?.execute((key, stamp, Status::Sending))?;
    deliveries::requeue(tx, key, stamp)?;
    touch(tx, (key, stamp))
}

/// Ends the sending of a message, one way or the other, and tells which message it was.
pub(in crate::store) fn settle(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    failure: Option<(FailureReason, &str)>,
) -> Result<MessageId> {
    const SQL: &str = "
        UPDATE messages SET status = ?3, failure_reason = ?4, failure_message = ?5, cost = (
            SELECT iif(count(*) = count(d.cost), sum(d.cost), NULL)
            FROM deliveries d
            WHERE d.conversation = ?1 AND d.message_stamp = ?2 AND d.state = 'accepted'
        )
        WHERE conversation = ?1 AND tm_create = ?2
        RETURNING id";
    let status = if failure.is_some() { Status::Failed } else { Status::Sent };
    let (reason, message) = failure.unzip();
    let values = (conversation, stamp, status, reason, message);
    let id = tx.prepare_cached(SQL)?.query_row(values, |row| row.get(0))?;
    touch(tx, (conversation, stamp))?;
    Ok(id)
}

/// The columns of the queries above, by their places: looking them up by name would cost a fifth of a page.
fn show<T>(row: &Row<'_>, view: impl FnOnce(&MessageRow<'_>) -> T) -> rusqlite::Result<T> {
    let (chat, source_target) = (shown(row, 2, "chat_id")?, shown(row, 4, "source_target")?);
    let source_name = shown(row, 14, "target_name")?;
    let (text, medias) = (shown(row, 5, "text")?, json(shown(row, 6, "medias")?, "[]", "medias"));
    let reason: Option<FailureReason> = row.get(7)?;
    let words = reason.map(|_| shown(row, 8, "failure_message")).transpose()?.unwrap_or_default();
    let quoted = shown(row, 16, "quoted_line_id")?;
    let message = get_or(row, "quoted", None)?;
    let mentions = json(shown(row, 18, "mentions")?, "[]", "mentions");
    Ok(view(&MessageRow {
        id: row.get(0)?,
        conversation: row.get(1)?,
        chat: &chat,
        status: row.get(3)?,
        source_target: &source_target,
        source_name: &source_name,
        source_picture: get_or(row, "picture", None)?,
        quote: (!quoted.is_empty()).then_some(Quote { line_id: &quoted, message }),
        mentions: &mentions,
        text: &text,
        medias: &medias,
        failure: reason.map(|reason| Failure { reason, message: &words }),
        cost: row.get(9)?,
        occurred_at: row.get(13)?,
        tm_create: row.get(10)?,
        tm_update: row.get(11)?,
        tm_delete: row.get::<_, Option<Timestamp>>(12)?.unwrap_or(Timestamp::NEVER),
    }))
}
