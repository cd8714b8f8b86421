//! Events of LINE's webhooks, parsed as far as they are understood.

use std::time::Duration;

use crate::model::chats::chat::{Chat, LineId};
use crate::model::chats::mention::Mention;
use crate::model::files::media::{Media, MediaSource};
use crate::model::timestamp::Timestamp;

/// Maximum lead of LINE's clock over ours. An event further ahead would make everything until then look older
/// than it.
const AHEAD_MAX: Duration = Duration::from_hours(365 * 24);

/// One event of a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundEvent {
    /// LINE's `webhookEventId`, which is the same in every copy of the event.
    pub id: String,
    /// LINE's `type`, including unknown ones.
    pub kind: String,
    /// When it occurred by LINE's clock, which [`Self::occurred`] checks for plausibility; `None` if LINE did
    /// not say.
    pub occurred_at: Option<Timestamp>,
    /// Whether another system controls the chat.
    pub standby: bool,
    /// The chat; `None` for the few events without one.
    pub chat: Option<Chat>,
    /// The person who caused it, if LINE says so.
    pub speaker: Option<LineId>,
    /// LINE's id of the message that it refers to, if any.
    pub message_id: Option<String>,
    /// LINE's token for one free reply.
    pub reply_token: Option<String>,
    /// LINE's token for marking the chat as read up to here.
    pub read_token: Option<String>,
    /// The change of the conversation.
    pub change: InboundChange,
    /// The event as LINE sent it.
    pub body: String,
}

impl InboundEvent {
    /// When it occurred; `None` if LINE did not say or the time is implausible.
    pub fn occurred(&self, now: Timestamp) -> Option<Timestamp> {
        self.occurred_at.filter(|at| *at <= now.after(AHEAD_MAX))
    }

    /// When it occurred, for ordering: `now` if that is unknown.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        self.occurred(now).unwrap_or(now)
    }
}

/// The change that an event makes to its conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum InboundChange {
    /// Somebody sent a message.
    Received(ReceivedMessage),
    /// Somebody edited the text of a message.
    Edited(ReceivedMessage),
    /// Somebody unsent a message.
    Unsend,
    /// The user became a friend of the account, or unblocked it.
    Follow,
    /// The user blocked the account.
    Unfollow,
    /// The account was added to a group or room.
    Join,
    /// The account was removed from a group or room, or left it.
    Leave,
    /// These people joined a group or room.
    MembersJoined(Vec<LineId>),
    /// These people left a group or room.
    MembersLeft(Vec<LineId>),
    /// Understood, but not a visible part of the chat: it is stored in the journal only.
    Noted,
    /// Not understood: it is stored as it arrived, for a later version.
    Unread,
}

/// A received message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReceivedMessage {
    /// Its text; empty if there are only media.
    pub text: String,
    /// Its media.
    pub medias: Vec<Media>,
    /// Where the file of the first media is, if it has one.
    pub source: Option<MediaSource>,
    /// LINE's token for quoting it.
    pub quote_token: Option<String>,
    /// LINE's id of the message that it quotes.
    pub quoted: Option<String>,
    /// The people mentioned in the text.
    pub mentions: Vec<Mention>,
}
