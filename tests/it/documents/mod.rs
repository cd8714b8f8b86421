//! The documents: every command in them is run as printed, and does what the document says.
//!
//! Only ports, ids and folders outside the working directory differ. A block that cannot be run has the reason on the line
//! above it, which readers do not see.

mod api;
mod guides;
mod markdown;
mod promises;
mod sandbox;
mod served;
mod shell;

use std::path::Path;
use std::process::Command;

use crate::documents::markdown::{Document, blocks, spans};
use crate::documents::shell::Shell;

/// The documents whose blocks a test of this module runs.
const RUN: [&str; 5] =
    ["README.md", "docs/API.md", "docs/BACKUP.md", "docs/OPERATIONS.md", "docs/SANDBOX.md"];

/// The ports in the documents: kaiwa, LINE's side, and a bot of the reader.
const PORTS: [&str; 3] = ["8080", "8081", "3000"];

/// The documents for users of the program, by path.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let inner = root.join("docs").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let documents = inner.chain([root.join("README.md")]).map(|path| {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        (name, std::fs::read_to_string(path).unwrap())
    });
    documents.collect()
}

#[test]
fn no_document_has_commands_that_no_test_runs() {
    for (name, text) in documents() {
        let runnable = blocks(&text).into_iter().find(|block| block.language == "sh" && !block.is_excused);
        assert!(runnable.is_none() || RUN.contains(&name.as_str()), "{name}: {runnable:?}");
    }
}

#[test]
fn documents_call_only_ports_that_listen() {
    for (name, text) in documents() {
        for block in blocks(&text).iter().filter(|block| block.language == "sh") {
            for (_, rest) in block
                .text
                .match_indices("127.0.0.1:")
                .map(|(at, found)| block.text.split_at(at + found.len()))
            {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                assert!(PORTS.contains(&port.as_str()), "{name}: nothing listens on {port}");
            }
        }
    }
}

/// The help of the command that these words begin with; file names may follow it.
fn help(words: &[&str]) -> Option<String> {
    let is_name = |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    let names: Vec<&str> = words.iter().take_while(is_name).copied().collect();
    (1..=names.len()).rev().find_map(|count| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kaiwa"));
        let output = command.arg("help").args(&names[..count]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    })
}

#[test]
fn every_command_in_prose_exists_with_its_options() {
    let mut count = 0;
    for (name, text) in documents() {
        for command in spans(&text).iter().filter(|span| span.starts_with("kaiwa ") && !span.contains('…'))
        {
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            let options = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
            let help = help(&words[..options]);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let is_known = help.as_ref().is_some_and(|help| help.contains(option));
                assert!(is_known, "{name}: {command}: there is no {option}");
            }
            assert!(help.is_some(), "{name}: {command}");
            count += 1;
        }
    }
    assert!(count > 10, "commands were found");
}

#[test]
fn the_settings_in_the_documents_load() {
    for name in ["docs/BACKUP.md", "docs/OPERATIONS.md"] {
        let document = Document::read(name);
        for block in blocks(&document.text).iter().filter(|block| block.language == "toml") {
            let shell = Shell::new();
            std::fs::write(shell.path("kaiwa.toml"), &block.text).unwrap();

            let loaded = kaiwa::config::load(Some(&shell.path("kaiwa.toml")), [], &[]);

            assert!(loaded.is_ok(), "{name}:{}: {loaded:?}", block.line);
        }
    }
}
