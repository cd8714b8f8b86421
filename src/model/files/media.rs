//! What a message carries besides its text, as the contract shows it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::id::MediaId;

/// One media of a message, in the shape of the HTTP contract: it is stored with its message as it is shown, so that a
/// page of messages is written without looking anything up. What a kind does not have is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Its id; that of its file, when it has one.
    pub id: MediaId,
    /// What it is.
    pub r#type: MediaType,
    /// The name that its sender gave it; empty for none.
    #[serde(default)]
    pub filename: String,
    /// The type that was found in the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where the file is, relative to this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Where a small picture of it is, relative to this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_uri: Option<String>,
    /// How long it plays, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The name of a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The address of a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Degrees north.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    /// Degrees east.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// The package of a sticker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_id: Option<String>,
    /// The sticker within its package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticker_id: Option<String>,
    /// Words for a sticker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    /// What is read where the media cannot be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    /// The template, imagemap or flex message, as LINE takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Value>,
    /// How far its file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MediaStatus>,
    /// The album of pictures that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_set: Option<ImageSet>,
}

/// The place of a picture among those that were sent together. They come one by one and in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSet {
    /// LINE's id of the album.
    pub id: String,
    /// Its number within the album, from 1; some apps do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// How many pictures the album has; some apps do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
}

/// The kinds of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
    /// Any other file.
    File,
    /// A place.
    Location,
    /// A sticker, of which LINE gives the ids and no picture.
    Sticker,
    /// Buttons, a question, or a carousel.
    Template,
    /// A picture with areas to tap.
    Imagemap,
    /// A message of LINE's layout language.
    Flex,
}

/// How far the file of a media is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaStatus {
    /// It is still to be fetched.
    Pending,
    /// It is here.
    Stored,
    /// It could not be fetched and never will be.
    Gone,
}

/// Where the bytes of a received file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource {
    /// At LINE, under the id of the message.
    Line,
    /// At these addresses, which somebody else chose.
    External {
        /// The file.
        url: String,
        /// A small picture of it.
        preview_url: Option<String>,
    },
}

/// A file that a customer uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id; once it is sent, whoever knows it can fetch the file.
    pub id: MediaId,
    /// What LINE makes of it.
    pub kind: MediaType,
    /// The name that its sender gave it; empty for none.
    pub filename: String,
    /// The type that was found in the bytes.
    pub content_type: String,
    /// The length in bytes.
    pub size: u64,
}

/// A file that is complete and may be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its id, by which it lies on disk.
    pub id: MediaId,
    /// The name that its sender gave it; empty for none.
    pub filename: String,
    /// The type that was found in the bytes.
    pub content_type: String,
    /// The length in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// Before the id in the path under which a file that was sent can be fetched without a token.
pub const PUBLIC_PATH: &str = "/m/";

/// The ids in public addresses that stand in a text.
pub fn addressed(text: &[u8]) -> impl Iterator<Item = MediaId> {
    const ID_BYTES: usize = 36;
    let path = PUBLIC_PATH.as_bytes();
    text.windows(path.len() + ID_BYTES)
        .filter(|window| window.starts_with(path))
        .filter_map(|window| std::str::from_utf8(&window[path.len()..]).ok().and_then(|id| id.parse().ok()))
}

impl Media {
    /// An upload, as it is shown when it arrives and with the messages that it is sent with.
    pub fn of_upload(upload: &Upload) -> Self {
        Self {
            id: upload.id,
            filename: upload.filename.clone(),
            content_type: Some(upload.content_type.clone()),
            size: Some(upload.size),
            uri: Some(format!("/v1.0/medias/{}", upload.id)),
            status: Some(MediaStatus::Stored),
            ..Self::new(upload.kind)
        }
    }

    /// A media of this kind with nothing but a new id.
    pub fn new(kind: MediaType) -> Self {
        Self {
            id: MediaId::random(),
            r#type: kind,
            filename: String::new(),
            content_type: None,
            size: None,
            uri: None,
            preview_uri: None,
            duration_ms: None,
            title: None,
            address: None,
            latitude: None,
            longitude: None,
            package_id: None,
            sticker_id: None,
            keywords: None,
            alt_text: None,
            contents: None,
            status: None,
            image_set: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_wherever_addresses_stand_in_a_text() {
        const ID: &str = "5a6d0b9e-0000-4000-8000-00000000000f";
        const OTHER: &str = "5A6D0B9E-0000-4000-8000-00000000000E";
        for (text, expected) in [
            (String::new(), vec![]),
            (ID.to_owned(), vec![]),
            (format!("/m/{ID}"), vec![ID]),
            (format!("{{\"url\":\"https://a.example/base/m/{ID}/a.png\"}}"), vec![ID]),
            (format!("領 /m/{ID}/preview/a.jpg\\n/m/{OTHER}/m/{ID}"), vec![ID, OTHER, ID]),
            (format!("/m/m/{ID} /m/{} /n/{ID}", &ID[..35]), vec![ID]),
            (format!("/m/{}領領領領領領領領領領領領", &ID[..3]), vec![]),
        ] {
            let expected: Vec<MediaId> = expected.into_iter().map(|id| id.parse().unwrap()).collect();
            assert_eq!(addressed(text.as_bytes()).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
