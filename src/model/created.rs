//! What a request has created.

use crate::model::id::{AccountId, MediaId, MessageId};

/// What a request has created, so that a repetition of it can be shown the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// A message, or the attempt to send one again.
    Message(MessageId),
    /// An uploaded file.
    Media(MediaId),
    /// A LINE account.
    Account(AccountId),
}

impl Created {
    /// Its kind and id, as they are stored.
    pub fn parts(&self) -> (&'static str, &[u8; 16]) {
        match self {
            Self::Message(id) => ("message", id.as_bytes()),
            Self::Media(id) => ("media", id.as_bytes()),
            Self::Account(id) => ("account", id.as_bytes()),
        }
    }

    /// What was stored in this way; nothing for a kind that there is not.
    pub fn of_parts(kind: &str, id: [u8; 16]) -> Option<Self> {
        match kind {
            "message" => Some(Self::Message(MessageId::from_bytes(id))),
            "media" => Some(Self::Media(MediaId::from_bytes(id))),
            "account" => Some(Self::Account(AccountId::from_bytes(id))),
            _ => None,
        }
    }
}
