//! The tokens of callers: JWTs whose claim `customer` is a string that contains JSON.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::model::accounts::customer::ProfileChange;
use crate::model::id::CustomerId;
use crate::model::object::object;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;

/// Maximum length of a token; ours are far shorter, and a longer text is not parsed.
const TOKEN_BYTES_MAX: usize = 4_096;

/// Verifies tokens with one key and one algorithm.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

/// The customer that a token authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// The customer.
    pub customer: CustomerId,
    /// The customer's profile in the token.
    pub profile: ProfileChange,
}

/// A verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whom it authenticates.
    pub bearer: Bearer,
    /// When it expires.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    customer: String,
    exp: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct CustomerClaim {
    id: CustomerId,
    name: Option<String>,
    detail: Option<String>,
    webhook_method: Option<String>,
    webhook_uri: Option<String>,
}

impl Verifier {
    /// A verifier with this key; the configuration checks its length.
    pub fn new(key: &Secret) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The times are checked here, against the server's clock and without leeway.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp"]);
        Self { key: DecodingKey::from_secret(key.expose().as_bytes()), validation }
    }

    /// Verifies a token. Fails with `BadCredentials` for any token that is not exactly valid.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::BadCredentials("the token is too long"));
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .ok()
            .filter(|_| !has_critical(token))
            .ok_or(Error::BadCredentials("the token is not one that this server accepts"))?
            .claims;
        check_times(&claims, now)?;
        let CustomerClaim { id, name, detail, webhook_method, webhook_uri } =
            object(claims.customer.as_bytes()).map_err(|_| {
                Error::BadCredentials("the token's `customer` must be a string of JSON with an `id`")
            })?;
        let profile = ProfileChange { name, detail, webhook_method, webhook_uri, ..ProfileChange::default() };
        Ok(Verified { bearer: Bearer { customer: id, profile }, expires_at: expiry(claims.exp) })
    }
}

/// Signs a token for a customer with this lifetime, starting now.
pub fn sign(key: &Secret, bearer: &Bearer, now: Timestamp, lifetime: Duration) -> Result<String> {
    let ProfileChange { name, detail, webhook_method, webhook_uri, .. } = bearer.profile.clone();
    let customer = CustomerClaim { id: bearer.customer, name, detail, webhook_method, webhook_uri };
    let claims = serde_json::json!({
        "customer": serde_json::to_string(&customer).map_err(Error::internal)?,
        "exp": now.after(lifetime).as_seconds(),
    });
    let key = EncodingKey::from_secret(key.expose().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(Error::internal)
}

/// Whether the header has `crit`, which lists extensions that must be understood; none is supported (RFC
/// 7515, 4.1.11).
fn has_critical(token: &str) -> bool {
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Map<String, Value>>(&header).ok());
    header.is_none_or(|header| header.contains_key("crit"))
}

/// The time at which the token expires; `exp` may have a fraction of a second.
fn expiry(seconds: f64) -> Timestamp {
    let expiry = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Timestamp::from_microseconds(i64::try_from(expiry.as_micros()).unwrap_or(i64::MAX))
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<()> {
    let now = Duration::from_micros(u64::try_from(now.as_microseconds()).unwrap_or(0)).as_secs_f64();
    if claims.exp <= now {
        return Err(Error::BadCredentials("the token has expired"));
    }
    if claims.nbf.is_some_and(|start| start > now) {
        return Err(Error::BadCredentials("the token is not valid yet"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_655_445_974_446_158);
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const ID: &str = "a7bc12b7-f95c-43e6-82a1-38f4b7ff9b3f";

    fn encode(claims: &Value, algorithm: Algorithm, key: &str) -> String {
        let key = EncodingKey::from_secret(key.as_bytes());
        jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    fn verify(token: &str) -> Result<Verified> {
        Verifier::new(&Secret::new(KEY)).verify(token, NOW)
    }

    fn claims() -> Value {
        json!({ "customer": json!({ "id": ID }).to_string(), "exp": NOW.as_seconds() + 1 })
    }

    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Value)) {
        let mut claims = claims();
        change(&mut claims);

        assert!(
            matches!(verify(&encode(&claims, Algorithm::HS256, KEY)), Err(Error::BadCredentials(_))),
            "{claims}"
        );
    }

    #[test]
    fn the_claim_of_the_original_service_is_accepted() {
        let customer = json!({
            "id": ID, "username": "test", "name": "Test", "detail": "small talk", "webhook_method": "POST",
            "webhook_uri": "https://example.com", "permission_ids": [ID], "tm_create": "2022-06-17 06:06:14.446158",
            "tm_update": "", "tm_delete": "9999-01-01 00:00:00.000000",
        });
        let claims =
            json!({ "customer": customer.to_string(), "exp": NOW.as_seconds() + 1, "aud": "anyone" });

        let Verified { bearer, expires_at } = verify(&encode(&claims, Algorithm::HS256, KEY)).unwrap();

        assert_eq!(expires_at.as_microseconds(), (NOW.as_seconds() + 1) * 1_000_000);
        assert_eq!(bearer.customer.to_string(), ID);
        assert_eq!(bearer.profile.name.as_deref(), Some("Test"));
        assert_eq!(bearer.profile.webhook_uri.as_deref(), Some("https://example.com"));
    }

    #[test]
    fn a_signed_token_is_accepted_until_it_expires() {
        let bearer = Bearer { customer: ID.parse().unwrap(), profile: ProfileChange::default() };
        let token = sign(&Secret::new(KEY), &bearer, NOW, Duration::from_secs(10)).unwrap();
        let verifier = Verifier::new(&Secret::new(KEY));

        assert_eq!(verifier.verify(&token, NOW).unwrap().bearer, bearer);
        assert!(verifier.verify(&token, NOW.after(Duration::from_secs(10))).is_err());
    }

    #[test]
    fn any_invalid_claim_is_refused() {
        check_refused(|claims| claims["exp"] = json!(NOW.as_seconds()));
        check_refused(|claims| claims["exp"] = json!("tomorrow"));
        check_refused(|claims| drop(claims.as_object_mut().unwrap().remove("exp")));
        check_refused(|claims| claims["nbf"] = json!(NOW.as_seconds() + 5));
        check_refused(|claims| claims["customer"] = json!({ "id": ID }));
        check_refused(|claims| claims["customer"] = json!("{}"));
        check_refused(|claims| claims["customer"] = json!(json!([ID, null, null, null, null]).to_string()));
        check_refused(|claims| claims["customer"] = json!("not json"));
        check_refused(|claims| claims["customer"] = json!(r#"{"id":"7"}"#));
        check_refused(|claims| drop(claims.as_object_mut().unwrap().remove("customer")));
        check_refused(|claims| claims["padding"] = json!("x".repeat(TOKEN_BYTES_MAX)));
    }

    #[test]
    fn other_keys_algorithms_and_shapes_are_refused() {
        let good = encode(&claims(), Algorithm::HS256, KEY);
        let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
        let none = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());

        assert!(verify(&good).is_ok());
        for token in ["", "a", "a.b.c", &unsigned, &none, &format!("{good}x"), &format!(" {good}")] {
            assert!(verify(token).is_err(), "{token:?} was accepted");
        }
        assert!(verify(&encode(&claims(), Algorithm::HS384, KEY)).is_err());
        assert!(verify(&encode(&claims(), Algorithm::HS256, "another key of at least 32 bytes!")).is_err());
    }

    #[test]
    fn a_token_with_a_crit_header_is_refused_whatever_it_lists() {
        let signed = |header: &str| {
            let claims = URL_SAFE_NO_PAD.encode(claims().to_string());
            let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
            let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
        };

        assert!(verify(&signed(r#"{"alg":"HS256","x":["crit"]}"#)).is_ok());
        for critical in
            [r#"["exp"]"#, r#"["b64"]"#, r#"["x","y"]"#, "[]", "null", "true", "7", r#""exp""#, "{}"]
        {
            let token = signed(&format!(r#"{{"alg":"HS256","typ":"JWT","x":1,"crit":{critical}}}"#));
            assert!(matches!(verify(&token), Err(Error::BadCredentials(_))), "{critical} was accepted");
        }
    }

    #[test]
    fn an_expiry_out_of_range_is_clamped() {
        for (seconds, expected) in [(1.5, 1_500_000), (0.0, 0), (1e300, i64::MAX), (f64::MAX, i64::MAX)] {
            assert_eq!(expiry(seconds).as_microseconds(), expected, "{seconds}");
        }
    }
}
