//! Forbidden words: names without meaning, notes for later, and paths of one machine.

use crate::tidy::rust::{code, literals};
use crate::tidy::tree::{files, rust_files, source_files};
use crate::tidy::{Finding, hold};

/// Names without meaning.
const EMPTY_NAMES: [&str; 8] = ["utils", "helpers", "common", "misc", "manager", "service", "data", "info"];

/// Each is written in two halves, so that this file is not a finding.
const PROMISES: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Use", "rs/")];
const REGISTRIES: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("npm", "js.org"),
    concat!("npm", "js.com"),
    concat!("proxy", ".golang.org"),
    concat!("deb", ".debian.org"),
];

const UNFINISHED: [&str; 5] = ["todo!", "unimplemented!", "#[ignore", "#[allow(", "#![allow("];

const SQL_WORDS: [&str; 9] =
    ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "DROP ", "VACUUM", "ATTACH "];

#[test]
fn no_note_says_to_do_something_later() {
    // A guide for contributors may name forbidden words.
    let files: Vec<_> = files().into_iter().filter(|file| !file.has_extension("md")).collect();
    hold("an issue, or nothing", &files, |file| lines_with(&file.text, |line| first(line, &PROMISES)));
}

#[test]
fn nothing_is_unfinished_ignored_or_allowed() {
    hold("finished code, and #[expect] with a reason", &rust_files(), |file| {
        lines_with(&code(&file.text), |line| first(line, &UNFINISHED))
    });
}

#[test]
fn files_and_folders_have_meaningful_names() {
    hold("a name that says what is inside", &files(), |file| {
        empty_name(&file.path).map(|name| Finding::new(1, name)).into_iter().collect()
    });
}

#[test]
fn columns_are_named_in_sql() {
    let star = [concat!("SELECT", " *")];
    hold("the names of the columns", &files(), |file| {
        if !file.has_extension("rs") && !file.has_extension("sql") {
            return Vec::new();
        }
        lines_with(&file.text, |line| first(line, &star))
    });
}

#[test]
fn sql_is_constant_and_never_concatenated() {
    hold("a constant text with parameters", &source_files(), |file| formatted_sql(&file.text));
}

#[test]
fn no_machine_and_no_registry_is_named() {
    // Cargo writes the lock file, which names the registry of every package.
    let files: Vec<_> = files().into_iter().filter(|file| file.path != "Cargo.lock").collect();
    hold("a path from the root of the project, and no host of a registry", &files, |file| {
        lines_with(&file.text, |line| machine_path(line).or_else(|| first(line, &REGISTRIES)))
    });
}

fn lines_with<'a>(text: &str, find: impl Fn(&str) -> Option<&'a str>) -> Vec<Finding> {
    let lines = (1..).zip(text.lines());
    lines.filter_map(|(line, text)| Some(Finding::new(line, find(text)?))).collect()
}

fn first<'a>(line: &str, words: &[&'a str]) -> Option<&'a str> {
    words.iter().copied().find(|word| line.contains(word))
}

/// An absolute path: one that does not continue a host or another path.
fn machine_path(line: &str) -> Option<&'static str> {
    let is_absolute = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| before.is_alphanumeric() || "._-})".contains(before))
    };
    MACHINE_PATHS.into_iter().find(|path| line.match_indices(path).any(is_absolute))
}

fn empty_name(path: &str) -> Option<&str> {
    let names = path.split('/').map(|name| name.split('.').next().unwrap_or(name));
    names.into_iter().find(|name| EMPTY_NAMES.contains(name))
}

/// Texts with SQL in `format!`. The name of a pragma cannot be a parameter, so pragmas are not among the words.
fn formatted_sql(text: &str) -> Vec<Finding> {
    let formatted =
        literals(text).into_iter().filter(|(_, before, _)| before.trim_end().ends_with("format!("));
    formatted
        .filter_map(|(line, _, literal)| Some(Finding::new(line, first(literal, &SQL_WORDS)?.trim_end())))
        .collect()
}

#[test]
fn sql_is_found_in_formatted_texts_only() {
    let text = "const A: &str = \"SELECT id FROM b\";\nlet c = format!(\n    \"SELECT id FROM {d}\");";

    assert_eq!(formatted_sql(text), [Finding::new(3, "SELECT")]);
}

#[test]
fn an_absolute_path_is_distinguished_from_part_of_a_url() {
    let folder = MACHINE_PATHS[1];

    assert_eq!(machine_path(&format!("see {folder}kaiwa")), Some(folder));
    assert_eq!(machine_path(&format!("\"{folder}kaiwa\"")), Some(folder));
    assert_eq!(machine_path(&format!("example.com{folder}kaiwa")), None);
    assert_eq!(machine_path("here"), None);
}

#[test]
fn an_empty_name_is_found_in_folders_too() {
    assert_eq!(empty_name("src/utils/text.rs"), Some("utils"));
    assert_eq!(empty_name("tests/sdk/helpers.py"), Some("helpers"));
    assert_eq!(empty_name("src/database.rs"), None);
}

#[test]
fn forbidden_words_are_found_with_their_line() {
    let text = format!("fn a() {{}}\n// {}: later", PROMISES[0]);
    let attribute = "#[allow(dead_code)]\nfn b() { \"#[ignore\" }";

    assert_eq!(lines_with(&text, |line| first(line, &PROMISES)), [Finding::new(2, PROMISES[0])]);
    assert_eq!(lines_with(&code(attribute), |line| first(line, &UNFINISHED)), [Finding::new(1, "#[allow(")]);
}
