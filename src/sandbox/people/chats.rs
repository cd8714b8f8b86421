//! What the phones show: every chat's messages both ways, in order.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::model::timestamp::Timestamp;
use crate::sandbox::phone::ViewedMessage;
use crate::sandbox::phone::media::{Link, links};

/// A chat remembers at most so many messages.
const MESSAGES_MAX: usize = 1_000;
/// A phone loads at most so many addresses when a chat is opened, those of the newest messages first.
const LINKS_MAX: usize = 500;

/// A message as the phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// The id of the message.
    pub id: String,
    /// The id of the person who wrote it; nothing for the bot.
    pub from: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub timestamp: i64,
    /// The message object.
    pub message: Value,
    /// Whether its writer took it back.
    pub unsent: bool,
    /// Whether the bot has marked it as read.
    pub read: bool,
    /// Whether its quick replies are shown.
    pub quick_replies: bool,
    /// What the phone has tried to load of it.
    pub media: Vec<ViewedMessage>,
}

/// All chats by the id of the person, group or room.
#[derive(Debug, Default)]
pub struct Chats {
    chats: HashMap<String, VecDeque<ChatMessage>>,
}

impl Chats {
    /// Shows a message; the quick replies of the one before vanish.
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

    /// What a chat shows, oldest first.
    pub fn messages(&self, chat: &str) -> Vec<ChatMessage> {
        self.chats.get(chat).map(|messages| messages.iter().cloned().collect()).unwrap_or_default()
    }

    /// The chat of a message that this person wrote.
    pub fn chat_of(&self, message_id: &str, writer: &str) -> Option<String> {
        let wrote =
            |message: &ChatMessage| message.id == message_id && message.from.as_deref() == Some(writer);
        self.chats.iter().find(|(_, messages)| messages.iter().any(wrote)).map(|(chat, _)| chat.clone())
    }

    /// Changes a text that was not taken back; the message as it is then.
    pub fn edit(&mut self, chat: &str, message_id: &str, text: &str) -> Option<Value> {
        let mut messages = self.chats.get_mut(chat)?.iter_mut();
        let shown = messages.find(|message| message.id == message_id)?;
        if shown.unsent || shown.message["type"] != "text" {
            return None;
        }
        let message = shown.message.as_object_mut()?;
        // They stood at places of the old text.
        message.retain(|name, _| name != "mention" && name != "emojis");
        message.insert("text".to_owned(), Value::from(text));
        Some(shown.message.clone())
    }

    /// Takes a message back.
    pub fn unsend(&mut self, chat: &str, message_id: &str) {
        let mut messages = self.chats.get_mut(chat).into_iter().flatten();
        if let Some(message) = messages.find(|message| message.id == message_id) {
            message.unsent = true;
        }
    }

    /// Quick replies vanish once one of them was pressed.
    pub fn hide_quick_replies(&mut self, chat: &str, message_id: &str) {
        let mut messages = self.chats.get_mut(chat).into_iter().flatten();
        if let Some(message) = messages.find(|message| message.id == message_id) {
            message.quick_replies = false;
        }
    }

    /// What the phone has not loaded of a chat, or tried in vain.
    pub fn missing(&self, chat: &str) -> Vec<Link> {
        let links = self.of_bot(chat).flat_map(|message| {
            let links = links(&message.id, &message.message).into_iter();
            links.filter(|link| !message.media.iter().any(|seen| seen.is_shown_for(link)))
        });
        links.take(LINKS_MAX).collect()
    }

    /// Notes what the phone has loaded; tells all that it has seen of the chat, oldest message first.
    pub fn saw(&mut self, chat: &str, seen: Vec<ViewedMessage>) -> Vec<ViewedMessage> {
        for seen in seen {
            let mut messages = self.chats.get_mut(chat).into_iter().flatten();
            if let Some(message) = messages.find(|message| message.id == seen.message_id) {
                message.saw(seen);
            }
        }
        self.chats.get(chat).into_iter().flatten().flat_map(|message| message.media.clone()).collect()
    }

    /// The messages of the bot in a chat, newest first.
    pub fn of_bot(&self, chat: &str) -> impl Iterator<Item = &ChatMessage> {
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
    /// A message that was just written.
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

    /// One entry for each address at its place, in the order of the places.
    fn saw(&mut self, seen: ViewedMessage) {
        self.media.retain(|before| (&before.property, &before.url) != (&seen.property, &seen.url));
        self.media.push(seen);
        self.media.sort_by(|one, other| (&one.property, &one.url).cmp(&(&other.property, &other.url)));
    }
}
