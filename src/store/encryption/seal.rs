//! The sealed form of a secret: encrypted with AES-256-GCM, and bound to its column and row.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::error::{Error, Result};

/// Prefix of every sealed text, which identifies its format. A later format gets another prefix.
const FORMAT: &str = "sealed1";

/// Prefix of the hash input from which the id of a key is derived.
const ID_PREFIX: &[u8] = b"kaiwa sealing key\0";

/// Number of bytes of the hash that form the id of a key.
const ID_BYTES: usize = 4;

/// Location of a secret. A sealed text copied to another location does not open there.
#[derive(Debug, Clone, Copy)]
pub struct SealedColumn<'a> {
    /// `table.column`.
    pub column: &'a str,
    /// The public id of the row.
    pub row: &'a [u8],
}

/// A sealing key. Each text gets a random nonce, which is safe for 2^32 texts per key (NIST SP 800-38D, 8.3).
pub struct SealingKey {
    id: String,
    cipher: RandomizedNonceKey,
}

impl SealingKey {
    /// Length of a key in bytes (AES-256).
    pub const BYTES: usize = 32;

    /// Creates a key from its bytes.
    pub fn new(bytes: &[u8; Self::BYTES]) -> Self {
        let hash = digest(&SHA256, &[ID_PREFIX, bytes].concat());
        let cipher =
            RandomizedNonceKey::new(&AES_256_GCM, bytes).expect("the key has the length of the cipher");
        Self { id: HEXLOWER.encode(&hash.as_ref()[..ID_BYTES]), cipher }
    }

    /// Parses a key from 64 hexadecimal digits; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Self::new(bytes.as_slice().try_into().ok()?))
    }

    /// Id of the key, which reveals nothing about it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a text for this location.
    pub fn seal(&self, text: &str, place: SealedColumn<'_>) -> Result<String> {
        let mut bytes = text.as_bytes().to_vec();
        let nonce = self
            .cipher
            .seal_in_place_append_tag(bound_to(place), &mut bytes)
            .map_err(|_| Error::internal("a secret could not be sealed"))?;
        let sealed = [nonce.as_ref().as_slice(), &bytes].concat();
        Ok(format!("{FORMAT}:{}:{}", self.id, STANDARD.encode(sealed)))
    }

    /// Opens a text that was sealed with this key for this location. Anything else is an error, including a text that was never
    /// sealed.
    pub fn open(&self, sealed: &str, place: SealedColumn<'_>) -> Result<String> {
        let refused = || Error::internal(format!("{} contains nothing that its key opens", place.column));
        let sealed = sealed.strip_prefix(FORMAT).and_then(|rest| rest.strip_prefix(':'));
        let (id, bytes) = sealed.and_then(|rest| rest.split_once(':')).ok_or_else(refused)?;
        let bytes = STANDARD.decode(bytes).map_err(|_| refused())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(refused)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let mut sealed = sealed.to_vec();
        let text =
            self.cipher.open_in_place(nonce, bound_to(place), &mut sealed).ok().filter(|_| id == self.id);
        text.and_then(|text| String::from_utf8(text.to_vec()).ok()).ok_or_else(refused)
    }
}

/// The id of the key that a text was sealed with.
pub fn key_id(sealed: &str) -> Option<&str> {
    sealed.strip_prefix(FORMAT)?.strip_prefix(':')?.split(':').next()
}

/// Whether this is a well-formed id of a key.
pub fn is_key_id(id: &str) -> bool {
    id.len() == 2 * ID_BYTES && id.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn bound_to(place: SealedColumn<'_>) -> Aad<Vec<u8>> {
    Aad::from([place.column.as_bytes(), b"\0", place.row].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMN: SealedColumn<'_> = SealedColumn { column: "accounts.token", row: &[7; 16] };

    fn key(byte: u8) -> SealingKey {
        SealingKey::new(&[byte; SealingKey::BYTES])
    }

    #[test]
    fn a_sealed_text_opens_with_its_key_at_its_location_only() {
        let sealed = key(1).seal("the token", COLUMN).unwrap();

        assert_eq!(key(1).open(&sealed, COLUMN).unwrap(), "the token");
        for elsewhere in [
            SealedColumn { column: "accounts.secret", ..COLUMN },
            SealedColumn { row: &[8; 16], ..COLUMN },
            SealedColumn { column: "accounts.toke", row: b"n\0" },
        ] {
            assert!(key(1).open(&sealed, elsewhere).is_err(), "{elsewhere:?}");
        }
        assert!(key(2).open(&sealed, COLUMN).is_err());
    }

    #[test]
    fn any_change_of_a_sealed_text_is_detected() {
        let sealed = key(1).seal("the token", COLUMN).unwrap();

        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(key(1).open(&String::from_utf8(changed).unwrap(), COLUMN).is_err(), "byte {at}");
        }
        for broken in
            ["", "the token", "sealed1", "sealed1:", "sealed1::", &sealed[..30], &sealed[..sealed.len() - 4]]
        {
            assert!(key(1).open(broken, COLUMN).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_text_is_sealed_differently_each_time_and_is_not_visible() {
        let (one, two) =
            (key(1).seal("the token", COLUMN).unwrap(), key(1).seal("the token", COLUMN).unwrap());

        assert_ne!(one, two);
        assert!(!one.contains("token"));
        assert_eq!(key_id(&one), Some(key(1).id()));
    }

    #[test]
    fn a_key_is_sixty_four_hexadecimal_digits() {
        let text = "00ff".repeat(16);

        assert_eq!(
            SealingKey::parse(&text).unwrap().id(),
            SealingKey::parse(&text.to_uppercase()).unwrap().id()
        );
        assert_ne!(SealingKey::parse(&text).unwrap().id(), key(0).id());
        for wrong in
            ["", "00", &text[1..], &format!("{text}0"), &text.replace('f', "g"), &format!("é{}", &text[2..])]
        {
            assert!(SealingKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
