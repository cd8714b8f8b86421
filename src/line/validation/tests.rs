//! LINE's limits, each at and past its boundary.

use serde_json::{Value, json};

use crate::line::validation::{MULTICAST, PUSH, VALIDATE, problems};

#[track_caller]
fn check(message: &Value, expected: &[(&str, &str)]) {
    let found = problems(&VALIDATE, &json!({ "messages": [message] }));

    let found: Vec<(&str, &str)> =
        found.iter().map(|detail| (detail.property.as_str(), detail.message.as_str())).collect();
    assert_eq!(found, expected, "{message}");
}

#[track_caller]
fn accepted(message: &Value) {
    check(message, &[]);
}

/// Checks that a message is accepted at the length limit of one of its texts and refused one past it.
#[track_caller]
fn limit(message: &Value, pointer: &str, most: usize) {
    let mut message = message.clone();
    let property = format!("messages[0]{}", property_of(pointer));

    *message.pointer_mut(pointer).unwrap() = "a".repeat(most).into();
    accepted(&message);
    *message.pointer_mut(pointer).unwrap() = "a".repeat(most + 1).into();
    let text = format!("Length must be between 0 and {most}");
    check(&message, &[(&property, &text)]);
}

fn property_of(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1);
    parts
        .map(|part| if part.parse::<usize>().is_ok() { format!("[{part}]") } else { format!(".{part}") })
        .collect()
}

fn template(template: &Value) -> Value {
    json!({ "type": "template", "altText": "alt", "template": template })
}

fn press(label: &str) -> Value {
    json!({ "type": "message", "label": label, "text": "pressed" })
}

#[test]
fn a_text_has_one_to_five_thousand_code_units() {
    accepted(&json!({ "type": "text", "text": "a".repeat(5_000) }));
    accepted(&json!({ "type": "text", "text": "😀".repeat(2_500) }));
    check(
        &json!({ "type": "text", "text": "😀".repeat(2_501) }),
        &[("messages[0].text", "Length must be between 0 and 5000")],
    );
    check(&json!({ "type": "text", "text": "" }), &[("messages[0].text", "May not be empty")]);
    check(&json!({ "type": "text" }), &[("messages[0].text", "May not be empty")]);
    check(&json!({ "type": "text", "text": 1 }), &[("messages[0].text", "must be a string")]);
}

#[test]
fn a_request_has_one_to_five_messages() {
    let text = json!({ "type": "text", "text": "a" });

    assert_eq!(problems(&VALIDATE, &json!({ "messages": vec![text.clone(); 5] })), []);
    for (messages, expected) in [
        (json!(vec![text; 6]), "Size must be between 1 and 5"),
        (json!([]), "May not be empty"),
        (json!(null), "May not be empty"),
        (json!("text"), "must be an array"),
    ] {
        let found = problems(&VALIDATE, &json!({ "messages": messages }));
        assert_eq!(found[0].message, expected);
        assert_eq!(found[0].property, "messages");
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn unknown_kinds_and_unknown_properties_are_refused() {
    check(&json!({ "type": "text", "text": "a", "txt": "b" }), &[("messages[0].txt", "unknown property")]);
    check(&json!({ "text": "a" }), &[("messages[0].type", "must be specified")]);
    let found = problems(&VALIDATE, &json!({ "messages": [{ "type": "file" }] }));
    assert_eq!(found[0].property, "messages[0].type");
    let body = json!({ "to": "U", "messages": [{ "type": "text", "text": "a" }], "extra": 1 });
    assert_eq!(problems(&PUSH, &body)[0].property, "extra");
}

#[test]
fn a_multicast_has_one_to_five_hundred_recipients() {
    let body =
        |count: usize| json!({ "to": vec!["U"; count], "messages": [{ "type": "text", "text": "a" }] });

    assert_eq!(problems(&MULTICAST, &body(500)), []);
    assert_eq!(problems(&MULTICAST, &body(501))[0].message, "Size must be between 1 and 500");
    assert_eq!(problems(&MULTICAST, &body(0))[0].message, "May not be empty");
}

#[test]
fn an_emoji_index_points_to_a_dollar_in_code_units() {
    let text = |index: usize| {
        let emoji = json!({ "index": index, "productId": "5ac1bfd5040ab15980c9b435", "emojiId": "001" });
        json!({ "type": "text", "text": "😀$", "emojis": [emoji] })
    };

    accepted(&text(2));
    check(&text(1), &[("messages[0].emojis[0].index", "invalid emoji index")]);
    check(&text(3), &[("messages[0].emojis[0].index", "invalid emoji index")]);
}

#[test]
fn a_placeholder_needs_its_substitution() {
    let mention = json!({ "type": "mention", "mentionee": { "type": "all" } });
    let text = |text: &str| json!({ "type": "textV2", "text": text, "substitution": { "who": mention } });

    accepted(&text("Hello {who}"));
    accepted(&text("{{who}} and {{}}"));
    check(&text("{you}"), &[("messages[0].text", "no substitution for the placeholder 'you'")]);
    for broken in ["{", "}", "{who", "{w h o}", "{}", "a } b"] {
        check(&text(broken), &[("messages[0].text", "invalid placeholder")]);
    }
}

#[test]
fn urls_are_https_or_loopback() {
    let image = |url: &str| json!({ "type": "image", "originalContentUrl": url, "previewImageUrl": url });
    let long = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));

    accepted(&image("https://example.com/a.png"));
    accepted(&image("http://127.0.0.1:8080/a.png"));
    accepted(&image(&long(2_000)));
    for (url, problem) in [
        ("http://example.com/a.png", "invalid uri scheme"),
        ("ftp://example.com/a.png", "invalid uri scheme"),
        ("a.png", "invalid uri"),
        ("https://example.com/会話", "invalid uri"),
        ("", "May not be empty"),
        (&long(2_001), "Length must be between 0 and 2000"),
    ] {
        let expected =
            [("messages[0].originalContentUrl", problem), ("messages[0].previewImageUrl", problem)];
        check(&image(url), &expected);
    }
}

#[test]
fn the_other_media_have_their_limits() {
    let url = "https://example.com/a";
    let video =
        json!({ "type": "video", "originalContentUrl": url, "previewImageUrl": url, "trackingId": "t" });
    let location =
        json!({ "type": "location", "title": "t", "address": "a", "latitude": 35.6, "longitude": 139.7 });
    let coupon = json!({ "type": "coupon", "couponId": "c", "deliveryTag": "d" });

    limit(&video, "/trackingId", 100);
    limit(&location, "/title", 100);
    limit(&location, "/address", 100);
    limit(&coupon, "/deliveryTag", 30);
    accepted(&json!({ "type": "audio", "originalContentUrl": url, "duration": 60_000 }));
    accepted(&json!({ "type": "sticker", "packageId": "446", "stickerId": "1988" }));
    check(
        &json!({ "type": "audio", "originalContentUrl": url, "duration": "60000" }),
        &[("messages[0].duration", "must be an integer")],
    );
    check(
        &json!({ "type": "location", "title": "t", "address": "a", "latitude": 90.1, "longitude": 0 }),
        &[("messages[0].latitude", "must be between -90 and 90")],
    );
}

#[test]
fn quick_replies_and_senders_have_their_limits() {
    let item = json!({ "type": "action", "action": press("yes") });
    let text = |items: Vec<Value>| {
        let sender = json!({ "name": "Ann", "iconUrl": "https://example.com/a.png" });
        json!({ "type": "text", "text": "?", "sender": sender, "quickReply": { "items": items } })
    };

    accepted(&text(vec![item.clone(); 13]));
    limit(&text(vec![item.clone()]), "/sender/name", 20);
    limit(&text(vec![item.clone()]), "/quickReply/items/0/action/label", 20);
    limit(&text(vec![item.clone()]), "/quickReply/items/0/action/text", 300);
    check(&text(vec![item; 14]), &[("messages[0].quickReply.items", "Size must be between 1 and 13")]);
    check(
        &json!({ "type": "text", "text": "?", "sender": { "name": "Line" } }),
        &[("messages[0].sender.name", "may not contain a word that LINE reserves")],
    );
}

#[test]
fn templates_have_their_limits() {
    let plain = json!({ "type": "buttons", "text": "t", "actions": vec![press("a"); 4] });
    let titled = json!({ "type": "buttons", "title": "t", "text": "t", "actions": [press("a")] });
    let confirm = json!({ "type": "confirm", "text": "t", "actions": vec![press("a"); 2] });

    limit(&template(&plain), "/altText", 400);
    limit(&template(&plain), "/template/text", 160);
    limit(&template(&plain), "/template/actions/0/label", 20);
    limit(&template(&titled), "/template/title", 40);
    limit(&template(&titled), "/template/text", 60);
    limit(&template(&confirm), "/template/text", 240);
    check(
        &template(&json!({ "type": "buttons", "text": "t", "actions": vec![press("a"); 5] })),
        &[("messages[0].template.actions", "Size must be between 1 and 4")],
    );
    check(
        &template(&json!({ "type": "confirm", "text": "t", "actions": [press("a")] })),
        &[("messages[0].template.actions", "Size must be between 2 and 2")],
    );
}

#[test]
fn carousels_have_their_limits() {
    let column = |actions: usize| json!({ "text": "t", "actions": vec![press("a"); actions] });
    let carousel = |columns: Vec<Value>| template(&json!({ "type": "carousel", "columns": columns }));
    let image = json!({ "imageUrl": "https://example.com/a.png", "action": press("a") });
    let images = template(&json!({ "type": "image_carousel", "columns": vec![image; 10] }));

    accepted(&carousel(vec![column(3); 10]));
    limit(&carousel(vec![column(1)]), "/template/columns/0/text", 120);
    limit(&images, "/template/columns/9/action/label", 12);
    check(
        &carousel(vec![column(1); 11]),
        &[("messages[0].template.columns", "Size must be between 1 and 10")],
    );
    check(
        &carousel(vec![column(1), column(2)]),
        &[("messages[0].template.columns", "the number of actions must be the same in all columns")],
    );
}

#[test]
fn flex_messages_have_their_limits() {
    let words = |text: &str| json!([{ "type": "text", "text": text }]);
    let body = |text: &str| json!({ "type": "box", "layout": "vertical", "contents": words(text) });
    let bubble = |text: &str| json!({ "type": "bubble", "body": body(text) });
    let flex = |contents: &Value| json!({ "type": "flex", "altText": "alt", "contents": contents });
    let carousel = |count: usize| flex(&json!({ "type": "carousel", "contents": vec![bubble("a"); count] }));

    limit(&flex(&bubble("a")), "/altText", 400);
    accepted(&carousel(12));
    check(&carousel(13), &[("messages[0].contents.contents", "Size must be between 1 and 12")]);
    let overhead = bubble("").to_string().len();
    accepted(&flex(&bubble(&"a".repeat(30 * 1024 - overhead))));
    check(
        &flex(&bubble(&"a".repeat(30 * 1024 - overhead + 1))),
        &[("messages[0].contents", "must be at most 30720 bytes of JSON")],
    );
    check(
        &flex(
            &json!({ "type": "bubble", "body": { "type": "box", "layout": "vertical", "contents": [{}] } }),
        ),
        &[("messages[0].contents.body.contents[0].type", "must be specified")],
    );
}

#[test]
fn an_imagemap_has_its_limits() {
    let area = json!({ "x": 0, "y": 0, "width": 520, "height": 520 });
    let action = json!({ "type": "message", "text": "t", "area": area });
    let map = |width: usize, actions: usize| {
        json!({ "type": "imagemap", "baseUrl": "https://example.com/map", "altText": "alt",
            "baseSize": { "width": width, "height": 1040 }, "actions": vec![action.clone(); actions] })
    };

    accepted(&map(1_040, 50));
    limit(&map(1_040, 1), "/actions/0/text", 400);
    check(&map(1_040, 51), &[("messages[0].actions", "Size must be between 0 and 50")]);
    check(&map(1_039, 1), &[("messages[0].baseSize.width", "must be greater than or equal to 1040")]);
}
