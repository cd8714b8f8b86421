//! Files and folders within a layer form no import circles, and a folder stays small.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tidy::rust::{code, paths};
use crate::tidy::tree::{File, files, source_files};

/// Maximum number of files in a folder.
const FOLDER_FILES_MAX: usize = 15;

/// The imports of each file or folder.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn files_form_no_import_circle() {
    assert_eq!(in_circles(uses(&source_files())), [""; 0], "each of these uses another one, round and round");
}

#[test]
fn folders_form_no_import_circle() {
    let uses = uses(&source_files());
    let folders: BTreeSet<&Path> = uses.keys().flat_map(|file| Path::new(file).ancestors().skip(1)).collect();
    for folder in folders {
        let found = in_circles(within(&uses, folder));
        assert_eq!(found, [""; 0], "in {} each of these uses another one, round and round", folder.display());
    }
}

#[test]
fn a_folder_has_at_most_15_files() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in files() {
        // A folder of migrations only grows.
        if !file.is_in(&["src/", "tests/"]) || file.has_extension("sql") {
            continue;
        }
        let folder = Path::new(&file.path).parent().unwrap().display().to_string();
        *counts.entry(folder).or_default() += 1;
    }
    counts.retain(|_, count| *count > FOLDER_FILES_MAX);
    assert!(counts.is_empty(), "{counts:?}");
}

/// The files that each file uses, apart from its tests.
fn uses(files: &[File]) -> Uses {
    let files: Vec<_> = files.iter().filter(|file| !is_test(&file.path)).collect();
    let modules: BTreeMap<String, &str> =
        files.iter().map(|file| (module(&file.path), file.path.as_str())).collect();
    let of_file = |file: &&File| {
        let targets = targets(&file.text, &modules).into_iter().filter(|target| *target != file.path);
        (file.path.clone(), targets.collect())
    };
    files.iter().map(of_file).collect()
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// The module path of a file.
fn module(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    format!("crate::{}", path.replace('/', "::"))
}

/// The files whose modules are named, including through the last part of an imported path.
fn targets(text: &str, modules: &BTreeMap<String, &str>) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let named: Vec<_> = paths(&without_visibilities(&code(text))).into_iter().map(|(_, path)| path).collect();
    let imports: BTreeMap<&str, &str> = named
        .iter()
        .filter_map(|path| path.starts_with("crate::").then(|| imported(path)).flatten())
        .collect();
    let full = |path: &String| match path.split_once("::") {
        Some((name, rest)) => {
            imports.get(name).map_or_else(|| path.clone(), |whole| format!("{whole}::{rest}"))
        }
        None => path.clone(),
    };
    named.iter().filter_map(|path| file_of(&full(path), modules)).map(str::to_owned).collect()
}

/// The name that an import of this path defines, and the path without `self`.
fn imported(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_suffix("::self").unwrap_or(path);
    path.rsplit_once("::").map(|(_, name)| (name, path))
}

/// `pub(in crate::a)` is not a use of `crate::a`.
fn without_visibilities(code: &str) -> String {
    let mut pieces = code.split("pub(in ");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + "pub" + piece.split_once(')').map_or("", |(_, rest)| rest))
}

/// The file of the innermost module in this path.
fn file_of<'a>(path: &str, modules: &BTreeMap<String, &'a str>) -> Option<&'a str> {
    let mut path = path;
    loop {
        if let Some(file) = modules.get(path) {
            return Some(file);
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// How the files and folders in a folder use each other.
fn within(uses: &Uses, folder: &Path) -> Uses {
    let child = |file: &str| {
        let inside = Path::new(file).strip_prefix(folder).ok()?;
        inside.iter().next().map(|name| name.to_string_lossy().into_owned())
    };
    let mut all = Uses::new();
    for (file, targets) in uses {
        let Some(name) = child(file) else { continue };
        let others = targets.iter().filter_map(|target| child(target)).filter(|other| *other != name);
        all.entry(name.clone()).or_default().extend(others);
    }
    all
}

/// The members of a circle, and everything between two circles.
fn in_circles(mut uses: Uses) -> Vec<String> {
    loop {
        let targets: BTreeSet<String> = uses.values().flatten().cloned().collect();
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        uses.retain(|file, own| targets.contains(file) && own.iter().any(|target| left.contains(target)));
        if uses.len() == left.len() {
            return uses.into_keys().collect();
        }
    }
}

#[test]
fn only_the_members_of_a_circle_are_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (from, to) in pairs {
            uses.entry((*to).to_owned()).or_default();
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };

    assert_eq!(in_circles(uses(&[("a", "b"), ("b", "c"), ("a", "c")])), [""; 0]);
    assert_eq!(in_circles(uses(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")])), ["b", "c"]);
    let all = uses(&[("s/a/x.rs", "s/b/y.rs"), ("s/b/z.rs", "s/a/w.rs")]);
    assert_eq!(in_circles(all.clone()), [""; 0]);
    assert_eq!(in_circles(within(&all, Path::new("s"))), ["a", "b"]);
}

#[test]
fn imports_are_found_under_every_name_of_a_module() {
    let modules = ["src/a/mod.rs", "src/a/b.rs", "src/c.rs"].map(|file| (module(file), file)).into();
    let text = "use crate::a;\nuse crate::c::{self, D};\npub(in crate::c) fn f() { a::b::g(); }";

    let used = |text| targets(text, &modules).into_iter().collect::<Vec<_>>();

    assert_eq!(used(text), ["src/a/b.rs", "src/a/mod.rs", "src/c.rs"]);
    assert_eq!(used("pub(in crate::c) fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::c; }"), [""; 0]);
}
