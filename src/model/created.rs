//! What a request created.

use crate::model::id::{AccountId, MediaId, MessageId};

/// What a request created, so that a repetition of it can return the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// A message, or a resend of one.
    Message(MessageId),
    /// An uploaded file.
    Media(MediaId),
    /// A LINE account.
    Account(AccountId),
}

impl Created {
    /// Its kind and id, for storage.
    pub fn parts(&self) -> (&'static str, &[u8; 16]) {
        match self {
            Self::Message(id) => ("message", id.as_bytes()),
            Self::Media(id) => ("media", id.as_bytes()),
            Self::Account(id) => ("account", id.as_bytes()),
        }
    }

    /// The reverse of [`Self::parts`]; `None` for an unknown kind.
    pub fn from_parts(kind: &str, id: [u8; 16]) -> Option<Self> {
        match kind {
            "message" => Some(Self::Message(MessageId::from_bytes(id))),
            "media" => Some(Self::Media(MediaId::from_bytes(id))),
            "account" => Some(Self::Account(AccountId::from_bytes(id))),
            _ => None,
        }
    }
}
