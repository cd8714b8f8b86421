//! Texts that must never reach a log, an error, a metric or a debug print.

use std::fmt;

use serde::Deserialize;

/// A secret text. It can be used, and it cannot be printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The longest channel secret or token; LINE's have 32 and about 170 bytes.
    pub const CREDENTIAL_BYTES_MAX: usize = 4_096;

    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A channel secret or token as LINE's console gives it: 1 to [`Self::CREDENTIAL_BYTES_MAX`] visible ASCII
    /// characters, so that it can stand in a header.
    pub fn credential(text: &str) -> Option<Self> {
        let fits = (1..=Self::CREDENTIAL_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self::new(text))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself: for signing, sealing and sending, never for showing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}
