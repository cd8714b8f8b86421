//! Template messages: buttons, confirmation, and the two carousels.

use std::collections::HashSet;

use serde_json::Value;

use crate::line::validation::actions::{AREA_ACTION, PICTURE_ACTION, TEMPLATE_ACTION};
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::{Graphemes, Units};
use crate::line::validation::schema::{Field, Rule, length, optional, required};

/// The `template` of a template message.
pub static TEMPLATE: Rule = Rule::Checked(&KINDS, texts_beside_pictures_are_shorter);

static KINDS: Rule = Rule::Variant(&[
    ("buttons", BUTTONS),
    ("confirm", CONFIRM),
    ("carousel", CAROUSEL),
    ("image_carousel", &[required("columns", Rule::List(&PICTURE_COLUMN, 1, 10))]),
]);

static COLUMN: Rule = Rule::Object(&[
    THUMBNAIL,
    BACKGROUND,
    TITLE,
    required("text", Rule::Text(Graphemes, 1, 120)),
    optional("defaultAction", Rule::As(&AREA_ACTION)),
    required("actions", Rule::List(&TEMPLATE_ACTION, 1, 3)),
]);

static PICTURE_COLUMN: Rule =
    Rule::Object(&[required("imageUrl", Rule::Url), required("action", Rule::As(&PICTURE_ACTION))]);

const BUTTONS: &[Field] = &[
    THUMBNAIL,
    BACKGROUND,
    ASPECT,
    SIZE,
    TITLE,
    required("text", Rule::Text(Graphemes, 1, 160)),
    optional("defaultAction", Rule::As(&AREA_ACTION)),
    required("actions", Rule::List(&TEMPLATE_ACTION, 1, 4)),
];
const CONFIRM: &[Field] = &[
    required("text", Rule::Text(Graphemes, 1, 240)),
    required("actions", Rule::List(&TEMPLATE_ACTION, 2, 2)),
];
const CAROUSEL: &[Field] = &[ASPECT, SIZE, required("columns", Rule::List(&COLUMN, 1, 10))];
const THUMBNAIL: Field = optional("thumbnailImageUrl", Rule::Url);
const BACKGROUND: Field = optional("imageBackgroundColor", Rule::Text(Units, 1, 10));
const ASPECT: Field = optional("imageAspectRatio", Rule::Word(&["rectangle", "square"]));
const SIZE: Field = optional("imageSize", Rule::Word(&["cover", "contain"]));
const TITLE: Field = optional("title", Rule::Text(Graphemes, 0, 40));

/// Beside a title or a picture there is room for so much text only.
const SHORT_TEXT_MAX: usize = 60;

fn texts_beside_pictures_are_shorter(template: &Value, path: &Path<'_>, problems: &mut Problems) {
    match template["type"].as_str() {
        Some("buttons") => short_text(template, path, problems),
        Some("carousel") => columns(template, path, problems),
        _ => {}
    }
}

fn columns(template: &Value, path: &Path<'_>, problems: &mut Problems) {
    let path = Path::Name(path, "columns");
    let columns = template["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (index, column) in columns.iter().enumerate() {
        short_text(column, &Path::Index(&path, index), problems);
    }
    let counts: HashSet<Option<usize>> =
        columns.iter().map(|column| column["actions"].as_array().map(Vec::len)).collect();
    if counts.len() > 1 {
        report(problems, &path, "the number of actions must be the same in all columns");
    }
}

fn short_text(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    let text = value["text"].as_str().unwrap_or_default();
    let decorated = value["title"].is_string() || value["thumbnailImageUrl"].is_string();
    if decorated && length(Graphemes, text) > SHORT_TEXT_MAX {
        let message = format!("Length must be between 0 and {SHORT_TEXT_MAX}");
        report(problems, &Path::Name(path, "text"), message);
    }
}
