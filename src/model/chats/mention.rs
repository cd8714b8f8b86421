//! Mentions in a text.

use serde::{Deserialize, Serialize};

/// A mention in a text, in the shape of the HTTP contract: it is stored with its message as it is shown.
/// Positions are counted in UTF-16 code units, as LINE does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// Where it starts.
    pub index: u32,
    /// Its length.
    pub length: u32,
    /// Who is mentioned.
    pub kind: MentionKind,
    /// LINE's id of the user; `None` for all, and for users whom LINE does not disclose.
    pub participant: Option<String>,
    /// Whether the account itself is mentioned.
    pub is_self: bool,
}

/// Who is mentioned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MentionKind {
    /// One person.
    #[default]
    User,
    /// Everyone in the chat.
    All,
}
