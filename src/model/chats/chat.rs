//! Where a conversation takes place at LINE.

/// A one-to-one chat, a group, or a room (LINE's older multi-person chat).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatKind {
    /// One person.
    User,
    /// A group, with a name and a picture.
    Group,
    /// A multi-person chat without a name; LINE makes no new ones.
    Room,
}

/// A chat of one LINE account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// What kind of chat it is.
    pub kind: ChatKind,
    /// LINE's id of the user, group or room: `U`, `C` or `R` and 32 hexadecimal digits.
    pub id: LineId,
}

/// An id that LINE made, of a user, group or room. It is only ever given back to LINE.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LineId(String);

impl LineId {
    /// LINE's ids have 33 characters today; more are taken in case that changes.
    pub const LENGTH_MAX: usize = 64;

    /// Takes what LINE sent, unless it could not stand in a path of LINE's API.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::LENGTH_MAX;
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// Takes an id as it stands in storage, where it may be damaged: to be shown, and in no path.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The id as LINE writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
