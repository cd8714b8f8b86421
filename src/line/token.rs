//! Fetching channel access tokens that live for minutes ("Issue stateless channel access token" in LINE's reference).

use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::error::Result;
use crate::line::client::{LineClient, without};
use crate::line::lenient;
use crate::model::secret::Secret;
use crate::net::Method;
use crate::net::header::CONTENT_TYPE;

/// How long a token lives when LINE does not say: as its documentation has it.
const LIFE_USUAL: Duration = Duration::from_mins(15);

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

impl LineClient {
    /// A new token for a channel. `LineRefused` when the id and the secret do not belong together.
    pub async fn issue_token(&self, channel_id: &str, secret: &Secret) -> Result<Issued> {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", channel_id)
            .append_pair("client_secret", secret.expose())
            .finish();
        let request = self.anonymous(Method::POST, "/oauth2/v3/token");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = self.ask(request, form.as_bytes()).await?;
        let token = lenient::string(&answer["access_token"]).and_then(Secret::credential);
        let token = token.ok_or_else(|| without("access_token"))?;
        Ok(Issued { token, life: life(&answer["expires_in"]) })
    }
}

fn life(seconds: &Value) -> Duration {
    let seconds = lenient::count(seconds).filter(|seconds| *seconds > 0);
    seconds.map_or(LIFE_USUAL, Duration::from_secs).min(LIFE_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_lives_as_long_as_line_says_where_that_can_be() {
        for (said, seconds) in [
            (json!(900), 900),
            (json!(60.0), 60),
            (json!(i64::MAX), 86_400),
            (json!(u64::MAX), 900),
            (json!(1e300), 900),
            (json!(0), 900),
            (json!(-1), 900),
            (json!("900"), 900),
            (json!(null), 900),
        ] {
            assert_eq!(life(&said), Duration::from_secs(seconds), "{said}");
        }
    }
}
