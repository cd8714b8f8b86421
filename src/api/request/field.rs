//! Optional fields of bodies, and what `null` means there: one rule for all bodies.
//!
//! On creation, `null` is the same as absent. In an update it clears what can be cleared, and is rejected
//! elsewhere.

use serde::{Deserialize, Deserializer};

use crate::error::{Error, InvalidRule, Result};

/// The most characters in a name or a note.
const TEXT_CHARACTERS_MAX: usize = 1_000;

/// A field of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Not present.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// Present with a value.
    Given(T),
}

impl<T> Field<T> {
    /// The field as on creation, where `null` means absent.
    pub fn of_new(self) -> Self {
        match self {
            Self::Null => Self::Absent,
            other => other,
        }
    }

    /// The value of a field that cannot be cleared. `Invalid` for `null`.
    pub fn not_null(self, name: &str) -> Result<Option<T>> {
        match self {
            Self::Absent => Ok(None),
            Self::Null => Err(Error::invalid(
                InvalidRule::Argument,
                format!("`{name}` cannot be null: omit it to keep the value"),
            )),
            Self::Given(value) => Ok(Some(value)),
        }
    }
}

impl<T: Default> Field<T> {
    /// The value of a field that its empty value clears.
    pub fn or_empty(self) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Null => Some(T::default()),
            Self::Given(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Given))
    }
}

/// Deserializes a field that always has a value on creation: `null` is the same as absent.
pub fn or_default<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Checks the length of a name or note.
pub fn checked(text: Option<String>, field: &str) -> Result<Option<String>> {
    if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARACTERS_MAX) {
        let message = format!("`{field}` may have at most {TEXT_CHARACTERS_MAX} characters");
        return Err(Error::invalid(InvalidRule::Argument, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        name: Field<String>,
        #[serde(default, deserialize_with = "or_default")]
        force: bool,
    }

    fn body(json: &str) -> Body {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn null_is_distinguished_from_absent_where_it_matters() {
        let (absent, null, given) =
            (body("{}"), body(r#"{"name":null}"#), body(r#"{"name":"a","force":true}"#));

        assert_eq!([&absent.name, &null.name], [&Field::Absent, &Field::Null]);
        assert_eq!(null.name.clone().of_new(), Field::Absent);
        assert_eq!(given.name.clone().of_new(), Field::Given("a".to_owned()));
        assert_eq!(null.name.clone().or_empty().as_deref(), Some(""));
        assert_eq!(absent.name.clone().or_empty(), None);
        assert!(matches!(null.name.not_null("name"), Err(Error::Invalid { .. })));
        assert_eq!(absent.name.not_null("name").unwrap(), None);
        assert_eq!(given.name.not_null("name").unwrap().as_deref(), Some("a"));
        assert_eq!([body(r#"{"force":null}"#).force, absent.force, given.force], [false, false, true]);
    }
}
