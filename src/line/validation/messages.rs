//! The kinds of messages that a bot can send, with LINE's limits ("Message objects" in LINE's documentation).

use serde_json::Value;

use crate::line::validation::actions::QUICK_REPLY;
use crate::line::validation::flex::CONTENTS;
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::{Graphemes, Units};
use crate::line::validation::schema::{Field, Rule, optional, required};
use crate::line::validation::template::TEMPLATE;
use crate::line::validation::text::{EMOJI, emojis_stand_at_dollars, placeholders_are_filled};

/// Any message that a bot can send. LINE has no outgoing file.
pub static MESSAGE: Rule = Rule::Checked(&KINDS, what_no_table_says);

static KINDS: Rule = Rule::Variant(&[
    ("text", TEXT),
    ("textV2", TEXT_V2),
    ("sticker", STICKER),
    ("image", &[QUICK_REPLIES, SENDER, ORIGINAL, PREVIEW]),
    ("video", VIDEO),
    ("audio", &[QUICK_REPLIES, SENDER, ORIGINAL, required("duration", Rule::Integer(1, i64::MAX))]),
    ("location", LOCATION),
    ("imagemap", IMAGEMAP),
    ("template", &[QUICK_REPLIES, SENDER, ALTERNATIVE, required("template", Rule::As(&TEMPLATE))]),
    ("flex", &[QUICK_REPLIES, SENDER, ALTERNATIVE, required("contents", Rule::As(&CONTENTS))]),
    ("coupon", COUPON),
]);

static MAP_ACTION: Rule = Rule::Variant(&[
    ("uri", &[AREA, MAP_LABEL, required("linkUri", Rule::Link)]),
    ("message", &[AREA, MAP_LABEL, required("text", Rule::Text(Units, 1, 400))]),
    ("clipboard", &[AREA, MAP_LABEL, required("clipboardText", Rule::Text(Units, 1, 1_000))]),
]);

const QUICK_REPLIES: Field = optional("quickReply", Rule::Object(QUICK_REPLY));
const SENDER: Field = optional(
    "sender",
    Rule::Object(&[
        optional("name", Rule::Checked(&Rule::Text(Units, 1, 20), sender_name)),
        optional("iconUrl", Rule::Url),
    ]),
);
const QUOTE: Field = optional("quoteToken", Rule::Text(Units, 1, 500));
const ORIGINAL: Field = required("originalContentUrl", Rule::Url);
const PREVIEW: Field = required("previewImageUrl", Rule::Url);
const ALTERNATIVE: Field = required("altText", Rule::Text(Units, 1, 400));
const TEXT: &[Field] = &[
    QUICK_REPLIES,
    SENDER,
    QUOTE,
    required("text", Rule::Text(Units, 1, 5_000)),
    optional("emojis", Rule::List(&EMOJI, 0, 20)),
];
const TEXT_V2: &[Field] = &[
    QUICK_REPLIES,
    SENDER,
    QUOTE,
    required("text", Rule::Text(Units, 1, 5_000)),
    optional("substitution", Rule::Any),
];
const STICKER: &[Field] = &[
    QUICK_REPLIES,
    SENDER,
    QUOTE,
    required("packageId", Rule::Text(Units, 1, 20)),
    required("stickerId", Rule::Text(Units, 1, 20)),
];
const VIDEO: &[Field] =
    &[QUICK_REPLIES, SENDER, ORIGINAL, PREVIEW, optional("trackingId", Rule::Text(Units, 1, 100))];
const LOCATION: &[Field] = &[
    QUICK_REPLIES,
    SENDER,
    required("title", Rule::Text(Units, 1, 100)),
    required("address", Rule::Text(Units, 1, 100)),
    required("latitude", Rule::Number(-90.0, 90.0)),
    required("longitude", Rule::Number(-180.0, 180.0)),
];
const COUPON: &[Field] = &[
    QUICK_REPLIES,
    SENDER,
    required("couponId", Rule::Text(Units, 1, 100)),
    optional("deliveryTag", Rule::Text(Units, 0, 30)),
];
const IMAGEMAP: &[Field] = &[
    QUICK_REPLIES,
    SENDER,
    ALTERNATIVE,
    required("baseUrl", Rule::Url),
    required("baseSize", Rule::Object(&[required("width", Rule::Integer(1_040, 1_040)), HEIGHT])),
    required("actions", Rule::List(&MAP_ACTION, 0, 50)),
    optional("video", Rule::Object(&[ORIGINAL, PREVIEW, AREA, EXTERNAL_LINK])),
];
const HEIGHT: Field = required("height", Rule::Integer(1, i64::MAX));
const MAP_LABEL: Field = optional("label", Rule::Text(Graphemes, 0, 100));
const EXTERNAL_LINK: Field = optional(
    "externalLink",
    Rule::Object(&[required("linkUri", Rule::Link), required("label", Rule::Text(Graphemes, 1, 30))]),
);
const AREA: Field = required(
    "area",
    Rule::Object(&[
        required("x", Rule::Integer(0, i64::MAX)),
        required("y", Rule::Integer(0, i64::MAX)),
        required("width", Rule::Integer(1, i64::MAX)),
        HEIGHT,
    ]),
);

fn what_no_table_says(message: &Value, path: &Path<'_>, problems: &mut Problems) {
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
