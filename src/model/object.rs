//! Reading JSON in which an object is expected.

use serde::Deserialize;
use serde::de::Error as _;

/// The object that this JSON is. For a type of ours the library alone would also take a list of its fields, without their
/// names: `["hi"]` in the place of `{"text": "hi"}`.
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
    fn a_list_of_fields_is_no_object() {
        let said = |text: &str| object::<Fields>(text.as_bytes()).ok();

        assert_eq!(said(r#" {"text": "hi"}"#), Some(Fields { text: Some("hi".to_owned()) }));
        assert_eq!(said("{}"), Some(Fields { text: None }));
        for text in [r#"["hi"]"#, "\r\n\t [null]", "[]", "null", "\"hi\"", "1", ""] {
            assert_eq!(said(text), None, "{text}");
        }
    }
}
