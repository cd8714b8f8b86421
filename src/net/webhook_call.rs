//! Delivers an event to a customer's webhook: one signed request and its outcome.

use std::time::Duration;

use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::webhook::{AttemptError, WebhookOutcome};
use crate::net;
use crate::net::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use crate::net::outbound_client::OutboundClient;
use crate::net::{FailureKind, Method, Request, RequestFailure, Response};

/// Maximum number of bytes read of a response's body, so that the receiver can finish; the body is not used.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The user agent of webhook calls.
const AGENT_NAME: &str = concat!("kaiwa/", env!("CARGO_PKG_VERSION"));

/// A webhook call: the URL, the event and the secrets that sign it.
#[derive(Debug, Clone, Copy)]
pub struct WebhookCall<'a> {
    /// The URL.
    pub uri: &'a str,
    /// `GET`, `POST`, `PUT` or `DELETE`; anything else means `POST`.
    pub method: &'a str,
    /// The id, which is the same for every attempt.
    pub id: &'a str,
    /// The time of the attempt.
    pub at: Timestamp,
    /// The secrets; each gives one signature.
    pub secrets: &'a [Secret],
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl OutboundClient {
    /// Makes a call within this time limit. Redirects are not followed.
    pub async fn deliver(&self, call: WebhookCall<'_>, time_limit: Duration) -> WebhookOutcome {
        let outcome = tokio::time::timeout(time_limit, self.attempt(call, time_limit)).await;
        outcome.unwrap_or(WebhookOutcome::Failed(AttemptError::Timeout))
    }

    async fn attempt(&self, call: WebhookCall<'_>, time_limit: Duration) -> WebhookOutcome {
        let WebhookCall { uri, method, id, at, secrets, body } = call;
        let Ok(url) = self.guard.check(uri) else {
            return WebhookOutcome::Failed(AttemptError::AddressRefused);
        };
        let seconds = at.as_seconds();
        let request = Request::new()
            .method(supported_method(method))
            .uri(url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT_NAME)
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", net::webhook_signature::sign(secrets, id, seconds, body));
        let mut response = match self.http.send(request, body.to_vec(), time_limit).await {
            Ok(response) => response,
            Err(failure) => return WebhookOutcome::Failed(attempt_error(&failure)),
        };
        let retry_after = response.header(RETRY_AFTER).and_then(|text| retry_after(text, at));
        let outcome = WebhookOutcome::Answered { status: response.status(), retry_after };
        match drain(&mut response).await {
            // A receiver that claims success but breaks off the response may have crashed.
            Err(_) if outcome.is_success() => WebhookOutcome::Failed(AttemptError::AnswerUnreadable),
            _ => outcome,
        }
    }
}

/// Reads the body, up to the maximum. A body that ends with the connection always counts as complete, since
/// truncation cannot be detected.
async fn drain(response: &mut Response) -> Result<(), RequestFailure> {
    let mut length = 0;
    while length <= BODY_BYTES_MAX {
        match response.next().await {
            Ok(Some(chunk)) => length += chunk.len(),
            // The body is not used, so its encoding does not matter.
            Err(failure) if failure.kind == FailureKind::Unreadable => break,
            Err(failure) if !response.ends_by_closing() => return Err(failure),
            Ok(None) | Err(_) => break,
        }
    }
    Ok(())
}

fn supported_method(method: &str) -> Method {
    match method {
        "GET" => Method::GET,
        "PUT" => Method::PUT,
        "DELETE" => Method::DELETE,
        _ => Method::POST,
    }
}

/// The pause that the receiver requests: seconds or a date.
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
        FailureKind::ConnectTimeout | FailureKind::Timeout => AttemptError::Timeout,
        FailureKind::Unreadable => AttemptError::AnswerUnreadable,
        FailureKind::ConnectFailed | FailureKind::Broken => AttemptError::Unreachable,
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
    fn retry_after_is_a_number_of_seconds_or_a_date() {
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
