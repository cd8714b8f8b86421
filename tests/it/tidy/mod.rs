//! Rules for the source text itself: layers, sizes, explanations and forbidden words. Each rule is one test.

mod circles;
mod explained;
mod layers;
mod rust;
mod sizes;
pub mod tree;
mod vocabulary;
mod words;

use crate::tidy::tree::File;

/// A violation of a rule, with its line.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    line: usize,
    words: String,
}

impl Finding {
    pub fn new(line: usize, words: impl Into<String>) -> Self {
        Self { line, words: words.into() }
    }
}

/// Checks each file; fails with a list of all findings and the expectation.
#[track_caller]
pub fn hold<'a>(
    expected: &str,
    files: impl IntoIterator<Item = &'a File>,
    look: impl Fn(&File) -> Vec<Finding>,
) {
    let mut findings = Vec::new();
    for file in files {
        let found = look(file).into_iter();
        findings.extend(found.map(|Finding { line, words }| format!("{}:{line}: {words}", file.path)));
    }
    assert!(findings.is_empty(), "expected: {expected}\n{}", findings.join("\n"));
}
