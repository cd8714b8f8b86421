//! Outgoing messages before they are validated by LINE's rules.

use serde_json::Value;

use crate::model::chats::mention::Mention;
use crate::model::chats::text::Text;

/// A message as its caller provides it. Parts that LINE has rules for are still JSON: the rules are applied
/// to the message objects built from them, so that there is only one set of rules.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// The text.
    pub text: Option<Text>,
    /// The mentions in the text.
    pub mentions: Vec<Mention>,
    /// The media that follow the text, in order, each in the shape of the HTTP contract.
    pub medias: Vec<Value>,
    /// LINE's quick reply items, which are shown below the last message object.
    pub quick_replies: Vec<Value>,
    /// LINE's token of the message that it quotes.
    pub quote_token: Option<String>,
    /// The name and icon that it is shown with: `name` and `icon_uri`.
    pub sender: Option<Value>,
    /// Whether the recipients' phones show no notification.
    pub notification_disabled: bool,
}
