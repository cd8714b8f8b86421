//! The buttons, image areas and quick replies of the bot's messages that a person can tap.

use serde::Serialize;
use serde_json::{Value, json};

use crate::line::validation::problems::Path;
use crate::sandbox::people::chats::{ChatMessage, Chats};

/// The property of a message that has the quick replies.
const QUICK_REPLY: &str = "quickReply";

/// Something to tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Button {
    /// The message.
    pub message_id: String,
    /// The path of the action in the message.
    pub property: String,
    /// The label; images have none.
    pub label: Option<String>,
    /// The action object.
    pub action: Value,
}

impl Button {
    /// Whether this is a quick reply, which disappears after use.
    pub fn is_quick_reply(&self) -> bool {
        self.property.starts_with(QUICK_REPLY)
    }
}

/// The buttons of a chat, newest message first.
pub fn chat_buttons(chats: &Chats, chat: &str) -> Vec<Button> {
    chats.bot_messages(chat).flat_map(buttons).collect()
}

/// The buttons of this message, in its order.
fn buttons(shown: &ChatMessage) -> Vec<Button> {
    let mut buttons = Vec::new();
    collect(&shown.message, &Path::Root, &mut |path, action| {
        let label = action["label"].as_str().map(str::to_owned);
        let (message_id, property) = (shown.id.clone(), path.to_string());
        buttons.push(Button { message_id, property, label, action });
    });
    buttons.retain(|button| shown.quick_replies || !button.is_quick_reply());
    buttons
}

fn collect(value: &Value, path: &Path<'_>, found: &mut impl FnMut(&Path<'_>, Value)) {
    match value {
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                collect(entry, &Path::Index(path, index), found);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                let path = Path::Name(path, name);
                match name.as_str() {
                    // The names in a substitution are placeholders chosen by the bot.
                    "substitution" => {}
                    "action" | "defaultAction" => found(&path, value.clone()),
                    "actions" => {
                        let actions = value.as_array().into_iter().flatten().enumerate();
                        actions.for_each(|(index, action)| {
                            found(&Path::Index(&path, index), action.clone());
                        });
                    }
                    "externalLink" => {
                        let (label, link) = (&value["label"], &value["linkUri"]);
                        found(&path, json!({ "type": "uri", "label": label, "linkUri": link }));
                    }
                    _ => collect(value, &path, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    fn shown(message: &Value) -> ChatMessage {
        ChatMessage::new("1", None, message, Timestamp::from_milliseconds(0))
    }

    /// Checks the paths and labels of the buttons.
    #[track_caller]
    fn check(message: &Value, expected: &[(&str, Option<&str>)]) {
        let mut buttons = buttons(&shown(message));
        buttons.sort_by(|one, other| one.property.cmp(&other.property));
        let found: Vec<_> =
            buttons.iter().map(|button| (button.property.as_str(), button.label.as_deref())).collect();
        assert_eq!(found, expected);
    }

    fn action(label: &str) -> Value {
        json!({ "type": "message", "label": label, "text": label })
    }

    #[test]
    fn each_kind_has_its_actions_under_its_own_properties() {
        let columns = json!([{ "text": "a", "actions": [action("a"), action("b")], "defaultAction": action("c") },
            { "imageUrl": "https://example.com/a.png", "action": { "type": "uri", "uri": "https://example.com" } }]);
        check(
            &json!({ "type": "template", "template": { "type": "carousel", "columns": columns } }),
            &[
                ("template.columns[0].actions[0]", Some("a")),
                ("template.columns[0].actions[1]", Some("b")),
                ("template.columns[0].defaultAction", Some("c")),
                ("template.columns[1].action", None),
            ],
        );
        let video = json!({ "externalLink": { "linkUri": "https://example.com", "label": "more" } });
        check(
            &json!({ "type": "imagemap", "actions": [{ "type": "message", "text": "x" }], "video": video }),
            &[("actions[0]", None), ("video.externalLink", Some("more"))],
        );
        let body = json!({ "type": "box", "contents": [{ "type": "button", "action": action("d") }] });
        check(
            &json!({ "type": "flex", "contents": { "type": "bubble", "body": body, "action": action("e") } }),
            &[("contents.action", Some("e")), ("contents.body.contents[0].action", Some("d"))],
        );
        check(&json!({ "type": "textV2", "text": "{action}", "substitution": { "action": {} } }), &[]);
    }

    #[test]
    fn quick_replies_are_listed_until_they_disappear() {
        let items = json!([{ "type": "action", "action": action("yes") }]);
        let mut shown = shown(&json!({ "type": "text", "text": "Well?", "quickReply": { "items": items } }));

        assert_eq!(buttons(&shown)[0].property, "quickReply.items[0].action");
        shown.quick_replies = false;
        assert_eq!(buttons(&shown), []);
    }
}
