//! Webhook deliveries, their attempts and endpoints, as they are listed.

use std::time::Duration;

use crate::model::id::{ConversationId, EventId};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::model::webhooks::webhook::{DisabledReason, Failing, WebhookOutcome};

/// The state of a webhook delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits until it is due.
    Waiting,
    /// An attempt is in flight.
    Sending,
    /// The receiver has it.
    Delivered,
    /// It is not retried automatically.
    Failed,
}

/// A webhook delivery as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The id of its event, which every attempt carries.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// The conversation in which it happened.
    pub conversation: ConversationId,
    /// Its state.
    pub state: DeliveryState,
    /// How many attempts it had.
    pub attempts: u32,
    /// The last attempt.
    pub last: Option<WebhookAttempt>,
    /// When it is due; `None` while it waits behind another delivery of its conversation, and if it does not wait.
    pub due_at: Option<Timestamp>,
    /// When it was created.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
}

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Its outcome.
    pub outcome: WebhookOutcome,
}

/// A customer's webhook endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Its address; empty while there is none.
    pub uri: String,
    /// The HTTP method.
    pub method: String,
    /// Until when the previous secret signs too.
    pub secret_previous_until: Option<Timestamp>,
    /// Since when it fails.
    pub failing: Option<Failing>,
    /// Until when the receiver has asked for a pause.
    pub paused_until: Option<Timestamp>,
    /// Why and since when it is disabled.
    pub disabled: Option<(DisabledReason, Timestamp)>,
}

impl DeliveryState {
    /// The state as the API writes it.
    pub fn as_word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state that a client means by this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Sending, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|state| state.as_word() == word)
    }
}
