//! The media of a message, as the contract shows them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::id::MediaId;

/// One media of a message, in the shape of the HTTP contract: it is stored with its message as it is shown,
/// so that a page of messages needs no lookups. Properties that a kind does not have are omitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Its id, which is also that of its file, if it has one.
    pub id: MediaId,
    /// The kind of media.
    pub r#type: MediaType,
    /// The file name given by the sender; empty if there is none.
    #[serde(default)]
    pub filename: String,
    /// The type detected from the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The path of the file at this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The path of the preview image at this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview_uri: Option<String>,
    /// The duration in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The name of a location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The address of a location.
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
    /// Keywords of a sticker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    /// The text shown where the media cannot be displayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    /// The template, imagemap or flex message, as LINE accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Value>,
    /// The status of its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<MediaStatus>,
    /// The album that the image belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_set: Option<ImageSet>,
}

/// The position of an image in an album. The images arrive one by one and in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSet {
    /// LINE's id of the album.
    pub id: String,
    /// Its number within the album, from 1; some apps do not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// How many images the album has; some apps do not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u32>,
}

/// The kinds of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaType {
    /// An image.
    Image,
    /// A video.
    Video,
    /// An audio file.
    Audio,
    /// Any other file.
    File,
    /// A location.
    Location,
    /// A sticker, for which LINE gives ids but no image.
    Sticker,
    /// Buttons, a confirmation, or a carousel.
    Template,
    /// An image with areas to tap.
    Imagemap,
    /// A message in LINE's layout language.
    Flex,
}

/// The status of the file of a media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaStatus {
    /// Not fetched yet.
    Pending,
    /// Stored here.
    Stored,
    /// Could not be fetched and never will be, or was removed.
    Gone,
}

/// Where the bytes of a received file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource {
    /// At LINE, under the id of the message.
    Line,
    /// At these third-party URLs.
    External {
        /// The file.
        url: String,
        /// Its preview image.
        preview_url: Option<String>,
    },
}

/// A file that a customer uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id; once it is sent, anyone who knows it can fetch the file.
    pub id: MediaId,
    /// The kind of LINE message for it.
    pub kind: MediaType,
    /// The file name given by the sender; empty if there is none.
    pub filename: String,
    /// The type detected from the bytes.
    pub content_type: String,
    /// The size in bytes.
    pub size: u64,
}

/// A file that is complete and can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its id, which is its name on disk.
    pub id: MediaId,
    /// The file name given by the sender; empty if there is none.
    pub filename: String,
    /// The type detected from the bytes.
    pub content_type: String,
    /// The size in bytes.
    pub size: u64,
    /// The SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// The path prefix under which a file that was sent can be fetched by its id without a token.
pub const PUBLIC_PATH: &str = "/m/";

/// The ids in all public file URLs in a text.
pub fn addressed(text: &[u8]) -> impl Iterator<Item = MediaId> {
    const ID_BYTES: usize = 36;
    let path = PUBLIC_PATH.as_bytes();
    text.windows(path.len() + ID_BYTES)
        .filter(|window| window.starts_with(path))
        .filter_map(|window| std::str::from_utf8(&window[path.len()..]).ok().and_then(|id| id.parse().ok()))
}

impl Media {
    /// The media of an upload, as it is shown after uploading and in the messages that it is sent with.
    pub fn from_upload(upload: &Upload) -> Self {
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

    /// A media of this kind with only a new id.
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
    fn ids_are_found_in_all_public_urls_of_a_text() {
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
