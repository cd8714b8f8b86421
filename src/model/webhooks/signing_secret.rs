//! Secrets that sign webhooks, in the form of the Standard Webhooks specification: `whsec_`, then base64 of 24 to 64 bytes.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::secret::Secret;

/// The prefix of a secret, by which people and scanners recognize it.
const PREFIX: &str = "whsec_";

/// The size of a new secret in bytes: that of an HMAC-SHA256.
const BYTES: usize = 32;

/// A new random secret.
pub fn generate() -> Secret {
    let mut bytes = [0; BYTES];
    rand::fill(&mut bytes).expect("the system has random bytes");
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// The bytes to sign with; `None` if the text is no signing secret.
pub fn bytes(secret: &Secret) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_has_32_bytes_and_is_unique() {
        let (one, other) = (generate(), generate());

        assert_eq!(bytes(&one).unwrap().len(), 32);
        assert_ne!(one, other);
    }

    #[test]
    fn only_24_to_64_bytes_after_the_prefix_are_a_secret() {
        let of = |length: usize| Secret::new(format!("whsec_{}", STANDARD.encode(vec![7; length])));

        for length in [24, 32, 64] {
            assert_eq!(bytes(&of(length)), Some(vec![7; length]));
        }
        for secret in [of(23), of(65), Secret::new(""), Secret::new("whsec_%"), Secret::new("AAAA")] {
            assert_eq!(bytes(&secret), None);
        }
    }
}
