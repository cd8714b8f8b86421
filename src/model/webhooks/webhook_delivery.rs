//! What customers are told, and where, as it is kept and listed.

use std::time::Duration;

use crate::model::id::{ConversationId, EventId};
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::event::EventKind;
use crate::model::webhooks::webhook::{DisabledReason, Failing, WebhookOutcome};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It goes out when its time comes.
    Waiting,
    /// It is under way.
    Sending,
    /// The receiver has it.
    Delivered,
    /// It is not tried again by itself.
    Failed,
}

/// Something that a customer is told, as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The id of its event, which every attempt carries.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// Where it happened.
    pub conversation: ConversationId,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The last attempt.
    pub last: Option<WebhookAttempt>,
    /// When it goes out; nothing for what waits behind another one of its conversation, and for what does not wait.
    pub due_at: Option<Timestamp>,
    /// When it became known here.
    pub tm_create: Timestamp,
    /// When it last changed.
    pub tm_update: Timestamp,
}

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookAttempt {
    /// Which one it was, from 1.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// What came of it.
    pub outcome: WebhookOutcome,
}

/// How a customer is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookEndpoint {
    /// Where; empty means nowhere at present.
    pub uri: String,
    /// The HTTP method.
    pub method: String,
    /// Until when the secret before this one signs as well.
    pub secret_previous_until: Option<Timestamp>,
    /// Since when it fails.
    pub failing: Option<Failing>,
    /// Until when the receiver asks to be left alone.
    pub paused_until: Option<Timestamp>,
    /// Why and since when nothing is told any more.
    pub disabled: Option<(DisabledReason, Timestamp)>,
}

impl DeliveryState {
    /// This state as the API writes it.
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
