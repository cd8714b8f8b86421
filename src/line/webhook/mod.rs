//! Reading the body of a webhook ("Webhook event objects" in LINE's reference).
//!
//! LINE adds event kinds, properties and values without notice, so nothing here insists on more than it needs: what is
//! not understood is kept as it came and costs nothing else of the body.

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

/// The body of one webhook.
#[derive(Debug)]
pub struct ParsedWebhook {
    /// The user id of the bot that it is for.
    pub destination: String,
    /// Its events, in the order in which they came; none when LINE only tests the connection.
    pub events: Vec<InboundEvent>,
}

/// What of a body is looked at. Each part is read by itself, so that an odd one costs no other.
struct Envelope<'body> {
    destination: String,
    events: Vec<&'body RawValue>,
}

/// Reads a body whose signature was verified. Fails only when it is no JSON with an array of `events`.
pub fn parse(body: &[u8]) -> Result<ParsedWebhook> {
    let expected =
        |error| Error::invalid(InvalidRule::JsonBody, format!("a webhook is JSON with `events`: {error}"));
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
        let events = events.ok_or_else(|| M::Error::custom("it has no list of `events`"))?;
        Ok(Envelope { destination, events })
    }
}
