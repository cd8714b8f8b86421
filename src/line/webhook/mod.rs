//! Parses webhook bodies ("Webhook event objects" in LINE's reference).
//!
//! LINE adds event kinds, properties and values without notice, so the parser requires only what it needs.
//! Anything unknown is stored as it arrived and does not affect the rest of the body.

pub mod event;
pub mod received_message;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::{Error, InvalidRule, Result};
use crate::line::lenient;
use crate::line::webhook::event::parse_event;
use crate::model::chats::inbound::InboundEvent;

/// A parsed webhook body.
#[derive(Debug)]
pub struct ParsedWebhook {
    /// The user id of the bot that the webhook is for.
    pub destination: String,
    /// The events in the order of the body; empty when LINE only tests the connection.
    pub events: Vec<InboundEvent>,
}

/// The relevant parts of a body. Each is parsed separately, so that an odd one does not affect the others.
struct Envelope<'body> {
    destination: String,
    events: Vec<&'body RawValue>,
}

/// Parses a body whose signature was verified. Fails only if it is not JSON with an array `events`.
pub fn parse(body: &[u8]) -> Result<ParsedWebhook> {
    let expected = |error| {
        Error::invalid(InvalidRule::JsonBody, format!("a webhook must be JSON with `events`: {error}"))
    };
    read(body).or_else(|_| read(lenient::text(body).as_bytes())).map_err(expected)
}

fn read(body: &[u8]) -> serde_json::Result<ParsedWebhook> {
    let Envelope { destination, events } = serde_json::from_slice(body)?;
    Ok(ParsedWebhook {
        destination,
        events: events.into_iter().map(|event| parse_event(event.get())).collect(),
    })
}

impl<'body> Deserialize<'body> for Envelope<'body> {
    fn deserialize<D: Deserializer<'body>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'body> Visitor<'body> for EnvelopeVisitor {
    type Value = Envelope<'body>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'body>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut destination, mut events) = (String::new(), None);
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let raw = |raw: &RawValue| lenient::value(raw.get().as_bytes()).unwrap_or_default();
            match raw(name).as_str() {
                Some("destination") => raw(value).as_str().unwrap_or_default().clone_into(&mut destination),
                Some("events") => {
                    let found: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                    let is_list = value.get().starts_with('[');
                    events =
                        if is_list { Some([events.unwrap_or_default(), found].concat()) } else { events };
                }
                _ => {}
            }
        }
        let events = events.ok_or_else(|| M::Error::custom("there is no array `events`"))?;
        Ok(Envelope { destination, events })
    }
}
