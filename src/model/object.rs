//! Parses JSON objects strictly.

use serde::Deserialize;
use serde::de::Error as _;

/// Parses JSON that must be an object. For a struct, `serde_json` alone would also accept an array of its
/// fields without their names: `["hi"]` instead of `{"text": "hi"}`.
pub fn object<'json, T: Deserialize<'json>>(json: &'json [u8]) -> serde_json::Result<T> {
    match json.trim_ascii_start().first() {
        Some(b'[') => Err(serde_json::Error::custom("invalid type: a list, expected an object")),
        _ => serde_json::from_slice(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Fields {
        text: Option<String>,
    }

    #[test]
    fn an_array_of_fields_is_not_an_object() {
        let parsed = |text: &str| object::<Fields>(text.as_bytes()).ok();

        assert_eq!(parsed(r#" {"text": "hi"}"#), Some(Fields { text: Some("hi".to_owned()) }));
        assert_eq!(parsed("{}"), Some(Fields { text: None }));
        for text in [r#"["hi"]"#, "\r\n\t [null]", "[]", "null", "\"hi\"", "1", ""] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
