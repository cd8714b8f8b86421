//! Issues short-lived channel access tokens ("Issue stateless channel access token" in LINE's reference).

use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::error::Result;
use crate::line::client::{LineClient, missing};
use crate::line::lenient;
use crate::model::secret::Secret;
use crate::net::Method;
use crate::net::header::CONTENT_TYPE;

/// Lifetime of a token when LINE's response does not say, as in LINE's documentation.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(15);

/// Upper bound of a token's lifetime, whatever LINE's response says.
const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// A token issued by LINE.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// Its lifetime.
    pub lifetime: Duration,
}

impl LineClient {
    /// Issues a token for a channel. Fails with `LineRefused` if the channel id and the secret do not match.
    pub async fn issue_token(&self, channel_id: &str, secret: &Secret) -> Result<Issued> {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", channel_id)
            .append_pair("client_secret", secret.expose())
            .finish();
        let request = self.anonymous(Method::POST, "/oauth2/v3/token");
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = self.call_json(request, form.as_bytes()).await?;
        let token = lenient::string(&response["access_token"]).and_then(Secret::credential);
        let token = token.ok_or_else(|| missing("access_token"))?;
        Ok(Issued { token, lifetime: lifetime(&response["expires_in"]) })
    }
}

fn lifetime(seconds: &Value) -> Duration {
    let seconds = lenient::count(seconds).filter(|seconds| *seconds > 0);
    seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs).min(LIFETIME_MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tokens_lifetime_is_lines_value_if_that_is_sane() {
        for (expires_in, seconds) in [
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
            assert_eq!(lifetime(&expires_in), Duration::from_secs(seconds), "{expires_in}");
        }
    }
}
