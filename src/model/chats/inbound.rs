//! What LINE told us: one event of a webhook, read as far as we understand it.

use std::time::Duration;

use crate::model::chats::chat::{Chat, LineId};
use crate::model::chats::mention::Mention;
use crate::model::files::media::{Media, MediaSource};
use crate::model::timestamp::Timestamp;

/// LINE's clock and ours are never so far apart. A time that is further ahead would have whatever happens until then
/// taken for older.
const AHEAD_MAX: Duration = Duration::from_hours(365 * 24);

/// One event of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundEvent {
    /// LINE's `webhookEventId`: the same in every copy of the event.
    pub id: String,
    /// LINE's `type`, also one that we do not know.
    pub kind: String,
    /// When it happened, by LINE's clock, which [`Self::occurred`] believes or not; `None` when LINE did not say.
    pub occurred_at: Option<Timestamp>,
    /// Whether another system has control of the chat.
    pub standby: bool,
    /// Where it happened; `None` for the few events that happen nowhere.
    pub chat: Option<Chat>,
    /// Who did it, when LINE says so.
    pub speaker: Option<LineId>,
    /// LINE's id of the message that it is about, when it is about one.
    pub message_id: Option<String>,
    /// LINE's token for one free answer.
    pub reply_token: Option<String>,
    /// LINE's token for marking the chat as read up to here.
    pub read_token: Option<String>,
    /// What it means for the conversation.
    pub change: InboundChange,
    /// The event as LINE wrote it.
    pub body: String,
}

impl InboundEvent {
    /// When it happened; `None` when LINE did not say or cannot have meant it.
    pub fn occurred(&self, now: Timestamp) -> Option<Timestamp> {
        self.occurred_at.filter(|at| *at <= now.after(AHEAD_MAX))
    }

    /// When it happened, for what has to be put in order: now, when nobody knows.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        self.occurred(now).unwrap_or(now)
    }
}

/// What an event means for its conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum InboundChange {
    /// Somebody said something: it becomes a message.
    Received(ReceivedMessage),
    /// Somebody changed the text of a message.
    Edited(ReceivedMessage),
    /// Somebody withdrew a message.
    Unsend,
    /// The user became a friend of the account, or unblocked it.
    Follow,
    /// The user blocked the account.
    Unfollow,
    /// The account was taken into a group or room.
    Join,
    /// The account was removed from a group or room, or left it.
    Leave,
    /// These people came into a group or room.
    MembersJoined(Vec<LineId>),
    /// These people left a group or room.
    MembersLeft(Vec<LineId>),
    /// Understood, and nothing that a person would read as part of the chat: the journal keeps it.
    Noted,
    /// Kept as it came, for a later version to read.
    Unread,
}

/// What somebody said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReceivedMessage {
    /// What is read of it; empty when there are only media.
    pub text: String,
    /// What is seen or heard of it.
    pub medias: Vec<Media>,
    /// Where the file of the first media is, when it has one.
    pub source: Option<MediaSource>,
    /// With which LINE lets it be quoted.
    pub quote_token: Option<String>,
    /// LINE's id of the message that it quotes.
    pub quoted: Option<String>,
    /// Who is named in the text.
    pub mentions: Vec<Mention>,
}
