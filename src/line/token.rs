//! Fetching channel access tokens that live for minutes ("Issue stateless channel access token" in LINE's reference).

use std::time::Duration;

use serde::Deserialize;
use url::form_urlencoded::Serializer;

use crate::error::Result;
use crate::http::Method;
use crate::http::header::CONTENT_TYPE;
use crate::line::client::Client;
use crate::model::secret::Secret;

/// Whatever LINE says, no token is kept for longer than this.
const LIFE_MAX: Duration = Duration::from_hours(24);

/// A token that LINE issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// How long it lives.
    pub life: Duration,
}

#[derive(Deserialize)]
struct IssuedBody {
    access_token: Secret,
    expires_in: u64,
}

impl Client {
    /// A new token for a channel. `LineRefused` when the id and the secret do not belong together.
    pub async fn issue_token(&self, channel_id: &str, secret: &Secret) -> Result<Issued> {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", channel_id)
            .append_pair("client_secret", secret.expose())
            .finish();
        let request = self.anonymous(Method::POST, "/oauth2/v3/token");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let IssuedBody { access_token, expires_in } = self.call(request, form.as_bytes()).await?;
        Ok(Issued { token: access_token, life: Duration::from_secs(expires_in).min(LIFE_MAX) })
    }
}
