//! Downloads of message content (images, videos, audio and files) from LINE's content host.

use crate::line::client::LineClient;
use crate::model::files::fetch::FetchError;
use crate::model::secret::Secret;
use crate::net::Response;

/// Which of a message's two files to download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentPart {
    /// The original.
    Original,
    /// LINE's small preview image of it.
    Preview,
}

impl LineClient {
    /// Opens the content of a message; the body is not read yet.
    pub async fn content(
        &self,
        token: &Secret,
        message_id: &str,
        part: ContentPart,
    ) -> Result<Response, FetchError> {
        if message_id.is_empty() || !message_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(FetchError::Final("LINE sent no usable message id".to_owned()));
        }
        let preview = if part == ContentPart::Preview { "/preview" } else { "" };
        let path = format!("/v2/bot/message/{message_id}/content{preview}");
        let response = self.open_content(token, &path).await?;
        if response.status() == 200 {
            return Ok(response);
        }
        let response = self.read_response(response).await;
        let message = response.message();
        Err(match response.status {
            404 | 410 => FetchError::Final(message),
            401 | 403 => FetchError::Token(message),
            202 | 429 | 500.. => FetchError::NotYet(message),
            _ => FetchError::Refused(message),
        })
    }
}
