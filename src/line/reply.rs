//! Replies: free of charge, one per reply token, never repeated ("Send reply message" in LINE's reference).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::line::client::{LineClient, outcome_without_response};
use crate::model::delivery::PushOutcome;
use crate::model::secret::Secret;
use crate::net::Method;
use crate::net::header::CONTENT_TYPE;

/// The parts of a push body that a reply takes over byte for byte.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PushBody<'a> {
    #[serde(borrow)]
    messages: &'a RawValue,
    notification_disabled: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReplyBody<'a> {
    #[serde(rename = "replyToken")]
    token: &'a str,
    messages: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_disabled: Option<bool>,
}

impl LineClient {
    /// Replies with the messages of this push body and returns the outcome for the message.
    pub async fn reply(&self, token: &Secret, push: &[u8], reply_token: &Secret) -> PushOutcome {
        let request = self
            .request(Method::POST, "/v2/bot/message/reply", token)
            .header(CONTENT_TYPE, "application/json")
            .on_new_connection();
        match self.send(request, &reply_body(push, reply_token)).await {
            Ok(response) => response.reply_outcome(),
            Err(failure) => outcome_without_response(failure),
        }
    }
}

/// The body of a reply whose messages are the very bytes of the push.
fn reply_body(push: &[u8], reply_token: &Secret) -> Vec<u8> {
    let push: PushBody<'_> = serde_json::from_slice(push).expect("a push is JSON that was written by us");
    let PushBody { messages, notification_disabled } = push;
    let reply = ReplyBody { token: reply_token.expose(), messages, notification_disabled };
    serde_json::to_vec(&reply).expect("texts are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_the_messages_of_the_push_byte_for_byte_and_no_recipient() {
        let push = r#"{"to":"U1","messages":[{"type":"text","text":"\u00e4 \"x\""} , {"b":1,"a":2}]}"#;

        let reply = reply_body(push.as_bytes(), &Secret::new("token"));

        let messages = r#"[{"type":"text","text":"\u00e4 \"x\""} , {"b":1,"a":2}]"#;
        assert_eq!(
            String::from_utf8(reply).unwrap(),
            format!(r#"{{"replyToken":"token","messages":{messages}}}"#)
        );
    }
}
