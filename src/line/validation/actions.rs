//! Rules for actions: what happens when a button, an image or a quick reply is tapped.

use serde_json::Value;

use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::{Graphemes, Units};
use crate::line::validation::schema::{FieldRule, ObjectRule, length, optional, required};

/// An action of any kind. Whether it needs a label, and how long that may be, depends on what the action
/// belongs to.
pub static ACTION: ObjectRule = ObjectRule::Variant(&[
    ("postback", POSTBACK),
    ("message", &[LABEL, required("text", ObjectRule::Text(Graphemes, 1, 300))]),
    ("uri", &[LABEL, required("uri", ObjectRule::Link), optional("altUri", ObjectRule::Object(ALTERNATIVE))]),
    ("datetimepicker", DATE),
    ("camera", &[LABEL]),
    ("cameraRoll", &[LABEL]),
    ("location", &[LABEL]),
    ("clipboard", &[LABEL, required("clipboardText", ObjectRule::Text(Units, 1, 1_000))]),
    ("richmenuswitch", MENU_SWITCH),
]);

/// An action of a template: the label is required, with at most 20 characters.
pub static TEMPLATE_ACTION: ObjectRule =
    ObjectRule::Checked(&ACTION, |value, path, problems| label(value, path, problems, true, 20));

/// An action of an image carousel column: the label is optional, with at most 12 characters.
pub static IMAGE_ACTION: ObjectRule =
    ObjectRule::Checked(&ACTION, |value, path, problems| label(value, path, problems, false, 12));

/// An action of a Flex button: the label is required, with at most 40 characters.
pub static BUTTON_ACTION: ObjectRule =
    ObjectRule::Checked(&ACTION, |value, path, problems| label(value, path, problems, true, 40));

/// An action of an image, a box or a text: the label is optional.
pub static AREA_ACTION: ObjectRule =
    ObjectRule::Checked(&ACTION, |value, path, problems| label(value, path, problems, false, 40));

/// The quick replies of a message.
pub static QUICK_REPLY: &[FieldRule] = &[required("items", ObjectRule::List(&QUICK_REPLY_ITEM, 1, 13))];

static QUICK_REPLY_ITEM: ObjectRule = ObjectRule::Object(&[
    required("type", ObjectRule::Word(&["action"])),
    optional("imageUrl", ObjectRule::Url),
    required("action", ObjectRule::Checked(&ACTION, quick_reply_action)),
]);

const QUICK_REPLY_KINDS: [&str; 8] =
    ["postback", "message", "uri", "datetimepicker", "camera", "cameraRoll", "location", "clipboard"];
const LABEL: FieldRule = optional("label", ObjectRule::Text(Graphemes, 0, usize::MAX));
const ALTERNATIVE: &[FieldRule] = &[optional("desktop", ObjectRule::Link)];
const POSTBACK: &[FieldRule] = &[
    LABEL,
    required("data", ObjectRule::Text(Units, 1, 300)),
    optional("displayText", ObjectRule::Text(Graphemes, 0, 300)),
    optional("text", ObjectRule::Text(Graphemes, 0, 300)),
    optional(
        "inputOption",
        ObjectRule::Word(&["closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"]),
    ),
    optional("fillInText", ObjectRule::Text(Graphemes, 0, 300)),
];
const DATE: &[FieldRule] = &[
    LABEL,
    required("data", ObjectRule::Text(Units, 1, 300)),
    required("mode", ObjectRule::Word(&["date", "time", "datetime"])),
    optional("initial", ObjectRule::Text(Units, 1, 20)),
    optional("max", ObjectRule::Text(Units, 1, 20)),
    optional("min", ObjectRule::Text(Units, 1, 20)),
];
const MENU_SWITCH: &[FieldRule] = &[
    LABEL,
    required("richMenuAliasId", ObjectRule::Text(Units, 1, 32)),
    required("data", ObjectRule::Text(Units, 1, 300)),
];

fn quick_reply_action(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    label(value, path, problems, true, 20);
    if !value["type"].as_str().is_some_and(|kind| QUICK_REPLY_KINDS.contains(&kind)) {
        report(problems, &Path::Name(path, "type"), "invalid action for a quick reply");
    }
}

fn label(value: &Value, path: &Path<'_>, problems: &mut Problems, required: bool, most: usize) {
    let path = Path::Name(path, "label");
    match value["label"].as_str() {
        None | Some("") if required => report(problems, &path, "May not be empty"),
        Some(label) if length(Graphemes, label) > most => {
            report(problems, &path, format!("Length must be between 0 and {most}"));
        }
        _ => {}
    }
}
