//! A message of a conversation, in either direction.

use crate::model::id::{ConversationId, MediaId, MessageId};
use crate::model::timestamp::Timestamp;

/// A message as it is read from storage, borrowed from the row, so that a page of them is written without copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRow<'row> {
    /// Its id.
    pub id: MessageId,
    /// The conversation that it belongs to.
    pub conversation: ConversationId,
    /// LINE's id of the chat.
    pub chat: &'row str,
    /// How far it has come.
    pub status: Status,
    /// LINE's id of the speaker; empty for our own messages.
    pub source_target: &'row str,
    /// The present name of the speaker; empty when LINE has not said who that is.
    pub source_name: &'row str,
    /// The present picture of the speaker.
    pub source_picture: Option<MediaId>,
    /// What was said.
    pub text: &'row str,
    /// What it quotes.
    pub quote: Option<Quote<'row>>,
    /// A JSON array of the mentions; `[]` for none.
    pub mentions: &'row str,
    /// A JSON array of the media; `[]` for none.
    pub medias: &'row str,
    /// How many messages of LINE's quota it took, when that is known; 0 for a reply.
    pub cost: Option<u32>,
    /// Why it was not sent, when it was not.
    pub failure: Option<MessageFailure<'row>>,
    /// When it was said, by LINE's clock; `None` for our own messages.
    pub occurred_at: Option<Timestamp>,
    /// Its place in the conversation.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
    /// When it was withdrawn; [`Timestamp::NEVER`] while it stands.
    pub tm_delete: Timestamp,
}

/// The message that another one quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote<'row> {
    /// The message, where it is here.
    pub message: Option<MessageId>,
    /// LINE's id of it.
    pub line_id: &'row str,
}

/// How far a message has come. LINE reports neither delivery nor reading, so nothing here claims one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It came in.
    Received,
    /// It is going out.
    Sending,
    /// LINE accepted it.
    Sent,
    /// It was not sent, or nobody can know.
    Failed,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageFailure<'row> {
    /// Which kind of failure.
    pub reason: FailureReason,
    /// What LINE said, for a person.
    pub message: &'row str,
}

/// The kinds of failure that end a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// LINE refused this message for good.
    Refused,
    /// LINE could not be reached for so long that the message is given up; it was certainly not sent.
    Unreachable,
    /// An attempt may have succeeded, and LINE no longer remembers its retry key: a person has to decide.
    OutcomeUnknown,
    /// The account was removed while the message waited.
    AccountRemoved,
    /// The server failed on this very message again and again.
    Internal,
}
