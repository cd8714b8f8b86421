//! Tests that the example file has every key with its default value and its limits.

use std::fs;

use toml::{Table, Value};

use crate::config::account::CustomerReference;
use crate::config::key::{ConfigKey, KEYS, ValueKind};
use crate::config::{Config, load};

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The example with its samples enabled: the lines that start with `#` and no space.
fn with_samples() -> String {
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(sample) if !sample.is_empty() && !sample.starts_with(' ') => sample,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn load_text(text: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    fs::write(&path, text).unwrap();
    load(Some(&path), [], &[]).unwrap()
}

/// The comment above the line that sets this key.
fn comment_of(key: &ConfigKey) -> String {
    let (section, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
    let header = [format!("[{section}]\n"), format!("[[{section}]]\n")];
    let start = header.iter().find_map(|header| EXAMPLE.find(header));
    let lines = EXAMPLE[if section.is_empty() { 0 } else { start.unwrap() }..].lines();
    let is_key = |line: &&str| line.trim_start_matches('#').starts_with(&format!("{name} = "));
    let above: Vec<_> = lines.take_while(|line| !is_key(line)).collect();
    let comment = above.iter().rev().take_while(|line| line.starts_with("# "));
    comment.copied().collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_limits(key: &ConfigKey, limits: &str) {
    let comment = comment_of(key);

    assert!(comment.contains(limits), "{}: {limits:?} is not in {comment:?}", key.name);
}

#[test]
fn the_example_has_the_default_values() {
    assert_eq!(load_text(EXAMPLE), Config::default());
}

#[test]
fn the_samples_of_the_example_are_valid() {
    let config = load_text(&with_samples());

    assert_eq!(config.public_url.unwrap().as_str(), "https://chat.example.com/");
    assert_eq!(config.customers[0].name.as_deref(), Some("Example Ltd"));
    assert_eq!(config.accounts[0].customer, CustomerReference::Name("Example Ltd".to_owned()));
    assert_eq!(config.accounts[0].token.expose(), "the-channel-access-token");
}

#[test]
fn the_sample_key_is_not_accepted_as_a_signing_key() {
    assert!(load_text(&with_samples()).require_jwt_key().is_err());
}

#[test]
fn the_example_mentions_every_key() {
    let table: Table = toml::from_str(&with_samples()).unwrap();

    for key in KEYS {
        let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
        let found = match table.get(section) {
            Some(Value::Array(list)) => list[0].as_table().unwrap(),
            Some(section) => section.as_table().unwrap(),
            None => &table,
        };
        let mentioned = found.contains_key(name) || EXAMPLE.contains(&format!("`{name}`"));
        assert!(mentioned, "{} is not in the example", key.name);
    }
}

#[test]
fn the_example_states_the_limits() {
    for key in KEYS {
        match key.kind {
            ValueKind::Number(min, max) => check_limits(key, &format!("{min} to {max}")),
            ValueKind::Duration(min, max) => {
                let (min, max) = (humantime::format_duration(min), humantime::format_duration(max));
                check_limits(key, &format!("{min} to {max}"));
            }
            _ => {}
        }
    }
}
