//! A conversation: everything that is said in one chat of one LINE account.

use crate::error::{Error, Result};
use crate::model::chats::chat::{Chat, LineId};
use crate::model::id::{AccountId, ConversationId, MediaId};
use crate::model::timestamp::Timestamp;

/// The name of a conversation until somebody renames it.
pub const NAME_DEFAULT: &str = "conversation";

/// The detail of a conversation until somebody changes it.
pub const DETAIL_DEFAULT: &str = "conversation detail";

/// The name of the other side while it is not known.
pub const TARGET_NAME_UNKNOWN: &str = "Unknown";

/// As many members of a group or room are listed with their conversation. The others have pages of their own, so that
/// what customers are told of a conversation does not grow with it.
pub const MEMBERS_LISTED_MAX: u32 = 100;

/// A conversation with those who take part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The account whose chat it is.
    pub account: AccountId,
    /// A name that a person gave, or [`NAME_DEFAULT`].
    pub name: String,
    /// A note that a person made, or [`DETAIL_DEFAULT`].
    pub detail: String,
    /// The chat at LINE.
    pub chat: Chat,
    /// Whether the other side can be written to, as far as LINE's events tell.
    pub reach: Reachability,
    /// Whether another system has control of the chat, so that we must not write.
    pub standby: bool,
    /// The other side first, then members in the order in which they spoke, the first [`MEMBERS_LISTED_MAX`] of them. We
    /// ourselves are not listed.
    pub participants: Vec<Participant>,
    /// All who take part, we ourselves too.
    pub participant_count: u32,
    /// When it began.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
}

/// Somebody who takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// LINE's id of the user, group or room.
    pub target: LineId,
    /// The name that LINE shows, or [`TARGET_NAME_UNKNOWN`].
    pub target_name: String,
    /// The picture that LINE shows, once it is here.
    pub picture: Option<MediaId>,
}

/// What LINE tells of a user, a group or a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineProfile {
    /// The name; `None` for a room, which has none.
    pub name: Option<String>,
    /// Where the picture is, at an address of LINE's choice; `None` for none.
    pub picture_url: Option<String>,
    /// How many people are in the chat besides the account; of a group or room itself alone.
    pub member_count: Option<u32>,
}

/// Whether the other side can be written to. LINE reports it by events and may lose them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reachability {
    /// Nothing speaks against it.
    Open,
    /// The user blocked the account (`unfollow`); LINE would take messages and drop them.
    Blocked,
    /// The account is no longer in the group or room (`leave`); LINE would refuse.
    Left,
}

/// What may be changed about a conversation; `None` keeps what is there.
#[derive(Debug, Clone, Default)]
pub struct ConversationChange {
    /// The name.
    pub name: Option<String>,
    /// The note.
    pub detail: Option<String>,
}

impl Conversation {
    /// `Conflict` when something speaks against sending. `force` overrides what LINE's events say about the other side.
    pub fn check_sendable(&self, force: bool) -> Result<()> {
        if self.standby {
            let obstacle =
                "another system has control of this chat at LINE (standby), so nothing may be sent";
            return Err(Error::Conflict(obstacle.to_owned()));
        }
        match self.reach.unreachable_reason() {
            Some(obstacle) if !force => {
                Err(Error::Conflict(format!("{obstacle}; send `\"force\": true` to try all the same")))
            }
            _ => Ok(()),
        }
    }
}

impl Reachability {
    /// Why a message should not be sent, for a person; `None` when it can be.
    pub fn unreachable_reason(self) -> Option<&'static str> {
        match self {
            Self::Open => None,
            Self::Blocked => {
                Some("the user has blocked this LINE account, so LINE would take the message and drop it")
            }
            Self::Left => {
                Some("this LINE account is no longer in the group or room, so LINE would refuse the message")
            }
        }
    }
}
