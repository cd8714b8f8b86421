//! The manifest of a backup: one line of JSON about the backup, then one for each file, in the order of the archive.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::id::MediaId;
use crate::model::timestamp::Timestamp;
use crate::store::files::media_store::Variant;

/// File name of the manifest. It is the last entry, so a truncated backup has none.
pub const MANIFEST: &str = "manifest.jsonl";

/// File name of the database in a backup.
pub const DATABASE: &str = "kaiwa.db";

/// Version of the backup format. It is raised when older programs can no longer read new backups.
const FORMAT: u32 = 1;

/// The first line of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the backup format.
    pub format: u32,
    /// Version of the program that wrote it.
    pub kaiwa: String,
    /// Version of the database schema.
    pub schema: i64,
    /// When it was made, in the format of all timestamps.
    pub created_at: String,
}

/// Every line after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name in the archive.
    pub name: String,
    /// Whether the file is in the archive.
    #[serde(flatten)]
    pub content: ManifestEntry,
}

/// Whether a file is in the archive, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ManifestEntry {
    /// It is in the archive.
    Present {
        /// Length in bytes.
        size: u64,
        /// SHA-256 of the content, in hexadecimal.
        sha256: String,
    },
    /// It is not in the archive.
    Missing {
        /// The reason.
        missing: Missing,
    },
}

/// Why a file that the database lists is not in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It was erased while the backup was being made.
    Erased,
    /// It was not on disk.
    Lost,
}

/// The only file names that a backup may contain, since a name decides where a file is extracted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The database.
    Database,
    /// A file of the media store.
    Media(MediaId, Variant),
}

impl About {
    /// Describes a backup made by this program.
    pub fn new(schema: i64, now: Timestamp) -> Self {
        let kaiwa = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, kaiwa, schema, created_at: now.to_string() }
    }

    /// Refuses a format that this program does not know.
    pub fn require_known(&self) -> Result<(), Error> {
        if self.format == FORMAT {
            return Ok(());
        }
        Err(Error::Unusable(format!(
            "the backup was written by kaiwa {} in format {}; this program reads format {FORMAT}",
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

    /// Accepts only what `Display` writes: no other spelling, no other folder.
    fn from_str(text: &str) -> Result<Self, Error> {
        let kinds = |id| [Variant::Whole, Variant::Preview].map(|kind| Self::Media(id, kind));
        let id = text.strip_prefix("media/").and_then(|name| name.split('.').next()?.parse().ok());
        let names = id.map(kinds).into_iter().flatten().chain([Self::Database]);
        let unknown =
            || Error::Unusable(format!("this is not a backup of kaiwa: it contains a file {text:?}"));
        names.into_iter().find(|name| name.to_string() == text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_parses_only_in_the_form_in_which_it_is_written() {
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
            assert!(text.parse::<Name>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_line_has_the_content_of_a_file_or_why_it_is_missing() {
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
