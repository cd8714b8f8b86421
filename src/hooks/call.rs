//! Telling a customer of an event: one signed request, and what came of it.

use std::time::Duration;

use awc::error::{ConnectError, SendRequestError};
use awc::http::Method;
use awc::http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use futures_util::StreamExt;

use crate::hooks::client::{Client, is_not_public};
use crate::hooks::signature;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhook::{AttemptError, Outcome};

/// Of an answer's body so much is taken, so that the receiver can end it in peace; nothing is made of it.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How the receiver knows who is calling.
const AGENT: &str = concat!("kaiwa/", env!("CARGO_PKG_VERSION"));

/// What is told, where, and with which secrets it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
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

impl Client {
    /// Makes a call, which takes at most so long. No redirect is followed.
    pub async fn tell(&self, call: Call<'_>, time_limit: Duration) -> Outcome {
        let made = tokio::time::timeout(time_limit, self.answer(call, time_limit)).await;
        made.unwrap_or(Outcome::Failed(AttemptError::Timeout))
    }

    async fn answer(&self, call: Call<'_>, time_limit: Duration) -> Outcome {
        let Call { uri, method, id, at, secrets, body } = call;
        let Ok(url) = self.guard.check(uri) else {
            return Outcome::Failed(AttemptError::AddressRefused);
        };
        let seconds = at.as_seconds();
        let request = self
            .http
            .request(known(method), url.as_str())
            .timeout(time_limit)
            .force_close()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((USER_AGENT, AGENT))
            .insert_header(("webhook-id", id))
            .insert_header(("webhook-timestamp", seconds))
            .insert_header(("webhook-signature", signature::sign(secrets, id, seconds, body)));
        let mut response = match request.send_body(body.to_vec()).await {
            Ok(response) => response,
            Err(error) => return Outcome::Failed(attempt_error(&error)),
        };
        let outcome = Outcome::Answered {
            status: response.status().as_u16(),
            retry_after: retry_after(response.headers(), at),
        };
        let mut taken = 0;
        while let Some(Ok(chunk)) = response.next().await {
            taken += chunk.len();
            if taken > BODY_BYTES_MAX {
                break;
            }
        }
        outcome
    }
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
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Timestamp::from_http_date(text).map(|date| date.since(now)),
    }
}

fn attempt_error(error: &SendRequestError) -> AttemptError {
    match error {
        SendRequestError::Connect(error) if is_not_public(error) => AttemptError::AddressRefused,
        SendRequestError::Url(_) => AttemptError::AddressRefused,
        SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout) => AttemptError::Timeout,
        SendRequestError::Response(_) => AttemptError::AnswerUnreadable,
        _ => AttemptError::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use awc::http::header::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_445_412_480_000_000);

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());

        assert_eq!(retry_after(&headers, NOW), seconds.map(Duration::from_secs), "{text:?}");
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_until_a_date() {
        check("120", Some(120));
        check("0", Some(0));
        check("Wed, 21 Oct 2015 07:30:00 GMT", Some(120));
        check("Wed, 21 Oct 2015 07:00:00 GMT", Some(0));
        for text in ["", "soon", "-1", "1.5", "2015-10-21", "Wed, 21 Oct 2015 07:30:00 CET"] {
            check(text, None);
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
