//! LINE's webhook signature: base64 of HMAC-SHA256 over the raw body, keyed with the channel secret ("Verify
//! webhook signature" in LINE's documentation).

use aws_lc_rs::digest::SHA256_OUTPUT_LEN;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::secret::Secret;

/// The signature header. Its letter case has changed in the past.
pub const HEADER: &str = "x-line-signature";

/// The signature of a body, in the encoding of the header.
pub fn sign(secret: &Secret, body: &[u8]) -> String {
    STANDARD.encode(hmac::sign(&key(secret), body))
}

/// Whether the signature is valid for the body; compares in constant time.
pub fn verify(secret: &Secret, body: &[u8], signature: &[u8]) -> bool {
    let Ok(tag) = STANDARD.decode(signature) else { return false };
    hmac::verify(&key(secret), body, &tag).is_ok()
}

/// Whether this has the format of a signature, so that verifying it makes sense.
pub fn is_plausible(signature: &[u8]) -> bool {
    STANDARD.decode(signature).is_ok_and(|tag| tag.len() == SHA256_OUTPUT_LEN)
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of LINE's documentation.
    const SECRET: &str = "8c570fa6dd201bb328f1c1eac23a96d8";
    const BODY: &[u8] = br#"{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}"#;
    const SIGNATURE: &str = "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=";

    #[test]
    fn lines_published_example_verifies() {
        let secret = Secret::new(SECRET);

        assert_eq!(sign(&secret, BODY), SIGNATURE);
        assert!(verify(&secret, BODY, SIGNATURE.as_bytes()));
    }

    #[test]
    fn any_other_signature_secret_or_body_is_refused() {
        let secret = Secret::new(SECRET);
        let shortened = &SIGNATURE[..SIGNATURE.len() - 4];

        for signature in ["", "not base64!", shortened, "AAAA", &SIGNATURE.to_lowercase()] {
            assert!(!verify(&secret, BODY, signature.as_bytes()), "{signature:?} was accepted");
        }
        for signature in ["", "not base64!", shortened, "AAAA"] {
            assert!(!is_plausible(signature.as_bytes()), "{signature:?}");
        }
        assert!(is_plausible(SIGNATURE.as_bytes()));
        assert!(!verify(&Secret::new("another"), BODY, SIGNATURE.as_bytes()));
        assert!(!verify(&secret, &[BODY, b" "].concat(), SIGNATURE.as_bytes()));
    }

    #[test]
    fn any_flipped_bit_invalidates_the_signature() {
        let secret = Secret::new(SECRET);

        for position in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[position / 8] ^= 1 << (position % 8);
            assert!(!verify(&secret, &body, SIGNATURE.as_bytes()), "bit {position} went unnoticed");
        }
    }
}
