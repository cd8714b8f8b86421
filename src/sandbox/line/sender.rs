//! Delivers webhooks to the bot, with redeliveries if they are enabled.

use std::time::Duration;

use actix_web::rt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::line::signature::{HEADER, sign};
use crate::model::timestamp::Timestamp;
use crate::net::{self, FailureKind, Request, Settings};
use crate::sandbox::line::webhooks;
use crate::sandbox::platform::Platform;
use crate::sandbox::records::WebhookRecord;
use crate::sandbox::webhook::EmittedWebhook;

/// How long LINE waits for the head of the response.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Shorter than servers keep idle connections, so that none is reused just as it is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECTIONS_MAX: usize = 1_000;
/// The body of the response has no meaning; a short one is read so that the connection can be reused.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;
const USER_AGENT: &str = "LineBotWebhook/2.0";
const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// The result of an attempt, in LINE's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptResult {
    /// The HTTP status; 0 without a response.
    pub status: u16,
    /// `OK` or the kind of failure.
    pub reason: &'static str,
    /// Details for people.
    pub detail: String,
}

/// How a webhook is signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// With the right signature, as LINE does.
    #[default]
    Right,
    /// With the signature of other bytes.
    Wrong,
    /// Without a signature.
    Missing,
}

impl AttemptResult {
    /// Whether the bot accepted the webhook.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn from_status(status: u16) -> Self {
        let reason = if (200..300).contains(&status) { "OK" } else { "ERROR_STATUS_CODE" };
        Self { status, reason, detail: status.to_string() }
    }

    fn no_response(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 0, reason, detail: detail.into() }
    }
}

/// A client with LINE's timeout; each thread has one.
pub fn client() -> net::Client {
    let idle = IDLE_TIMEOUT;
    net::Client::new(Settings { idle, ..Settings::new(TIMEOUT, CONNECTIONS_MAX) })
}

/// Delivers a webhook; on failure, redelivers it in the background if redelivery is enabled.
pub async fn deliver(platform: &Platform, client: &net::Client, webhook: EmittedWebhook) -> AttemptResult {
    let outcome = attempt(platform, client, &webhook).await;
    let is_redelivered = platform.with(|state| state.redelivery.enabled);
    if is_redelivered && !outcome.is_success() && webhook.endpoint.is_some() {
        rt::spawn(redeliver(platform.clone(), client.clone(), webhook));
    }
    outcome
}

/// Sends a webhook once.
pub async fn attempt(platform: &Platform, client: &net::Client, webhook: &EmittedWebhook) -> AttemptResult {
    let outcome = send(client, webhook, webhook.body(), Signature::Right).await;
    let attempt = WebhookRecord {
        webhook_event_ids: webhook.event_ids(),
        is_redelivery: webhook.is_redelivery(),
        status: outcome.status,
        reason: outcome.reason,
        timestamp: Timestamp::now().as_milliseconds(),
    };
    platform.with(|state| state.attempts.push(attempt, 0));
    outcome
}

/// Sends these bytes to the webhook's URL.
pub async fn send(
    client: &net::Client,
    webhook: &EmittedWebhook,
    body: Vec<u8>,
    signature: Signature,
) -> AttemptResult {
    let Some(endpoint) = &webhook.endpoint else {
        return AttemptResult::no_response(
            "NO_ENDPOINT",
            "no webhook endpoint is set, or webhooks are disabled",
        );
    };
    let request = Request::new()
        .method(net::Method::POST)
        .uri(endpoint)
        .header("content-type", CONTENT_TYPE)
        .header("user-agent", USER_AGENT);
    let request = match signature {
        Signature::Right => request.header(HEADER, sign(&webhook.secret, &body)),
        Signature::Wrong => request.header(HEADER, sign(&webhook.secret, b"something else")),
        Signature::Missing => request,
    };
    match client.send(request, body, TIMEOUT).await {
        Ok(mut response) => {
            let outcome = AttemptResult::from_status(response.status());
            let rest = tokio::time::timeout(TIMEOUT, response.read_all(RESPONSE_BYTES_MAX)).await;
            if let Ok(Err(failure)) = rest {
                log::debug!("sandbox: the rest of the response to a webhook could not be read: {failure}");
            }
            outcome
        }
        Err(failure) => AttemptResult::no_response(reason(failure.kind), failure.message),
    }
}

fn reason(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Timeout => "REQUEST_TIMEOUT",
        FailureKind::Address
        | FailureKind::Refused
        | FailureKind::ConnectFailed
        | FailureKind::ConnectTimeout => "COULD_NOT_CONNECT",
        FailureKind::Broken | FailureKind::Unreadable => "UNCLASSIFIED",
    }
}

async fn redeliver(platform: Platform, client: net::Client, webhook: EmittedWebhook) {
    let attempts = platform.with(|state| state.redelivery.schedule_ms.len());
    for number in 0..attempts {
        let Some(pause) = pause(&platform, number) else { return };
        rt::time::sleep(pause).await;
        let (redelivery, is_duplicated) = platform.with(|state| {
            (webhooks::redelivery(state, &webhook, Timestamp::now()), state.redelivery.duplicate)
        });
        let copies = if is_duplicated { 2 } else { 1 };
        if join_all((0..copies).map(|_| attempt(&platform, &client, &redelivery))).await[0].is_success() {
            return;
        }
    }
}

/// The pause before this redelivery; `None` if there are no more.
fn pause(platform: &Platform, number: usize) -> Option<Duration> {
    platform.with(|state| {
        let redelivery = &state.redelivery;
        let drawn = redelivery.shuffle.then(|| state.generator.position(redelivery.schedule_ms.len()));
        let position = drawn.flatten().unwrap_or(number);
        let pause = redelivery.schedule_ms.get(position).filter(|_| redelivery.enabled)?;
        Some(Duration::from_millis(*pause))
    })
}
