//! The chats as the phones show them: the messages of both sides, in order.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::model::timestamp::Timestamp;
use crate::sandbox::phone::MediaView;
use crate::sandbox::phone::media::{Link, links};

/// Maximum number of messages stored per chat.
const MESSAGES_MAX: usize = 1_000;
/// Maximum number of URLs that a phone loads when a chat is opened, newest messages first.
const LINKS_MAX: usize = 500;

/// A message as the phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// The id of the message.
    pub id: String,
    /// The id of the person who sent it; `None` for the bot.
    pub from: Option<String>,
    /// When it was sent, in milliseconds since 1970.
    pub timestamp: i64,
    /// The message object.
    pub message: Value,
    /// Whether its sender has unsent it.
    pub unsent: bool,
    /// Whether the bot has marked it as read.
    pub read: bool,
    /// Whether its quick replies are shown.
    pub quick_replies: bool,
    /// The results of loading its media.
    pub media: Vec<MediaView>,
}

/// All chats by the id of the person, group or room.
#[derive(Debug, Default)]
pub struct Chats {
    chats: HashMap<String, VecDeque<ChatMessage>>,
}

impl Chats {
    /// Shows a message and hides the quick replies of the one before.
    pub fn show(&mut self, chat: &str, message: ChatMessage) {
        let messages = self.chats.entry(chat.to_owned()).or_default();
        if let Some(last) = messages.back_mut() {
            last.quick_replies = false;
        }
        messages.push_back(message);
        if messages.len() > MESSAGES_MAX {
            messages.pop_front();
        }
    }

    /// The messages of a chat, oldest first.
    pub fn messages(&self, chat: &str) -> Vec<ChatMessage> {
        self.chats.get(chat).map(|messages| messages.iter().cloned().collect()).unwrap_or_default()
    }

    /// The chat with this message of this person.
    pub fn find_chat(&self, message_id: &str, sender: &str) -> Option<String> {
        let matches =
            |message: &ChatMessage| message.id == message_id && message.from.as_deref() == Some(sender);
        self.chats.iter().find(|(_, messages)| messages.iter().any(matches)).map(|(chat, _)| chat.clone())
    }

    /// Edits a text that was not unsent; returns the edited message.
    pub fn edit(&mut self, chat: &str, message_id: &str, text: &str) -> Option<Value> {
        let mut messages = self.chats.get_mut(chat)?.iter_mut();
        let shown = messages.find(|message| message.id == message_id)?;
        if shown.unsent || shown.message["type"] != "text" {
            return None;
        }
        let message = shown.message.as_object_mut()?;
        // They refer to positions in the old text.
        message.retain(|name, _| name != "mention" && name != "emojis");
        message.insert("text".to_owned(), Value::from(text));
        Some(shown.message.clone())
    }

    /// Unsends a message.
    pub fn unsend(&mut self, chat: &str, message_id: &str) {
        let mut messages = self.chats.get_mut(chat).into_iter().flatten();
        if let Some(message) = messages.find(|message| message.id == message_id) {
            message.unsent = true;
        }
    }

    /// Hides the quick replies of a message after one was tapped.
    pub fn hide_quick_replies(&mut self, chat: &str, message_id: &str) {
        let mut messages = self.chats.get_mut(chat).into_iter().flatten();
        if let Some(message) = messages.find(|message| message.id == message_id) {
            message.quick_replies = false;
        }
    }

    /// The media of a chat that was not loaded yet, or failed to load.
    pub fn missing(&self, chat: &str) -> Vec<Link> {
        let links = self.bot_messages(chat).flat_map(|message| {
            let links = links(&message.id, &message.message).into_iter();
            links.filter(|link| !message.media.iter().any(|view| view.is_shown_for(link)))
        });
        links.take(LINKS_MAX).collect()
    }

    /// Records the results of loading; returns all results of the chat, oldest message first.
    pub fn record_views(&mut self, chat: &str, views: Vec<MediaView>) -> Vec<MediaView> {
        for view in views {
            let mut messages = self.chats.get_mut(chat).into_iter().flatten();
            if let Some(message) = messages.find(|message| message.id == view.message_id) {
                message.record_views(view);
            }
        }
        self.chats.get(chat).into_iter().flatten().flat_map(|message| message.media.clone()).collect()
    }

    /// The bot's messages in a chat, newest first.
    pub fn bot_messages(&self, chat: &str) -> impl Iterator<Item = &ChatMessage> {
        let messages = self.chats.get(chat).into_iter().flatten().rev();
        messages.filter(|message| message.from.is_none())
    }

    /// Marks a message and all before it as read.
    pub fn read_until(&mut self, message_id: &str) {
        for messages in self.chats.values_mut() {
            let position = messages.iter().position(|message| message.id == message_id);
            let count = position.map_or(0, |position| position + 1);
            messages.iter_mut().take(count).for_each(|message| message.read = true);
        }
    }
}

impl ChatMessage {
    /// A message that was just sent.
    pub fn new(id: &str, from: Option<&str>, message: &Value, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            from: from.map(str::to_owned),
            timestamp: now.as_milliseconds(),
            message: message.clone(),
            unsent: false,
            read: false,
            quick_replies: from.is_none() && message["quickReply"].is_object(),
            media: Vec::new(),
        }
    }

    /// Records a result: one for each URL and property, sorted by property.
    fn record_views(&mut self, view: MediaView) {
        self.media.retain(|before| (&before.property, &before.url) != (&view.property, &view.url));
        self.media.push(view);
        self.media.sort_by(|one, other| (&one.property, &one.url).cmp(&(&other.property, &other.url)));
    }
}
