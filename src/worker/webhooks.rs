//! Delivers webhooks to customers.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;

use crate::config::section::WebhookSettings;
use crate::error::Result;
use crate::metrics::WebhookDeliveries;
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::webhook::{self, AttemptError, WebhookDecision, WebhookOutcome};
use crate::model::webhooks::webhook_delivery::WebhookAttempt;
use crate::net::outbound_client::OutboundClient;
use crate::net::webhook_call::WebhookCall;
use crate::store::dispatch;
use crate::store::reader::Reader;
use crate::store::webhooks::deliveries::{AttemptRecord, ClaimedWebhook};
use crate::store::webhooks::lanes::WebhookOutbox;
use crate::worker::jitter;
use crate::worker::outbox::Transport;

/// One customer may have this part of all webhooks in flight: a quarter.
const CUSTOMER_SHARE: usize = 4;

/// The pause after an attempt whose outcome cannot be recorded.
const PAUSE_AFTER_FAILED_RECORD: Duration = Duration::from_hours(1);

/// Carries webhooks to customers.
#[derive(Clone)]
pub struct WebhookTransport {
    client: OutboundClient,
    customer_max: usize,
    timeout: Duration,
    counts: WebhookDeliveries,
}

impl WebhookTransport {
    /// A transport that calls endpoints with this client.
    pub fn new(client: OutboundClient, settings: &WebhookSettings, counts: WebhookDeliveries) -> Self {
        let WebhookSettings { concurrency, timeout } = *settings;
        Self { client, customer_max: concurrency.div_ceil(CUSTOMER_SHARE), timeout, counts }
    }
}

impl Transport for WebhookTransport {
    const NAME: &'static str = "webhooks";

    type Outbox = WebhookOutbox;
    type Outcome = WebhookAttempt;

    fn outbox(&self) -> WebhookOutbox {
        WebhookOutbox { customer_max: self.customer_max }
    }

    async fn attempt(&self, claim: &ClaimedWebhook, clock: &Clock) -> WebhookAttempt {
        let (started_at, began) = (clock.now(), Instant::now());
        let id = claim.id.to_string();
        let call = WebhookCall {
            uri: &claim.uri,
            method: &claim.method,
            id: &id,
            at: started_at,
            secrets: &claim.secrets,
            body: &claim.body,
        };
        let calling = AssertUnwindSafe(self.client.deliver(call, self.timeout)).catch_unwind();
        let outcome = calling.await.unwrap_or(WebhookOutcome::Failed(AttemptError::Interrupted));
        WebhookAttempt { number: claim.number, started_at, duration: began.elapsed(), outcome }
    }

    fn decide(&self, claim: &ClaimedWebhook, attempt: WebhookAttempt, now: Timestamp) -> AttemptRecord {
        let decision = webhook::decide(claim.progress, attempt.outcome, now, jitter());
        self.counts.add(name(decision));
        report(claim, attempt.outcome, decision);
        AttemptRecord::Attempted(attempt, decision)
    }

    fn unrecorded(&self, _claim: &ClaimedWebhook, now: Timestamp) -> AttemptRecord {
        AttemptRecord::Unknown(now.after(PAUSE_AFTER_FAILED_RECORD))
    }

    fn label(claim: &ClaimedWebhook) -> String {
        claim.id.to_string()
    }

    fn may_be_due(reader: &Reader, now: Timestamp) -> Result<bool> {
        let due = reader.read(dispatch::next_due::<WebhookOutbox>)?;
        Ok(due.is_some_and(|due| !dispatch::is_on(due, now, webhook::PAUSE_MAX)))
    }
}

/// The decision's name in the metrics.
const fn name(decision: WebhookDecision) -> &'static str {
    match decision {
        WebhookDecision::Deliver => "delivered",
        WebhookDecision::Retry(_) => "retried",
        WebhookDecision::Wait(_) => "put_off",
        WebhookDecision::Fail => "failed",
    }
}

/// Logs what an operator should know. The address is the customer's, and may hold a secret.
fn report(claim: &ClaimedWebhook, outcome: WebhookOutcome, decision: WebhookDecision) {
    let ClaimedWebhook { id, number, .. } = claim;
    match decision {
        WebhookDecision::Deliver => log::debug!("webhooks: {id} delivered"),
        WebhookDecision::Retry(at) | WebhookDecision::Wait(at) => {
            log::info!("webhooks: {id} is retried at {at}, attempt {number}: {outcome:?}");
        }
        WebhookDecision::Fail => log::warn!("webhooks: {id} failed, attempt {number}: {outcome:?}"),
    }
}
