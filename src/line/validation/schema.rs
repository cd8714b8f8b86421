//! Rules for JSON objects as tables, and the function that checks a value against them.

use serde_json::{Map, Value};
use unicode_segmentation::UnicodeSegmentation;

use crate::line::validation::links;
use crate::line::validation::problems::{Path, Problems, report};
use crate::model::chats::text::units;

/// The rule for a value.
#[derive(Debug)]
pub enum ObjectRule {
    /// A string whose length in this measure is within this range.
    Text(Measure, usize, usize),
    /// The URL of something that LINE's apps fetch.
    Url,
    /// The URL that an action opens.
    Link,
    /// An integer in this range.
    Integer(i64, i64),
    /// A number in this range.
    Number(f64, f64),
    /// `true` or `false`.
    Boolean,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// An object with exactly these fields.
    Object(&'static [FieldRule]),
    /// An array of these values whose length is within this range.
    List(&'static ObjectRule, usize, usize),
    /// An object whose `type` selects the fields.
    Variant(&'static [(&'static str, &'static [FieldRule])]),
    /// The rule of another table.
    As(&'static ObjectRule),
    /// The rule of another table and a check that no table can express.
    Checked(&'static ObjectRule, fn(&Value, &Path<'_>, &mut Problems)),
    /// Anything; it is checked elsewhere.
    Any,
}

/// How the length of a string is measured.
#[derive(Debug, Clone, Copy)]
pub enum Measure {
    /// UTF-16 code units.
    Units,
    /// Grapheme clusters, which readers see as characters.
    Graphemes,
}

/// One property of an object.
#[derive(Debug)]
pub struct FieldRule {
    name: &'static str,
    required: bool,
    rule: ObjectRule,
}

/// A required property.
pub const fn required(name: &'static str, rule: ObjectRule) -> FieldRule {
    FieldRule { name, required: true, rule }
}

/// An optional property.
pub const fn optional(name: &'static str, rule: ObjectRule) -> FieldRule {
    FieldRule { name, required: false, rule }
}

/// Checks the value against the rule and reports the problems.
pub fn check(rule: &ObjectRule, value: &Value, path: &Path<'_>, problems: &mut Problems) {
    match rule {
        ObjectRule::Text(measure, least, most) => text(value, path, problems, (*measure, *least, *most)),
        ObjectRule::Url => links::url(value, path, problems),
        ObjectRule::Link => links::link(value, path, problems),
        ObjectRule::Integer(least, most) => integer(value, path, problems, (*least, *most)),
        ObjectRule::Number(least, most) => number(value, path, problems, (*least, *most)),
        ObjectRule::Boolean if !value.is_boolean() => report(problems, path, "must be a boolean"),
        ObjectRule::Word(words) => word(words, value, path, problems),
        ObjectRule::Object(fields) => object(fields, value, path, problems),
        ObjectRule::List(entry, least, most) => list(entry, (*least, *most), (value, path), problems),
        ObjectRule::Variant(variants) => variant(variants, value, path, problems),
        ObjectRule::As(rule) => check(rule, value, path, problems),
        ObjectRule::Checked(rule, and) => {
            check(rule, value, path, problems);
            and(value, path, problems);
        }
        ObjectRule::Boolean | ObjectRule::Any => {}
    }
}

/// The length of a string.
pub fn length(measure: Measure, text: &str) -> usize {
    match measure {
        Measure::Units => units(text),
        Measure::Graphemes => text.graphemes(true).count(),
    }
}

fn text(value: &Value, path: &Path<'_>, problems: &mut Problems, limits: (Measure, usize, usize)) {
    let (measure, least, most) = limits;
    let Some(text) = value.as_str() else { return report(problems, path, "must be a string") };
    let length = length(measure, text);
    if length == 0 && least > 0 {
        report(problems, path, "May not be empty");
    } else if length > most {
        report(problems, path, format!("Length must be between 0 and {most}"));
    }
}

fn integer(value: &Value, path: &Path<'_>, problems: &mut Problems, (least, most): (i64, i64)) {
    match value.as_i64() {
        None => report(problems, path, "must be an integer"),
        Some(number) if number < least => {
            report(problems, path, format!("must be greater than or equal to {least}"));
        }
        Some(number) if number > most => {
            report(problems, path, format!("must be less than or equal to {most}"));
        }
        Some(_) => {}
    }
}

fn number(value: &Value, path: &Path<'_>, problems: &mut Problems, (least, most): (f64, f64)) {
    match value.as_f64() {
        None => report(problems, path, "must be a number"),
        Some(number) if number < least || number > most => {
            report(problems, path, format!("must be between {least} and {most}"));
        }
        Some(_) => {}
    }
}

fn word(words: &[&str], value: &Value, path: &Path<'_>, problems: &mut Problems) {
    if !value.as_str().is_some_and(|text| words.contains(&text)) {
        report(problems, path, format!("must be one of the following values: [{}]", words.join(", ")));
    }
}

fn object(fields: &[FieldRule], value: &Value, path: &Path<'_>, problems: &mut Problems) {
    let Some(object) = value.as_object() else { return report(problems, path, "must be an object") };
    properties(fields, object, path, problems);
    for name in object.keys().filter(|name| fields.iter().all(|field| field.name != *name)) {
        report(problems, &Path::Name(path, name), "unknown property");
    }
}

fn properties(fields: &[FieldRule], object: &Map<String, Value>, path: &Path<'_>, problems: &mut Problems) {
    for field in fields {
        let path = Path::Name(path, field.name);
        match object.get(field.name).filter(|value| !value.is_null()) {
            Some(value) => check(&field.rule, value, &path, problems),
            None if field.required => report(problems, &path, missing(&field.rule)),
            None => {}
        }
    }
}

fn missing(rule: &ObjectRule) -> &'static str {
    match rule {
        ObjectRule::Text(..) | ObjectRule::List(..) => "May not be empty",
        ObjectRule::As(rule) | ObjectRule::Checked(rule, _) => missing(rule),
        _ => "must be specified",
    }
}

fn list(entry: &ObjectRule, limits: (usize, usize), location: (&Value, &Path<'_>), problems: &mut Problems) {
    let ((least, most), (value, path)) = (limits, location);
    let Some(entries) = value.as_array() else { return report(problems, path, "must be an array") };
    if entries.is_empty() && least > 0 {
        return report(problems, path, "May not be empty");
    }
    if entries.len() < least || entries.len() > most {
        report(problems, path, format!("Size must be between {least} and {most}"));
    }
    for (index, value) in entries.iter().take(most).enumerate() {
        check(entry, value, &Path::Index(path, index), problems);
    }
}

fn variant(
    variants: &[(&str, &'static [FieldRule])],
    value: &Value,
    path: &Path<'_>,
    problems: &mut Problems,
) {
    let Some(object) = value.as_object() else { return report(problems, path, "must be an object") };
    let kind_path = Path::Name(path, "type");
    let Some(kind) = object.get("type").and_then(Value::as_str) else {
        return report(problems, &kind_path, "must be specified");
    };
    let Some((_, fields)) = variants.iter().find(|(name, _)| *name == kind) else {
        let known: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
        let message = format!("must be one of the following values: [{}]", known.join(", "));
        return report(problems, &kind_path, message);
    };
    properties(fields, object, path, problems);
    let known = |name: &str| name == "type" || fields.iter().any(|field| field.name == name);
    for name in object.keys().filter(|name| !known(name)) {
        report(problems, &Path::Name(path, name), "unknown property");
    }
}
