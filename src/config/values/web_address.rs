//! URLs with the scheme http or https. Errors never repeat them, since they may contain a token.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::model::chats::address::{is_plain, receiver_fault};

/// Parses a URL; the error says what was expected.
fn parse(text: &str) -> Result<Url, String> {
    if !is_plain(text) {
        return Err("must not contain control characters, nor leading or trailing spaces".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("must be an http or https address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("must begin with http:// or https://, found {}:", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or a password".to_owned());
    }
    Ok(url)
}

/// Parses the address of a customer's webhook.
pub fn parse_receiver(text: &str) -> Result<Url, String> {
    let url = parse(text)?;
    receiver_fault(text).map_or(Ok(url), |fault| Err(format!("cannot be used: {fault}")))
}

/// Parses a base URL, to which paths are appended.
pub fn parse_base(text: &str) -> Result<Url, String> {
    let url = parse(text)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have neither a query (?) nor a fragment (#)".to_owned());
    }
    Ok(url)
}

/// Deserializes a URL for serde.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Deserializes the address of a customer's webhook for serde.
pub fn deserialize_receiver<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    parse_receiver(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// Deserializes an optional URL for serde.
pub fn deserialize_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    deserialize(deserializer).map(Some)
}
