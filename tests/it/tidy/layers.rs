//! The layers, and what each may use.

use crate::tidy::rust::{code, paths};
use crate::tidy::tree::{File, source_files};
use crate::tidy::{Finding, hold};

/// A file uses its own layer and the rows above it. The layers of one row do not use each other.
const LAYERS: [&[&str]; 11] = [
    &["error"],
    &["model", "files"],
    &["contract", "config", "net", "metrics"],
    &["store"],
    &["line"],
    &["runtime"],
    &["worker"],
    &["api", "inbox", "sandbox"],
    &["admin"],
    &["server"],
    &["command"],
];

/// These do not use each other either, whatever the rows say: only workers and handlers combine them.
const STRANGERS: [(&str, &str); 1] = [("line", "store")];

/// The sandbox simulates LINE's side. If it shared more than the wire format with ours, both could be wrong together.
const SANDBOX_USES: [&str; 8] = [
    "crate::error",
    "crate::files",
    "crate::net",
    "crate::model",
    "crate::sandbox",
    "crate::line::signature",
    "crate::line::validation",
    "crate::line::webhook",
];

/// Path prefixes that only these files and folders may use.
const HOMES: [(&str, &[&str]); 15] = [
    ("indicatif", &["src/command/"]),
    // New files must have the right owner and mode, whoever creates them.
    ("std::fs::DirBuilder", &["src/files.rs"]),
    ("std::fs::OpenOptions", &["src/files.rs"]),
    ("prometheus_client", &["src/metrics/"]),
    ("rustix", &["src/store/", "src/command/process/hardening.rs"]),
    (
        "rusqlite",
        &[
            "src/store/engine/",
            "src/store/encryption/",
            "src/store/verify/columns.rs",
            "src/store/verify/rows.rs",
            "src/store/backup/copy.rs",
        ],
    ),
    ("r2d2", &["src/store/"]),
    // Only `net` knows where a response ends, and whether it is complete.
    ("httparse", &["src/net/"]),
    ("actix_tls", &["src/net/", "src/server/"]),
    ("std::net::TcpStream", &["src/net/tests.rs", "src/sandbox/line/hangup.rs", "src/server/acceptor.rs"]),
    ("awc", &["src/net/", "src/sandbox/tests/"]),
    ("listenfd", &["src/config/supervisor.rs"]),
    ("std::env", &["src/config/", "src/command/", "src/main.rs"]),
    ("std::time::SystemTime", &[]),
    ("time::OffsetDateTime", &["src/model/timestamp.rs"]),
];

#[test]
fn a_layer_uses_only_the_layers_before_it() {
    hold("a path into a layer above this one, see LAYERS", &source_files(), |file| {
        let own = layer(&file.path);
        crate_paths(file, |_, target| !may_use(own, target))
    });
}

#[test]
fn every_module_has_its_layer() {
    hold("a module that stands in LAYERS", &source_files(), |file| {
        let is_known = row(layer(&file.path)).is_some() || file.is_in(&["src/lib.rs", "src/main.rs"]);
        (!is_known).then(|| Finding::new(1, layer(&file.path))).into_iter().collect()
    });
}

#[test]
fn the_sandbox_shares_only_the_wire_with_the_server() {
    hold("one of SANDBOX_USES", &source_files(), |file| {
        if layer(&file.path) != "sandbox" {
            return Vec::new();
        }
        crate_paths(file, |path, _| !SANDBOX_USES.iter().any(|allowed| begins_with(path, allowed)))
    });
}

#[test]
fn databases_networks_clocks_and_the_environment_are_each_used_in_one_place() {
    hold("a use in its home, see HOMES", &source_files(), |file| {
        let is_stray =
            |path: &str| HOMES.iter().any(|(used, homes)| begins_with(path, used) && !file.is_in(homes));
        stray_paths(&file.text, is_stray)
    });
}

#[test]
fn only_the_timestamp_reads_the_clock() {
    hold("`now` as an argument", &source_files(), |file| {
        let is_home = file.is_in(&["src/model/timestamp.rs"]);
        stray_paths(&file.text, |path| path.ends_with("now_utc") && !is_home)
    });
}

#[test]
fn paths_begin_at_the_crate() {
    hold("crate::…, or `use super::*` in the tests of a module", &source_files(), |file| {
        stray_paths(&file.text, |path| path.starts_with("super::") && path != "super::*")
    });
}

/// The first part of the path under `src`.
fn layer(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn may_use(own: &str, target: &str) -> bool {
    match (row(own), row(target)) {
        _ if own == target => true,
        _ if STRANGERS.contains(&(own, target)) => false,
        (Some(own), Some(target)) => target < own,
        // `main` and `lib` are above all layers; a name that is not a layer is a macro or a constant of the crate.
        (None, _) | (_, None) => true,
    }
}

fn row(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&layer))
}

fn begins_with(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn crate_paths(file: &File, is_wrong: impl Fn(&str, &str) -> bool) -> Vec<Finding> {
    stray_paths(&file.text, |path| {
        let target = path.strip_prefix("crate::").and_then(|rest| rest.split("::").next());
        target.is_some_and(|target| is_wrong(path, target))
    })
}

fn stray_paths(text: &str, is_stray: impl Fn(&str) -> bool) -> Vec<Finding> {
    let paths = paths(&code(text)).into_iter();
    paths.filter(|(_, path)| is_stray(path)).map(|(line, path)| Finding::new(line, path)).collect()
}

#[test]
fn the_layer_is_derived_from_the_path_of_a_file() {
    assert_eq!(layer("src/error.rs"), "error");
    assert_eq!(layer("src/sandbox/control/mod.rs"), "sandbox");
    assert_eq!(layer("src/main.rs"), "main");
}

#[test]
fn a_path_to_a_higher_layer_or_a_stranger_is_found() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let wrong = |file: &File| {
        let found = crate_paths(file, |_, target| !may_use(layer(&file.path), target));
        found.into_iter().map(|finding| (finding.line, finding.words)).collect::<Vec<_>>()
    };

    let model = file("src/model/id.rs", "use crate::error::Error;\nuse crate::{\n    store::Store,\n};");
    let line = file("src/line/client.rs", "// crate::store\nfn a() { crate::store::open() }");
    let api = file("src/runtime/app.rs", "use crate::{inbox, store, sandbox::x};");

    assert_eq!(wrong(&model), [(3, "crate::store::Store".to_owned())]);
    assert_eq!(wrong(&line), [(2, "crate::store::open".to_owned())]);
    assert_eq!(wrong(&api), [(1, "crate::inbox".to_owned()), (1, "crate::sandbox::x".to_owned())]);
}

#[test]
fn a_path_prefix_ends_at_a_whole_name() {
    assert!(begins_with("awc::Client", "awc"));
    assert!(begins_with("awc", "awc"));
    assert!(!begins_with("awciferous::Client", "awc"));
    assert!(!begins_with("std::environment", "std::env"));
}
