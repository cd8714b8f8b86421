//! Rules for Flex messages: bubbles and carousels of boxes.

use serde_json::Value;

use crate::line::validation::actions::{AREA_ACTION, BUTTON_ACTION};
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{FieldRule, ObjectRule, optional, required};

/// LINE's maximum size of a bubble, in bytes of JSON.
const BUBBLE_BYTES_MAX: usize = 30 * 1024;
/// LINE's maximum size of a carousel, in bytes of JSON.
const CAROUSEL_BYTES_MAX: usize = 50 * 1024;

/// The fields of a component inside a box, with those for its position.
macro_rules! positioned {
    ($($field:expr),+ $(,)?) => {
        &[MARGIN, POSITION, OFFSET_TOP, OFFSET_BOTTOM, OFFSET_START, OFFSET_END, $($field),+]
    };
}

/// The `contents` of a Flex message.
pub static CONTENTS: ObjectRule = ObjectRule::Checked(&CONTAINER, carousel_size);

static CONTAINER: ObjectRule = ObjectRule::Variant(&[
    ("bubble", BUBBLE_FIELDS),
    ("carousel", &[required("contents", ObjectRule::List(&BUBBLE, 1, 12))]),
]);
static BUBBLE: ObjectRule =
    ObjectRule::Checked(&ObjectRule::Variant(&[("bubble", BUBBLE_FIELDS)]), bubble_size);
static BOX: ObjectRule = ObjectRule::Variant(&[("box", BOX_FIELDS)]);
static SPAN: ObjectRule = ObjectRule::Variant(&[("span", SPAN_FIELDS)]);
static COMPONENT: ObjectRule = ObjectRule::Variant(&[
    ("box", BOX_FIELDS),
    ("button", BUTTON_FIELDS),
    ("image", IMAGE_FIELDS),
    ("video", VIDEO_FIELDS),
    ("icon", ICON_FIELDS),
    ("text", TEXT_FIELDS),
    ("span", SPAN_FIELDS),
    ("separator", &[MARGIN, optional("color", SIZE)]),
    ("filler", &[FLEX]),
]);

static BUBBLE_FIELDS: &[FieldRule] = &[
    optional("size", ObjectRule::Word(&["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"])),
    optional("direction", ObjectRule::Word(&["ltr", "rtl"])),
    optional("header", ObjectRule::As(&BOX)),
    optional("hero", ObjectRule::As(&COMPONENT)),
    optional("body", ObjectRule::As(&BOX)),
    optional("footer", ObjectRule::As(&BOX)),
    optional("styles", ObjectRule::Object(STYLES)),
    ACTION,
];
static BOX_FIELDS: &[FieldRule] = positioned![
    required("layout", ObjectRule::Word(&["horizontal", "vertical", "baseline"])),
    required("contents", ObjectRule::List(&COMPONENT, 0, 1_000)),
    FLEX,
    optional("spacing", SIZE),
    optional("backgroundColor", SIZE),
    optional("borderColor", SIZE),
    optional("borderWidth", SIZE),
    optional("cornerRadius", SIZE),
    optional("width", SIZE),
    optional("maxWidth", SIZE),
    optional("height", SIZE),
    optional("maxHeight", SIZE),
    optional("paddingAll", SIZE),
    optional("paddingTop", SIZE),
    optional("paddingBottom", SIZE),
    optional("paddingStart", SIZE),
    optional("paddingEnd", SIZE),
    ACTION,
    optional("justifyContent", ObjectRule::Word(JUSTIFICATIONS)),
    optional("alignItems", ObjectRule::Word(&["center", "flex-start", "flex-end"])),
    optional("background", ObjectRule::Variant(&[("linearGradient", GRADIENT)])),
];
static BUTTON_FIELDS: &[FieldRule] = positioned![
    required("action", ObjectRule::As(&BUTTON_ACTION)),
    FLEX,
    GRAVITY,
    ADJUST,
    SCALING,
    optional("color", SIZE),
    optional("style", ObjectRule::Word(&["primary", "secondary", "link"])),
    optional("height", ObjectRule::Word(&["md", "sm"])),
];
static IMAGE_FIELDS: &[FieldRule] = positioned![
    required("url", ObjectRule::Url),
    FLEX,
    ALIGN,
    GRAVITY,
    ASPECT,
    ACTION,
    optional("size", SIZE),
    optional("aspectMode", ObjectRule::Word(&["fit", "cover"])),
    optional("backgroundColor", SIZE),
    optional("animated", ObjectRule::Boolean),
];
static VIDEO_FIELDS: &[FieldRule] = &[
    required("url", ObjectRule::Url),
    required("previewUrl", ObjectRule::Url),
    required("altContent", ObjectRule::As(&COMPONENT)),
    ASPECT,
    ACTION,
];
static ICON_FIELDS: &[FieldRule] =
    positioned![required("url", ObjectRule::Url), ASPECT, SCALING, optional("size", SIZE),];
static TEXT_FIELDS: &[FieldRule] = positioned![
    optional("text", ObjectRule::Text(Units, 0, usize::MAX)),
    optional("contents", ObjectRule::List(&SPAN, 0, 1_000)),
    FLEX,
    ALIGN,
    GRAVITY,
    ADJUST,
    SCALING,
    ACTION,
    WEIGHT,
    STYLE,
    DECORATION,
    optional("size", SIZE),
    optional("color", SIZE),
    optional("wrap", ObjectRule::Boolean),
    optional("lineSpacing", SIZE),
    optional("maxLines", ObjectRule::Integer(0, i64::MAX)),
];
static SPAN_FIELDS: &[FieldRule] = &[
    optional("text", ObjectRule::Text(Units, 0, usize::MAX)),
    optional("size", SIZE),
    optional("color", SIZE),
    WEIGHT,
    STYLE,
    DECORATION,
];

/// Sizes, colors and ratios: short strings that LINE's apps interpret.
const SIZE: ObjectRule = ObjectRule::Text(Units, 1, 50);
const ACTION: FieldRule = optional("action", ObjectRule::As(&AREA_ACTION));
const FLEX: FieldRule = optional("flex", ObjectRule::Integer(0, i64::MAX));
const MARGIN: FieldRule = optional("margin", SIZE);
const POSITION: FieldRule = optional("position", ObjectRule::Word(&["relative", "absolute"]));
const OFFSET_TOP: FieldRule = optional("offsetTop", SIZE);
const OFFSET_BOTTOM: FieldRule = optional("offsetBottom", SIZE);
const OFFSET_START: FieldRule = optional("offsetStart", SIZE);
const OFFSET_END: FieldRule = optional("offsetEnd", SIZE);
const ALIGN: FieldRule = optional("align", ObjectRule::Word(&["start", "end", "center"]));
const GRAVITY: FieldRule = optional("gravity", ObjectRule::Word(&["top", "bottom", "center"]));
const ADJUST: FieldRule = optional("adjustMode", ObjectRule::Word(&["shrink-to-fit"]));
const SCALING: FieldRule = optional("scaling", ObjectRule::Boolean);
const ASPECT: FieldRule = optional("aspectRatio", SIZE);
const WEIGHT: FieldRule = optional("weight", ObjectRule::Word(&["regular", "bold"]));
const STYLE: FieldRule = optional("style", ObjectRule::Word(&["normal", "italic"]));
const DECORATION: FieldRule =
    optional("decoration", ObjectRule::Word(&["none", "underline", "line-through"]));
const JUSTIFICATIONS: &[&str] =
    &["center", "flex-start", "flex-end", "space-between", "space-around", "space-evenly"];
const GRADIENT: &[FieldRule] = &[
    required("angle", SIZE),
    required("startColor", SIZE),
    required("endColor", SIZE),
    optional("centerColor", SIZE),
    optional("centerPosition", SIZE),
];
const STYLES: &[FieldRule] =
    &[optional("header", BLOCK), optional("hero", BLOCK), optional("body", BLOCK), optional("footer", BLOCK)];
const BLOCK: ObjectRule = ObjectRule::Object(&[
    optional("backgroundColor", SIZE),
    optional("separator", ObjectRule::Boolean),
    optional("separatorColor", SIZE),
]);

fn carousel_size(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    if value["type"] == "carousel" {
        size(value, path, problems, CAROUSEL_BYTES_MAX);
    } else {
        bubble_size(value, path, problems);
    }
}

fn bubble_size(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    size(value, path, problems, BUBBLE_BYTES_MAX);
}

fn size(value: &Value, path: &Path<'_>, problems: &mut Problems, bytes_max: usize) {
    if value.to_string().len() > bytes_max {
        report(problems, path, format!("must be at most {bytes_max} bytes of JSON"));
    }
}
