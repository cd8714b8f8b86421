//! The content of messages: pictures, films, sounds and files, from LINE's host for them.

use crate::line::client::Client;
use crate::model::files::fetch::Obstacle;
use crate::model::secret::Secret;
use crate::net::Response;

/// Which of the two that LINE has of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What was sent.
    Whole,
    /// A small picture of it.
    Preview,
}

impl Client {
    /// The content of a message, whose bytes are still to come.
    pub async fn content(&self, token: &Secret, message_id: &str, part: Part) -> Result<Response, Obstacle> {
        if message_id.is_empty() || !message_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Obstacle::Final("LINE gave no id that could be asked for".to_owned()));
        }
        let preview = if part == Part::Preview { "/preview" } else { "" };
        let path = format!("/v2/bot/message/{message_id}/content{preview}");
        let response = self.open_content(token, &path).await?;
        if response.status() == 200 {
            return Ok(response);
        }
        let answer = self.read_answer(response).await;
        let message = answer.message();
        Err(match answer.status {
            404 | 410 => Obstacle::Final(message),
            401 | 403 => Obstacle::Token(message),
            202 | 429 | 500.. => Obstacle::NotYet(message),
            _ => Obstacle::Refused(message),
        })
    }
}
