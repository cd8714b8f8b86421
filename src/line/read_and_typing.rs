//! Read receipts and the loading animation of a chat.

use serde_json::{Value, json};

use crate::error::Result;
use crate::line::client::LineClient;
use crate::model::chats::chat::LineId;
use crate::model::secret::Secret;
use crate::net::Method;
use crate::net::header::CONTENT_TYPE;

impl LineClient {
    /// Marks everything up to the message of this token as read, which the user sees.
    pub async fn mark_as_read(&self, token: &Secret, read_token: &Secret) -> Result<()> {
        let body = json!({ "markAsReadToken": read_token.expose() });
        self.post_signal(token, "/v2/bot/chat/markAsRead", &body).await
    }

    /// Shows the loading animation to the user for this many seconds.
    pub async fn start_loading(&self, token: &Secret, user: &LineId, seconds: u32) -> Result<()> {
        let body = json!({ "chatId": user.as_str(), "loadingSeconds": seconds });
        self.post_signal(token, "/v2/bot/chat/loading/start", &body).await
    }

    async fn post_signal(&self, token: &Secret, path: &str, body: &Value) -> Result<()> {
        let request = self.request(Method::POST, path, token);
        let request = request.header(CONTENT_TYPE, "application/json");
        self.call(request, body.to_string().as_bytes()).await.map(drop)
    }
}
