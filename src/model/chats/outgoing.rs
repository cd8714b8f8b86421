//! What is to be sent to a chat, before it is known whether LINE would take it.

use serde_json::Value;

use crate::model::chats::mention::Mention;
use crate::model::chats::text::Text;

/// A message as its caller wants it. What LINE has rules for is still plain JSON: the rules are held against the message
/// objects that become of it, so that there is one set of them.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// What it says.
    pub text: Option<Text>,
    /// Who is named in the text.
    pub mentions: Vec<Mention>,
    /// What goes out after the text, in order, each in the shape of the HTTP contract.
    pub medias: Vec<Value>,
    /// LINE's quick reply items; they stand under the last message object.
    pub quick_replies: Vec<Value>,
    /// LINE's token of the message that it answers.
    pub quote_token: Option<String>,
    /// Under whose name it is shown: `name` and `icon_uri`.
    pub sender: Option<Value>,
    /// Whether the phones stay silent.
    pub notification_disabled: bool,
}
