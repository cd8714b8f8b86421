//! The table of promises: every test and every goal it names exists.

use std::collections::BTreeSet;

use crate::tidy::tree::{file, files, rust_files};
use crate::tidy::{Finding, hold};

const PROMISES: &str = "docs/PROMISES.md";

#[test]
fn every_promise_names_tests_that_exist() {
    let (paths, functions): (BTreeSet<_>, BTreeSet<_>) =
        (files().into_iter().map(|file| file.path).collect(), functions());
    hold("a test function or a file of the project", &[file(PROMISES)], |table| {
        let named = rows(&table.text)
            .flat_map(|(line, proof)| proof.split('`').skip(1).step_by(2).map(move |name| (line, name)));
        named
            .filter(|(_, name)| !functions.contains(*name) && !paths.contains(*name))
            .map(|(line, name)| Finding::new(line, name))
            .collect()
    });
}

#[test]
fn every_promise_is_held_by_a_test_or_a_goal() {
    hold("a test or a goal in the last column", &[file(PROMISES)], |table| {
        let bare = rows(&table.text).filter(|(_, proof)| !proof.contains('`') && goals(proof).is_empty());
        bare.map(|(line, _)| Finding::new(line, "no proof")).collect()
    });
}

#[test]
fn the_goals_in_the_documents_are_those_that_run() {
    let measured: BTreeSet<String> = files().iter().filter_map(|file| goal(&file.path)).collect();
    assert!(!measured.is_empty(), "the goals were found");

    let table = file(PROMISES).text;
    let promised: BTreeSet<String> = rows(&table).flat_map(|(_, proof)| goals(proof)).collect();
    let explanations = file("docs/RELIABILITY.md").text;
    let explained = explanations.lines().filter_map(|line| line.strip_prefix("| G")?.split(' ').next());
    let explained: BTreeSet<String> = explained.map(|number| format!("G{number}")).collect();

    assert_eq!(promised, measured, "{PROMISES}");
    assert_eq!(explained, measured, "docs/RELIABILITY.md");
}

/// The last column of each row, with its line.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| promise |"));
    lines.filter_map(|(line, text)| Some((line, text.trim_end_matches([' ', '|']).rsplit_once(" | ")?.1)))
}

/// The names of all functions of the program and its tests.
fn functions() -> BTreeSet<String> {
    let texts = rust_files().into_iter().flat_map(|file| {
        let found = file.text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
        found.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    });
    texts.collect()
}

/// The goals that a text names: `G1` and the like.
fn goals(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_goal = |word: &&str| word.strip_prefix('G').is_some_and(|number| number.parse::<u8>().is_ok());
    words.filter(is_goal).map(str::to_owned).collect()
}

/// The goal that this file measures.
fn goal(path: &str) -> Option<String> {
    let name = path.strip_prefix("tests/reliability/")?.rsplit('/').next()?;
    let number = name.strip_prefix('g')?.split_once('_')?.0.parse::<u8>().ok()?;
    Some(format!("G{number}"))
}

#[test]
fn goals_and_the_proofs_of_promises_are_found() {
    let text = "| promise | why | tests |\n|---|---|---|\n| a | b | `c`, `d/e.py`; G1 kills, G12 |\nG3";

    assert_eq!(rows(text).collect::<Vec<_>>(), [(3, "`c`, `d/e.py`; G1 kills, G12")]);
    assert_eq!(goals("`Gx`; G1 kills, G12, GET"), ["G1", "G12"]);
    assert_eq!(goal("tests/reliability/load/g07_soak.py").as_deref(), Some("G7"));
    assert_eq!(goal("tests/reliability/harness/goal.py"), None);
}
