//! Secret texts, which must never appear in a log, an error, a metric or debug output.

use std::fmt;

use serde::Deserialize;

/// A secret text. It can be used but not printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Maximum length of a channel secret or token; LINE's have 32 and about 170 bytes.
    pub const CREDENTIAL_BYTES_MAX: usize = 4_096;

    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A channel secret or token as LINE's console shows it: 1 to [`Self::CREDENTIAL_BYTES_MAX`] visible
    /// ASCII characters, so that it is valid in a header.
    pub fn credential(text: &str) -> Option<Self> {
        let fits = (1..=Self::CREDENTIAL_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self::new(text))
    }

    /// Whether it is the empty text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for signing, sealing and sending, never for display.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}
