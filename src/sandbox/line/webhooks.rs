//! Builds webhooks as LINE does ("Webhook event objects" in LINE's documentation).

use serde_json::{Map, Value, json};

use crate::model::timestamp::Timestamp;
use crate::sandbox::records::random;
use crate::sandbox::state::PlatformData;
use crate::sandbox::webhook::EmittedWebhook;

/// The kinds of events that have a reply token.
const REPLIABLE: [&str; 9] = [
    "message",
    "follow",
    "join",
    "memberJoined",
    "postback",
    "videoPlayComplete",
    "beacon",
    "accountLink",
    "membership",
];

/// An event with its own properties and those that every event has.
pub fn event(state: &mut PlatformData, source: &Value, properties: &Value, now: Timestamp) -> Value {
    let mut event = properties.as_object().cloned().unwrap_or_default();
    event.insert("source".to_owned(), source.clone());
    completed(state, event, now)
}

/// Adds the common properties that the event lacks.
pub fn completed(state: &mut PlatformData, mut event: Map<String, Value>, now: Timestamp) -> Value {
    let id = random::ulid(now, random::bytes());
    for (name, value) in [
        ("mode", json!("active")),
        ("timestamp", json!(now.as_milliseconds())),
        ("webhookEventId", json!(id)),
        ("deliveryContext", json!({ "isRedelivery": false })),
    ] {
        event.entry(name).or_insert(value);
    }
    if let Some(token) = reply_token(&event) {
        let chat = chat(&event["source"]).unwrap_or_default().to_owned();
        state.reply_tokens.issue(&token, &chat, now);
        event.insert("replyToken".to_owned(), Value::String(token));
    }
    Value::Object(event)
}

/// The same events marked as redelivered; their reply tokens are renewed.
pub fn redelivery(state: &mut PlatformData, webhook: &EmittedWebhook, now: Timestamp) -> EmittedWebhook {
    let mut events = webhook.events.clone();
    for event in &mut events {
        event["deliveryContext"]["isRedelivery"] = Value::Bool(true);
        state.reply_tokens.renew(event["replyToken"].as_str().unwrap_or_default(), now);
    }
    if state.redelivery.shuffle {
        state.generator.shuffle(&mut events);
    }
    EmittedWebhook::new(state.saved(), events)
}

/// The id of the chat of a source.
pub fn chat(source: &Value) -> Option<&str> {
    ["groupId", "roomId", "userId"].iter().find_map(|name| source[*name].as_str())
}

/// The event's reply token: the one that it has, or a new one if LINE provides one.
fn reply_token(event: &Map<String, Value>) -> Option<String> {
    match event.get("replyToken") {
        Some(token) => token.as_str().map(str::to_owned),
        None if event.get("mode")? == "standby" => None,
        None => {
            chat(event.get("source")?)?;
            let kind = event.get("type")?.as_str()?;
            REPLIABLE.contains(&kind).then(random::hexadecimal::<16>)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sandbox::options::Options;

    const NOW: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);

    fn state() -> PlatformData {
        let options = Options::generate();
        PlatformData::new(options.saved_state(), &options)
    }

    fn complete(state: &mut PlatformData, event: &Value) -> Value {
        completed(state, event.as_object().unwrap().clone(), NOW)
    }

    #[test]
    fn events_have_reply_tokens_where_line_provides_them() {
        let mut state = state();
        let source = json!({ "type": "user", "userId": "U1" });

        for (event, is_repliable) in [
            (json!({ "type": "message", "source": source }), true),
            (json!({ "type": "follow", "source": source }), true),
            (json!({ "type": "unfollow", "source": source }), false),
            (json!({ "type": "somethingNew", "source": source }), false),
            (json!({ "type": "accountLink" }), false),
            (json!({ "type": "message", "source": source, "mode": "standby" }), false),
            (json!({ "type": "message", "source": source, "replyToken": null }), false),
        ] {
            let token = complete(&mut state, &event)["replyToken"].as_str().map(str::to_owned);
            assert_eq!(token.is_some(), is_repliable, "{event}");
            let chat = state.reply_tokens.chat(&token.unwrap_or_default(), NOW);
            assert_eq!(chat, is_repliable.then_some("U1"), "{event}");
        }
    }

    #[test]
    fn existing_properties_of_an_event_are_not_changed() {
        let mut state = state();
        let event = json!({
            "type": "message", "mode": "active", "timestamp": 5, "webhookEventId": "id", "replyToken": "token",
            "deliveryContext": { "isRedelivery": true }, "source": { "type": "group", "groupId": "C1", "userId": "U1" },
        });

        assert_eq!(complete(&mut state, &event), event);

        assert_eq!(state.reply_tokens.chat("token", NOW), Some("C1"));
    }

    #[test]
    fn a_redelivery_keeps_its_events_and_renews_their_tokens() {
        let mut state = state();
        let source = json!({ "type": "user", "userId": "U1" });
        let events: Vec<Value> = (0..20)
            .map(|number| json!({ "type": "follow", "number": number }))
            .map(|properties| event(&mut state, &source, &properties, NOW))
            .collect();
        let webhook = EmittedWebhook::new(state.saved(), events);
        let later = NOW.after(Duration::from_mins(5));
        state.redelivery.shuffle = true;

        let redelivery = redelivery(&mut state, &webhook, later);

        assert!(redelivery.is_redelivery() && !webhook.is_redelivery());
        assert_ne!(redelivery.event_ids(), webhook.event_ids());
        let sorted = |mut ids: Vec<String>| {
            ids.sort();
            ids
        };
        assert_eq!(sorted(redelivery.event_ids()), sorted(webhook.event_ids()));
        let token = webhook.events[0]["replyToken"].as_str().unwrap();
        assert_eq!(state.reply_tokens.chat(token, later), Some("U1"));
    }
}
