//! The meaning of LINE's responses to sends ("Status codes" and "Retrying a failed API request" in LINE's
//! documentation).

use actix_web::web::Bytes;
use serde_json::Value;

use crate::line::lenient;
use crate::model::accounts::account::SuspensionReason;
use crate::model::delivery::{Acceptance, PushOutcome};

/// Maximum length of LINE's error text that is stored, in bytes.
const MESSAGE_BYTES_MAX: usize = 1_024;

/// A response of LINE's API.
#[derive(Debug, Clone, Default)]
pub struct LineResponse {
    /// The HTTP status.
    pub status: u16,
    /// `x-line-request-id`.
    pub request_id: Option<String>,
    /// `x-line-accepted-request-id`: LINE accepted this retry key in an earlier request.
    pub accepted_request_id: Option<String>,
    /// The raw body.
    pub body: Bytes,
}

impl LineResponse {
    /// The outcome of a push that carried a retry key.
    pub fn outcome(&self) -> PushOutcome {
        let message = self.message();
        match self.status {
            200..=299 => PushOutcome::Accepted(self.acceptance()),
            409 if self.accepted_request_id.is_some() => PushOutcome::Accepted(self.acceptance()),
            300..=399 => PushOutcome::Suspended(SuspensionReason::Redirect, message),
            401 => PushOutcome::Suspended(SuspensionReason::Token, message),
            403 => PushOutcome::Suspended(SuspensionReason::Permission, message),
            429 => self.limit(message),
            // Without LINE's header, a 409 comes from a proxy and proves nothing about the message.
            409 | 500.. => PushOutcome::Ambiguous { timed_out: false, message },
            400..=499 => PushOutcome::Refused(message),
            _ => PushOutcome::Ambiguous { timed_out: false, message },
        }
    }

    /// The outcome of a reply, which carries a reply token instead of a retry key.
    pub fn reply_outcome(&self) -> PushOutcome {
        match self.outcome() {
            PushOutcome::Refused(message) if self.status == 400 && self.mentions_reply_token() => {
                PushOutcome::TokenSpent(message)
            }
            outcome => outcome,
        }
    }

    fn mentions_reply_token(&self) -> bool {
        error_text(&self.body).to_lowercase().contains("invalid reply token")
    }

    /// The status and LINE's error text for display, shortened, with the request id by which LINE's support
    /// finds the request.
    pub fn message(&self) -> String {
        let mut text = format!("{} {}", self.status, error_text(&self.body));
        shorten(&mut text);
        match &self.request_id {
            Some(id) => format!("{} (LINE request {id})", text.trim_end()),
            None => text.trim_end().to_owned(),
        }
    }

    /// Distinguishes the two kinds of 429 by their text alone. If the text is unknown, the caller checks the
    /// quota.
    fn limit(&self, message: String) -> PushOutcome {
        let monthly = error_text(&self.body).to_lowercase().contains("monthly limit");
        if monthly {
            PushOutcome::Suspended(SuspensionReason::Quota, message)
        } else {
            PushOutcome::TooFast(message)
        }
    }

    /// Whether this is a 429 whose text does not say which limit was reached.
    pub fn is_unknown_limit(&self) -> bool {
        let error_text = error_text(&self.body).to_lowercase();
        self.status == 429 && !error_text.contains("monthly limit") && !error_text.contains("rate limit")
    }

    /// The body as JSON; `null` if it is not JSON.
    pub fn value(&self) -> Value {
        lenient::value(&self.body).unwrap_or_default()
    }

    fn acceptance(&self) -> Acceptance {
        let body = self.value();
        let sent = || body["sentMessages"].as_array().into_iter().flatten();
        Acceptance {
            request_id: self.request_id.clone(),
            accepted_request_id: self.accepted_request_id.clone(),
            message_ids: sent().filter_map(|message| lenient::id(&message["id"])).collect(),
            quote_token: sent()
                .find_map(|message| lenient::string(&message["quoteToken"]))
                .map(str::to_owned),
        }
    }
}

/// LINE's error message with its details, or the start of any other body, such as a proxy's. The token
/// endpoints have the message in `error_description`.
fn error_text(body: &[u8]) -> String {
    let error = lenient::value(body).unwrap_or_default();
    let named = |name: &str| lenient::string(&error[name]);
    let Some(message) = named("message").or_else(|| named("error_description")) else {
        return String::from_utf8_lossy(&body[..body.len().min(MESSAGE_BYTES_MAX)]).into_owned();
    };
    let part = |detail: &Value, name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let details = error["details"].as_array().into_iter().flatten().filter(|detail| detail.is_object());
    details.fold(message.to_owned(), |text, detail| {
        format!("{text}; {}: {}", part(detail, "property"), part(detail, "message"))
    })
}

fn shorten(text: &mut String) {
    let end = (0..=MESSAGE_BYTES_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> LineResponse {
        LineResponse { status, body: body.to_owned().into(), ..LineResponse::default() }
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: &PushOutcome) {
        assert_eq!(&response(status, body).outcome(), expected, "{status} {body}");
    }

    fn ambiguous(message: &str) -> PushOutcome {
        PushOutcome::Ambiguous { timed_out: false, message: message.to_owned() }
    }

    #[test]
    fn a_2xx_is_an_acceptance_whatever_its_body() {
        let ids = |ids: &[&str]| {
            let message_ids = ids.iter().map(|id| (*id).to_owned()).collect();
            Acceptance { message_ids, ..Acceptance::default() }
        };
        let quotable = Acceptance { quote_token: Some("q".to_owned()), ..ids(&["45", "46", "47"]) };

        check(
            200,
            r#"{"sentMessages":[{"id":"45"},{"id":"46","quoteToken":"q"},{"id":47,"quoteToken":"r"}],"new":1}"#,
            &PushOutcome::Accepted(quotable),
        );
        check(
            200,
            r#"{"sentMessages":[null,{"id":"45\ud83d"},{"id":null,"quoteToken":7},{"quoteToken":"q"},[1e400]]}"#,
            &PushOutcome::Accepted(Acceptance { quote_token: Some("q".to_owned()), ..ids(&[]) }),
        );
        check(200, r#"{"sentMessages":{}}"#, &PushOutcome::Accepted(ids(&[])));
        check(200, "<html>", &PushOutcome::Accepted(ids(&[])));
        check(202, "{}", &PushOutcome::Accepted(ids(&[])));
    }

    #[test]
    fn a_409_is_an_acceptance_only_with_lines_header() {
        let body = r#"{"message":"The retry key is already accepted","sentMessages":[{"id":"46"}]}"#;
        let accepted = LineResponse { accepted_request_id: Some("first".to_owned()), ..response(409, body) };

        let PushOutcome::Accepted(acceptance) = accepted.outcome() else {
            panic!("it was not an acceptance")
        };

        assert_eq!(acceptance.message_ids, ["46"]);
        assert_eq!(acceptance.accepted_request_id.as_deref(), Some("first"));
        check(409, "", &ambiguous("409"));
    }

    #[test]
    fn each_error_status_has_its_outcome() {
        let suspension = |reason, message: &str| PushOutcome::Suspended(reason, message.to_owned());
        let refused = |message: &str| PushOutcome::Refused(message.to_owned());
        let details = r#"{"message":"The request body has 1 error(s)","details":[{"message":"May not be empty","property":"messages[0].text"}]}"#;

        check(
            400,
            details,
            &refused("400 The request body has 1 error(s); messages[0].text: May not be empty"),
        );
        check(404, r#"{"message":"Not found"}"#, &refused("404 Not found"));
        check(
            400,
            r#"{"message":"No \ud83d","details":[null,{"message":7,"property":"to"},{"message":"b"}]}"#,
            &refused("400 No �; to: ; : b"),
        );
        check(400, r#"{"message":null,"error_description":"why"}"#, &refused("400 why"));
        check(413, "", &refused("413"));
        check(
            401,
            r#"{"message":"Authentication failed"}"#,
            &suspension(SuspensionReason::Token, "401 Authentication failed"),
        );
        check(403, r#"{"message":"Forbidden"}"#, &suspension(SuspensionReason::Permission, "403 Forbidden"));
        check(302, "", &suspension(SuspensionReason::Redirect, "302"));
        let monthly = r#"{"message":"You have reached your monthly limit."}"#;
        check(429, monthly, &suspension(SuspensionReason::Quota, "429 You have reached your monthly limit."));
        check(429, "slow down", &PushOutcome::TooFast("429 slow down".to_owned()));
        assert!(response(429, "slow down").is_unknown_limit());
        assert!(
            !response(429, r#"{"message":"The API rate limit has been exceeded. Try again later."}"#)
                .is_unknown_limit()
        );
        check(500, "<html>oops", &ambiguous("500 <html>oops"));
        check(503, "", &ambiguous("503"));
    }

    #[test]
    fn a_long_response_is_shortened_at_a_character_boundary() {
        let message = response(500, &"会".repeat(5_000)).message();

        assert!(message.len() <= MESSAGE_BYTES_MAX);
        assert!(message.starts_with("500 会"));
    }
}
