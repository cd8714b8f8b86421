//! The content of messages: pictures, films, sounds and files, from LINE's host for them.

use crate::line::client::LineClient;
use crate::model::files::fetch::FetchError;
use crate::model::secret::Secret;
use crate::net::Response;

/// Which of the two that LINE has of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentPart {
    /// What was sent.
    Whole,
    /// A small picture of it.
    Preview,
}

impl LineClient {
    /// The content of a message, whose bytes are still to come.
    pub async fn content(
        &self,
        token: &Secret,
        message_id: &str,
        part: ContentPart,
    ) -> Result<Response, FetchError> {
        if message_id.is_empty() || !message_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(FetchError::Final("LINE gave no id that could be asked for".to_owned()));
        }
        let preview = if part == ContentPart::Preview { "/preview" } else { "" };
        let path = format!("/v2/bot/message/{message_id}/content{preview}");
        let response = self.open_content(token, &path).await?;
        if response.status() == 200 {
            return Ok(response);
        }
        let answer = self.read_answer(response).await;
        let message = answer.message();
        Err(match answer.status {
            404 | 410 => FetchError::Final(message),
            401 | 403 => FetchError::Token(message),
            202 | 429 | 500.. => FetchError::NotYet(message),
            _ => FetchError::Refused(message),
        })
    }
}
