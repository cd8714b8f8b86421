//! Signatures of webhook events by the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`,
//! in base64, prefixed with the version of the scheme.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::secret::Secret;
use crate::model::webhooks::signing_secret;

/// The header `webhook-signature`: one signature per secret, separated by spaces. `seconds` is the header
/// `webhook-timestamp`. A malformed secret gives no signature.
pub fn sign(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{seconds}.").as_bytes(), body].concat();
    let keys = secrets.iter().filter_map(signing_secret::bytes);
    let signatures = keys.map(|key| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
        format!("v1,{}", STANDARD.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SECONDS: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_test_vector_matches() {
        assert_eq!(sign(&[Secret::new(SECRET)], ID, SECONDS, BODY), SIGNATURE);
    }

    #[test]
    fn each_secret_has_its_signature_and_a_malformed_one_has_none() {
        let other = Secret::new("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let both = sign(&[Secret::new(SECRET), other.clone()], ID, SECONDS, BODY);

        assert_eq!(both, format!("{SIGNATURE} {}", sign(&[other], ID, SECONDS, BODY)));
        assert_eq!(sign(&[Secret::new("secret")], ID, SECONDS, BODY), "");
        assert_ne!(sign(&[Secret::new(SECRET)], ID, SECONDS + 1, BODY), SIGNATURE);
        assert_ne!(sign(&[Secret::new(SECRET)], "another", SECONDS, BODY), SIGNATURE);
    }
}
