//! What a person would read in an event: the message objects of LINE, and postbacks, as text and media.

use serde_json::Value;

use crate::model::inbound::Saying;
use crate::model::media::{ImageSet, Media, MediaSource, MediaStatus, MediaType};

/// The longest file name that is kept, in characters: names are users' input.
const FILENAME_CHARACTERS_MAX: usize = 255;

/// What a `message` object says; `None` for a kind that we do not know or that lacks what it needs.
pub fn message(message: &Value) -> Option<Saying> {
    let saying = match message["type"].as_str()? {
        "text" => Saying { text: message["text"].as_str()?.to_owned(), ..Saying::default() },
        "image" => file(message, MediaType::Image),
        "video" => file(message, MediaType::Video),
        "audio" => file(message, MediaType::Audio),
        "file" => file(message, MediaType::File),
        "location" => location(message)?,
        "sticker" => sticker(message)?,
        _ => return None,
    };
    Some(Saying { quote_token: text(&message["quoteToken"]), ..saying })
}

/// What a tapped button says: its text, if LINE sends one, else its data, with what the user picked.
pub fn postback(postback: &Value) -> Option<Saying> {
    let mut text = text(&postback["displayText"]).or_else(|| text(&postback["data"]))?;
    let params = postback["params"].as_object().into_iter().flatten();
    for (name, value) in params {
        text = format!("{text}\n{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    Some(Saying { text, ..Saying::default() })
}

fn file(message: &Value, kind: MediaType) -> Saying {
    let media = Media {
        filename: filename(message["fileName"].as_str().unwrap_or_default()),
        size: message["fileSize"].as_u64(),
        duration_ms: message["duration"].as_u64(),
        status: Some(MediaStatus::Pending),
        image_set: image_set(&message["imageSet"]),
        ..Media::new(kind)
    };
    Saying { medias: vec![media], source: Some(source(&message["contentProvider"])), ..Saying::default() }
}

fn image_set(value: &Value) -> Option<ImageSet> {
    let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
    Some(ImageSet { id: text(&value["id"])?, index: number("index"), total: number("total") })
}

/// Content that LINE does not keep itself is fetched from where LINE says.
fn source(provider: &Value) -> MediaSource {
    match (provider["type"].as_str(), provider["originalContentUrl"].as_str()) {
        (Some("external"), Some(url)) => {
            MediaSource::External { url: url.to_owned(), preview_url: text(&provider["previewImageUrl"]) }
        }
        _ => MediaSource::Line,
    }
}

fn location(message: &Value) -> Option<Saying> {
    let (latitude, longitude) = (message["latitude"].as_f64()?, message["longitude"].as_f64()?);
    let (title, address) = (text(&message["title"]), text(&message["address"]));
    let coordinates = format!("{latitude}, {longitude}");
    let lines: Vec<&str> =
        [title.as_deref(), address.as_deref(), Some(&coordinates)].into_iter().flatten().collect();
    let text = lines.join("\n");
    let media = Media {
        title,
        address,
        latitude: Some(latitude),
        longitude: Some(longitude),
        ..Media::new(MediaType::Location)
    };
    Some(Saying { text, medias: vec![media], ..Saying::default() })
}

fn sticker(message: &Value) -> Option<Saying> {
    let keywords: Vec<String> =
        message["keywords"].as_array().into_iter().flatten().filter_map(text).collect();
    let words = text(&message["text"]).unwrap_or_else(|| keywords.join(", "));
    let media = Media {
        package_id: Some(text(&message["packageId"])?),
        sticker_id: Some(text(&message["stickerId"])?),
        keywords: Some(keywords),
        ..Media::new(MediaType::Sticker)
    };
    Some(Saying { text: words, medias: vec![media], ..Saying::default() })
}

/// The last part of a name, without what could move a path or break a header.
pub fn filename(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = last.chars().filter(|character| !character.is_control()).take(FILENAME_CHARACTERS_MAX);
    plain.collect::<String>().trim_matches(['.', ' ']).to_owned()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, text: &str, media: &Value) {
        let said = message(value).unwrap();
        let mut shown = serde_json::to_value(&said.medias).unwrap();
        shown
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|media| drop(media.as_object_mut().unwrap().remove("id")));

        assert_eq!((said.text.as_str(), &shown), (text, media), "{value}");
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
    fn what_lacks_what_it_needs_is_not_read() {
        for value in [
            json!({ "type": "text" }),
            json!({ "type": "location", "latitude": 1 }),
            json!({ "type": "sticker", "packageId": "1" }),
            json!({ "type": "hologram" }),
            json!({}),
        ] {
            assert_eq!(message(&value), None, "{value}");
        }
    }

    #[test]
    fn content_that_is_not_at_line_is_fetched_from_where_it_is() {
        let (url, preview_url) = ("https://example.com/a.jpg", "https://example.com/b.jpg");
        let provider =
            json!({ "type": "external", "originalContentUrl": url, "previewImageUrl": preview_url });
        let elsewhere = message(&json!({ "type": "image", "contentProvider": provider })).unwrap();
        let at_line = message(&json!({ "type": "audio", "contentProvider": { "type": "line" } })).unwrap();

        let (url, preview_url) = (url.to_owned(), Some(preview_url.to_owned()));
        assert_eq!(elsewhere.source, Some(MediaSource::External { url, preview_url }));
        assert_eq!(at_line.source, Some(MediaSource::Line));
    }

    #[test]
    fn a_button_says_its_text_or_its_data_and_what_was_picked() {
        let said = |value: &Value| postback(value).map(|saying| saying.text);

        assert_eq!(said(&json!({ "data": "action=buy" })).as_deref(), Some("action=buy"));
        let picked = json!({ "data": "when", "params": { "date": "2026-11-23" } });
        assert_eq!(said(&picked).as_deref(), Some("when\ndate: 2026-11-23"));
        assert_eq!(said(&json!({})), None);
    }

    #[test]
    fn a_file_name_can_neither_move_a_path_nor_break_a_header() {
        for (given, kept) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system.ini", "system.ini"),
            ("a\r\nSet-Cookie: b", "aSet-Cookie: b"),
            ("..", ""),
            (" .hidden. ", "hidden"),
            ("領収書.pdf", "領収書.pdf"),
        ] {
            assert_eq!(filename(given), kept, "{given:?}");
        }
        assert_eq!(filename(&"x".repeat(1_000)).len(), 255);
    }
}
