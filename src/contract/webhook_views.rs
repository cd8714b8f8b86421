//! The JSON of customers' webhooks in the HTTP contract: endpoint, deliveries, attempts. New keys are added at
//! the end only.

use serde::Serialize;

use crate::contract::views::{Time, event_type};
use crate::model::id::{ConversationId, EventId};
use crate::model::secret::Secret;
use crate::model::webhooks::webhook::{AttemptError, DisabledReason, WebhookOutcome};
use crate::model::webhooks::webhook_delivery::{WebhookAttempt, WebhookDelivery, WebhookEndpoint};

/// A customer's webhook endpoint.
#[derive(Serialize)]
pub struct EndpointView<'a> {
    uri: &'a str,
    method: &'a str,
    disabled: Option<DisabledView>,
    failing_since: Option<Time>,
    paused_until: Option<Time>,
    secret_previous_until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

#[derive(Serialize)]
struct DisabledView {
    reason: &'static str,
    time: Time,
}

/// A webhook delivery.
#[derive(Serialize)]
pub struct DeliveryView {
    id: EventId,
    r#type: &'static str,
    conversation_id: ConversationId,
    state: &'static str,
    attempt_count: u32,
    last_attempt: Option<AttemptView>,
    next_attempt: Option<Time>,
    tm_create: Time,
    tm_update: Time,
}

/// A webhook delivery with its attempts.
#[derive(Serialize)]
pub struct DeliveryWithAttemptsView {
    #[serde(flatten)]
    delivery: DeliveryView,
    attempts: Vec<AttemptView>,
}

#[derive(Serialize)]
struct AttemptView {
    number: u32,
    time: Time,
    duration_ms: u64,
    status: Option<u16>,
    error: Option<&'static str>,
}

impl<'a> EndpointView<'a> {
    /// The endpoint, with its secret where it is to be shown.
    pub fn new(endpoint: &'a WebhookEndpoint, secret: Option<&'a Secret>) -> Self {
        Self {
            uri: &endpoint.uri,
            method: &endpoint.method,
            disabled: endpoint.disabled.map(|(reason, since)| DisabledView {
                reason: match reason {
                    DisabledReason::Gone => "gone",
                    DisabledReason::Failing => "failing",
                },
                time: Time(since),
            }),
            failing_since: endpoint.failing.map(|failing| Time(failing.since)),
            paused_until: endpoint.paused_until.map(Time),
            secret_previous_until: endpoint.secret_previous_until.map(Time),
            secret: secret.map(Secret::expose),
        }
    }
}

impl From<&WebhookDelivery> for DeliveryView {
    fn from(delivery: &WebhookDelivery) -> Self {
        Self {
            id: delivery.id,
            r#type: event_type(delivery.kind),
            conversation_id: delivery.conversation,
            state: delivery.state.as_word(),
            attempt_count: delivery.attempts,
            last_attempt: delivery.last.as_ref().map(AttemptView::from),
            next_attempt: delivery.due_at.map(Time),
            tm_create: Time(delivery.tm_create),
            tm_update: Time(delivery.tm_update),
        }
    }
}

impl DeliveryView {
    /// The name of the event's type.
    pub fn kind(&self) -> &'static str {
        self.r#type
    }
}

impl DeliveryWithAttemptsView {
    /// A delivery with these attempts.
    pub fn new(delivery: &WebhookDelivery, attempts: &[WebhookAttempt]) -> Self {
        Self { delivery: delivery.into(), attempts: attempts.iter().map(AttemptView::from).collect() }
    }
}

impl From<&WebhookAttempt> for AttemptView {
    fn from(attempt: &WebhookAttempt) -> Self {
        let (status, error) = match attempt.outcome {
            WebhookOutcome::Answered { status, .. } => (Some(status), None),
            WebhookOutcome::Failed(error) => (None, Some(error_word(error))),
        };
        Self {
            number: attempt.number,
            time: Time(attempt.started_at),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            status,
            error,
        }
    }
}

fn error_word(error: AttemptError) -> &'static str {
    match error {
        AttemptError::Timeout => "timeout",
        AttemptError::Unreachable => "unreachable",
        AttemptError::AddressRefused => "address_refused",
        AttemptError::AnswerUnreadable => "answer_unreadable",
        AttemptError::Interrupted => "interrupted",
    }
}
