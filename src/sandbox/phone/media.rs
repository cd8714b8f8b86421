//! The media that a phone loads to show a message, and the formats that LINE accepts (LINE's documentation of
//! each kind of message, "Message objects").

use serde_json::{Map, Value};
use url::Url;

use crate::line::validation::links::is_loopback;
use crate::line::validation::problems::Path;

/// A file format that LINE's apps accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Its name, for people.
    pub name: &'static str,
    /// The accepted values of `Content-Type`.
    pub content_types: &'static [&'static str],
    /// The accepted results of sniffing the first bytes.
    pub sniffed_types: &'static [&'static str],
    /// Maximum size in bytes.
    pub bytes_max: u64,
}

/// A URL in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The message.
    pub message_id: String,
    /// Its property in the message.
    pub property: String,
    /// The address.
    pub url: String,
    /// The format that is expected there.
    pub format: &'static Format,
}

const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png"];
/// An image at full size.
static IMAGE: Format = Format {
    name: "a JPEG or PNG image",
    content_types: IMAGE_TYPES,
    sniffed_types: IMAGE_TYPES,
    bytes_max: 10_000_000,
};
/// A preview image.
static PREVIEW: Format = Format { bytes_max: 1_000_000, ..IMAGE };
/// The icon of a sender or of a quick reply.
static ICON: Format = Format {
    name: "a PNG image",
    content_types: &["image/png"],
    sniffed_types: &["image/png"],
    bytes_max: 1_000_000,
};
static VIDEO: Format = Format {
    name: "an mp4 video",
    content_types: &["video/mp4"],
    sniffed_types: &["video/mp4"],
    bytes_max: 200_000_000,
};
/// Some m4a files have the brand of a video.
static AUDIO: Format = Format {
    name: "m4a or mp3 audio",
    content_types: &["audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac", "audio/mpeg", "audio/mp3"],
    sniffed_types: &["audio/mp4", "video/mp4", "audio/mpeg"],
    bytes_max: 200_000_000,
};
/// The widths in which the image of an imagemap is requested.
const TILE_WIDTHS: [&str; 5] = ["240", "300", "460", "700", "1040"];

/// The URLs that a phone loads for this message.
pub fn links(message_id: &str, message: &Value) -> Vec<Link> {
    let mut links = Vec::new();
    collect(message, &Path::Root, &mut |path, url, format| {
        let (message_id, property) = (message_id.to_owned(), path.to_string());
        links.push(Link { message_id, property, url, format });
    });
    links
}

/// The parsed URL of a link, if the phone may load it. Unless `outside` is set, only loopback addresses are
/// loaded.
pub fn permitted(link: &Link, outside: bool) -> Result<Url, String> {
    let url = Url::parse(&link.url).map_err(|error| format!("invalid address: {error}"))?;
    match (url.scheme(), is_loopback(&url)) {
        ("http" | "https", true) => Ok(url),
        ("https", false) if outside => Ok(url),
        ("https", false) => Err("not loaded: it is not on this machine; outside=true allows it".to_owned()),
        _ => Err("LINE loads only https addresses".to_owned()),
    }
}

fn collect(value: &Value, path: &Path<'_>, found: &mut impl FnMut(&Path<'_>, String, &'static Format)) {
    match value {
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                collect(entry, &Path::Index(path, index), found);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                let path = Path::Name(path, name);
                match (value, format(object, name)) {
                    (Value::String(base), Some(format)) if name == "baseUrl" => {
                        for width in TILE_WIDTHS {
                            found(&path, format!("{base}/{width}"), format);
                        }
                    }
                    (Value::String(url), Some(format)) => found(&path, url.clone(), format),
                    _ => collect(value, &path, found),
                }
            }
        }
        _ => {}
    }
}

/// The format that is expected under this property.
fn format(object: &Map<String, Value>, name: &str) -> Option<&'static Format> {
    match (name, object.get("type").and_then(Value::as_str)) {
        ("originalContentUrl", Some("audio")) => Some(&AUDIO),
        ("originalContentUrl" | "url", Some("image")) => Some(&IMAGE),
        // The video of an imagemap has no type.
        ("originalContentUrl", _) | ("url", Some("video")) => Some(&VIDEO),
        ("imageUrl", Some("action")) | ("iconUrl", _) => Some(&ICON),
        ("previewImageUrl" | "previewUrl", _) | ("url", Some("icon")) => Some(&PREVIEW),
        ("thumbnailImageUrl" | "imageUrl" | "baseUrl", _) => Some(&IMAGE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Checks the properties, URLs and formats of the links.
    #[track_caller]
    fn check(message: &Value, expected: &[(&str, &str, &Format)]) {
        let mut links = links("1", message);
        links.sort_by(|one, other| one.property.cmp(&other.property));
        let found: Vec<_> =
            links.iter().map(|link| (link.property.as_str(), link.url.as_str(), link.format)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_links_of_a_message_depend_on_its_kind() {
        let media = |kind| json!({ "type": kind, "originalContentUrl": "a", "previewImageUrl": "b" });

        check(&media("image"), &[("originalContentUrl", "a", &IMAGE), ("previewImageUrl", "b", &PREVIEW)]);
        check(&media("video"), &[("originalContentUrl", "a", &VIDEO), ("previewImageUrl", "b", &PREVIEW)]);
        check(
            &json!({ "type": "audio", "originalContentUrl": "a", "sender": { "iconUrl": "i" } }),
            &[("originalContentUrl", "a", &AUDIO), ("sender.iconUrl", "i", &ICON)],
        );
        check(&json!({ "type": "text", "text": "https://example.com" }), &[]);
        let item = json!({ "type": "action", "imageUrl": "q", "action": { "type": "uri", "uri": "u" } });
        check(
            &json!({ "type": "text", "text": "a", "quickReply": { "items": [item] } }),
            &[("quickReply.items[0].imageUrl", "q", &ICON)],
        );
    }

    #[test]
    fn templates_flex_messages_and_imagemaps_are_searched() {
        let columns = json!([{ "thumbnailImageUrl": "t" }, { "imageUrl": "c" }]);
        check(
            &json!({ "type": "template", "template": { "type": "carousel", "columns": columns } }),
            &[
                ("template.columns[0].thumbnailImageUrl", "t", &IMAGE),
                ("template.columns[1].imageUrl", "c", &IMAGE),
            ],
        );
        let video = json!({ "type": "video", "url": "v", "previewUrl": "p",
            "altContent": { "type": "image", "url": "i" } });
        check(
            &json!({ "type": "flex", "contents": { "type": "bubble", "hero": video } }),
            &[
                ("contents.hero.altContent.url", "i", &IMAGE),
                ("contents.hero.previewUrl", "p", &PREVIEW),
                ("contents.hero.url", "v", &VIDEO),
            ],
        );
        check(
            &json!({ "type": "imagemap", "baseUrl": "b", "video": { "originalContentUrl": "v" } }),
            &[
                ("baseUrl", "b/240", &IMAGE),
                ("baseUrl", "b/300", &IMAGE),
                ("baseUrl", "b/460", &IMAGE),
                ("baseUrl", "b/700", &IMAGE),
                ("baseUrl", "b/1040", &IMAGE),
                ("video.originalContentUrl", "v", &VIDEO),
            ],
        );
    }

    #[test]
    fn other_hosts_are_not_loaded_unless_allowed() {
        let may = |url: &str, outside| {
            let (message_id, property) = (String::new(), String::new());
            permitted(&Link { message_id, property, url: url.to_owned(), format: &ICON }, outside).is_ok()
        };

        for (url, inside, outside) in [
            ("http://127.0.0.1:9000/a.png", true, true),
            ("https://localhost/a.png", true, true),
            ("http://[::1]/a.png", true, true),
            ("https://example.com/a.png", false, true),
            ("https://127.0.0.1.example.com/a.png", false, true),
            ("http://example.com/a.png", false, false),
            ("http://10.0.0.1/a.png", false, false),
            ("ftp://127.0.0.1/a.png", false, false),
        ] {
            assert_eq!((may(url, false), may(url, true)), (inside, outside), "{url}");
        }
    }
}
