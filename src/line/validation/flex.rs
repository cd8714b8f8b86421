//! Flex messages: bubbles and carousels of boxes.

use serde_json::Value;

use crate::line::validation::actions::{AREA_ACTION, BUTTON_ACTION};
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{Field, Rule, optional, required};

/// LINE takes at most so many bytes of JSON in one bubble.
const BUBBLE_BYTES_MAX: usize = 30 * 1024;
/// LINE takes at most so many bytes of JSON in one carousel.
const CAROUSEL_BYTES_MAX: usize = 50 * 1024;

/// Fields of a component that stands somewhere among others, and those that say where.
macro_rules! placed {
    ($($field:expr),+ $(,)?) => {
        &[MARGIN, POSITION, OFFSET_TOP, OFFSET_BOTTOM, OFFSET_START, OFFSET_END, $($field),+]
    };
}

/// The `contents` of a Flex message.
pub static CONTENTS: Rule = Rule::Checked(&CONTAINER, carousel_size);

static CONTAINER: Rule = Rule::Variant(&[
    ("bubble", BUBBLE_FIELDS),
    ("carousel", &[required("contents", Rule::List(&BUBBLE, 1, 12))]),
]);
static BUBBLE: Rule = Rule::Checked(&Rule::Variant(&[("bubble", BUBBLE_FIELDS)]), bubble_size);
static BOX: Rule = Rule::Variant(&[("box", BOX_FIELDS)]);
static SPAN: Rule = Rule::Variant(&[("span", SPAN_FIELDS)]);
static COMPONENT: Rule = Rule::Variant(&[
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

static BUBBLE_FIELDS: &[Field] = &[
    optional("size", Rule::Word(&["nano", "micro", "deca", "hecto", "kilo", "mega", "giga"])),
    optional("direction", Rule::Word(&["ltr", "rtl"])),
    optional("header", Rule::As(&BOX)),
    optional("hero", Rule::As(&COMPONENT)),
    optional("body", Rule::As(&BOX)),
    optional("footer", Rule::As(&BOX)),
    optional("styles", Rule::Object(STYLES)),
    ACTION,
];
static BOX_FIELDS: &[Field] = placed![
    required("layout", Rule::Word(&["horizontal", "vertical", "baseline"])),
    required("contents", Rule::List(&COMPONENT, 0, 1_000)),
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
    optional("justifyContent", Rule::Word(JUSTIFICATIONS)),
    optional("alignItems", Rule::Word(&["center", "flex-start", "flex-end"])),
    optional("background", Rule::Variant(&[("linearGradient", GRADIENT)])),
];
static BUTTON_FIELDS: &[Field] = placed![
    required("action", Rule::As(&BUTTON_ACTION)),
    FLEX,
    GRAVITY,
    ADJUST,
    SCALING,
    optional("color", SIZE),
    optional("style", Rule::Word(&["primary", "secondary", "link"])),
    optional("height", Rule::Word(&["md", "sm"])),
];
static IMAGE_FIELDS: &[Field] = placed![
    required("url", Rule::Url),
    FLEX,
    ALIGN,
    GRAVITY,
    ASPECT,
    ACTION,
    optional("size", SIZE),
    optional("aspectMode", Rule::Word(&["fit", "cover"])),
    optional("backgroundColor", SIZE),
    optional("animated", Rule::Boolean),
];
static VIDEO_FIELDS: &[Field] = &[
    required("url", Rule::Url),
    required("previewUrl", Rule::Url),
    required("altContent", Rule::As(&COMPONENT)),
    ASPECT,
    ACTION,
];
static ICON_FIELDS: &[Field] = placed![required("url", Rule::Url), ASPECT, SCALING, optional("size", SIZE),];
static TEXT_FIELDS: &[Field] = placed![
    optional("text", Rule::Text(Units, 0, usize::MAX)),
    optional("contents", Rule::List(&SPAN, 0, 1_000)),
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
    optional("wrap", Rule::Boolean),
    optional("lineSpacing", SIZE),
    optional("maxLines", Rule::Integer(0, i64::MAX)),
];
static SPAN_FIELDS: &[Field] = &[
    optional("text", Rule::Text(Units, 0, usize::MAX)),
    optional("size", SIZE),
    optional("color", SIZE),
    WEIGHT,
    STYLE,
    DECORATION,
];

/// Sizes, colors and ratios: short words whose meaning LINE's apps decide.
const SIZE: Rule = Rule::Text(Units, 1, 50);
const ACTION: Field = optional("action", Rule::As(&AREA_ACTION));
const FLEX: Field = optional("flex", Rule::Integer(0, i64::MAX));
const MARGIN: Field = optional("margin", SIZE);
const POSITION: Field = optional("position", Rule::Word(&["relative", "absolute"]));
const OFFSET_TOP: Field = optional("offsetTop", SIZE);
const OFFSET_BOTTOM: Field = optional("offsetBottom", SIZE);
const OFFSET_START: Field = optional("offsetStart", SIZE);
const OFFSET_END: Field = optional("offsetEnd", SIZE);
const ALIGN: Field = optional("align", Rule::Word(&["start", "end", "center"]));
const GRAVITY: Field = optional("gravity", Rule::Word(&["top", "bottom", "center"]));
const ADJUST: Field = optional("adjustMode", Rule::Word(&["shrink-to-fit"]));
const SCALING: Field = optional("scaling", Rule::Boolean);
const ASPECT: Field = optional("aspectRatio", SIZE);
const WEIGHT: Field = optional("weight", Rule::Word(&["regular", "bold"]));
const STYLE: Field = optional("style", Rule::Word(&["normal", "italic"]));
const DECORATION: Field = optional("decoration", Rule::Word(&["none", "underline", "line-through"]));
const JUSTIFICATIONS: &[&str] =
    &["center", "flex-start", "flex-end", "space-between", "space-around", "space-evenly"];
const GRADIENT: &[Field] = &[
    required("angle", SIZE),
    required("startColor", SIZE),
    required("endColor", SIZE),
    optional("centerColor", SIZE),
    optional("centerPosition", SIZE),
];
const STYLES: &[Field] =
    &[optional("header", BLOCK), optional("hero", BLOCK), optional("body", BLOCK), optional("footer", BLOCK)];
const BLOCK: Rule = Rule::Object(&[
    optional("backgroundColor", SIZE),
    optional("separator", Rule::Boolean),
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
