//! What users write, send, edit and unsend, and the events that LINE sends for it.

use kaiwa::model::timestamp::Timestamp;
use kaiwa::sandbox::platform::Platform;
use kaiwa::sandbox::records::contents::{Readiness, SampleContent};
use kaiwa::sandbox::records::random::Generator;
use serde_json::{Value, json};

use crate::harness::server::text_event;
use crate::media::JPEG;

/// The share of actions that send a file.
const FILES: f64 = 0.15;

/// The share of actions that edit a message.
const EDITS: f64 = 0.15;

/// The share of actions that unsend a message.
const UNSENDS: f64 = 0.1;

/// More than one chunk of a body, yet few enough bytes that many files fit between two kills.
const FILE_BYTES_MAX: usize = 100_000;

/// A message that a user wrote or sent.
pub struct UserMessage {
    /// The index of its chat.
    pub chat: usize,
    /// LINE's id.
    pub line_id: String,
    /// The bytes of a file; `None` for a text.
    pub file: Option<Vec<u8>>,
    /// Whether its author has unsent it.
    pub is_unsent: bool,
    user: String,
    changed_at: i64,
}

/// An event that LINE tried to deliver.
pub struct Event {
    /// The index of the message it is about.
    pub message: usize,
    /// The text from then on, unique to this event; `None` once it is unsent.
    pub text: Option<String>,
    /// Time of the event, in LINE's milliseconds.
    pub at: i64,
    /// Whether the server accepted it at least once.
    pub acknowledged: bool,
    body: Value,
}

/// All users of a campaign.
#[derive(Default)]
pub struct People {
    /// All their messages.
    pub messages: Vec<UserMessage>,
    /// All events about these messages.
    pub events: Vec<Event>,
}

impl People {
    /// The next action of a user in this chat; returns the index of its event.
    pub fn act(&mut self, (chat, user): (usize, &str), draw: &mut Generator, platform: &Platform) -> usize {
        let earlier = draw.position(self.messages.len()).filter(|message| !self.messages[*message].is_unsent);
        if let Some(message) =
            earlier.filter(|message| self.messages[*message].file.is_none() && draw.occurs(EDITS))
        {
            return self.edit(message);
        }
        if let Some(message) = earlier.filter(|_| draw.occurs(UNSENDS)) {
            return self.unsend(message, platform);
        }
        if draw.occurs(FILES) {
            let size = 1 + draw.position(FILE_BYTES_MAX).expect("there is a size");
            return self.send_file((chat, user), size, platform);
        }
        self.write((chat, user))
    }

    /// A user writes a text.
    pub fn write(&mut self, (chat, user): (usize, &str)) -> usize {
        let text = self.next_text();
        let body = text_event(user, &text);
        self.say((chat, user), None, text, body)
    }

    /// A user sends a file, whose bytes LINE has from now on.
    pub fn send_file(&mut self, (chat, user): (usize, &str), size: usize, platform: &Platform) -> usize {
        let mut body = text_event(user, "");
        let line_id = id_of(&body);
        let kind = if size.is_multiple_of(2) { "image" } else { "file" };
        body["message"] = json!({ "type": kind, "id": line_id, "contentProvider": { "type": "line" },
            "fileName": "report.pdf" });
        let bytes = bytes_of(&line_id, size);
        let content = SampleContent::new(kind, "image/jpeg", bytes.clone());
        platform.with(|state| state.contents.put(&line_id, content));
        self.say((chat, user), Some(bytes), String::new(), body)
    }

    fn edit(&mut self, position: usize) -> usize {
        let text = self.next_text();
        let message = &self.messages[position];
        let mut body = text_event(&message.user, &text);
        body["type"] = json!("messageEdited");
        body["message"]["id"] = json!(message.line_id);
        self.change(position, Some(text), body)
    }

    fn unsend(&mut self, position: usize, platform: &Platform) -> usize {
        let message = &mut self.messages[position];
        message.is_unsent = true;
        platform.with(|state| {
            if let Some(content) = state.contents.get_mut(&message.line_id) {
                content.readiness = Readiness::Unsent;
            }
        });
        let mut body = text_event(&message.user, "");
        body["type"] = json!("unsend");
        body["unsend"] = json!({ "messageId": message.line_id });
        body["replyToken"].take();
        self.change(position, None, body)
    }

    fn say(
        &mut self,
        (chat, user): (usize, &str),
        file: Option<Vec<u8>>,
        text: String,
        body: Value,
    ) -> usize {
        let line_id = id_of(&body);
        let user = user.to_owned();
        self.messages.push(UserMessage { chat, line_id, file, is_unsent: false, user, changed_at: 0 });
        self.change(self.messages.len() - 1, Some(text), body)
    }

    /// An event about a message, later than all others about it.
    fn change(&mut self, position: usize, text: Option<String>, mut body: Value) -> usize {
        let message = &mut self.messages[position];
        let at = Timestamp::now().as_milliseconds().max(message.changed_at + 1);
        message.changed_at = at;
        body["timestamp"] = json!(at);
        self.events.push(Event { message: position, text, at, acknowledged: false, body });
        self.events.len() - 1
    }

    fn next_text(&self) -> String {
        format!("event {:05}", self.events.len())
    }
}

impl Event {
    /// Whether it changes an earlier message.
    pub fn is_edit(&self) -> bool {
        self.body["type"] == "messageEdited"
    }

    /// The event as LINE delivers it, initially or again.
    pub fn body(&self, again: bool, platform: &Platform) -> Value {
        let mut body = self.body.clone();
        if let (false, Some(token), Some(chat)) =
            (again, body["replyToken"].as_str(), body["source"]["userId"].as_str())
        {
            platform.with(|state| state.reply_tokens.issue(token, chat, Timestamp::now()));
        }
        body["deliveryContext"]["isRedelivery"] = json!(again);
        body
    }
}

/// The bytes of an image, unique to this name; no prefix of them is an image.
pub fn bytes_of(name: &str, size: usize) -> Vec<u8> {
    let mut bytes = [JPEG, name.repeat(size / name.len() + 1).as_bytes()].concat();
    bytes.truncate(JPEG.len() + size);
    bytes
}

fn id_of(body: &Value) -> String {
    body["message"]["id"].as_str().expect("a message has an id").to_owned()
}
