//! The request body of a message to send, and how its medias are shown afterwards.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::request::field::or_default;
use crate::error::{Error, InvalidProperty, InvalidRule, Result};
use crate::line::outgoing::link_text;
use crate::model::chats::mention::{Mention, MentionKind};
use crate::model::chats::outgoing::Outgoing;
use crate::model::files::media::{Media, MediaType};
use crate::model::id::{MediaId, MessageId};

/// A message to send.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    #[serde(default, deserialize_with = "or_default")]
    text: String,
    /// Each in the shape of the HTTP contract.
    #[serde(default, deserialize_with = "or_default")]
    pub medias: Vec<Value>,
    /// The people mentioned in the text.
    #[serde(default, deserialize_with = "or_default")]
    mentions: Vec<MentionToSend>,
    /// LINE's quick reply items, shown under the last message.
    #[serde(default, deserialize_with = "or_default")]
    quick_replies: Vec<Value>,
    /// The message that it answers.
    #[serde(default)]
    quote: Option<String>,
    /// The name and icon under which it is shown.
    #[serde(default)]
    sender: Option<Value>,
    #[serde(default, deserialize_with = "or_default")]
    notification_disabled: bool,
    /// Send even though LINE's events say that the other side cannot be reached.
    #[serde(default, deserialize_with = "or_default")]
    pub force: bool,
}

/// A mention. Its position is in UTF-16 code units of the text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MentionToSend {
    index: u32,
    length: u32,
    #[serde(default, deserialize_with = "or_default")]
    kind: MentionKind,
    #[serde(default)]
    participant: Option<String>,
}

impl From<MentionToSend> for Mention {
    fn from(mention: MentionToSend) -> Self {
        let MentionToSend { index, length, kind, participant } = mention;
        let participant = participant.filter(|_| kind == MentionKind::User);
        Self { index, length, kind, participant, is_self: false }
    }
}

impl SendMessage {
    /// The message that it answers.
    pub fn quoted(&self) -> Result<Option<MessageId>> {
        let invalid = |_| invalid_quote("must be the id of a message");
        self.quote.as_deref().map(|id| id.parse().map_err(invalid)).transpose()
    }

    /// The message to send. `Invalid` when it is empty. `quote_token` belongs to the message that it quotes.
    pub fn outgoing(self, quote_token: Option<String>) -> Result<Outgoing> {
        if self.text.is_empty() && self.medias.is_empty() {
            let expected = "a message needs a `text` or at least one of `medias`";
            return Err(Error::invalid(InvalidRule::Argument, expected));
        }
        let text = if self.text.is_empty() { None } else { Some(self.text.parse()?) };
        Ok(Outgoing {
            text,
            mentions: self.mentions.into_iter().map(Mention::from).collect(),
            medias: self.medias,
            quick_replies: self.quick_replies,
            quote_token,
            sender: self.sender,
            notification_disabled: self.notification_disabled,
        })
    }
}

/// The medias as messages show them, once validated as acceptable to LINE; for uploads that view exists
/// already.
pub fn shown(medias: &[Value], uploads: Vec<Option<Media>>) -> Result<Vec<Media>> {
    medias.iter().zip(uploads).map(|(media, upload)| upload.map_or_else(|| shown_one(media), Ok)).collect()
}

fn shown_one(media: &Value) -> Result<Media> {
    let given = media.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let mut named: Map<String, Value> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    named.insert("id".to_owned(), serde_json::to_value(MediaId::random()).map_err(Error::internal)?);
    let mut media: Media = serde_json::from_value(named.into()).map_err(Error::internal)?;
    if media.r#type == MediaType::File {
        // LINE has no file messages: the other side gets this text instead.
        media.alt_text = media.uri.as_deref().map(|uri| link_text(&media.filename, uri));
    }
    Ok(media)
}

/// The error for an invalid quote.
pub fn invalid_quote(message: &str) -> Error {
    Error::InvalidProperties(vec![InvalidProperty::new("quote", message)])
}
