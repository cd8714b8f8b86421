//! Records which source set a field of a customer or an account, and which source takes precedence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The source of a field, in ascending precedence. Each source may change what it has set itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSource {
    /// Built in, as for the customer of the sandbox.
    Default,
    /// The claim of a token, which `setup` applies.
    Token,
    /// A call of the HTTP API, or a command.
    Call,
    /// The configuration file.
    File,
}

/// The source of each field; absent fields were never set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldSources {
    fields: BTreeMap<String, FieldSource>,
}

/// A field that was not changed, because a source with precedence has set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldField {
    /// The field.
    pub field: &'static str,
    /// The source that has set it.
    pub by: FieldSource,
}

impl FieldSources {
    /// Records that `source` sets a field; fails if a source with precedence has set it.
    pub fn take(&mut self, field: &'static str, source: FieldSource) -> Result<(), HeldField> {
        match self.fields.get(field) {
            Some(by) if *by > source => Err(HeldField { field, by: *by }),
            _ => {
                self.fields.insert(field.to_owned(), source);
                Ok(())
            }
        }
    }
}

/// Refuses changes of fields that the configuration file has set, naming its keys in this section.
pub fn refuse(section: &str, held: &[HeldField]) -> Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = held.iter().map(|held| format!("`{section}[].{}`", held.field)).collect();
    Err(Error::Conflict(format!(
        "the configuration file sets this: change {} there, or remove it from the file and restart the server",
        keys.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FieldSource; 4] =
        [FieldSource::Default, FieldSource::Token, FieldSource::Call, FieldSource::File];

    #[test]
    fn a_field_is_changed_only_by_its_source_or_one_with_precedence() {
        for first in ALL {
            for second in ALL {
                let mut sources = FieldSources::default();
                sources.take("name", first).unwrap();

                let taken = sources.take("name", second);

                let expected =
                    if second >= first { Ok(()) } else { Err(HeldField { field: "name", by: first }) };
                assert_eq!(taken, expected, "{second:?} after {first:?}");
                assert_eq!(sources.take("detail", second), Ok(()), "another field");
            }
        }
    }

    #[test]
    fn a_refused_change_names_the_keys_of_the_file() {
        let held = ["webhook_uri", "webhook_method"].map(|field| HeldField { field, by: FieldSource::File });

        let refused = refuse("customers", &held).unwrap_err().to_string();

        assert!(refused.contains("`customers[].webhook_uri`, `customers[].webhook_method`"), "{refused}");
        assert!(refuse("customers", &[]).is_ok());
    }
}
