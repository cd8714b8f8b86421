//! What a phone loads when it shows a message: the addresses in it, and what has to be there (LINE's documentation of each
//! kind of message, "Message objects").

use serde_json::{Map, Value};
use url::Url;

use crate::line::validation::links::is_loopback;
use crate::line::validation::problems::Path;

/// What LINE's apps take at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What it is, for a person.
    pub name: &'static str,
    /// How it may be announced in `Content-Type`.
    pub announced: &'static [&'static str],
    /// What its first bytes may tell.
    pub found: &'static [&'static str],
    /// How large it may be.
    pub bytes_max: u64,
}

/// An address in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The message.
    pub message_id: String,
    /// Where it stands in the message.
    pub property: String,
    /// The address.
    pub url: String,
    /// What has to be there.
    pub format: &'static Format,
}

const IMAGE_TYPES: &[&str] = &["image/jpeg", "image/png"];
/// A picture as it is shown at its full size.
static IMAGE: Format = Format {
    name: "a JPEG or PNG picture",
    announced: IMAGE_TYPES,
    found: IMAGE_TYPES,
    bytes_max: 10_000_000,
};
/// A small picture.
static PREVIEW: Format = Format { bytes_max: 1_000_000, ..IMAGE };
/// The picture of a sender or of a quick reply.
static ICON: Format =
    Format { name: "a PNG picture", announced: &["image/png"], found: &["image/png"], bytes_max: 1_000_000 };
static VIDEO: Format =
    Format { name: "an mp4 film", announced: &["video/mp4"], found: &["video/mp4"], bytes_max: 200_000_000 };
/// Some m4a files have the brand of a film.
static AUDIO: Format = Format {
    name: "an m4a or mp3 sound",
    announced: &["audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac", "audio/mpeg", "audio/mp3"],
    found: &["audio/mp4", "video/mp4", "audio/mpeg"],
    bytes_max: 200_000_000,
};
/// The widths in which an imagemap is asked for.
const TILE_WIDTHS: [&str; 5] = ["240", "300", "460", "700", "1040"];

/// The addresses that a phone loads for this message.
pub fn links(message_id: &str, message: &Value) -> Vec<Link> {
    let mut links = Vec::new();
    collect(message, &Path::Root, &mut |path, url, format| {
        let (message_id, property) = (message_id.to_owned(), path.to_string());
        links.push(Link { message_id, property, url, format });
    });
    links
}

/// The address of a link, if the phone may ask for it. Without `outside` it asks this machine alone.
pub fn permitted(link: &Link, outside: bool) -> Result<Url, String> {
    let url = Url::parse(&link.url).map_err(|error| format!("this is no address: {error}"))?;
    match (url.scheme(), is_loopback(&url)) {
        ("http" | "https", true) => Ok(url),
        ("https", false) if outside => Ok(url),
        ("https", false) => {
            Err("not asked for: it is not on this machine; outside=true allows it".to_owned())
        }
        _ => Err("LINE loads https addresses only".to_owned()),
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

/// What has to be at the address under this name.
fn format(object: &Map<String, Value>, name: &str) -> Option<&'static Format> {
    match (name, object.get("type").and_then(Value::as_str)) {
        ("originalContentUrl", Some("audio")) => Some(&AUDIO),
        ("originalContentUrl" | "url", Some("image")) => Some(&IMAGE),
        // The film of an imagemap has no type.
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

    /// Where the addresses stand, and how much may be there.
    #[track_caller]
    fn check(message: &Value, expected: &[(&str, &str, &Format)]) {
        let mut links = links("1", message);
        links.sort_by(|one, other| one.property.cmp(&other.property));
        let found: Vec<_> =
            links.iter().map(|link| (link.property.as_str(), link.url.as_str(), link.format)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_message_names_what_its_kind_has() {
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
    fn templates_flex_and_imagemaps_are_looked_through() {
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
    fn nothing_outside_of_this_machine_is_asked_for_unless_that_is_wanted() {
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
