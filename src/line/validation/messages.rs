//! Rules for the kinds of messages that a bot can send, with LINE's limits ("Message objects" in LINE's
//! documentation).

use serde_json::Value;

use crate::line::validation::actions::QUICK_REPLY;
use crate::line::validation::flex::CONTENTS;
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::{Graphemes, Units};
use crate::line::validation::schema::{FieldRule, ObjectRule, optional, required};
use crate::line::validation::template::TEMPLATE;
use crate::line::validation::text::{EMOJI, emojis_stand_at_dollars, placeholders_are_filled};

/// Any message that a bot can send. LINE has no outgoing file.
pub static MESSAGE: ObjectRule = ObjectRule::Checked(&KINDS, cross_field_rules);

static KINDS: ObjectRule = ObjectRule::Variant(&[
    ("text", TEXT),
    ("textV2", TEXT_V2),
    ("sticker", STICKER),
    ("image", &[QUICK_REPLIES, SENDER, ORIGINAL, PREVIEW]),
    ("video", VIDEO),
    ("audio", &[QUICK_REPLIES, SENDER, ORIGINAL, required("duration", ObjectRule::Integer(1, i64::MAX))]),
    ("location", LOCATION),
    ("imagemap", IMAGEMAP),
    ("template", &[QUICK_REPLIES, SENDER, ALTERNATIVE, required("template", ObjectRule::As(&TEMPLATE))]),
    ("flex", &[QUICK_REPLIES, SENDER, ALTERNATIVE, required("contents", ObjectRule::As(&CONTENTS))]),
    ("coupon", COUPON),
]);

static MAP_ACTION: ObjectRule = ObjectRule::Variant(&[
    ("uri", &[AREA, MAP_LABEL, required("linkUri", ObjectRule::Link)]),
    ("message", &[AREA, MAP_LABEL, required("text", ObjectRule::Text(Units, 1, 400))]),
    ("clipboard", &[AREA, MAP_LABEL, required("clipboardText", ObjectRule::Text(Units, 1, 1_000))]),
]);

const QUICK_REPLIES: FieldRule = optional("quickReply", ObjectRule::Object(QUICK_REPLY));
const SENDER: FieldRule = optional(
    "sender",
    ObjectRule::Object(&[
        optional("name", ObjectRule::Checked(&ObjectRule::Text(Units, 1, 20), sender_name)),
        optional("iconUrl", ObjectRule::Url),
    ]),
);
const QUOTE: FieldRule = optional("quoteToken", ObjectRule::Text(Units, 1, 500));
const ORIGINAL: FieldRule = required("originalContentUrl", ObjectRule::Url);
const PREVIEW: FieldRule = required("previewImageUrl", ObjectRule::Url);
const ALTERNATIVE: FieldRule = required("altText", ObjectRule::Text(Units, 1, 400));
const TEXT: &[FieldRule] = &[
    QUICK_REPLIES,
    SENDER,
    QUOTE,
    required("text", ObjectRule::Text(Units, 1, 5_000)),
    optional("emojis", ObjectRule::List(&EMOJI, 0, 20)),
];
const TEXT_V2: &[FieldRule] = &[
    QUICK_REPLIES,
    SENDER,
    QUOTE,
    required("text", ObjectRule::Text(Units, 1, 5_000)),
    optional("substitution", ObjectRule::Any),
];
const STICKER: &[FieldRule] = &[
    QUICK_REPLIES,
    SENDER,
    QUOTE,
    required("packageId", ObjectRule::Text(Units, 1, 20)),
    required("stickerId", ObjectRule::Text(Units, 1, 20)),
];
const VIDEO: &[FieldRule] =
    &[QUICK_REPLIES, SENDER, ORIGINAL, PREVIEW, optional("trackingId", ObjectRule::Text(Units, 1, 100))];
const LOCATION: &[FieldRule] = &[
    QUICK_REPLIES,
    SENDER,
    required("title", ObjectRule::Text(Units, 1, 100)),
    required("address", ObjectRule::Text(Units, 1, 100)),
    required("latitude", ObjectRule::Number(-90.0, 90.0)),
    required("longitude", ObjectRule::Number(-180.0, 180.0)),
];
const COUPON: &[FieldRule] = &[
    QUICK_REPLIES,
    SENDER,
    required("couponId", ObjectRule::Text(Units, 1, 100)),
    optional("deliveryTag", ObjectRule::Text(Units, 0, 30)),
];
const IMAGEMAP: &[FieldRule] = &[
    QUICK_REPLIES,
    SENDER,
    ALTERNATIVE,
    required("baseUrl", ObjectRule::Url),
    required("baseSize", ObjectRule::Object(&[required("width", ObjectRule::Integer(1_040, 1_040)), HEIGHT])),
    required("actions", ObjectRule::List(&MAP_ACTION, 0, 50)),
    optional("video", ObjectRule::Object(&[ORIGINAL, PREVIEW, AREA, EXTERNAL_LINK])),
];
const HEIGHT: FieldRule = required("height", ObjectRule::Integer(1, i64::MAX));
const MAP_LABEL: FieldRule = optional("label", ObjectRule::Text(Graphemes, 0, 100));
const EXTERNAL_LINK: FieldRule = optional(
    "externalLink",
    ObjectRule::Object(&[
        required("linkUri", ObjectRule::Link),
        required("label", ObjectRule::Text(Graphemes, 1, 30)),
    ]),
);
const AREA: FieldRule = required(
    "area",
    ObjectRule::Object(&[
        required("x", ObjectRule::Integer(0, i64::MAX)),
        required("y", ObjectRule::Integer(0, i64::MAX)),
        required("width", ObjectRule::Integer(1, i64::MAX)),
        HEIGHT,
    ]),
);

fn cross_field_rules(message: &Value, path: &Path<'_>, problems: &mut Problems) {
    match message["type"].as_str() {
        Some("text") => emojis_stand_at_dollars(message, path, problems),
        Some("textV2") => placeholders_are_filled(message, path, problems),
        _ => {}
    }
}

fn sender_name(name: &Value, path: &Path<'_>, problems: &mut Problems) {
    let mut words = name.as_str().unwrap_or_default().split(|character: char| !character.is_alphanumeric());
    if words.any(|word| word.eq_ignore_ascii_case("LINE")) {
        report(problems, path, "may not contain a word that LINE reserves");
    }
}
