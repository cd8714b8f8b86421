//! Clients who write messages and a LINE that delivers webhooks, all at once, and what they know afterwards.

use std::cell::{Cell, RefCell};

use futures_util::future::join_all;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::sandbox::platform::Platform;
use kaiwa::sandbox::random::Generator;
use kaiwa::sandbox::state::State;
use serde_json::{Value, json};

use crate::crash::process::Api;
use crate::harness::answer::Answer;
use crate::harness::server::text_event;

/// Clients who write messages.
const WRITERS: usize = 10;

/// Webhooks that are under way at once.
const WEBHOOKS: usize = 3;

/// Events of one webhook.
const EVENTS_MAX: usize = 10;

/// How many of the messages wait for LINE's first answer: the others are accepted faster than they are delivered.
const WAITING: f64 = 0.15;

/// How many of the messages are so long that they take two requests to LINE. A reply that nobody waits for any more may
/// still be executed between the two, so that replies are tried with short messages alone.
pub const LONG: f64 = 0.03;

/// How many of the events are copies of earlier ones.
const COPIES: f64 = 0.3;

/// One grapheme of eleven UTF-16 code units: bubbles cannot be filled with it, so that five do not hold it all.
const FILLER: &str = "👨‍👩‍👧‍👦";

/// As often as it goes into the 25,000 units of a text, beside the name at both ends.
const FILLERS: usize = 2_268;

/// A chat of the account.
pub struct Chat {
    /// LINE's id of the other side.
    pub user: String,
    /// Our id.
    pub conversation: String,
}

/// A message that a client tried to send.
pub struct Message {
    /// What no other text begins with; the first line of its text.
    pub name: String,
    /// The position of its chat.
    pub chat: usize,
    /// What it says.
    pub text: String,
    /// Whether the server took it.
    pub acknowledged: bool,
}

/// An event that LINE tried to deliver.
pub struct Event {
    /// The position of its chat.
    pub chat: usize,
    /// What no other message says.
    pub text: String,
    /// Whether the server took it at least once.
    pub acknowledged: bool,
    body: Value,
}

/// What all clients of a campaign know.
#[derive(Default)]
pub struct Ledger {
    /// All messages that were attempted.
    pub messages: Vec<Message>,
    /// All events that were attempted.
    pub events: Vec<Event>,
    /// Answers that refused something which was right.
    pub refusals: Vec<String>,
    /// Webhooks with copies that were taken.
    pub copies: usize,
    /// How many of the messages are long.
    pub long_share: f64,
    in_flight: usize,
}

/// The load on one process.
pub struct Load<'a> {
    /// The process.
    pub api: &'a Api,
    /// Where to write.
    pub chats: &'a [Chat],
    /// What becomes of it.
    pub ledger: &'a RefCell<Ledger>,
    /// LINE, which knows the tokens for replies.
    pub platform: &'a Platform,
    /// Decides on everything that may be one way or another.
    pub seed: u64,
    over: Cell<bool>,
}

impl Message {
    fn new(name: String, chat: usize, long: bool) -> Self {
        let text = if long { format!("{name}\n{}\n{name}", FILLER.repeat(FILLERS)) } else { name.clone() };
        Self { name, chat, text, acknowledged: false }
    }
}

impl Ledger {
    /// Whether a client waits for an answer now.
    pub fn is_under_way(&self) -> bool {
        self.in_flight > 0
    }

    /// Messages that the server took.
    pub fn acknowledged_messages(&self) -> usize {
        self.messages.iter().filter(|message| message.acknowledged).count()
    }

    /// Events that the server took.
    pub fn acknowledged_events(&self) -> usize {
        self.events.iter().filter(|event| event.acknowledged).count()
    }

    /// The name that the next message gets: the number makes it unlike any other.
    fn next_name(&self, writer: usize) -> String {
        format!("client {writer} number {:05}", self.messages.len())
    }

    fn event(&mut self, chat: usize, user: &str, webhook: usize) -> usize {
        let text = format!("event {:05} of webhook {webhook}", self.events.len());
        let body = text_event(user, &text);
        self.events.push(Event { chat, text, acknowledged: false, body });
        self.events.len() - 1
    }
}

/// Begins a chat with each of these users, before anything goes wrong.
pub async fn open_chats(api: &Api, users: Vec<String>, ledger: &mut Ledger) -> Vec<Chat> {
    for (chat, user) in users.iter().enumerate() {
        let event = ledger.event(chat, user, WEBHOOKS);
        let event = &mut ledger.events[event];
        assert_eq!(api.webhook(std::slice::from_ref(&event.body)).await.unwrap().status, 200);
        event.acknowledged = true;
    }
    let conversations = api.list("/v1.0/conversations").await;
    let id_with = |user: &String| {
        let found = conversations.iter().find(|one| one["reference_id"] == user.as_str());
        found.expect("the conversation has begun")["id"].as_str().unwrap().to_owned()
    };
    users.into_iter().map(|user| Chat { conversation: id_with(&user), user }).collect()
}

impl<'a> Load<'a> {
    /// Load that has not begun.
    pub const fn new(
        api: &'a Api,
        chats: &'a [Chat],
        ledger: &'a RefCell<Ledger>,
        platform: &'a Platform,
        seed: u64,
    ) -> Self {
        Self { api, chats, ledger, platform, seed, over: Cell::new(false) }
    }

    /// Puts load on the process until it was killed, which `kill` does.
    pub async fn until(&self, kill: impl Future<Output = ()>) {
        let writers = join_all((0..WRITERS).map(|writer| self.write(writer)));
        let webhooks = join_all((0..WEBHOOKS).map(|webhook| self.deliver(webhook)));
        let end = async {
            kill.await;
            self.over.set(true);
        };
        tokio::join!(writers, webhooks, end);
    }

    /// One client after whose message the next one follows.
    async fn write(&self, writer: usize) {
        let mut generator = generator(self.seed, writer);
        while !self.over.get() {
            let chat = generator.position(self.chats.len()).unwrap();
            let is_long = generator.happens(self.ledger.borrow().long_share);
            let position = self.begin_message(writer, chat, is_long);
            let text = self.ledger.borrow().messages[position].text.clone();
            let wait = generator.happens(WAITING);
            let answer = self.send(self.api.say(&self.chats[chat].conversation, &text, wait)).await;
            if answer {
                self.ledger.borrow_mut().messages[position].acknowledged = true;
            }
        }
    }

    /// One sender of webhooks, each of which follows the one before.
    async fn deliver(&self, webhook: usize) {
        let mut generator = generator(self.seed, WRITERS + webhook);
        while !self.over.get() {
            let size = 1 + generator.position(EVENTS_MAX).unwrap();
            let known = self.ledger.borrow().events.len();
            let events: Vec<usize> = (0..size).map(|_| self.draw_event(&mut generator, webhook)).collect();
            let bodies: Vec<Value> = events.iter().map(|event| self.body(*event, *event < known)).collect();
            if self.send(self.api.webhook(&bodies)).await {
                let mut ledger = self.ledger.borrow_mut();
                ledger.copies += usize::from(events.iter().any(|event| *event < known));
                for event in events {
                    ledger.events[event].acknowledged = true;
                }
            }
        }
    }

    fn begin_message(&self, writer: usize, chat: usize, long: bool) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        let message = Message::new(ledger.next_name(writer), chat, long);
        ledger.messages.push(message);
        ledger.messages.len() - 1
    }

    /// An earlier event or a new one.
    fn draw_event(&self, generator: &mut Generator, webhook: usize) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        let earlier = generator.position(ledger.events.len()).filter(|_| generator.happens(COPIES));
        let chat = generator.position(self.chats.len()).unwrap();
        earlier.unwrap_or_else(|| ledger.event(chat, &self.chats[chat].user, webhook))
    }

    fn body(&self, event: usize, again: bool) -> Value {
        let mut body = self.ledger.borrow().events[event].body.clone();
        if !again {
            let (token, chat) = (body["replyToken"].as_str(), body["source"]["userId"].as_str());
            let issue = |state: &mut State| {
                state.reply_tokens.issue(token.unwrap(), chat.unwrap(), Timestamp::now());
            };
            self.platform.with(issue);
        }
        body["deliveryContext"]["isRedelivery"] = json!(again);
        body
    }

    /// Whether the request was acknowledged.
    async fn send(&self, request: impl Future<Output = Result<Answer, String>>) -> bool {
        self.ledger.borrow_mut().in_flight += 1;
        let answer = request.await;
        let mut ledger = self.ledger.borrow_mut();
        ledger.in_flight -= 1;
        match answer {
            Ok(Answer { status: 200..=299, .. }) => true,
            // The server says that it cannot take it at present, and promises nothing.
            Ok(Answer { status: 503, .. }) => false,
            Ok(refusal) => {
                ledger.refusals.push(format!("{} {}", refusal.status, refusal.text));
                false
            }
            Err(_) if self.over.get() => false,
            Err(error) => {
                ledger.refusals.push(format!("no answer, and not because of the kill: {error}"));
                false
            }
        }
    }
}

/// Generators that differ in their first numbers already.
pub fn generator(seed: u64, stream: usize) -> Generator {
    let stream = u64::try_from(stream).unwrap();
    Generator::new(seed.wrapping_mul(1_000).wrapping_add(stream).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
