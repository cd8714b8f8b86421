//! The bodies of push requests ("Send push message" in LINE's reference).

use serde::Serialize;

use crate::model::chat::LineId;
use crate::model::text::{BUBBLES_PER_REQUEST_MAX, Text};

#[derive(Serialize)]
struct Push<'a> {
    to: &'a str,
    messages: Vec<TextMessage<'a>>,
}

#[derive(Serialize)]
struct TextMessage<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// The requests that carry a text to a chat, in order. Their bytes are frozen: every attempt sends the same.
pub fn text_requests(to: &LineId, text: &Text) -> Vec<Vec<u8>> {
    let bubbles = text.bubbles();
    bubbles.chunks(BUBBLES_PER_REQUEST_MAX).map(|bubbles| request(to, bubbles)).collect()
}

fn request(to: &LineId, bubbles: &[&str]) -> Vec<u8> {
    let messages = bubbles.iter().map(|text| TextMessage { r#type: "text", text }).collect();
    serde_json::to_vec(&Push { to: to.as_str(), messages }).expect("texts are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_request_with_a_message_for_each_bubble() {
        let to = LineId::parse("Ud871bcaf7c3ad13d2a0b0d78a42a287f").unwrap();
        let text: Text = format!("{} \"hi\"\n😀", "a".repeat(4_998)).parse().unwrap();

        let requests = text_requests(&to, &text);

        let expected = format!(
            r#"{{"to":"Ud871bcaf7c3ad13d2a0b0d78a42a287f","messages":[{{"type":"text","text":"{} \""}},{{"type":"text","text":"hi\"\n😀"}}]}}"#,
            "a".repeat(4_998)
        );
        assert_eq!(requests, [expected.into_bytes()]);
    }

    #[test]
    fn what_needs_six_bubbles_goes_out_in_two_requests() {
        let to = LineId::parse("Ud871bcaf7c3ad13d2a0b0d78a42a287f").unwrap();
        let text: Text = format!("a{}b", "😀".repeat(12_499)).parse().unwrap();

        assert_eq!(text_requests(&to, &text).len(), 2);
    }
}
