//! Messages: read by page or by id, announced, and settled once sent or failed.

use crate::contract::views::MessageView;
use crate::error::{Error, Resource, Result};
use crate::model::chats::message::{FailureReason, MessageFailure, MessageRow, Quote, Status};
use crate::model::id::{ConversationId, CustomerId, MessageId};
use crate::model::page::Page;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::store::engine::damage::{first_readable, get_or, json, optional_text, shown, size_of};
use crate::store::engine::query::{self, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::events::EventSubject;
use crate::store::keys;
use crate::store::webhooks::deliveries;

/// Query for messages in the columns that [`show`] reads, with this condition.
macro_rules! read {
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

/// Passes each message of a page to `visit`, newest first. A short, clustered read.
pub fn page(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    page: Page,
    mut visit: impl FnMut(&MessageRow<'_>),
) -> Result<()> {
    const SQL: &str = read!(
        "WHERE v.key = ?1 AND m.tm_create < ?2 AND m.tm_delete IS NULL
        ORDER BY m.tm_create DESC
        LIMIT ?3"
    );
    let key = keys::conversation(connection, customer, conversation)?;
    let size = size_of(page);
    let values = (key, page.before, query::with_spare(size));
    query::readable_rows(connection, SQL, values, ("messages", size), |row| show(row, &mut visit)).map(drop)
}

/// Passes one message to `view`. An unsent message is still shown, without its text.
pub fn get<T>(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    id: MessageId,
    view: impl FnOnce(&MessageRow<'_>) -> T,
) -> Result<T> {
    const SQL: &str = read!("WHERE m.id = ?1 AND v.key = ?2");
    let key = keys::conversation(connection, customer, conversation)?;
    let shown = query::optional_row(connection, SQL, (id, key), |row| show(row, view))?;
    shown.ok_or(Error::NotFound(Resource::Message))
}

/// LINE's token for quoting a message of the conversation; `None` if it cannot be quoted or does not exist.
pub fn quote_token(
    connection: &Connection,
    (customer, conversation): (CustomerId, ConversationId),
    id: MessageId,
) -> Result<Option<String>> {
    const SQL: &str = "
        SELECT quote_token
        FROM messages
        WHERE id = ?1 AND conversation = ?2 AND tm_delete IS NULL";
    let key = keys::conversation(connection, customer, conversation)?;
    let read = |row: &Row<'_>| optional_text(row, "quote_token");
    Ok(query::optional_row(connection, SQL, (id, key), read)?.flatten())
}

/// Must follow every change of a message: updates its time and checksum, and announces the change to the customer.
pub(in crate::store) fn touch(tx: &Transaction<'_>, message: (i64, Timestamp)) -> Result<()> {
    const SQL: &str = "
        UPDATE messages SET tm_update = ?3, checksum = checksum2(
            conversation, tm_create, id, status, source_target, text, medias, line_id, occurred_at, edited_at,
            quote_token, quoted_line_id, mentions, failure_reason, failure_message, cost, ?3, tm_delete)
        WHERE conversation = ?1 AND tm_create = ?2";
    query::execute(tx, SQL, (message.0, message.1, tx.now()))?;
    announce(tx, message, EventKind::MessageUpdated)
}

/// Announces the current state of a message to the customer.
pub(in crate::store) fn announce(
    tx: &Transaction<'_>,
    (conversation, stamp): (i64, Timestamp),
    kind: EventKind,
) -> Result<()> {
    const SQL: &str = read!("WHERE v.key = ?1 AND m.tm_create = ?2");
    let found = query::optional_row(tx, SQL, (conversation, stamp), |row| {
        let subject = EventSubject { customer: row.get("customer")?, conversation, message: Some(stamp) };
        let announce =
            |message: &MessageRow<'_>| deliveries::announce(tx, &subject, kind, &MessageView::from(message));
        first_readable(show(row, announce), "messages")
    })?;
    found.ok_or(Error::NotFound(Resource::Message))?.unwrap_or(Ok(()))
}

/// Saves the token for quoting a sent message: that of its first part that can be quoted.
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
    query::execute(tx, SQL, (conversation, stamp, quote_token))?;
    Ok(())
}

/// Records that a message was sent or has failed, and returns its id.
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
    let id = query::value(tx, SQL, values)?;
    touch(tx, (conversation, stamp))?;
    Ok(id)
}

/// Reads the columns of the queries above by index: looking them up by name would add a fifth to the cost of a page.
fn show<T>(row: &Row<'_>, view: impl FnOnce(&MessageRow<'_>) -> T) -> Read<T> {
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
        failure: reason.map(|reason| MessageFailure { reason, message: &words }),
        cost: row.get(9)?,
        occurred_at: row.get(13)?,
        tm_create: row.get(10)?,
        tm_update: row.get(11)?,
        tm_delete: row.get::<_, Option<Timestamp>>(12)?.unwrap_or(Timestamp::NEVER),
    }))
}
