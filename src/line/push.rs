//! Builds the bodies of push requests ("Send push message" in LINE's reference) and validates them by LINE's
//! rules.

use serde_json::{Value, json};

use crate::error::{Error, InvalidProperty, Result};
use crate::line::outgoing::{self, Bubble};
use crate::line::validation::{self, PUSH};
use crate::model::chats::chat::LineId;
use crate::model::chats::outgoing::Outgoing;
use crate::model::chats::text::BUBBLES_PER_REQUEST_MAX;

/// The push bodies that carry a message to a chat, in order. Every attempt sends the same bytes.
///
/// Fails with `InvalidProperties` if LINE would refuse any of them; the properties are named as in the
/// message.
pub fn requests(to: &LineId, message: &Outgoing) -> Result<Vec<Vec<u8>>> {
    let mut problems = Vec::new();
    let bubbles = outgoing::bubbles(message, &mut problems);
    let chunks = bubbles.chunks(BUBBLES_PER_REQUEST_MAX);
    let bodies: Vec<Value> =
        chunks.clone().map(|bubbles| body(to, bubbles, message.notification_disabled)).collect();
    let mut invalid: Vec<InvalidProperty> =
        problems.into_iter().map(|problem| InvalidProperty::new(problem.property, problem.message)).collect();
    for (body, bubbles) in bodies.iter().zip(chunks) {
        for problem in validation::problems(&PUSH, body) {
            let property = outgoing::property(bubbles, &problem.property);
            invalid.push(InvalidProperty::new(property, problem.message));
        }
    }
    // Properties of the whole message are reported once for each object.
    invalid.sort_unstable();
    invalid.dedup();
    if !invalid.is_empty() {
        return Err(Error::InvalidProperties(invalid));
    }
    Ok(bodies.iter().map(|body| serde_json::to_vec(body).expect("a value is always JSON")).collect())
}

fn body(to: &LineId, bubbles: &[Bubble], silent: bool) -> Value {
    let messages: Vec<Value> = bubbles.iter().map(Bubble::object).collect();
    let mut body = json!({ "to": to.as_str(), "messages": messages });
    if silent {
        body["notificationDisabled"] = true.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "Ud871bcaf7c3ad13d2a0b0d78a42a287f";

    fn text_requests(text: &str) -> Vec<Vec<u8>> {
        let message = Outgoing { text: Some(text.parse().unwrap()), ..Outgoing::default() };
        requests(&LineId::parse(CHAT).unwrap(), &message).unwrap()
    }

    #[track_caller]
    fn check(message: Value, expected: &[(&str, &str)]) {
        let medias = vec![message];
        let message = Outgoing { text: Some("hi".parse().unwrap()), medias, ..Outgoing::default() };

        let error = requests(&LineId::parse(CHAT).unwrap(), &message).unwrap_err();

        let Error::InvalidProperties(found) = error else { panic!("{error}") };
        let found: Vec<_> =
            found.iter().map(|found| (found.property.as_str(), found.message.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_text_is_one_request_with_one_message_per_bubble() {
        let requests = text_requests(&format!("{} \"hi\"\n😀", "a".repeat(4_998)));

        let expected = format!(
            r#"{{"messages":[{{"text":"{} \"","type":"text"}},{{"text":"hi\"\n😀","type":"text"}}],"to":"{CHAT}"}}"#,
            "a".repeat(4_998)
        );
        assert_eq!(requests, [expected.into_bytes()]);
    }

    #[test]
    fn six_bubbles_need_two_requests() {
        assert_eq!(text_requests(&format!("a{}b", "😀".repeat(12_499))).len(), 2);
    }

    #[test]
    fn problems_are_reported_under_the_callers_property_names() {
        check(
            json!({ "type": "template", "alt_text": "a", "contents": { "type": "confirm", "text": "?" } }),
            &[("medias[0].contents.actions", "May not be empty")],
        );
        check(
            json!({ "type": "imagemap", "alt_text": "a", "contents": { "altText": "b",
                "baseUrl": "https://example.com/a", "baseSize": { "width": 1040, "height": 0 }, "actions": [] } }),
            &[
                ("medias[0].contents.altText", "unknown property"),
                ("medias[0].contents.baseSize.height", "must be greater than or equal to 1"),
            ],
        );
        check(json!("sticker"), &[("medias[0]", "must be an object")]);
        check(json!({ "type": "file" }), &[("medias[0].uri", "must be specified")]);
        check(
            json!({ "type": "audio", "uri": "a", "duration_ms": 0, "filename": 7 }),
            &[
                ("medias[0].duration_ms", "must be greater than or equal to 1"),
                ("medias[0].filename", "must be a string"),
                ("medias[0].uri", "invalid uri"),
            ],
        );
    }
}
