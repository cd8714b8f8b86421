//! Who has set a field of a customer or of an account, and whose word goes first.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Who has set a field. The later of two goes first, and each may change what itself has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldSource {
    /// Built in, as the customer of the sandbox is.
    Default,
    /// The claim of a token, which `setup` takes.
    Token,
    /// A call of the HTTP interface, or a command.
    Call,
    /// The configuration file.
    File,
}

/// Who has set which field; nobody has set those that are not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FieldSources {
    fields: BTreeMap<String, FieldSource>,
}

/// A field that was left as it is, because somebody has set it whose word goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldField {
    /// The field.
    pub field: &'static str,
    /// Who has set it.
    pub by: FieldSource,
}

impl FieldSources {
    /// Notes that `source` sets a field, unless somebody has set it whose word goes first.
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

/// Refuses a change of what the configuration file has set, with the names of its keys in this section.
pub fn refuse(section: &str, held: &[HeldField]) -> Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = held.iter().map(|held| format!("`{section}[].{}`", held.field)).collect();
    Err(Error::Conflict(format!(
        "the configuration file sets this: change {} there, or take it out of the file and start the server anew",
        keys.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FieldSource; 4] =
        [FieldSource::Default, FieldSource::Token, FieldSource::Call, FieldSource::File];

    #[test]
    fn a_word_that_goes_first_is_changed_by_none_of_the_others() {
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
    fn who_changes_what_the_file_has_set_is_told_its_keys() {
        let held = ["webhook_uri", "webhook_method"].map(|field| HeldField { field, by: FieldSource::File });

        let refused = refuse("customers", &held).unwrap_err().to_string();

        assert!(refused.contains("`customers[].webhook_uri`, `customers[].webhook_method`"), "{refused}");
        assert!(refuse("customers", &[]).is_ok());
    }
}
