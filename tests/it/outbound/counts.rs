//! Counts and sizes at each of LINE's limits and one past it.

use serde_json::{Value, json};

use crate::outbound::Chat;
use crate::outbound::shapes::{URL, area, bubble, flex, imagemap, place, press, quick, template};

/// A body at its limit, one past it, and the reported property.
type Case = (Value, Value, &'static str);

#[actix_web::test]
async fn the_maximum_that_line_accepts_is_sent_and_one_more_is_rejected() {
    let chat = Chat::begin().await;

    for (at, past, property) in messages().into_iter().chain(templates()).chain(flexes()) {
        chat.sent(&at).await;
        assert_eq!(chat.refused_for(&past).await, property);
    }
}

fn messages() -> Vec<Case> {
    let audio = |milliseconds: i64| json!({ "medias": [{ "type": "audio", "uri": URL, "duration_ms": milliseconds }] });
    let sticker = json!({ "type": "sticker", "package_id": "446", "sticker_id": "1988" });
    let stickers = |count: usize| json!({ "medias": vec![&sticker; count] });
    let tap = area(&json!({ "type": "message", "text": "t" }));
    let mut narrow = imagemap(&tap, 1);
    narrow["medias"][0]["contents"]["baseSize"]["width"] = 1_039.into();
    vec![
        (place(90.0, 180.0), place(90.1, 0.0), "medias[0].latitude"),
        (place(-90.0, -180.0), place(0.0, -180.1), "medias[0].longitude"),
        (imagemap(&tap, 50), imagemap(&tap, 51), "medias[0].contents.actions"),
        (imagemap(&tap, 1), narrow, "medias[0].contents.baseSize.width"),
        (quick(&press("a"), 13), quick(&press("a"), 14), "quick_replies"),
        (audio(1), audio(0), "medias[0].duration_ms"),
        (stickers(20), stickers(21), "medias"),
    ]
}

fn templates() -> Vec<Case> {
    let pressed = |kind: &str, count: usize| {
        template(&json!({ "type": kind, "text": "t", "actions": vec![press("a"); count] }))
    };
    let column = |actions: &usize| json!({ "text": "t", "actions": vec![press("a"); *actions] });
    let columns = |columns: &[usize]| {
        let columns: Vec<Value> = columns.iter().map(column).collect();
        template(&json!({ "type": "carousel", "columns": columns }))
    };
    let pictures = |count: usize| {
        let column = json!({ "imageUrl": URL, "action": press("a") });
        template(&json!({ "type": "image_carousel", "columns": vec![column; count] }))
    };
    vec![
        (pressed("buttons", 4), pressed("buttons", 5), "medias[0].contents.actions"),
        (pressed("confirm", 2), pressed("confirm", 1), "medias[0].contents.actions"),
        (pressed("confirm", 2), pressed("confirm", 3), "medias[0].contents.actions"),
        (columns(&[3; 10]), columns(&[1; 11]), "medias[0].contents.columns"),
        (columns(&[3]), columns(&[4]), "medias[0].contents.columns[0].actions"),
        (columns(&[2, 2]), columns(&[2, 1]), "medias[0].contents.columns"),
        (pictures(10), pictures(11), "medias[0].contents.columns"),
    ]
}

fn flexes() -> Vec<Case> {
    let words = |length: usize| bubble(&json!({ "type": "text", "text": "a".repeat(length) }));
    let carousel = |bubbles: Vec<Value>| json!({ "type": "carousel", "contents": bubbles });
    let full = 30 * 1_024 - words(0).to_string().len();
    // Two bubbles of 25 KiB, so that only their carousel is too large.
    let around = carousel(vec![words(0); 2]).to_string().len();
    let wide = |bytes: usize| {
        let (one, other) = ((bytes - around) / 2, (bytes - around).div_ceil(2));
        flex(&carousel(vec![words(one), words(other)]))
    };
    let many = |count: usize| flex(&carousel(vec![words(1); count]));
    vec![
        (flex(&words(full)), flex(&words(full + 1)), "medias[0].contents"),
        (wide(50 * 1_024), wide(50 * 1_024 + 1), "medias[0].contents"),
        (many(12), many(13), "medias[0].contents.contents"),
    ]
}
