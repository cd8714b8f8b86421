//! The audit of an erasure: searches the bytes of all files for what was erased.
//!
//! A word may also belong to someone else. So a copy of the database is made, which contains only what its rows hold: a word
//! that is in the copy is still in use elsewhere; one that is only in a file is a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::files;
use crate::model::progress::{self, Unit};
use crate::store::backup::copy;
use crate::store::erasure::Words;
use crate::store::files::hashing::Cancel;
use crate::store::files::media_store::remove_if_any;

/// Minimum length of a word in bytes: shorter ones occur in any file by chance.
const WORD_BYTES_MIN: usize = 6;

/// Length in bytes of the pieces in which a longer text is searched: a page of the database may end within the text.
const PIECE_BYTES: usize = 48;

/// Maximum number of pieces searched for one text.
const PIECES_MAX: usize = 64;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Bytes of ids, names and texts searched for in one pass; each pass reads all files.
const WORDS_BYTES: usize = 1 << 20;

/// Extension of the copy.
const COPY: &str = ".erasing";

/// Result of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Number of forms of ids, names and texts that were searched for.
    pub searched: usize,
    /// Number of names and texts that are too short to search for.
    pub too_short: usize,
    /// Number of forms of names and texts that are also in use elsewhere.
    pub elsewhere: usize,
    /// The files with traces, and the number of forms found in each.
    pub left: BTreeMap<PathBuf, usize>,
}

/// The byte sequences to search for.
struct Forms {
    automaton: AhoCorasick,
    /// Length of the longest one in bytes.
    longest: usize,
    /// Index of the first form that may also belong to someone else.
    first_shared: usize,
    count: usize,
    too_short: usize,
}

/// Searches every file of the data directory. Another process may have the database open, with an emptied log; this process
/// must not have it open: closing a file of the database releases the locks of all its connections.
pub fn search(data_directory: &Path, database: &Path, words: Words) -> Result<Proof> {
    let mut proof = Proof::default();
    for part in words.into_parts(WORDS_BYTES) {
        let Proof { searched, too_short, elsewhere, left } = search_for(data_directory, database, &part)?;
        proof.searched += searched;
        proof.too_short += too_short;
        proof.elsewhere += elsewhere;
        for (path, count) in left {
            *proof.left.entry(path).or_default() += count;
        }
    }
    Ok(proof)
}

fn search_for(data_directory: &Path, database: &Path, words: &Words) -> Result<Proof> {
    let forms = Forms::new(words)?;
    let files = files(data_directory)?;
    let bytes = files.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
    progress::begin("searching all files", Unit::Bytes, Some(bytes));
    let found = files.into_iter().map(|path| forms.find_in(&path).map(|found| (path, found)));
    let found = found.collect::<Result<Vec<_>>>()?;
    // The copy is made last, so it includes what is written during the search.
    let mut in_use = forms_in_rows(database, &forms)?;
    let mut left = BTreeMap::new();
    for (path, found) in found {
        // A media file may contain any text, but never an erased id.
        let is_sent = path.parent().is_some_and(|folder| folder.ends_with("media"));
        if is_sent {
            in_use.extend(found.iter().filter(|form| **form >= forms.first_shared));
        }
        let traces =
            found.iter().filter(|form| **form < forms.first_shared || !in_use.contains(form)).count();
        if traces > 0 {
            left.insert(path, traces);
        }
    }
    let elsewhere = in_use.iter().filter(|form| **form >= forms.first_shared).count();
    Ok(Proof { searched: forms.count, too_short: forms.too_short, elsewhere, left })
}

/// The forms that the rows of the database still contain.
fn forms_in_rows(database: &Path, forms: &Forms) -> Result<BTreeSet<usize>> {
    let copied = files::with_suffix(database, COPY);
    let found = copy::open(database, &Cancel::default())
        .and_then(|connection| copy::into_new_file(&connection, &copied))
        .and_then(|()| forms.find_in(&copied));
    let removed = remove_if_any(&copied);
    // The reason of a failed search matters more than a copy that could not be removed.
    let found = found?;
    removed.map_err(Error::internal)?;
    Ok(found)
}

/// All files within a folder, media files first.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match folder.read_dir() {
            // Owned by root, at the root of a volume; nothing of ours is ever put there.
            Err(error)
                if error.kind() == ErrorKind::PermissionDenied && files::is_lost_and_found(&folder) =>
            {
                continue;
            }
            entries => entries.map_err(Error::internal)?,
        };
        for entry in entries {
            let entry = entry.map_err(Error::internal)?;
            let kind = entry.file_type().map_err(Error::internal)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort_by_key(|path| (!path.parent().is_some_and(|folder| folder.ends_with("media")), path.clone()));
    Ok(files)
}

impl Forms {
    fn new(words: &Words) -> Result<Self> {
        let mut forms = BTreeSet::new();
        for id in &words.ids {
            forms.insert(id.to_vec());
            forms.insert(Uuid::from_bytes(*id).to_string().into_bytes());
        }
        forms.extend(words.own.iter().map(|id| id.clone().into_bytes()));
        let own: Vec<Vec<u8>> = forms.into_iter().filter(|form| form.len() >= WORD_BYTES_MIN).collect();
        let shared: BTreeSet<&String> = words.shared.iter().filter(|text| !text.is_empty()).collect();
        let too_short = shared.iter().filter(|text| text.len() < WORD_BYTES_MIN).count();
        let shared: BTreeSet<Vec<u8>> = shared.into_iter().flat_map(|text| forms_of(text)).collect();
        let first_shared = own.len();
        let all: Vec<Vec<u8>> = own.into_iter().chain(shared).collect();
        let longest = all.iter().map(Vec::len).max().unwrap_or(1);
        let automaton = AhoCorasick::new(&all).map_err(Error::internal)?;
        Ok(Self { automaton, longest, first_shared, count: all.len(), too_short })
    }

    /// The forms found in a file; none if the file is gone by now.
    fn find_in(&self, path: &Path) -> Result<BTreeSet<usize>> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            opened => opened.map_err(Error::internal)?,
        };
        let (mut found, mut window) = (BTreeSet::new(), Vec::with_capacity(CHUNK_BYTES + self.longest));
        loop {
            let chunk = u64::try_from(CHUNK_BYTES).map_err(Error::internal)?;
            let count = file.by_ref().take(chunk).read_to_end(&mut window).map_err(Error::internal)?;
            if count == 0 {
                return Ok(found);
            }
            progress::advance(u64::try_from(count).map_err(Error::internal)?);
            found.extend(
                self.automaton.find_overlapping_iter(&window).map(|found| found.pattern().as_usize()),
            );
            // The end of the window may be the beginning of a form: it is searched again with what follows.
            window.drain(..window.len().saturating_sub(self.longest - 1));
        }
    }
}

/// A text itself, and its JSON encodings: with minimal escapes, and in ASCII with digits of either case.
fn forms_of(text: &str) -> Vec<Vec<u8>> {
    let quoted = serde_json::Value::from(text).to_string();
    let escaped = quoted[1..quoted.len() - 1].to_owned();
    let lower = in_ascii(&escaped, |unit| format!("\\u{unit:04x}"));
    let upper = in_ascii(&escaped, |unit| format!("\\u{unit:04X}"));
    [text.to_owned(), escaped, lower, upper].iter().flat_map(|form| pieces(form.as_bytes())).collect()
}

fn in_ascii(text: &str, escape: impl Fn(u16) -> String) -> String {
    let units = |character: char| character.encode_utf16(&mut [0; 2]).to_vec();
    let escaped = text.chars().map(|character| {
        if character.is_ascii() {
            return character.to_string();
        }
        units(character).into_iter().map(&escape).collect()
    });
    escaped.collect()
}

fn pieces(text: &[u8]) -> Vec<Vec<u8>> {
    let pieces = text.chunks(PIECE_BYTES).take(PIECES_MAX);
    pieces.filter(|piece| piece.len() >= WORD_BYTES_MIN).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_searched_for_as_it_is_and_as_json() {
        let forms = forms_of("say \"é😀\"");

        for form in [
            "say \"é😀\"",
            r#"say \"é😀\""#,
            r#"say \"\u00e9\ud83d\ude00\""#,
            r#"say \"\u00E9\uD83D\uDE00\""#,
        ] {
            assert!(forms.contains(&form.as_bytes().to_vec()), "{form}");
        }
        assert!(forms_of("short").is_empty());
    }

    #[test]
    fn an_unreadable_database_is_the_error_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("kaiwa.db");
        let forms = Forms::new(&Words::default()).unwrap();
        for (bytes, reason) in
            [(None, "there is no database"), (Some("no database ".repeat(100)), "not a database")]
        {
            if let Some(bytes) = bytes {
                std::fs::write(&database, bytes).unwrap();
            }

            let error = forms_in_rows(&database, &forms).unwrap_err().chain();

            assert!(error.contains(reason), "{error}");
            assert!(!folder.path().join("kaiwa.db.erasing").exists());
        }
    }

    #[test]
    fn a_form_across_two_chunks_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let forms = Forms::new(&Words { shared: vec!["a secret".to_owned()], ..Words::default() }).unwrap();
        for before in [0, CHUNK_BYTES - 8, CHUNK_BYTES - 4, CHUNK_BYTES, 2 * CHUNK_BYTES - 1] {
            std::fs::write(&path, [&vec![b' '; before], "a secret".as_bytes()].concat()).unwrap();
            assert_eq!(forms.find_in(&path).unwrap().len(), 1, "{before}");
        }
        std::fs::write(&path, "another secret".repeat(100_000)).unwrap();
        assert!(forms.find_in(&path).unwrap().is_empty());
    }
}
