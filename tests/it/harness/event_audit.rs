//! Whatever a test did: customers' events say everything that the API shows, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use kaiwa::config::key_source::KeySource;
use kaiwa::contract::views::{ConversationView, MessageView};
use kaiwa::model::chats::message::MessageRow;
use kaiwa::model::id::{ConversationId, CustomerId};
use kaiwa::model::page::Page;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::model::webhooks::event::EventKind;
use kaiwa::store::accounts::customers;
use kaiwa::store::chats::{conversations, messages};
use kaiwa::store::events::{self, FeedStart, ReadProgress};
use kaiwa::store::reader::Reader;
use serde_json::Value;

/// The account itself, the other side, and the first members.
const LISTED_MAX: usize = 102;

/// The differences between the newest events of a database, which no server has open, and what the API shows. Customers
/// whose older events were pruned are skipped.
pub fn differences(database: &Path, keys: &KeySource) -> Vec<String> {
    let reader = Reader::open(database, keys).unwrap();
    let customers = reader.read(customers::list).unwrap();
    customers.iter().flat_map(|customer| differences_of(&reader, customer.id)).collect()
}

fn differences_of(reader: &Reader, customer: CustomerId) -> Vec<String> {
    let Some(notified) = notified(reader, customer) else { return Vec::new() };
    let shown = shown(reader, customer);
    let unreported = shown
        .iter()
        .filter(|(id, resource)| notified.get(*id).is_none_or(|(_, notified)| notified != *resource));
    let unreported =
        unreported.map(|(id, resource)| format!("{resource} has the event {:?}", notified.get(id)));
    // Lists do not show unsent messages.
    let is_current = |resource: &Value| {
        let conversation = resource["conversation_id"].as_str()?.parse().ok()?;
        Some(message(reader, (customer, conversation), resource["id"].as_str()?) == *resource)
    };
    let unseen = notified
        .iter()
        .filter(|(id, (_, resource))| !shown.contains_key(*id) && is_current(resource) != Some(true));
    unreported.chain(unseen.map(|(id, notified)| format!("{id} has the event {notified:?}"))).collect()
}

/// The newest event of each resource; `None` when some were pruned. The first event of each must be its creation.
fn notified(reader: &Reader, customer: CustomerId) -> Option<BTreeMap<String, (EventKind, Value)>> {
    let open = |connection: &_| {
        events::open(connection, (customer, None), EventKind::ALL.to_vec(), FeedStart::After(0))
    };
    let mut reading = reader.read(open).unwrap()?;
    let (mut notified, mut sequence) = (BTreeMap::new(), 0);
    loop {
        let next = |connection: &_| {
            events::next(connection, &mut reading, |event| {
                assert!(event.sequence > sequence, "events in order");
                sequence = event.sequence;
                let resource = frozen(serde_json::from_str(event.data).unwrap());
                let id = resource["id"].as_str().unwrap().to_owned();
                let is_new = matches!(event.kind, EventKind::ConversationCreated | EventKind::MessageCreated);
                let known = notified.insert(id, (event.kind, resource));
                assert_eq!(
                    is_new,
                    known.is_none(),
                    "{}: first that it is new, then what changed",
                    event.data
                );
            })
        };
        match reader.read(next).unwrap() {
            ReadProgress::End => return Some(notified),
            ReadProgress::More => {}
            ReadProgress::Lost => return None,
        }
    }
}

/// Everything that the API lists.
fn shown(reader: &Reader, customer: CustomerId) -> BTreeMap<String, Value> {
    let mut shown = BTreeMap::new();
    let mut page = Page { size: Page::SIZE_MAX, before: Timestamp::NEVER };
    loop {
        let listed = reader.read(|connection| conversations::page(connection, customer, page)).unwrap();
        let Some(last) = listed.last() else { return shown };
        page.before = last.tm_create;
        for conversation in &listed {
            let resource = serde_json::to_value(ConversationView::from(conversation)).unwrap();
            shown.insert(conversation.id.to_string(), frozen(resource));
            shown.extend(messages_of(reader, (customer, conversation.id)));
        }
    }
}

fn messages_of(reader: &Reader, of: (CustomerId, ConversationId)) -> BTreeMap<String, Value> {
    let mut shown = BTreeMap::new();
    let mut page = Page { size: Page::SIZE_MAX, before: Timestamp::NEVER };
    loop {
        let mut last = None;
        let visit = |row: &MessageRow<'_>| {
            last = Some(row.tm_create);
            shown.insert(row.id.to_string(), frozen(serde_json::to_value(MessageView::from(row)).unwrap()));
        };
        reader.read(|connection| messages::page(connection, of, page, visit)).unwrap();
        let Some(last) = last else { return shown };
        page.before = last;
    }
}

/// A resource without the fields that are read when it is shown: the author of a message, and the participant count of a
/// conversation whose list is full.
fn frozen(mut resource: Value) -> Value {
    let fields = resource.as_object_mut().unwrap();
    fields.remove("source_name");
    fields.remove("source_picture_uri");
    if fields.get("participants").is_some_and(|listed| listed.as_array().unwrap().len() == LISTED_MAX) {
        fields.remove("participant_count");
    }
    resource
}

fn message(reader: &Reader, of: (CustomerId, ConversationId), id: &str) -> Value {
    let view = |row: &MessageRow<'_>| frozen(serde_json::to_value(MessageView::from(row)).unwrap());
    reader.read(|connection| messages::get(connection, of, id.parse()?, view)).unwrap()
}
