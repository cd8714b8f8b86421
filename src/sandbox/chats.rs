//! What the phones show: every chat's messages both ways, in order.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::model::timestamp::Timestamp;

/// A chat remembers at most so many messages.
const MESSAGES_MAX: usize = 1_000;

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
}

/// All chats by the id of the person, group or room.
#[derive(Debug, Default)]
pub struct Chats {
    chats: HashMap<String, VecDeque<ChatMessage>>,
}

impl Chats {
    /// Shows a message.
    pub fn show(&mut self, chat: &str, message: ChatMessage) {
        let messages = self.chats.entry(chat.to_owned()).or_default();
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

    /// Takes a message back.
    pub fn unsend(&mut self, chat: &str, message_id: &str) {
        let mut messages = self.chats.get_mut(chat).into_iter().flatten();
        if let Some(message) = messages.find(|message| message.id == message_id) {
            message.unsent = true;
        }
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
        }
    }
}
