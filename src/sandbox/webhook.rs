//! A webhook to be delivered to the bot.

use serde_json::{Value, json};

use crate::model::secret::Secret;
use crate::sandbox::people::persistence::SavedState;

/// A webhook to be delivered to the bot.
#[derive(Debug, Clone)]
pub struct EmittedWebhook {
    /// The URL; without one nothing is sent.
    pub endpoint: Option<String>,
    /// The user id of the bot.
    pub destination: String,
    /// The secret that signs it.
    pub secret: Secret,
    /// The events.
    pub events: Vec<Value>,
}

impl EmittedWebhook {
    /// A webhook with these events to the current webhook URL.
    pub fn new(saved: &SavedState, events: Vec<Value>) -> Self {
        Self {
            endpoint: saved.webhook.endpoint.clone().filter(|_| saved.webhook.active),
            destination: saved.bot.user_id.clone(),
            secret: saved.channel.secret.clone(),
            events,
        }
    }

    /// The body, byte for byte.
    pub fn body(&self) -> Vec<u8> {
        json!({ "destination": self.destination, "events": self.events }).to_string().into_bytes()
    }

    /// The ids of the events.
    pub fn event_ids(&self) -> Vec<String> {
        let ids = self.events.iter().filter_map(|event| event["webhookEventId"].as_str());
        ids.map(str::to_owned).collect()
    }

    /// Whether this is a redelivery.
    pub fn is_redelivery(&self) -> bool {
        self.events.first().is_some_and(|event| event["deliveryContext"]["isRedelivery"] == true)
    }
}
