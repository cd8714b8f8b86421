//! The field's terms, and no private words beside them.

use crate::tidy::rust::{Part, code, parts, tokens};
use crate::tidy::tree::{File, files, rust_files};
use crate::tidy::{Finding, hold};

/// Parts of names that have a term in the field, and the term.
const NAMES: [(&str, &str); 30] = [
    ("said", "received"),
    ("saying", "received message"),
    ("withdraw", "unsend"),
    ("withdrawn", "unsent"),
    ("withdrawal", "unsend"),
    ("withdrawals", "unsends"),
    ("withdrew", "unsent"),
    ("under_way", "in flight"),
    ("tell", "notify"),
    ("tells", "shows, reports"),
    ("telling", "notifying"),
    ("told", "notified"),
    ("untold", "undelivered"),
    ("errand", "task"),
    ("obstacle", "error"),
    ("parked", "suspended"),
    ("put_back", "release"),
    ("hurry", "make due"),
    ("anew", "again"),
    ("goes_first", "is probe"),
    ("mistrust", "mark in doubt"),
    ("wish", "query"),
    ("pulse", "heartbeat"),
    ("alarm", "waker"),
    ("alarms", "wakers"),
    ("carried_up", "migrated"),
    ("film", "video"),
    ("films", "videos"),
    ("happened", "event"),
    ("own_server", "local client"),
];

/// What no native writer of this field writes in comments, messages and documents.
const PROSE: [(&str, &str); 10] = [
    ("errand", "task"),
    ("mistrust", "mark in doubt"),
    ("hurry", "make due"),
    ("under way", "in flight"),
    ("left away", "omitted"),
    ("carried up", "migrated"),
    ("withdrawn", "unsent"),
    ("film", "video"),
    ("came of it", "the outcome"),
    ("be it that", "even if"),
];

/// This list, and what shipped before the words did.
const EXEMPT: [&str; 4] =
    ["tests/it/tidy/vocabulary.rs", "tests/it/fixtures/", "src/store/engine/schema/", "CHANGELOG.md"];

#[test]
fn names_are_terms_of_the_field() {
    hold("the field's term", &checked(rust_files()), |file| {
        let code = code(&file.text);
        let names = tokens(&code);
        names.into_iter().filter_map(|(line, name)| Some(Finding::new(line, private(name)?))).collect()
    });
}

#[test]
fn prose_is_plain_english() {
    hold("the field's term", &checked(files()), |file| {
        let prose = if file.has_extension("rs") { prose_of(&file.text) } else { file.text.clone() };
        let lines = (1..).zip(prose.lines());
        lines.filter_map(|(line, text)| Some(Finding::new(line, odd(text)?))).collect()
    });
}

fn checked(mut files: Vec<File>) -> Vec<File> {
    files.retain(|file| !EXEMPT.iter().any(|exempt| file.path.starts_with(exempt)));
    files
        .retain(|file| ["rs", "md", "py", "sql", "toml", "json"].iter().any(|kind| file.has_extension(kind)));
    files
}

/// The private word in a name, and the term for it. Words of other crates' names, as `serde` has some, are in no list.
fn private(name: &str) -> Option<String> {
    let name = format!("_{}_", snake(name));
    let is_in = |(word, _): &&(&str, &str)| name.contains(&format!("_{word}_"));
    NAMES.iter().find(is_in).map(|(word, term)| format!("`{word}` is `{term}`"))
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before = '_';
    for character in name.chars() {
        if character.is_uppercase() && !before.is_uppercase() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
        before = character;
    }
    snake
}

/// Comments and literals alone; every line is where it was.
fn prose_of(text: &str) -> String {
    let blank = |piece: &str| piece.chars().filter(|character| *character == '\n').collect();
    let piece =
        |(part, piece): (Part, &str)| if part == Part::Code { blank(piece) } else { piece.to_owned() };
    parts(text).into_iter().map(piece).collect()
}

fn odd(line: &str) -> Option<String> {
    let line = line.to_lowercase();
    let is_word = |(at, found): (usize, &str)| {
        let before = line[..at].chars().next_back();
        let after = line[at + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric)
            && !after.is_some_and(|after| after.is_alphanumeric() && after != 's')
    };
    let is_in = |(words, _): &&(&str, &str)| line.match_indices(words).any(is_word);
    PROSE.iter().find(is_in).map(|(words, term)| format!("\"{words}\" is \"{term}\""))
}

#[test]
fn private_words_are_found_in_names_of_every_style() {
    assert!(private("was_told").is_some());
    assert!(private("ToldCustomer").is_some());
    assert!(private("TOLD_MAX").is_some());
    assert!(private("is_under_way").is_some());
    assert!(private("underwaystation").is_none());
    assert!(private("tolerated").is_none());
}

#[test]
fn odd_prose_is_found_in_comments_and_literals_alone() {
    let text = "let errand = 1; // an errand\n\"Films and sounds\"";

    let found: Vec<_> = prose_of(text).lines().filter_map(odd).collect();

    assert_eq!(found, ["\"errand\" is \"task\"", "\"film\" is \"video\""]);
}
