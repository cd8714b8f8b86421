//! Rules for text messages: emojis at their positions, and placeholders with their substitutions.

use serde_json::{Map, Value};

use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{FieldRule, ObjectRule, check, required};

/// LINE's maximum number of placeholders in one text.
const SUBSTITUTIONS_MAX: usize = 100;
/// LINE's maximum length of a placeholder's name, in characters.
const PLACEHOLDER_LENGTH_MAX: usize = 20;
/// LINE's maximum number of mentions, and of emojis, in one text.
const MENTIONS_MAX: usize = 20;

/// An emoji of a text message.
pub static EMOJI: ObjectRule = ObjectRule::Object(&[
    required("index", ObjectRule::Integer(0, i64::MAX)),
    required("productId", ObjectRule::Text(Units, 1, 100)),
    required("emojiId", ObjectRule::Text(Units, 1, 100)),
]);

static SUBSTITUTION: ObjectRule =
    ObjectRule::Variant(&[("mention", &[required("mentionee", MENTIONEE)]), ("emoji", SUBSTITUTED_EMOJI)]);

const MENTIONEE: ObjectRule =
    ObjectRule::Variant(&[("user", &[required("userId", ObjectRule::Text(Units, 1, 33))]), ("all", &[])]);
const SUBSTITUTED_EMOJI: &[FieldRule] = &[
    required("productId", ObjectRule::Text(Units, 1, 100)),
    required("emojiId", ObjectRule::Text(Units, 1, 100)),
];

/// Checks that every emoji of a text message has its position at a `$` of the text.
pub fn emojis_stand_at_dollars(message: &Value, path: &Path<'_>, problems: &mut Problems) {
    let units: Vec<u16> = message["text"].as_str().unwrap_or_default().encode_utf16().collect();
    let path = Path::Name(path, "emojis");
    for (position, emoji) in message["emojis"].as_array().into_iter().flatten().enumerate() {
        let index = emoji["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        if index.and_then(|index| units.get(index)) != Some(&u16::from(b'$')) {
            let path = Path::Index(&path, position);
            report(problems, &Path::Name(&path, "index"), "invalid emoji index");
        }
    }
}

/// Checks that every placeholder of the text has a substitution and that no brace is left over.
pub fn placeholders_are_filled(message: &Value, path: &Path<'_>, problems: &mut Problems) {
    let empty = Map::new();
    let substitution = message["substitution"].as_object().unwrap_or(&empty);
    substitutions(substitution, &Path::Name(path, "substitution"), problems);
    let text_path = Path::Name(path, "text");
    match placeholders(message["text"].as_str().unwrap_or_default()) {
        None => report(problems, &text_path, "invalid placeholder"),
        Some(names) => {
            for name in names.into_iter().filter(|name| !substitution.contains_key(*name)) {
                report(problems, &text_path, format!("no substitution for the placeholder '{name}'"));
            }
        }
    }
}

fn substitutions(substitution: &Map<String, Value>, path: &Path<'_>, problems: &mut Problems) {
    if substitution.len() > SUBSTITUTIONS_MAX {
        report(problems, path, format!("Size must be between 0 and {SUBSTITUTIONS_MAX}"));
    }
    for kind in ["mention", "emoji"] {
        if substitution.values().filter(|value| value["type"] == kind).count() > MENTIONS_MAX {
            report(problems, path, format!("at most {MENTIONS_MAX} of the type '{kind}' are allowed"));
        }
    }
    for (name, value) in substitution {
        let path = Path::Name(path, name);
        if !is_placeholder(name) {
            report(problems, &path, "invalid placeholder name");
        }
        check(&SUBSTITUTION, value, &path, problems);
    }
}

/// The placeholders of a text in order; `None` if a brace is neither doubled nor part of a placeholder.
fn placeholders(text: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(position) = rest.find(['{', '}']) {
        let brace = &rest[position..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            rest = &brace[2..];
            continue;
        }
        let (name, tail) = brace.strip_prefix('{')?.split_once('}')?;
        if !is_placeholder(name) {
            return None;
        }
        names.push(name);
        rest = tail;
    }
    Some(names)
}

fn is_placeholder(name: &str) -> bool {
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '_';
    (1..=PLACEHOLDER_LENGTH_MAX).contains(&name.len()) && name.chars().all(allowed)
}
