//! Valid bodies, apart from what a test changes.

use serde_json::{Value, json};

pub const URL: &str = "https://example.com/a.png";

pub fn press(label: &str) -> Value {
    json!({ "type": "message", "label": label, "text": "pressed" })
}

pub fn template(contents: &Value) -> Value {
    json!({ "medias": [{ "type": "template", "alt_text": "alt", "contents": contents }] })
}

pub fn flex(contents: &Value) -> Value {
    json!({ "medias": [{ "type": "flex", "alt_text": "alt", "contents": contents }] })
}

pub fn bubble(contents: &Value) -> Value {
    json!({ "type": "bubble", "body": { "type": "box", "layout": "vertical", "contents": [contents] } })
}

pub fn imagemap(action: &Value, count: usize) -> Value {
    let contents = json!({ "baseUrl": "https://example.com/map", "baseSize": { "width": 1040, "height": 585 },
        "actions": vec![action; count] });
    json!({ "medias": [{ "type": "imagemap", "alt_text": "alt", "contents": contents }] })
}

pub fn area(action: &Value) -> Value {
    let mut action = action.clone();
    action["area"] = json!({ "x": 0, "y": 0, "width": 520, "height": 520 });
    action
}

pub fn quick(action: &Value, count: usize) -> Value {
    json!({ "text": "?", "quick_replies": vec![json!({ "type": "action", "action": action }); count] })
}

pub fn place(latitude: f64, longitude: f64) -> Value {
    json!({ "medias": [{ "type": "location", "title": "t", "address": "a",
        "latitude": latitude, "longitude": longitude }] })
}
