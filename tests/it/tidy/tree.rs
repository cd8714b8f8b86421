//! The files that belong to the project.

use std::fs;
use std::path::Path;

/// A text file, with its path from the root.
pub struct File {
    pub path: String,
    pub text: String,
}

impl File {
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }

    /// Whether it is in one of these folders, or is one of these files.
    pub fn is_in(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| self.path == *place || (place.ends_with('/') && self.path.starts_with(place)))
    }
}

/// Every text file that git does not ignore.
pub fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap();
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut files = Vec::new();
    collect(root, "", &ignored, &mut files);
    assert!(files.len() > 100, "the tree was not found");
    files
}

/// Every Rust file of the program and of its tests.
pub fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| file.is_in(&["src/", "tests/"]) && file.has_extension("rs")).collect()
}

/// Every Rust file of the program.
pub fn source_files() -> Vec<File> {
    rust_files().into_iter().filter(|file| file.is_in(&["src/"])).collect()
}

/// The file with this path.
pub fn file(path: &str) -> File {
    files().into_iter().find(|file| file.path == path).expect("the file exists")
}

fn collect(folder: &Path, prefix: &str, ignored: &[&str], files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().into_string().unwrap());
        if path == ".git" || ignored.contains(&path.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), ignored, files);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(File { path, text });
        }
    }
}

#[test]
fn a_place_is_a_folder_or_a_whole_file_name() {
    let file = File { path: "src/line/client.rs".to_owned(), text: String::new() };

    assert!(file.is_in(&["src/line/"]));
    assert!(file.is_in(&["src/line/client.rs"]));
    assert!(!file.is_in(&["src/line/client", "src/lin", "line/"]));
    assert!(file.has_extension("rs"));
}
