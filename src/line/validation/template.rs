//! Rules for template messages: buttons, confirm, and the two carousels.

use std::collections::HashSet;

use serde_json::Value;

use crate::line::validation::actions::{AREA_ACTION, IMAGE_ACTION, TEMPLATE_ACTION};
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::{Graphemes, Units};
use crate::line::validation::schema::{FieldRule, ObjectRule, length, optional, required};

/// The `template` of a template message.
pub static TEMPLATE: ObjectRule = ObjectRule::Checked(&KINDS, texts_beside_images_are_shorter);

static KINDS: ObjectRule = ObjectRule::Variant(&[
    ("buttons", BUTTONS),
    ("confirm", CONFIRM),
    ("carousel", CAROUSEL),
    ("image_carousel", &[required("columns", ObjectRule::List(&IMAGE_COLUMN, 1, 10))]),
]);

static COLUMN: ObjectRule = ObjectRule::Object(&[
    THUMBNAIL,
    BACKGROUND,
    TITLE,
    required("text", ObjectRule::Text(Graphemes, 1, 120)),
    optional("defaultAction", ObjectRule::As(&AREA_ACTION)),
    required("actions", ObjectRule::List(&TEMPLATE_ACTION, 1, 3)),
]);

static IMAGE_COLUMN: ObjectRule = ObjectRule::Object(&[
    required("imageUrl", ObjectRule::Url),
    required("action", ObjectRule::As(&IMAGE_ACTION)),
]);

const BUTTONS: &[FieldRule] = &[
    THUMBNAIL,
    BACKGROUND,
    ASPECT,
    SIZE,
    TITLE,
    required("text", ObjectRule::Text(Graphemes, 1, 160)),
    optional("defaultAction", ObjectRule::As(&AREA_ACTION)),
    required("actions", ObjectRule::List(&TEMPLATE_ACTION, 1, 4)),
];
const CONFIRM: &[FieldRule] = &[
    required("text", ObjectRule::Text(Graphemes, 1, 240)),
    required("actions", ObjectRule::List(&TEMPLATE_ACTION, 2, 2)),
];
const CAROUSEL: &[FieldRule] = &[ASPECT, SIZE, required("columns", ObjectRule::List(&COLUMN, 1, 10))];
const THUMBNAIL: FieldRule = optional("thumbnailImageUrl", ObjectRule::Url);
const BACKGROUND: FieldRule = optional("imageBackgroundColor", ObjectRule::Text(Units, 1, 10));
const ASPECT: FieldRule = optional("imageAspectRatio", ObjectRule::Word(&["rectangle", "square"]));
const SIZE: FieldRule = optional("imageSize", ObjectRule::Word(&["cover", "contain"]));
const TITLE: FieldRule = optional("title", ObjectRule::Text(Graphemes, 0, 40));

/// LINE's maximum text length beside a title or an image.
const SHORT_TEXT_MAX: usize = 60;

fn texts_beside_images_are_shorter(template: &Value, path: &Path<'_>, problems: &mut Problems) {
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
