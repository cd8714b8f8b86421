//! What LINE's answers mean ("Status codes" and "Retrying a failed API request" in LINE's documentation).

use actix_web::web::Bytes;
use serde::Deserialize;

use crate::model::account::ParkReason;
use crate::model::delivery::{Acceptance, Outcome};

/// As much of LINE's own words as is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// What LINE answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `x-line-request-id`.
    pub request_id: Option<String>,
    /// `x-line-accepted-request-id`: the retry key had been accepted before.
    pub accepted_request_id: Option<String>,
    /// The body, whatever it is.
    pub body: Bytes,
}

/// LINE's error body; also answers of proxies on the way are read with it, leniently.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    /// The endpoints for tokens call it otherwise.
    #[serde(default, alias = "error_description")]
    message: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    #[serde(default)]
    message: String,
    #[serde(default)]
    property: String,
}

#[derive(Debug, Default, Deserialize)]
struct SentMessages {
    #[serde(default, rename = "sentMessages")]
    sent_messages: Vec<SentMessage>,
}

#[derive(Debug, Deserialize)]
struct SentMessage {
    id: serde_json::Value,
    #[serde(default, rename = "quoteToken")]
    quote_token: Option<String>,
}

impl Answer {
    /// What this answer means for a push that carried a retry key.
    pub fn outcome(&self) -> Outcome {
        let message = self.message();
        match self.status {
            200..=299 => Outcome::Accepted(self.acceptance()),
            409 if self.accepted_request_id.is_some() => Outcome::Accepted(self.acceptance()),
            300..=399 => Outcome::Parked(ParkReason::Redirect, message),
            401 => Outcome::Parked(ParkReason::Token, message),
            403 => Outcome::Parked(ParkReason::Permission, message),
            429 => self.limit(message),
            // 409 without LINE's header is a proxy's; it says nothing about the message.
            409 | 500.. => Outcome::Ambiguous { timed_out: false, message },
            400..=499 => Outcome::Refused(message),
            _ => Outcome::Ambiguous { timed_out: false, message },
        }
    }

    /// What this answer means for a reply, which carried a token in place of a retry key.
    pub fn reply_outcome(&self) -> Outcome {
        match self.outcome() {
            Outcome::Refused(message) if self.status == 400 && self.names_token() => {
                Outcome::TokenSpent(message)
            }
            outcome => outcome,
        }
    }

    fn names_token(&self) -> bool {
        words(&self.body).to_lowercase().contains("invalid reply token")
    }

    /// The status and LINE's words for a person, shortened, with the id by which LINE's support finds the request.
    pub fn message(&self) -> String {
        let mut text = format!("{} {}", self.status, words(&self.body));
        shorten(&mut text);
        match &self.request_id {
            Some(id) => format!("{} (LINE request {id})", text.trim_end()),
            None => text.trim_end().to_owned(),
        }
    }

    /// The text alone tells the two kinds of 429 apart here; where it is new, the caller asks for the quota.
    fn limit(&self, message: String) -> Outcome {
        let monthly = words(&self.body).to_lowercase().contains("monthly limit");
        if monthly { Outcome::Parked(ParkReason::Quota, message) } else { Outcome::TooFast(message) }
    }

    /// Whether this is a 429 in words that do not tell which limit it is.
    pub fn is_unknown_limit(&self) -> bool {
        let words = words(&self.body).to_lowercase();
        self.status == 429 && !words.contains("monthly limit") && !words.contains("rate limit")
    }

    fn acceptance(&self) -> Acceptance {
        let sent: SentMessages = serde_json::from_slice(&self.body).unwrap_or_default();
        Acceptance {
            request_id: self.request_id.clone(),
            accepted_request_id: self.accepted_request_id.clone(),
            message_ids: sent.sent_messages.iter().map(|message| id_text(&message.id)).collect(),
            quote_token: sent.sent_messages.into_iter().find_map(|message| message.quote_token),
        }
    }
}

/// LINE writes ids as strings; one page of its documentation says number.
fn id_text(id: &serde_json::Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// LINE's message with its details, or the beginning of whatever else came.
fn words(body: &[u8]) -> String {
    let error = serde_json::from_slice::<ErrorBody>(body).unwrap_or_default();
    if error.message.is_empty() {
        return String::from_utf8_lossy(&body[..body.len().min(MESSAGE_BYTES_MAX)]).into_owned();
    }
    error
        .details
        .iter()
        .fold(error.message, |text, Detail { message, property }| format!("{text}; {property}: {message}"))
}

fn shorten(text: &mut String) {
    let end = (0..=MESSAGE_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned().into(), ..Answer::default() }
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: &Outcome) {
        assert_eq!(&answer(status, body).outcome(), expected, "{status} {body}");
    }

    fn ambiguous(message: &str) -> Outcome {
        Outcome::Ambiguous { timed_out: false, message: message.to_owned() }
    }

    #[test]
    fn acceptance_is_told_by_the_status_whatever_the_body_is() {
        let ids = |ids: &[&str]| {
            let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
            Acceptance { message_ids, ..Acceptance::default() }
        };
        let quotable = Acceptance { quote_token: Some("q".to_owned()), ..ids(&["45", "46", "47"]) };

        check(
            200,
            r#"{"sentMessages":[{"id":"45"},{"id":"46","quoteToken":"q"},{"id":47,"quoteToken":"r"}],"new":1}"#,
            &Outcome::Accepted(quotable),
        );
        check(200, "<html>", &Outcome::Accepted(ids(&[])));
        check(202, "{}", &Outcome::Accepted(ids(&[])));
    }

    #[test]
    fn a_known_retry_key_is_an_acceptance_only_with_the_header_of_line() {
        let body = r#"{"message":"The retry key is already accepted","sentMessages":[{"id":"46"}]}"#;
        let accepted = Answer { accepted_request_id: Some("first".to_owned()), ..answer(409, body) };

        let Outcome::Accepted(acceptance) = accepted.outcome() else { panic!("it was not an acceptance") };

        assert_eq!(acceptance.message_ids, ["46"]);
        assert_eq!(acceptance.accepted_request_id.as_deref(), Some("first"));
        check(409, "", &ambiguous("409"));
    }

    #[test]
    fn each_refusal_has_its_consequence() {
        let parked = |reason, message: &str| Outcome::Parked(reason, message.to_owned());
        let refused = |message: &str| Outcome::Refused(message.to_owned());
        let details = r#"{"message":"The request body has 1 error(s)","details":[{"message":"May not be empty","property":"messages[0].text"}]}"#;

        check(
            400,
            details,
            &refused("400 The request body has 1 error(s); messages[0].text: May not be empty"),
        );
        check(404, r#"{"message":"Not found"}"#, &refused("404 Not found"));
        check(413, "", &refused("413"));
        check(
            401,
            r#"{"message":"Authentication failed"}"#,
            &parked(ParkReason::Token, "401 Authentication failed"),
        );
        check(403, r#"{"message":"Forbidden"}"#, &parked(ParkReason::Permission, "403 Forbidden"));
        check(302, "", &parked(ParkReason::Redirect, "302"));
        let monthly = r#"{"message":"You have reached your monthly limit."}"#;
        check(429, monthly, &parked(ParkReason::Quota, "429 You have reached your monthly limit."));
        check(429, "slow down", &Outcome::TooFast("429 slow down".to_owned()));
        assert!(answer(429, "slow down").is_unknown_limit());
        assert!(
            !answer(429, r#"{"message":"The API rate limit has been exceeded. Try again later."}"#)
                .is_unknown_limit()
        );
        check(500, "<html>oops", &ambiguous("500 <html>oops"));
        check(503, "", &ambiguous("503"));
    }

    #[test]
    fn a_long_answer_is_shortened_between_two_characters() {
        let message = answer(500, &"会".repeat(5_000)).message();

        assert!(message.len() <= MESSAGE_BYTES_MAX);
        assert!(message.starts_with("500 会"));
    }
}
