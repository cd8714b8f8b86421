//! Clients that send messages while LINE delivers webhooks, and what they know afterwards.

use std::cell::{Cell, RefCell};

use futures_util::future::join_all;
use kaiwa::sandbox::platform::Platform;
use kaiwa::sandbox::records::random::Generator;
use serde_json::{Value, json};

use crate::crash::people::{People, bytes_of};
use crate::crash::process::Api;
use crate::harness::response::Response;

/// Clients that send messages.
const WRITERS: usize = 10;

/// Webhooks in flight at once.
const WEBHOOKS: usize = 3;

/// Events of one webhook.
const EVENTS_MAX: usize = 10;

/// The share of messages that wait for LINE's first response: the others are accepted faster than they are delivered.
const WAITING: f64 = 0.15;

/// The share of messages that are so long that they take two requests to LINE.
const LONG: f64 = 0.03;

/// The share of messages with an image that is uploaded first.
const UPLOADS: f64 = 0.1;

/// The largest uploaded image: small enough to need no preview.
const UPLOAD_BYTES_MAX: usize = 100_000;

/// The share of events that are copies of earlier ones.
const COPIES: f64 = 0.3;

/// One grapheme of eleven UTF-16 code units: it cannot fill a bubble exactly, so that five bubbles do not hold the text.
const FILLER: &str = "👨‍👩‍👧‍👦";

/// As often as it fits into the 25,000 units of a text, with the name at both ends.
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
    /// A unique name; the first line of its text.
    pub name: String,
    /// The index of its chat.
    pub chat: usize,
    /// Its text.
    pub text: String,
    /// Whether the server accepted it.
    pub acknowledged: bool,
    /// The id of the attached image.
    pub upload: Option<String>,
}

/// An image that the server accepted.
pub struct Upload {
    /// The id assigned by the server.
    pub id: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What all clients of a campaign know.
#[derive(Default)]
pub struct Ledger {
    /// All messages that were attempted.
    pub messages: Vec<Message>,
    /// All images that were accepted.
    pub uploads: Vec<Upload>,
    /// Everything that users did.
    pub people: People,
    /// Responses that rejected a valid request.
    pub refusals: Vec<String>,
    /// Accepted webhooks with copies.
    pub copies: usize,
    /// Responses of any kind.
    pub responses: usize,
    in_flight: usize,
}

/// The load on one process.
pub struct Load<'a> {
    /// The process.
    pub api: &'a Api,
    /// The chats to write to.
    pub chats: &'a [Chat],
    /// The history of the campaign.
    pub ledger: &'a RefCell<Ledger>,
    /// LINE, which knows the reply tokens.
    pub platform: &'a Platform,
    /// The source of every random decision.
    pub seed: u64,
    over: Cell<bool>,
}

impl Message {
    fn new(name: String, chat: usize, long: bool, upload: Option<String>) -> Self {
        let text = if long { format!("{name}\n{}\n{name}", FILLER.repeat(FILLERS)) } else { name.clone() };
        Self { name, chat, text, acknowledged: false, upload }
    }

    /// The text that the customer sends.
    fn body(&self) -> Value {
        let pictures: Vec<Value> =
            self.upload.iter().map(|id| json!({ "type": "image", "id": id })).collect();
        json!({ "text": self.text, "medias": pictures })
    }

    /// The messages that LINE executes: the text, followed by the address of the image.
    pub fn executed(&self) -> String {
        let image = self.upload.as_ref().map(|id| format!("\n/m/{id}/file.jpg"));
        format!("{}{}", self.text, image.unwrap_or_default())
    }
}

impl Ledger {
    /// Whether a client is waiting for a response now.
    pub fn is_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Messages that the server accepted.
    pub fn acknowledged_messages(&self) -> usize {
        self.messages.iter().filter(|message| message.acknowledged).count()
    }

    /// Events that the server accepted.
    pub fn acknowledged_events(&self) -> usize {
        self.people.events.iter().filter(|event| event.acknowledged).count()
    }

    /// The name of the next message, made unique by its number.
    fn next_name(&self, writer: usize) -> String {
        format!("client {writer} number {:05}", self.messages.len())
    }
}

/// Starts a chat with each of these users, before any fault.
pub async fn open_chats(
    api: &Api,
    users: Vec<String>,
    ledger: &mut Ledger,
    platform: &Platform,
) -> Vec<Chat> {
    for (chat, user) in users.iter().enumerate() {
        let event = ledger.people.write((chat, user));
        let event = &mut ledger.people.events[event];
        assert_eq!(api.webhook(&[event.body(false, platform)]).await.unwrap().status, 200);
        event.acknowledged = true;
    }
    let conversations = api.list("/v1.0/conversations").await;
    let id_with = |user: &String| {
        let found = conversations.iter().find(|one| one["reference_id"] == user.as_str());
        found.expect("the conversation has started")["id"].as_str().unwrap().to_owned()
    };
    users.into_iter().map(|user| Chat { conversation: id_with(&user), user }).collect()
}

impl<'a> Load<'a> {
    /// Load that has not started.
    pub const fn new(
        api: &'a Api,
        chats: &'a [Chat],
        ledger: &'a RefCell<Ledger>,
        platform: &'a Platform,
        seed: u64,
    ) -> Self {
        Self { api, chats, ledger, platform, seed, over: Cell::new(false) }
    }

    /// Puts load on the process until `kill` has killed it.
    pub async fn until(&self, kill: impl Future<Output = ()>) {
        let writers = join_all((0..WRITERS).map(|writer| self.write(writer)));
        let webhooks = join_all((0..WEBHOOKS).map(|webhook| self.deliver(webhook)));
        let end = async {
            kill.await;
            self.over.set(true);
        };
        tokio::join!(writers, webhooks, end);
    }

    /// One client, which sends one message after the other.
    async fn write(&self, writer: usize) {
        let mut generator = generator(self.seed, writer);
        while !self.over.get() {
            let chat = generator.position(self.chats.len()).unwrap();
            let is_long = generator.occurs(LONG);
            let wait = generator.occurs(WAITING);
            let upload = if generator.occurs(UPLOADS) { self.upload(&mut generator).await } else { None };
            let (position, body) = self.begin_message(writer, chat, is_long, upload);
            let sent = self.send(self.api.say(&self.chats[chat].conversation, &body, wait)).await;
            self.ledger.borrow_mut().messages[position].acknowledged = sent.is_some();
        }
    }

    /// An image for the next message; `None` when the server did not accept it.
    async fn upload(&self, generator: &mut Generator) -> Option<String> {
        let size = generator.position(UPLOAD_BYTES_MAX).unwrap();
        let bytes = bytes_of(&uuid::Uuid::new_v4().to_string(), size);
        let response = self.send(self.api.upload(bytes.clone())).await?;
        let id = response.json()["id"].as_str().unwrap().to_owned();
        self.ledger.borrow_mut().uploads.push(Upload { id: id.clone(), bytes });
        Some(id)
    }

    /// One sender of webhooks, which sends one after the other.
    async fn deliver(&self, webhook: usize) {
        let mut generator = generator(self.seed, WRITERS + webhook);
        while !self.over.get() {
            let size = 1 + generator.position(EVENTS_MAX).unwrap();
            let known = self.ledger.borrow().people.events.len();
            let events: Vec<usize> = (0..size).map(|_| self.draw_event(&mut generator)).collect();
            let bodies = self.bodies(&events, known);
            if self.send(self.api.webhook(&bodies)).await.is_some() {
                let mut ledger = self.ledger.borrow_mut();
                ledger.copies += usize::from(events.iter().any(|event| *event < known));
                for event in events {
                    ledger.people.events[event].acknowledged = true;
                }
            }
        }
    }

    fn begin_message(
        &self,
        writer: usize,
        chat: usize,
        long: bool,
        upload: Option<String>,
    ) -> (usize, Value) {
        let mut ledger = self.ledger.borrow_mut();
        let message = Message::new(ledger.next_name(writer), chat, long, upload);
        let body = message.body();
        ledger.messages.push(message);
        (ledger.messages.len() - 1, body)
    }

    /// An earlier event or a new one.
    fn draw_event(&self, generator: &mut Generator) -> usize {
        let mut ledger = self.ledger.borrow_mut();
        let earlier = generator.position(ledger.people.events.len()).filter(|_| generator.occurs(COPIES));
        let chat = generator.position(self.chats.len()).unwrap();
        let user = &self.chats[chat].user;
        earlier.unwrap_or_else(|| ledger.people.act((chat, user), generator, self.platform))
    }

    /// The events; LINE had already tried to deliver those before `known`.
    fn bodies(&self, events: &[usize], known: usize) -> Vec<Value> {
        let ledger = self.ledger.borrow();
        let body = |event: &usize| ledger.people.events[*event].body(*event < known, self.platform);
        events.iter().map(body).collect()
    }

    /// The response to an acknowledged request.
    async fn send(&self, request: impl Future<Output = Result<Response, String>>) -> Option<Response> {
        self.ledger.borrow_mut().in_flight += 1;
        let response = request.await;
        let mut ledger = self.ledger.borrow_mut();
        ledger.in_flight -= 1;
        ledger.responses += usize::from(response.is_ok());
        match response {
            Ok(response) if matches!(response.status, 200..=299) => Some(response),
            // The server says that it cannot accept it at present, and promises nothing.
            Ok(Response { status: 503, .. }) => None,
            Ok(refusal) => {
                ledger.refusals.push(format!("{} {}", refusal.status, refusal.text));
                None
            }
            Err(_) if self.over.get() => None,
            Err(error) => {
                ledger.refusals.push(format!("no answer, and not because of the kill: {error}"));
                None
            }
        }
    }
}

/// Generators that already differ in their first numbers.
pub fn generator(seed: u64, stream: usize) -> Generator {
    let stream = u64::try_from(stream).unwrap();
    Generator::new(seed.wrapping_mul(1_000).wrapping_add(stream).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}
