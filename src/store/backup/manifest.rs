//! What a backup says about itself: one line of JSON about the whole, then one for each file, in the order of the archive.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::id::MediaId;
use crate::model::timestamp::Timestamp;
use crate::store::files::media_store::Variant;

/// The name of the manifest, which is the last entry: then a backup that was cut off has none.
pub const MANIFEST: &str = "manifest.jsonl";

/// The name of the database in a backup.
pub const DATABASE: &str = "kaiwa.db";

/// The layout of backups. It changes when older programs could not read them any more.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The layout of the backup.
    pub format: u32,
    /// The version of the program that wrote it.
    pub kaiwa: String,
    /// The version of the schema of the database.
    pub schema: i64,
    /// When it was made, as times are written everywhere.
    pub created_at: String,
}

/// Every further line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name in the archive.
    pub name: String,
    /// What there is of it.
    #[serde(flatten)]
    pub content: ManifestEntry,
}

/// What there is of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ManifestEntry {
    /// It is in the archive.
    Present {
        /// Its length in bytes.
        size: u64,
        /// The SHA-256 of its bytes, in hexadecimal digits.
        sha256: String,
    },
    /// It is not in the archive.
    Missing {
        /// The reason.
        missing: Missing,
    },
}

/// Why a file is not in the archive although the database promises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It was erased while the backup was made.
    Erased,
    /// It was not on disk.
    Lost,
}

/// The files that a backup can have, and no others: a name says where a file is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The database.
    Database,
    /// A file of the media folder.
    Media(MediaId, Variant),
}

impl About {
    /// About a backup that this program makes.
    pub fn new(schema: i64, now: Timestamp) -> Self {
        let kaiwa = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, kaiwa, schema, created_at: now.to_string() }
    }

    /// Refuses a layout that this program does not know.
    pub fn require_known(&self) -> Result<(), Error> {
        if self.format == FORMAT {
            return Ok(());
        }
        Err(Error::Unusable(format!(
            "the backup was written by kaiwa {} in layout {}, this program reads {FORMAT}",
            self.kaiwa, self.format
        )))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => formatter.write_str(DATABASE),
            Self::Media(id, kind) => write!(formatter, "media/{}", kind.file_name(*id)),
        }
    }
}

impl FromStr for Name {
    type Err = Error;

    /// Only what `Display` writes is read: no other spelling, no other folder.
    fn from_str(text: &str) -> Result<Self, Error> {
        let kinds = |id| [Variant::Whole, Variant::Preview].map(|kind| Self::Media(id, kind));
        let id = text.strip_prefix("media/").and_then(|name| name.split('.').next()?.parse().ok());
        let names = id.map(kinds).into_iter().flatten().chain([Self::Database]);
        let unknown = || Error::Unusable(format!("this is no backup of kaiwa: it has a file {text:?}"));
        names.into_iter().find(|name| name.to_string() == text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_in_no_other_way() {
        let id = MediaId::random();
        for name in [Name::Database, Name::Media(id, Variant::Whole), Name::Media(id, Variant::Preview)] {
            assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
        }
        for text in [
            "",
            "/kaiwa.db",
            "./kaiwa.db",
            "../kaiwa.db",
            "kaiwa.db-wal",
            "media/",
            "media/../kaiwa.db",
            &format!("media/{}", id.to_string().to_uppercase()),
            &format!("media/{id}.preview/x"),
            &format!("media/./{id}"),
            &format!("media/{id}.part"),
        ] {
            assert!(text.parse::<Name>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn a_line_says_what_there_is_of_a_file() {
        let present = ManifestEntry::Present { size: 3, sha256: "ab".to_owned() };
        let lines = [
            (present, r#"{"name":"kaiwa.db","size":3,"sha256":"ab"}"#),
            (
                ManifestEntry::Missing { missing: Missing::Erased },
                r#"{"name":"kaiwa.db","missing":"erased"}"#,
            ),
        ];

        for (content, text) in lines {
            let entry = Entry { name: DATABASE.to_owned(), content };
            assert_eq!(serde_json::to_string(&entry).unwrap(), text);
            assert_eq!(serde_json::from_str::<Entry>(text).unwrap(), entry);
        }
    }
}
