//! LINE chats, in which conversations take place.

/// A one-to-one chat, a group, or a room (LINE's older multi-person chat).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatKind {
    /// One person.
    User,
    /// A group, with a name and a picture.
    Group,
    /// A multi-person chat without a name; LINE no longer creates these.
    Room,
}

/// A chat of one LINE account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// The kind of chat.
    pub kind: ChatKind,
    /// LINE's id of the user, group or room: `U`, `C` or `R` and 32 hexadecimal digits.
    pub id: LineId,
}

/// LINE's id of a user, group or room. It is opaque and only sent back to LINE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LineId(String);

impl LineId {
    /// LINE's ids have 33 characters today; longer ones are accepted in case that changes.
    pub const LENGTH_MAX: usize = 64;

    /// Parses an id from LINE; `None` if it is unsafe in a path of LINE's API.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::LENGTH_MAX;
        let is_safe = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        (fits && is_safe).then(|| Self(text.to_owned()))
    }

    /// An id from storage, where it may be damaged: it can be shown, but not used in a path.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The id as LINE writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
