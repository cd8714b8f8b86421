//! A message of a conversation, in either direction.

use crate::model::id::{ConversationId, MediaId, MessageId};
use crate::model::timestamp::Timestamp;

/// A message as it is read from storage, borrowed from the row, so that a page of messages is written without
/// copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageRow<'row> {
    /// Its id.
    pub id: MessageId,
    /// The conversation that it belongs to.
    pub conversation: ConversationId,
    /// LINE's id of the chat.
    pub chat: &'row str,
    /// Its delivery status.
    pub status: Status,
    /// LINE's id of the sender; empty for our own messages.
    pub source_target: &'row str,
    /// The current name of the sender; empty if LINE has not disclosed the sender.
    pub source_name: &'row str,
    /// The current picture of the sender.
    pub source_picture: Option<MediaId>,
    /// The text.
    pub text: &'row str,
    /// The message that it quotes.
    pub quote: Option<Quote<'row>>,
    /// A JSON array of the mentions; `[]` for none.
    pub mentions: &'row str,
    /// A JSON array of the media; `[]` for none.
    pub medias: &'row str,
    /// How many messages of LINE's quota it used, if known; 0 for a reply.
    pub cost: Option<u32>,
    /// Why it was not sent, if so.
    pub failure: Option<MessageFailure<'row>>,
    /// When it was sent by LINE's clock; `None` for our own messages.
    pub occurred_at: Option<Timestamp>,
    /// Its position in the conversation.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
    /// When it was unsent; [`Timestamp::NEVER`] if it was not.
    pub tm_delete: Timestamp,
}

/// A quoted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote<'row> {
    /// The quoted message, if it is stored here.
    pub message: Option<MessageId>,
    /// LINE's id of the quoted message.
    pub line_id: &'row str,
}

/// The delivery status of a message. LINE reports neither delivery nor reading, so there is no status for
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was received.
    Received,
    /// It is being sent.
    Sending,
    /// LINE accepted it.
    Sent,
    /// It was not sent, or that is unknown.
    Failed,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageFailure<'row> {
    /// The kind of failure.
    pub reason: FailureReason,
    /// LINE's error message, for people.
    pub message: &'row str,
}

/// The kinds of failure that end a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// LINE refused this message permanently.
    Refused,
    /// LINE could not be reached for so long that the message was given up; it was certainly not sent.
    Unreachable,
    /// An attempt may have succeeded, and LINE no longer remembers its retry key: a person has to decide.
    OutcomeUnknown,
    /// The account was removed while the message waited.
    AccountRemoved,
    /// The server itself failed repeatedly on this message.
    Internal,
}
