//! What happens at the touch of a button, a picture or a quick reply.

use serde_json::Value;

use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::{Graphemes, Units};
use crate::line::validation::schema::{Field, Rule, length, optional, required};

/// An action of any kind; whether it needs a label, and of which length, depends on where it stands.
pub static ACTION: Rule = Rule::Variant(&[
    ("postback", POSTBACK),
    ("message", &[LABEL, required("text", Rule::Text(Graphemes, 1, 300))]),
    ("uri", &[LABEL, required("uri", Rule::Link), optional("altUri", Rule::Object(ALTERNATIVE))]),
    ("datetimepicker", DATE),
    ("camera", &[LABEL]),
    ("cameraRoll", &[LABEL]),
    ("location", &[LABEL]),
    ("clipboard", &[LABEL, required("clipboardText", Rule::Text(Units, 1, 1_000))]),
    ("richmenuswitch", MENU_SWITCH),
]);

/// An action of a template: with a label of at most 20 characters.
pub static TEMPLATE_ACTION: Rule =
    Rule::Checked(&ACTION, |value, path, problems| label(value, path, problems, true, 20));

/// An action of a column of pictures: with or without a label of at most 12 characters.
pub static PICTURE_ACTION: Rule =
    Rule::Checked(&ACTION, |value, path, problems| label(value, path, problems, false, 12));

/// An action of a Flex button: with a label of at most 40 characters.
pub static BUTTON_ACTION: Rule =
    Rule::Checked(&ACTION, |value, path, problems| label(value, path, problems, true, 40));

/// An action of a picture, a box or a text: with or without a label.
pub static AREA_ACTION: Rule =
    Rule::Checked(&ACTION, |value, path, problems| label(value, path, problems, false, 40));

/// What the quick replies under a message may be.
pub static QUICK_REPLY: &[Field] = &[required("items", Rule::List(&QUICK_REPLY_ITEM, 1, 13))];

static QUICK_REPLY_ITEM: Rule = Rule::Object(&[
    required("type", Rule::Word(&["action"])),
    optional("imageUrl", Rule::Url),
    required("action", Rule::Checked(&ACTION, quick_reply_action)),
]);

const QUICK_REPLY_KINDS: [&str; 8] =
    ["postback", "message", "uri", "datetimepicker", "camera", "cameraRoll", "location", "clipboard"];
const LABEL: Field = optional("label", Rule::Text(Graphemes, 0, usize::MAX));
const ALTERNATIVE: &[Field] = &[optional("desktop", Rule::Link)];
const POSTBACK: &[Field] = &[
    LABEL,
    required("data", Rule::Text(Units, 1, 300)),
    optional("displayText", Rule::Text(Graphemes, 0, 300)),
    optional("text", Rule::Text(Graphemes, 0, 300)),
    optional("inputOption", Rule::Word(&["closeRichMenu", "openRichMenu", "openKeyboard", "openVoice"])),
    optional("fillInText", Rule::Text(Graphemes, 0, 300)),
];
const DATE: &[Field] = &[
    LABEL,
    required("data", Rule::Text(Units, 1, 300)),
    required("mode", Rule::Word(&["date", "time", "datetime"])),
    optional("initial", Rule::Text(Units, 1, 20)),
    optional("max", Rule::Text(Units, 1, 20)),
    optional("min", Rule::Text(Units, 1, 20)),
];
const MENU_SWITCH: &[Field] = &[
    LABEL,
    required("richMenuAliasId", Rule::Text(Units, 1, 32)),
    required("data", Rule::Text(Units, 1, 300)),
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
