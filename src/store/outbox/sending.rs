//! Sends a message: what the API shows and the requests to LINE are stored together.

use crate::error::{Error, Resource, Result};
use crate::model::chats::mention::Mention;
use crate::model::chats::message::Status;
use crate::model::files::media::Media;
use crate::model::id::{ConversationId, CustomerId, MediaId, MessageId};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::store::chats::messages::{announce, touch};
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;
use crate::store::files::uploads;
use crate::store::keys;
use crate::store::outbox::deliveries;

/// The warning before a retry of what may have been sent.
const MAY_DOUBLE: &str = "the message may have been sent although no clear answer came, so that sending it again may show \
    it twice; send `\"force\": true` to do so all the same";

/// A message that is to be sent.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Its id, made by the caller so that it can wait for the outcome.
    pub id: MessageId,
    /// What it says.
    pub text: String,
    /// Who is mentioned in it.
    pub mentions: Vec<Mention>,
    /// The message that it quotes.
    pub quoted: Option<MessageId>,
    /// Its media, as messages show them.
    pub medias: Vec<Media>,
    /// The uploads that it uses, as media or otherwise: LINE and its users may fetch them from now on.
    pub uploads: Vec<MediaId>,
    /// The requests that carry it to LINE, in order: exactly these bytes are sent.
    pub requests: Vec<Vec<u8>>,
}

/// Stores a message and its requests to LINE, which are attempted from then on until they have an outcome.
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
    let key = keys::conversation(tx, customer, conversation)?;
    let medias = serde_json::to_string(&message.medias).map_err(Error::internal)?;
    let mentions = serde_json::to_string(&message.mentions).map_err(Error::internal)?;
    let stamp = tx.stamp()?;
    let status = Status::Sending;
    let values = (key, stamp, message.id, status, &message.text, medias, mentions, message.quoted);
    query::execute(tx, SQL, values)?;
    uploads::publish(tx, (key, stamp), &message.uploads, &message.requests)?;
    deliveries::enqueue(tx, key, stamp, &message.requests)?;
    announce(tx, (key, stamp), EventKind::MessageCreated)
}

/// Retries a failed message, behind all others of its conversation.
///
/// `Conflict` when it has not failed, when its account was removed, and, without `force`, when it may have been sent: then it
/// may arrive twice.
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
    let key = keys::conversation(tx, customer, conversation)?;
    let found = query::optional_row(tx, SQL_FIND, (id, key), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (stamp, status): (Timestamp, Status) = found.ok_or(Error::NotFound(Resource::Message))?;
    if status != Status::Failed {
        return Err(Error::Conflict("only a message that has failed can be sent again".to_owned()));
    }
    if !force && deliveries::may_have_been_sent(tx, key, stamp)? {
        return Err(Error::Conflict(MAY_DOUBLE.to_owned()));
    }
    query::execute(tx, SQL, (key, stamp, Status::Sending))?;
    deliveries::requeue(tx, key, stamp)?;
    touch(tx, (key, stamp))
}
