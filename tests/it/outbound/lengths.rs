//! Texts at each of LINE's limits and one past it.

use serde_json::{Value, json};

use crate::outbound::Chat;
use crate::outbound::shapes::{URL, area, bubble, flex, imagemap, place, press, quick, template};

/// One character to a reader, eleven UTF-16 code units.
const FAMILY: &str = "👨‍👩‍👧‍👦";

#[actix_web::test]
async fn lengths_of_texts_in_locations_stickers_files_and_senders() {
    let chat = Chat::begin().await;
    let place = place(1.0, 2.0);
    let sticker = json!({ "medias": [{ "type": "sticker", "package_id": "4", "sticker_id": "5" }] });
    let file = json!({ "medias": [{ "type": "file", "filename": "f", "uri": URL }] });
    let sender = json!({ "text": "hi", "sender": { "name": "Ann" } });

    for (body, pointer, unit, most) in [
        (&place, "/medias/0/title", "a", 100),
        (&place, "/medias/0/address", "会", 100),
        (&sticker, "/medias/0/package_id", "4", 20),
        (&sticker, "/medias/0/sticker_id", "5", 20),
        (&file, "/medias/0/filename", "会", 255),
        (&sender, "/sender/name", "会", 20),
    ] {
        check(&chat, body, pointer, |count| unit.repeat(count), most).await;
    }
}

#[actix_web::test]
async fn lengths_of_texts_in_templates() {
    let chat = Chat::begin().await;
    let plain = template(&json!({ "type": "buttons", "text": "t", "actions": [press("a")] }));
    let titled = template(&json!({ "type": "buttons", "title": "t", "text": "t", "actions": [press("a")] }));
    let confirm = template(&json!({ "type": "confirm", "text": "t", "actions": [press("a"), press("b")] }));
    let carousel = |column: &Value| template(&json!({ "type": "carousel", "columns": [column] }));
    let columns = carousel(&json!({ "text": "t", "actions": [press("a")] }));
    let titled_columns = carousel(&json!({ "title": "t", "text": "t", "actions": [press("a")] }));
    let picture = json!({ "imageUrl": URL, "action": press("a") });
    let pictures = template(&json!({ "type": "image_carousel", "columns": [picture] }));
    let pictured = template(
        &json!({ "type": "buttons", "thumbnailImageUrl": URL, "text": "t", "actions": [press("a")] }),
    );
    let pictured_columns =
        carousel(&json!({ "thumbnailImageUrl": URL, "text": "t", "actions": [press("a")] }));

    for (body, pointer, unit, most) in [
        (&pictured, "/medias/0/contents/text", FAMILY, 60),
        (&pictured_columns, "/medias/0/contents/columns/0/text", FAMILY, 60),
        (&plain, "/medias/0/alt_text", "a", 400),
        (&plain, "/medias/0/contents/text", FAMILY, 160),
        (&plain, "/medias/0/contents/actions/0/label", FAMILY, 20),
        (&plain, "/medias/0/contents/actions/0/text", FAMILY, 300),
        (&titled, "/medias/0/contents/title", FAMILY, 40),
        (&titled, "/medias/0/contents/text", FAMILY, 60),
        (&confirm, "/medias/0/contents/text", FAMILY, 240),
        (&columns, "/medias/0/contents/columns/0/text", FAMILY, 120),
        (&titled_columns, "/medias/0/contents/columns/0/text", FAMILY, 60),
        (&titled_columns, "/medias/0/contents/columns/0/title", FAMILY, 40),
        (&pictures, "/medias/0/contents/columns/0/action/label", FAMILY, 12),
    ] {
        check(&chat, body, pointer, |count| unit.repeat(count), most).await;
    }
}

#[actix_web::test]
async fn lengths_of_texts_in_flex_messages_imagemaps_and_quick_replies() {
    let chat = Chat::begin().await;
    let copy = json!({ "type": "clipboard", "label": "a", "clipboardText": "t" });
    let postback =
        json!({ "type": "postback", "label": "a", "data": "d", "displayText": "t", "fillInText": "t" });
    let button = flex(&bubble(&json!({ "type": "button", "action": press("a") })));
    let map = |action: &Value| imagemap(&area(action), 1);
    let (tap, copied) = (map(&json!({ "type": "message", "text": "t" })), map(&copy));
    let (reply, copying, posting) = (quick(&press("a"), 1), quick(&copy, 1), quick(&postback, 1));

    for (body, pointer, unit, most) in [
        (&button, "/medias/0/alt_text", "a", 400),
        (&button, "/medias/0/contents/body/contents/0/action/label", FAMILY, 40),
        (&tap, "/medias/0/alt_text", "a", 400),
        (&tap, "/medias/0/contents/actions/0/text", "a", 400),
        (&copied, "/medias/0/contents/actions/0/clipboardText", "a", 1_000),
        (&reply, "/quick_replies/0/action/label", FAMILY, 20),
        (&reply, "/quick_replies/0/action/text", FAMILY, 300),
        (&copying, "/quick_replies/0/action/clipboardText", "a", 1_000),
        (&posting, "/quick_replies/0/action/data", "a", 300),
        (&posting, "/quick_replies/0/action/displayText", FAMILY, 300),
        (&posting, "/quick_replies/0/action/fillInText", FAMILY, 300),
    ] {
        check(&chat, body, pointer, |count| unit.repeat(count), most).await;
    }
}

#[actix_web::test]
async fn lengths_of_urls() {
    let chat = Chat::begin().await;
    let media = |media: &Value| json!({ "medias": [media] });
    let image = media(&json!({ "type": "image", "uri": URL }));
    let preview = media(&json!({ "type": "image", "uri": URL, "preview_uri": URL }));
    let video = media(&json!({ "type": "video", "uri": URL, "preview_uri": URL }));
    let audio = media(&json!({ "type": "audio", "uri": URL, "duration_ms": 1 }));
    let file = media(&json!({ "type": "file", "uri": URL }));
    let sender = json!({ "text": "hi", "sender": { "icon_uri": URL } });
    let mut icon = quick(&press("a"), 1);
    icon["quick_replies"][0]["imageUrl"] = URL.into();
    let map = imagemap(&area(&json!({ "type": "uri", "linkUri": URL })), 1);

    for (body, pointer, most) in [
        (&image, "/medias/0/uri", 2_000),
        (&preview, "/medias/0/preview_uri", 2_000),
        (&video, "/medias/0/uri", 2_000),
        (&video, "/medias/0/preview_uri", 2_000),
        (&audio, "/medias/0/uri", 2_000),
        (&file, "/medias/0/uri", 2_000),
        (&sender, "/sender/icon_uri", 2_000),
        (&icon, "/quick_replies/0/imageUrl", 2_000),
        (&map, "/medias/0/contents/baseUrl", 2_000),
        (&map, "/medias/0/contents/actions/0/linkUri", 1_000),
        (
            &quick(&json!({ "type": "uri", "label": "a", "uri": URL }), 1),
            "/quick_replies/0/action/uri",
            1_000,
        ),
    ] {
        check(&chat, body, pointer, |count| format!("{URL:a<count$}"), most).await;
    }
}

#[actix_web::test]
async fn lengths_of_urls_in_templates_and_flex_messages() {
    let chat = Chat::begin().await;
    let link = json!({ "type": "uri", "label": "a", "uri": URL });
    let pick = json!({ "type": "datetimepicker", "label": "a", "data": "d", "mode": "date" });
    let buttons =
        template(&json!({ "type": "buttons", "thumbnailImageUrl": URL, "text": "t", "actions": [link] }));
    let column = json!({ "thumbnailImageUrl": URL, "text": "t", "actions": [press("a")] });
    let columns = template(&json!({ "type": "carousel", "columns": [column] }));
    let picture = json!({ "imageUrl": URL, "action": press("a") });
    let pictures = template(&json!({ "type": "image_carousel", "columns": [picture] }));
    let image = flex(&bubble(&json!({ "type": "image", "url": URL, "action": link })));

    for (body, pointer, most) in [
        (&buttons, "/medias/0/contents/thumbnailImageUrl", 2_000),
        (&buttons, "/medias/0/contents/actions/0/uri", 1_000),
        (&columns, "/medias/0/contents/columns/0/thumbnailImageUrl", 2_000),
        (&pictures, "/medias/0/contents/columns/0/imageUrl", 2_000),
        (&image, "/medias/0/contents/body/contents/0/url", 2_000),
        (&image, "/medias/0/contents/body/contents/0/action/uri", 1_000),
    ] {
        check(&chat, body, pointer, |count| format!("{URL:a<count$}"), most).await;
    }
    check(&chat, &quick(&pick, 1), "/quick_replies/0/action/data", |count| "d".repeat(count), 300).await;
}

#[actix_web::test]
async fn a_text_can_fill_five_bubbles() {
    let chat = Chat::begin().await;
    let text = |units: usize| json!({ "text": "a".repeat(units) });

    chat.sent(&text(25_000)).await;
    let refused = chat.post(&text(25_001)).await;

    assert_eq!(chat.objects().as_array().unwrap().len(), 5);
    assert_eq!((refused.status, refused.reason().as_str()), (400, "TEXT_TOO_LONG"));
    assert_eq!((chat.requests().len(), chat.stored().await.as_array().unwrap().len()), (1, 2));
}

async fn check(chat: &Chat, body: &Value, pointer: &str, text: impl Fn(usize) -> String, most: usize) {
    let mut body = body.clone();
    *body.pointer_mut(pointer).unwrap() = text(most).into();
    chat.sent(&body).await;

    *body.pointer_mut(pointer).unwrap() = text(most + 1).into();
    let expected = (property(pointer), format!("Length must be between 0 and {most}"));
    assert_eq!(chat.refused(&body).await, [expected]);
}

/// A JSON pointer as LINE writes a property.
fn property(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1).map(|part| match part.parse::<usize>() {
        Ok(index) => format!("[{index}]"),
        Err(_) => format!(".{part}"),
    });
    parts.collect::<String>().trim_start_matches('.').to_owned()
}
