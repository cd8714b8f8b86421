//! Durations as people write them: `1500ms`, `10s`, `23h`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Parses a duration; the error says what was expected.
pub fn parse(text: &str) -> Result<Duration, String> {
    let expected = || format!(r#"must be a duration such as "1500ms", "10s" or "23h", found {text:?}"#);
    humantime::parse_duration(text).map_err(|_| expected())
}

/// Deserializes a duration for serde.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
