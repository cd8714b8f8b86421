//! A webhook on its way to the bot.

use serde_json::{Value, json};

use crate::model::secret::Secret;
use crate::sandbox::people::persistence::SavedState;

/// Events on their way to the bot.
#[derive(Debug, Clone)]
pub struct EmittedWebhook {
    /// Where to; without it nothing is sent.
    pub endpoint: Option<String>,
    /// The bot.
    pub destination: String,
    /// What it is signed with.
    pub secret: Secret,
    /// The events.
    pub events: Vec<Value>,
}

impl EmittedWebhook {
    /// These events for the bot, to where webhooks go now.
    pub fn new(kept: &SavedState, events: Vec<Value>) -> Self {
        Self {
            endpoint: kept.webhook.endpoint.clone().filter(|_| kept.webhook.active),
            destination: kept.bot.user_id.clone(),
            secret: kept.channel.secret.clone(),
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

    /// Whether it is sent again.
    pub fn is_redelivery(&self) -> bool {
        self.events.first().is_some_and(|event| event["deliveryContext"]["isRedelivery"] == true)
    }
}
