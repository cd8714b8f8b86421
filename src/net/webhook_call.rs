//! Telling a customer of an event: one signed request, and what came of it.

use std::time::Duration;

use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::webhook::{AttemptError, WebhookOutcome};
use crate::net;
use crate::net::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use crate::net::outbound_client::OutboundClient;
use crate::net::{FailureKind, Method, Request, RequestFailure, Response};

/// Of an answer's body so much is taken, so that the receiver can end it in peace; nothing is made of it.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How the receiver knows who is calling.
const AGENT: &str = concat!("kaiwa/", env!("CARGO_PKG_VERSION"));

/// What is told, where, and with which secrets it is signed.
#[derive(Debug, Clone, Copy)]
pub struct WebhookCall<'a> {
    /// Where.
    pub uri: &'a str,
    /// `GET`, `POST`, `PUT` or `DELETE`; everything else means `POST`.
    pub method: &'a str,
    /// The same for every attempt.
    pub id: &'a str,
    /// When the attempt is made.
    pub at: Timestamp,
    /// One signature for each.
    pub secrets: &'a [Secret],
    /// The exact bytes.
    pub body: &'a [u8],
}

impl OutboundClient {
    /// Makes a call, which takes at most so long. No redirect is followed.
    pub async fn deliver(&self, call: WebhookCall<'_>, time_limit: Duration) -> WebhookOutcome {
        let made = tokio::time::timeout(time_limit, self.answer(call, time_limit)).await;
        made.unwrap_or(WebhookOutcome::Failed(AttemptError::Timeout))
    }

    async fn answer(&self, call: WebhookCall<'_>, time_limit: Duration) -> WebhookOutcome {
        let WebhookCall { uri, method, id, at, secrets, body } = call;
        let Ok(url) = self.guard.check(uri) else {
            return WebhookOutcome::Failed(AttemptError::AddressRefused);
        };
        let seconds = at.as_seconds();
        let request = Request::new()
            .method(known(method))
            .uri(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", net::webhook_signature::sign(secrets, id, seconds, body));
        let mut response = match self.http.send(request, body.to_vec(), time_limit).await {
            Ok(response) => response,
            Err(failure) => return WebhookOutcome::Failed(attempt_error(&failure)),
        };
        let retry_after = response.header(RETRY_AFTER).and_then(|text| retry_after(text, at));
        let outcome = WebhookOutcome::Answered { status: response.status(), retry_after };
        match rest(&mut response).await {
            // Who says that it has it, and breaks off before it has said so to the end, may have broken down.
            Err(_) if outcome.is_success() => WebhookOutcome::Failed(AttemptError::AnswerUnreadable),
            _ => outcome,
        }
    }
}

/// Takes what follows the head, up to the most that is taken. Nobody can tell of what ends with the connection whether it is
/// whole, so that it always is.
async fn rest(response: &mut Response) -> Result<(), RequestFailure> {
    let mut taken = 0;
    while taken <= BODY_BYTES_MAX {
        match response.next().await {
            Ok(Some(piece)) => taken += piece.len(),
            // In a coding it is as good as any: nothing is made of it.
            Err(failure) if failure.kind == FailureKind::Unreadable => break,
            Err(failure) if !response.ends_by_closing() => return Err(failure),
            Ok(None) | Err(_) => break,
        }
    }
    Ok(())
}

fn known(method: &str) -> Method {
    match method {
        "GET" => Method::GET,
        "PUT" => Method::PUT,
        "DELETE" => Method::DELETE,
        _ => Method::POST,
    }
}

/// How long the receiver asks to be left alone: seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    Timestamp::from_http_date(text).map(|date| date.since(now))
}

fn attempt_error(failure: &RequestFailure) -> AttemptError {
    match failure.kind {
        FailureKind::Address | FailureKind::Refused => AttemptError::AddressRefused,
        FailureKind::ConnectedLate | FailureKind::Late => AttemptError::Timeout,
        FailureKind::Unreadable => AttemptError::AnswerUnreadable,
        FailureKind::Unconnected | FailureKind::Broken => AttemptError::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_445_412_480_000_000);

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        assert_eq!(retry_after(text, NOW), seconds.map(Duration::from_secs), "{text:?}");
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        check("120", Some(120));
        check("0", Some(0));
        check("18446744073709551615", Some(u64::MAX));
        check("Fri, 31 Dec 9999 23:59:59 GMT", Some(251_956_888_319));
        check("Wed, 21 Oct 2015 07:30:00 GMT", Some(120));
        check("Wed, 21 Oct 2015 07:00:00 GMT", Some(0));
        for text in [
            "",
            "soon",
            "-1",
            "+1",
            "1.5",
            "Sat, 01 Jan 10000 00:00:00 GMT",
            "2015-10-21",
            "Wed, 21 Oct 2015 07:30:00 CET",
        ] {
            check(text, None);
        }
        assert_eq!(retry_after("99999999999999999999", NOW), Some(Duration::MAX));
    }
}
