//! Replies: free, once for each token, and never to be repeated ("Send reply message" in LINE's reference).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::line::client::{LineClient, without_answer};
use crate::model::delivery::PushOutcome;
use crate::model::secret::Secret;
use crate::net::Method;
use crate::net::header::CONTENT_TYPE;

/// What a push says, byte for byte.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pushed<'a> {
    #[serde(borrow)]
    messages: &'a RawValue,
    notification_disabled: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reply<'a> {
    #[serde(rename = "replyToken")]
    token: &'a str,
    messages: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_disabled: Option<bool>,
}

impl LineClient {
    /// Replies with what this push says, and says what LINE's answer means for the message.
    pub async fn reply(&self, token: &Secret, push: &[u8], reply_token: &Secret) -> PushOutcome {
        let request = self
            .request(Method::POST, "/v2/bot/message/reply", token)
            .header(CONTENT_TYPE, "application/json")
            .alone();
        match self.send(request, &request_of(push, reply_token)).await {
            Ok(answer) => answer.reply_outcome(),
            Err(failure) => without_answer(failure),
        }
    }
}

/// The reply with the messages of a push, which are its very bytes.
fn request_of(push: &[u8], reply_token: &Secret) -> Vec<u8> {
    let pushed: Pushed<'_> = serde_json::from_slice(push).expect("a push is JSON that was written by us");
    let Pushed { messages, notification_disabled } = pushed;
    let reply = Reply { token: reply_token.expose(), messages, notification_disabled };
    serde_json::to_vec(&reply).expect("texts are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_the_bytes_of_the_push_and_no_recipient() {
        let push = r#"{"to":"U1","messages":[{"type":"text","text":"\u00e4 \"x\""} , {"b":1,"a":2}]}"#;

        let reply = request_of(push.as_bytes(), &Secret::new("token"));

        let messages = r#"[{"type":"text","text":"\u00e4 \"x\""} , {"b":1,"a":2}]"#;
        assert_eq!(
            String::from_utf8(reply).unwrap(),
            format!(r#"{{"replyToken":"token","messages":{messages}}}"#)
        );
    }
}
