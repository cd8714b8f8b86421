//! Reads a backup: restores it into a data directory, or only verifies it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tar::{Entry as Packed, EntryType};

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::files;
use crate::model::progress::{self, Unit};
use crate::model::timestamp::Timestamp;
use crate::store::backup::manifest::{About, DATABASE, Entry, MANIFEST, ManifestEntry, Missing, Name};
use crate::store::backup::part::PartialBackup;
use crate::store::backup::remains::UNFINISHED;
use crate::store::backup::{BackupSummary, remains};
use crate::store::engine::{connection, failure};
use crate::store::files::hashing::{Cancel, Hashing};
use crate::store::files::media_store::Variant;
use crate::store::verify::{self, Findings};

/// List of the extracted entries, in the format of the manifest.
const FOUND: &str = "found.jsonl";

/// Size of the read buffer, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// What a backup says about itself, and what is wrong with it.
#[derive(Debug)]
pub struct Judged {
    /// When it was made.
    pub created_at: String,
    /// Version of the program that made it.
    pub kaiwa: String,
    /// Its contents.
    pub summary: BackupSummary,
    /// What is wrong with it.
    pub findings: Findings,
}

/// Restores a backup into a new or empty data directory. Everything is checked while it is written, and the database gets its
/// name only if nothing is wrong.
///
/// `Conflict` when the directory is not empty, `Unusable` when the backup is damaged or from a newer version; then nothing is
/// left behind.
pub fn restore(file: &Path, data_directory: &Path, database_file: &Path, now: Timestamp) -> Result<Judged> {
    let is_new = prepare(data_directory)?;
    let restored = into_directory(file, (data_directory, database_file), now);
    if restored.is_err() {
        clear(data_directory, is_new);
    }
    restored
}

/// Verifies a backup: every hash, and the whole database, which is extracted beside the backup in the meantime. Secrets are
/// opened if their key is available.
///
/// `Unusable` when it is not a backup at all, or from a newer version.
pub fn verify(file: &Path, keys: &KeySource, now: Timestamp) -> Result<Judged> {
    let part = PartialBackup::begin(&files::with_suffix(file, ".verify"))?;
    let scratch = part.path("");
    let about = unpack(file, &scratch, None)?;
    let mut judged = judge(file, about, &scratch)?;
    verify::rows(&scratch.join(DATABASE), Some(keys), now, &mut judged.findings)?;
    Ok(judged)
}

fn into_directory(
    file: &Path,
    (data_directory, database_file): (&Path, &Path),
    now: Timestamp,
) -> Result<Judged> {
    let (scratch, media) = (data_directory.join(UNFINISHED), data_directory.join("media"));
    for folder in [&scratch, &media] {
        files::create_directory(folder).map_err(|error| failure::on_disk("make", folder, &error))?;
    }
    let about = unpack(file, &scratch, Some(&media))?;
    let judged = judge(file, about, &scratch)?;
    if let Some(finding) = judged.findings.list().first() {
        return Err(Error::Unusable(format!("{} is damaged: {finding}", file.display())));
    }
    report_damage(&scratch.join(DATABASE), now)?;
    let database = data_directory.join(database_file);
    let moved = File::open(&media)
        .and_then(|folder| folder.sync_all())
        .and_then(|()| std::fs::rename(scratch.join(DATABASE), &database))
        .and_then(|()| std::fs::remove_dir_all(&scratch))
        .and_then(|()| files::sync_parent_of(&database));
    moved.map_err(|error| failure::on_disk("write", &database, &error))?;
    Ok(judged)
}

/// Logs rows that were already damaged when the backup was made. They are lost, the rest is not.
fn report_damage(database: &Path, now: Timestamp) -> Result<()> {
    let mut damage = Findings::default();
    // The key is kept elsewhere and need not be present yet.
    verify::rows(database, None, now, &mut damage)?;
    damage.list().iter().for_each(|found| log::warn!("restore: {found}"));
    Ok(())
}

/// Creates the directory, or requires that it holds no data. Returns whether it is new.
fn prepare(directory: &Path) -> Result<bool> {
    let unusable = |error| failure::on_disk("use", directory, &error);
    let is_new = !directory.exists();
    files::create_directory(directory).map_err(unusable)?;
    let entries = directory.read_dir().map_err(unusable)?;
    let entries = entries.collect::<io::Result<Vec<_>>>().map_err(unusable)?;
    if !entries.iter().all(|entry| remains::is_empty_database(&entry.path())) {
        return Err(Error::Conflict(format!(
            "{} is not empty; restore into a new directory and let the server use that",
            directory.display()
        )));
    }
    Ok(is_new)
}

/// Removes what a failed attempt wrote into a directory that was empty before.
fn clear(directory: &Path, is_new: bool) {
    let removed = [UNFINISHED, "media"].iter().try_for_each(|name| {
        match std::fs::remove_dir_all(directory.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    });
    let removed = removed.and_then(|()| if is_new { std::fs::remove_dir(directory) } else { Ok(()) });
    if let Err(error) = removed {
        log::warn!("backup: {} could not be cleared: {error}", directory.display());
    }
}

/// Extracts the database, the manifest and a list of the entries into `scratch`, and media files into `media` if given.
fn unpack(file: &Path, scratch: &Path, media: Option<&Path>) -> Result<About> {
    // An error with an OS code is about the disk; any other is about the content of the backup.
    let damaged = |error: io::Error| match error.raw_os_error() {
        Some(_) => failure::on_disk("read", file, &error),
        None => {
            Error::Unusable(format!("{} is not a backup of kaiwa, or is damaged: {error}", file.display()))
        }
    };
    let bytes = File::open(file).map_err(damaged)?;
    progress::begin("reading the backup", Unit::Bytes, bytes.metadata().ok().map(|about| about.len()));
    let bytes = BufReader::with_capacity(BUFFER_BYTES, bytes);
    let list = scratch.join(FOUND);
    let unwritten = |error: io::Error| failure::on_disk("write", &list, &error);
    let mut found = BufWriter::new(files::create(&list).map_err(unwritten)?);
    for entry in tar::Archive::new(bytes).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = name_of(&entry)?;
        if path == MANIFEST {
            let target = scratch.join(MANIFEST);
            pour(&mut entry, &target, damaged)?;
            found.flush().map_err(unwritten)?;
            return about(&target);
        }
        let name: Name = path.parse()?;
        let target = match (name, media) {
            (Name::Database, _) => Some(scratch.join(DATABASE)),
            (Name::Media(id, kind), Some(media)) => Some(media.join(kind.file_name(id))),
            (Name::Media(..), None) => None,
        };
        let content = write(entry, target, damaged)?;
        let line = serde_json::to_string(&Entry { name: path, content }).map_err(Error::internal)?;
        writeln!(found, "{line}").map_err(unwritten)?;
    }
    Err(Error::Unusable(format!("{} has no manifest: it is truncated", file.display())))
}

/// Path of an entry, which has to be a regular file: no link, no device, no folder.
fn name_of(entry: &Packed<'_, impl Read>) -> Result<String> {
    let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    match entry.header().entry_type() {
        EntryType::Regular => Ok(path),
        _ => Err(Error::Unusable(format!("this is not a backup of kaiwa: {path:?} is not a file"))),
    }
}

/// Writes a file to disk, or only hashes it if there is no target.
fn write(
    bytes: impl Read,
    target: Option<PathBuf>,
    damaged: impl Fn(io::Error) -> Error,
) -> Result<ManifestEntry> {
    let mut bytes = Hashing::new(bytes, &Cancel::default());
    match target {
        Some(target) => pour(&mut bytes, &target, damaged)?,
        None => drop(io::copy(&mut bytes, &mut io::sink()).map_err(damaged)?),
    }
    let (size, sha256) = bytes.finish();
    Ok(ManifestEntry::Present { size, sha256 })
}

/// Writes a new file. Keeps errors of reading and of writing apart.
fn pour(bytes: &mut impl Read, target: &Path, damaged: impl Fn(io::Error) -> Error) -> Result<()> {
    let unwritten = |error: io::Error| failure::on_disk("write", target, &error);
    let mut file = files::create(target).map_err(unwritten)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return file.sync_all().map_err(unwritten),
            Ok(count) => file.write_all(&buffer[..count]).map_err(unwritten)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged(error)),
        }
    }
}

fn about(manifest: &Path) -> Result<About> {
    let first = lines(manifest)?.next().unwrap_or_else(|| Err(unreadable("it is empty")))?;
    let about: About = serde_json::from_str(&first).map_err(unreadable)?;
    about.require_known()?;
    Ok(about)
}

/// Compares the extracted files with the manifest and with the database, and verifies the database.
fn judge(file: &Path, about: About, scratch: &Path) -> Result<Judged> {
    let mut findings = Findings::default();
    let size = file.metadata().map_err(Error::internal)?.len();
    let mut summary = BackupSummary { size, schema: about.schema, ..BackupSummary::default() };
    compare_with_manifest(scratch, &mut summary, &mut findings)?;
    let database = scratch.join(DATABASE);
    if verify::database(&database, &mut findings)? != about.schema {
        findings.add("the schema version of the database is not the one in the manifest");
    }
    if findings.is_empty() {
        compare_with_database(scratch, &database, &mut findings)?;
    }
    let About { created_at, kaiwa, .. } = about;
    Ok(Judged { created_at, kaiwa, summary, findings })
}

fn compare_with_manifest(scratch: &Path, summary: &mut BackupSummary, findings: &mut Findings) -> Result<()> {
    let mut found = entries(&scratch.join(FOUND), 0)?.peekable();
    for entry in entries(&scratch.join(MANIFEST), 1)? {
        let entry = entry?;
        count(&entry, summary);
        if matches!(entry.content, ManifestEntry::Missing { .. }) {
            continue;
        }
        match next_of(&mut found, &entry.name)? {
            None => findings.add(format!("{} is missing", entry.name)),
            Some(there) if there != entry => {
                findings.add(format!("{} differs from what was backed up", entry.name));
            }
            Some(_) => {}
        }
    }
    for surplus in found {
        findings.add(format!("{} is not in the manifest", surplus?.name));
    }
    Ok(())
}

/// Requires that every media file in the database is in the manifest, with the same hash or with a reason for its absence.
fn compare_with_database(scratch: &Path, database: &Path, findings: &mut Findings) -> Result<()> {
    let is_whole = |entry: &Result<Entry>| {
        entry.as_ref().map_or(true, |entry| matches!(entry.name.parse(), Ok(Name::Media(_, Variant::Whole))))
    };
    let mut listed = entries(&scratch.join(MANIFEST), 1)?.filter(is_whole).peekable();
    let connection = connection::open_reading(database)?;
    verify::each_stored(&connection, |stored| {
        let name = Name::Media(stored.id, Variant::Whole).to_string();
        let promised = ManifestEntry::Present { size: stored.size, sha256: HEXLOWER.encode(&stored.sha256) };
        match next_of(&mut listed, &name)? {
            Some(Entry { content: ManifestEntry::Missing { .. }, .. }) => {}
            Some(entry) if entry.content == promised => {}
            Some(_) => findings.add(format!("{name} differs from its row in the database")),
            None => findings.add(format!("{name} is in the database but not in the backup")),
        }
        Ok(())
    })
}

fn count(entry: &Entry, summary: &mut BackupSummary) {
    match (&entry.content, entry.name.parse()) {
        (ManifestEntry::Missing { missing: Missing::Erased }, _) => summary.media_erased += 1,
        (ManifestEntry::Missing { missing: Missing::Lost }, _) => summary.media_lost += 1,
        (_, Ok(Name::Media(_, Variant::Whole))) => summary.media_files += 1,
        _ => {}
    }
}

/// The next entry if it has this name.
fn next_of(entries: &mut Peekable<impl Iterator<Item = Result<Entry>>>, name: &str) -> Result<Option<Entry>> {
    entries.next_if(|entry| entry.as_ref().map_or(true, |entry| entry.name == name)).transpose()
}

fn entries(list: &Path, skipped: usize) -> Result<impl Iterator<Item = Result<Entry>> + use<>> {
    let read = |line: Result<String>| serde_json::from_str(&line?).map_err(unreadable);
    Ok(lines(list)?.skip(skipped).map(read))
}

fn lines(list: &Path) -> Result<impl Iterator<Item = Result<String>> + use<>> {
    let file = File::open(list).map_err(Error::internal)?;
    Ok(BufReader::new(file).lines().map(|line| line.map_err(unreadable)))
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Unusable(format!("the manifest cannot be read: {error}"))
}
