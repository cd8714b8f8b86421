//! Files, dependencies and tables must have an explanation.

use toml::{Table, Value};

use crate::tidy::tree::{file, files, rust_files};
use crate::tidy::{Finding, hold};

#[test]
fn every_rust_file_begins_with_its_purpose() {
    hold("`//!` on the first line", &rust_files(), |file| {
        let is_explained = file.text.starts_with("//! ");
        (!is_explained).then(|| Finding::new(1, "no explanation")).into_iter().collect()
    });
}

#[test]
fn every_python_file_begins_with_its_purpose() {
    hold("a docstring on the first line", &files(), |file| {
        let is_missing = file.has_extension("py") && !file.text.starts_with("\"\"\"");
        is_missing.then(|| Finding::new(1, "no explanation")).into_iter().collect()
    });
}

#[test]
fn every_direct_dependency_has_its_reason_above_it() {
    hold("a comment on the line above", &[file("Cargo.toml")], |file| unexplained_dependencies(&file.text));
}

#[test]
fn every_direct_dependency_is_in_the_tree_once() {
    let lock: Table = file("Cargo.lock").text.parse().unwrap();
    hold("one version in Cargo.lock", &[file("Cargo.toml")], |file| {
        let manifest: Table = file.text.parse().unwrap();
        let names = direct_dependencies(&manifest).into_iter();
        names
            .map(|name| (versions(&lock, &name), name))
            .filter(|(versions, _)| versions.len() != 1)
            .map(|(versions, name)| Finding::new(line_of(&file.text, &name), format!("{name}: {versions:?}")))
            .collect()
    });
}

#[test]
fn every_table_is_explained_above_it() {
    hold("a comment on the line above", &[file("schema.sql")], |file| unexplained_tables(&file.text));
}

fn unexplained_dependencies(manifest: &str) -> Vec<Finding> {
    let mut is_dependency = false;
    unexplained(manifest, "#", |line| {
        if let Some(header) = line.strip_prefix('[') {
            is_dependency = header.contains("dependencies]");
            return header.contains("dependencies.").then_some(line);
        }
        line.split_once(" = ").filter(|_| is_dependency).map(|(name, _)| name)
    })
}

fn unexplained_tables(schema: &str) -> Vec<Finding> {
    unexplained(schema, "--", |line| line.strip_prefix("CREATE TABLE").map(|name| name.trim_end_matches('(')))
}

/// The lines that need a comment above them, according to `needs`, and have none.
fn unexplained<'a>(
    text: &'a str,
    comment: &str,
    mut needs: impl FnMut(&'a str) -> Option<&'a str>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut above = "";
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(name) = needs(text).filter(|_| !above.starts_with(comment)) {
            findings.push(Finding::new(line, name.trim()));
        }
        above = text;
    }
    findings
}

fn direct_dependencies(manifest: &Table) -> Vec<String> {
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = sections.iter().filter_map(|section| manifest.get(*section).and_then(Value::as_table));
    tables.flat_map(|table| table.keys().cloned()).collect()
}

fn versions(lock: &Table, name: &str) -> Vec<String> {
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    packages
        .filter(|package| package.get("name").and_then(Value::as_str) == Some(name))
        .filter_map(|package| package.get("version").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}

fn line_of(manifest: &str, name: &str) -> usize {
    let found = (1..).zip(manifest.lines()).find(|(_, line)| line.starts_with(&format!("{name} = ")));
    found.map_or(1, |(line, _)| line)
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\n# Why.\nb = \"1\"\nc = { version = \"1\" }\n\
                    [dependencies.d]\nversion = \"1\"\n[features]\ne = []";

    let found = unexplained_dependencies(manifest);

    assert_eq!(found, [Finding::new(6, "c"), Finding::new(7, "[dependencies.d]")]);
}

#[test]
fn a_table_without_an_explanation_is_found() {
    let schema = "-- Why.\nCREATE TABLE a (\n    id INTEGER\n);\n\nCREATE TABLE b (\n    id INTEGER\n);";

    assert_eq!(unexplained_tables(schema), [Finding::new(6, "b")]);
}

#[test]
fn two_versions_of_a_dependency_are_found() {
    let manifest: Table = "[dependencies]\na = \"1\"\n[dev-dependencies]\nb = \"1\"".parse().unwrap();
    let lock =
        "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n[[package]]\nname = \"a\"\nversion = \"2.0.0\"";
    let lock: Table = lock.parse().unwrap();

    assert_eq!(direct_dependencies(&manifest), ["a", "b"]);
    assert_eq!(versions(&lock, "a"), ["1.0.0", "2.0.0"]);
    assert_eq!(versions(&lock, "b"), [""; 0]);
}
