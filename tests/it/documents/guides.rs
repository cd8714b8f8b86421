//! The guides for contributors: they are short, and what they refer to exists.

use std::path::Path;

use crate::documents::markdown::{anchors, links, wide_lines};
use crate::tidy::tree::{File, file, files};
use crate::tidy::{Finding, hold};

/// How long a document may be.
const LINES_MAX: [(&str, usize); 2] = [("ARCHITECTURE.md", 120), ("README.md", 150)];

/// Documents that name files of the project by their path from its root.
const GUIDES: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/DESIGN.md"];

/// The prefixes of such paths.
const ROOTS: [&str; 6] = ["src/", "tests/", "docs/", "scripts/", "deploy/", ".cargo/"];

/// The widest line of prose.
const WIDTH_MAX: usize = 120;

#[test]
fn the_architecture_and_the_readme_stay_short() {
    for (name, lines_max) in LINES_MAX {
        let lines = file(name).text.lines().count();
        assert!(lines <= lines_max, "{name} has {lines} lines, at most {lines_max} are allowed");
    }
}

#[test]
fn every_path_in_a_guide_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    hold("a file or folder of the project", &GUIDES.map(file), |guide| {
        let lines = (1..).zip(guide.text.lines());
        let named = lines.flat_map(|(line, text)| paths(text).into_iter().map(move |path| (line, path)));
        named
            .filter(|(_, path)| !root.join(path).exists())
            .map(|(line, path)| Finding::new(line, path))
            .collect()
    });
}

#[test]
fn the_code_map_has_a_row_for_every_folder() {
    let map = file("ARCHITECTURE.md").text;
    let rows: Vec<String> = map.lines().filter(|line| line.starts_with("| `src/")).flat_map(paths).collect();
    for file in files().iter().filter(|file| file.is_in(&["src/"])) {
        let parts: Vec<&str> = file.path.split('/').collect();
        let depth = if ["store", "api"].contains(&parts[1]) { 3 } else { 2 };
        if let [folders @ .., _] = &parts[..] {
            let folder = folders[..depth.min(folders.len())].join("/");
            assert!(folder == "src" || rows.contains(&folder), "{folder} has no row in the code map");
        }
    }
}

#[test]
fn every_link_in_a_document_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    hold("a file and a heading that exist", &markdown(), |document| {
        let folder = Path::new(&document.path).parent().unwrap();
        let is_broken = |target: &str| {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { root.join(&document.path) } else { root.join(folder).join(path) };
            let is_heading =
                || anchors(&std::fs::read_to_string(&path).unwrap()).iter().any(|one| one == anchor);
            !path.exists() || !(anchor.is_empty() || is_heading())
        };
        let links = links(&document.text).into_iter().filter(|(_, target)| is_broken(target));
        links.map(|(line, target)| Finding::new(line, target)).collect()
    });
}

#[test]
fn no_line_of_prose_is_wider_than_120_characters() {
    hold("at most 120 characters, but for tables and code", &markdown(), |document| {
        wide_lines(&document.text, WIDTH_MAX).into_iter().map(|line| Finding::new(line, "too wide")).collect()
    });
}

fn markdown() -> Vec<File> {
    files().into_iter().filter(|file| file.has_extension("md")).collect()
}

/// The paths in a line, with braces expanded.
fn paths(line: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-./{,}".contains(letter);
    let words = line.split(|letter| !is_part(letter)).map(|word| word.trim_end_matches(['.', ',']));
    let named = words.filter(|word| ROOTS.iter().any(|root| word.starts_with(root)));
    named.flat_map(|path| expand(path.trim_end_matches('/'))).collect()
}

fn expand(path: &str) -> Vec<String> {
    let braces = path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (choices, after))) = braces else { return vec![path.to_owned()] };
    choices.split(',').map(|choice| format!("{before}{choice}{after}")).collect()
}

#[test]
fn paths_are_found_in_prose_tables_and_drawings() {
    assert_eq!(paths("see `src/a.rs`, and (src/b/)."), ["src/a.rs", "src/b"]);
    assert_eq!(paths("| `src/api/{one,two}` |"), ["src/api/one", "src/api/two"]);
    assert_eq!(paths("POST /v1.0/{id} of a.rs"), [""; 0]);
}
