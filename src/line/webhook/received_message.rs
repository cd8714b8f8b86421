//! Turns LINE's message objects and postbacks into text and media.

use serde_json::Value;

use crate::line::{lenient, mentions};
use crate::model::chats::inbound::ReceivedMessage;
use crate::model::files::media::{ImageSet, Media, MediaSource, MediaStatus, MediaType};

/// Maximum length of a file name in characters; names are user input.
const FILENAME_CHARACTERS_MAX: usize = 255;

/// Parses a `message` object; for an unknown kind, its texts. `None` if nothing of it is readable.
pub fn message(message: &Value) -> Option<ReceivedMessage> {
    let received = match message["type"].as_str().unwrap_or_default() {
        "image" => file(message, MediaType::Image),
        "video" => file(message, MediaType::Video),
        "audio" => file(message, MediaType::Audio),
        "file" => file(message, MediaType::File),
        "location" => location(message)?,
        "sticker" => sticker(message)?,
        _ => texts(message)?,
    };
    Some(ReceivedMessage {
        quote_token: text(&message["quoteToken"]),
        quoted: lenient::id(&message["quotedMessageId"]),
        mentions: mentions::received(&message["mention"]),
        ..received
    })
}

fn texts(message: &Value) -> Option<ReceivedMessage> {
    let parts = ["text", "title", "address", "fileName"].into_iter();
    let texts: Vec<&str> = parts.filter_map(|name| message[name].as_str()).collect();
    (!texts.is_empty()).then(|| ReceivedMessage { text: texts.join("\n"), ..ReceivedMessage::default() })
}

/// Parses a tapped button: its display text, or else its data, followed by what the user picked.
pub fn postback(postback: &Value) -> Option<ReceivedMessage> {
    let mut lines: Vec<String> =
        text(&postback["displayText"]).or_else(|| text(&postback["data"])).into_iter().collect();
    for (name, value) in postback["params"].as_object().into_iter().flatten() {
        lines.push(format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    (!lines.is_empty()).then(|| ReceivedMessage { text: lines.join("\n"), ..ReceivedMessage::default() })
}

fn file(message: &Value, kind: MediaType) -> ReceivedMessage {
    let media = Media {
        filename: filename(message["fileName"].as_str().unwrap_or_default()),
        size: lenient::count(&message["fileSize"]),
        duration_ms: lenient::count(&message["duration"]),
        status: Some(MediaStatus::Pending),
        image_set: image_set(&message["imageSet"]),
        ..Media::new(kind)
    };
    ReceivedMessage {
        medias: vec![media],
        source: Some(source(&message["contentProvider"])),
        ..ReceivedMessage::default()
    }
}

fn image_set(value: &Value) -> Option<ImageSet> {
    let (index, total) = (lenient::count(&value["index"]), lenient::count(&value["total"]));
    Some(ImageSet { id: text(&value["id"])?, index, total })
}

/// Content that LINE does not host is fetched from the URL that LINE gives.
fn source(provider: &Value) -> MediaSource {
    match (provider["type"].as_str(), provider["originalContentUrl"].as_str()) {
        (Some("external"), Some(url)) => {
            MediaSource::External { url: url.to_owned(), preview_url: text(&provider["previewImageUrl"]) }
        }
        _ => MediaSource::Line,
    }
}

fn location(message: &Value) -> Option<ReceivedMessage> {
    let (latitude, longitude) = (message["latitude"].as_f64(), message["longitude"].as_f64());
    let (title, address) = (text(&message["title"]), text(&message["address"]));
    let coordinates = latitude.zip(longitude).map(|(latitude, longitude)| format!("{latitude}, {longitude}"));
    let lines: Vec<&str> =
        [title.as_deref(), address.as_deref(), coordinates.as_deref()].into_iter().flatten().collect();
    if lines.is_empty() {
        return None;
    }
    let text = lines.join("\n");
    let media = Media { title, address, latitude, longitude, ..Media::new(MediaType::Location) };
    Some(ReceivedMessage { text, medias: vec![media], ..ReceivedMessage::default() })
}

fn sticker(message: &Value) -> Option<ReceivedMessage> {
    let (package_id, sticker_id) = (lenient::id(&message["packageId"]), lenient::id(&message["stickerId"]));
    let keywords: Vec<String> =
        message["keywords"].as_array().into_iter().flatten().filter_map(text).collect();
    let texts = text(&message["text"]).unwrap_or_else(|| keywords.join(", "));
    if texts.is_empty() && package_id.is_none() && sticker_id.is_none() {
        return None;
    }
    let media = Media { package_id, sticker_id, keywords: Some(keywords), ..Media::new(MediaType::Sticker) };
    Some(ReceivedMessage { text: texts, medias: vec![media], ..ReceivedMessage::default() })
}

/// The last component of a file name, without anything that could escape a folder or break a header.
pub fn filename(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = last.chars().filter(|character| !character.is_control()).take(FILENAME_CHARACTERS_MAX);
    plain.collect::<String>().trim_matches(['.', ' ']).to_owned()
}

fn text(value: &Value) -> Option<String> {
    lenient::string(value).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, text: &str, media: &Value) {
        let received = message(value).unwrap();
        let mut shown = serde_json::to_value(&received.medias).unwrap();
        shown
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|media| drop(media.as_object_mut().unwrap().remove("id")));

        assert_eq!((received.text.as_str(), &shown), (text, media), "{value}");
    }

    #[test]
    fn each_kind_is_read_as_text_and_media() {
        check(&json!({ "type": "text", "text": "hi" }), "hi", &json!([]));
        check(
            &json!({ "type": "image", "contentProvider": { "type": "line" } }),
            "",
            &json!([{ "type": "image", "filename": "", "status": "pending" }]),
        );
        check(
            &json!({ "type": "video", "duration": 60_000, "contentProvider": { "type": "line" } }),
            "",
            &json!([{ "type": "video", "filename": "", "duration_ms": 60_000, "status": "pending" }]),
        );
        check(
            &json!({ "type": "file", "fileName": "report.pdf", "fileSize": 2138 }),
            "",
            &json!([{ "type": "file", "filename": "report.pdf", "size": 2138, "status": "pending" }]),
        );
        check(
            &json!({ "type": "location", "title": "Tower", "address": "1-1 Town", "latitude": 35.5, "longitude": -1.25 }),
            "Tower\n1-1 Town\n35.5, -1.25",
            &json!([{ "type": "location", "filename": "", "title": "Tower", "address": "1-1 Town", "latitude": 35.5, "longitude": -1.25 }]),
        );
        check(
            &json!({ "type": "sticker", "packageId": "446", "stickerId": "1988", "keywords": ["cony", "hello"] }),
            "cony, hello",
            &json!([{ "type": "sticker", "filename": "", "package_id": "446", "sticker_id": "1988", "keywords": ["cony", "hello"] }]),
        );
    }

    #[test]
    fn an_unreadable_property_of_a_message_is_left_out_alone() {
        check(&json!({ "type": null, "text": "hi", "quoteToken": {} }), "hi", &json!([]));
        check(&json!({ "type": 7, "title": "Tower", "latitude": 1 }), "Tower", &json!([]));
        check(&json!({ "type": "hologram", "text": "\0" }), "\0", &json!([]));
        check(
            &json!({ "type": "video", "duration": -1, "fileName": [], "fileSize": 1.5, "imageSet": 7, "contentProvider": null }),
            "",
            &json!([{ "type": "video", "filename": "", "status": "pending" }]),
        );
        check(
            &json!({ "type": "image", "duration": 6e4, "imageSet": { "id": "1", "index": -1, "total": 5e9 } }),
            "",
            &json!([{ "type": "image", "filename": "", "duration_ms": 60_000, "image_set": { "id": "1" }, "status": "pending" }]),
        );
        check(
            &json!({ "type": "location", "title": "Tower", "address": null, "latitude": null, "longitude": 1.5 }),
            "Tower",
            &json!([{ "type": "location", "filename": "", "title": "Tower", "longitude": 1.5 }]),
        );
        check(
            &json!({ "type": "sticker", "packageId": 446, "stickerId": null, "keywords": ["cony", 7, null] }),
            "cony",
            &json!([{ "type": "sticker", "filename": "", "package_id": "446", "keywords": ["cony"] }]),
        );
    }

    #[test]
    fn a_message_without_any_readable_property_is_none() {
        for value in [
            json!({ "type": "text" }),
            json!({ "type": "location", "latitude": 1 }),
            json!({ "type": "sticker", "keywords": [null] }),
            json!({ "type": "hologram" }),
            json!({}),
        ] {
            assert_eq!(message(&value), None, "{value}");
        }
    }

    #[test]
    fn external_content_is_fetched_from_its_own_url() {
        let (url, preview_url) = ("https://example.com/a.jpg", "https://example.com/b.jpg");
        let provider =
            json!({ "type": "external", "originalContentUrl": url, "previewImageUrl": preview_url });
        let external = message(&json!({ "type": "image", "contentProvider": provider })).unwrap();
        let at_line = message(&json!({ "type": "audio", "contentProvider": { "type": "line" } })).unwrap();

        let (url, preview_url) = (url.to_owned(), Some(preview_url.to_owned()));
        assert_eq!(external.source, Some(MediaSource::External { url, preview_url }));
        assert_eq!(at_line.source, Some(MediaSource::Line));
    }

    #[test]
    fn a_postback_becomes_its_text_or_data_with_what_was_picked() {
        let received = |value: &Value| postback(value).map(|message| message.text);

        assert_eq!(received(&json!({ "data": "action=buy" })).as_deref(), Some("action=buy"));
        let picked = json!({ "data": "when", "params": { "date": "2026-11-23" } });
        assert_eq!(received(&picked).as_deref(), Some("when\ndate: 2026-11-23"));
        let odd = json!({ "displayText": 7, "data": null, "params": { "date": "2026-11-23", "a": [null] } });
        assert_eq!(received(&odd).as_deref(), Some("a: [null]\ndate: 2026-11-23"));
        assert_eq!(received(&json!({})), None);
        assert_eq!(received(&json!({ "data": "", "params": "?" })), None);
    }

    #[test]
    fn a_file_name_can_neither_escape_a_folder_nor_break_a_header() {
        for (given, expected) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system.ini", "system.ini"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
            ("..", ""),
            (" .hidden. ", "hidden"),
            ("領収書.pdf", "領収書.pdf"),
        ] {
            assert_eq!(filename(given), expected, "{given:?}");
        }
        assert_eq!(filename(&"x".repeat(1_000)).len(), 255);
    }
}
