//! Who is named in a text.

use serde::{Deserialize, Serialize};

/// Somebody who is named in a text, in the shape of the HTTP contract: it is stored with its message as it is shown. Places
/// are counted in UTF-16 code units, as LINE counts them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// Where it begins.
    pub index: u32,
    /// How long it is.
    pub length: u32,
    /// Who is meant.
    pub kind: MentionKind,
    /// LINE's id of the user; `None` for all, and for one whom LINE does not tell.
    pub participant: Option<String>,
    /// Whether it is the account itself.
    pub is_self: bool,
}

/// Who is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MentionKind {
    /// One person.
    #[default]
    User,
    /// Everybody in the chat.
    All,
}
