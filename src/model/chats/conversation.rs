//! A conversation: the messages of one chat of one LINE account.

use crate::error::{Error, Result};
use crate::model::chats::chat::{Chat, LineId};
use crate::model::id::{AccountId, ConversationId, MediaId};
use crate::model::timestamp::Timestamp;

/// The default name of a conversation.
pub const NAME_DEFAULT: &str = "conversation";

/// The default detail of a conversation.
pub const DETAIL_DEFAULT: &str = "conversation detail";

/// The name of the other side while it is unknown.
pub const TARGET_NAME_UNKNOWN: &str = "Unknown";

/// Maximum number of members that are listed with the conversation of a group or room. The rest is available
/// in pages, so that the size of conversation events is bounded.
pub const MEMBERS_LISTED_MAX: u32 = 100;

/// A conversation with its participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The account that the chat belongs to.
    pub account: AccountId,
    /// The name that was set, or [`NAME_DEFAULT`].
    pub name: String,
    /// The note that was set, or [`DETAIL_DEFAULT`].
    pub detail: String,
    /// The chat at LINE.
    pub chat: Chat,
    /// Whether the other side can be reached, as far as LINE's events show.
    pub reach: Reachability,
    /// Whether another system controls the chat, so that we must not send.
    pub standby: bool,
    /// The other side, followed by members in the order of their first message, the first
    /// [`MEMBERS_LISTED_MAX`] of them. Does not include the account.
    pub participants: Vec<Participant>,
    /// The number of participants, including the account.
    pub participant_count: u32,
    /// When it started.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
}

/// A participant of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// LINE's id of the user, group or room.
    pub target: LineId,
    /// The name at LINE, or [`TARGET_NAME_UNKNOWN`].
    pub target_name: String,
    /// The picture at LINE, once it is downloaded.
    pub picture: Option<MediaId>,
}

/// LINE's profile of a user, a group or a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineProfile {
    /// The name; `None` for a room, which has none.
    pub name: Option<String>,
    /// The URL of the picture, which LINE chooses; `None` if there is none.
    pub picture_url: Option<String>,
    /// The number of people in the chat, not counting the account; only for a group or room itself.
    pub member_count: Option<u32>,
}

/// Whether the other side can be reached. LINE reports changes by events, which may get lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachability {
    /// Nothing known prevents it.
    Open,
    /// The user has blocked the account (`unfollow`); LINE would accept messages and drop them.
    Blocked,
    /// The account is no longer in the group or room (`leave`); LINE would refuse messages.
    Left,
}

/// A change of a conversation; `None` keeps the present value.
#[derive(Debug, Clone, Default)]
pub struct ConversationChange {
    /// The name.
    pub name: Option<String>,
    /// The note.
    pub detail: Option<String>,
}

impl Conversation {
    /// Fails with `Conflict` if the conversation cannot be sent to. `force` overrides what LINE's events say
    /// about the other side.
    pub fn check_sendable(&self, force: bool) -> Result<()> {
        if self.standby {
            let reason = "another system controls this chat at LINE (standby), so nothing may be sent";
            return Err(Error::Conflict(reason.to_owned()));
        }
        match self.reach.unreachable_reason() {
            Some(reason) if !force => {
                Err(Error::Conflict(format!("{reason}; send `\"force\": true` to try anyway")))
            }
            _ => Ok(()),
        }
    }
}

impl Reachability {
    /// Why a message should not be sent, for people; `None` if it can be.
    pub fn unreachable_reason(self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::Blocked => {
                Some("the user has blocked this LINE account, so LINE would accept the message and drop it")
            }
            Self::Left => {
                Some("this LINE account is no longer in the group or room, so LINE would refuse the message")
            }
        }
    }
}
