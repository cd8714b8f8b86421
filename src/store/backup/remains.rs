//! What is left of a missing database. Where anything is left, no new database is created: the old one was moved, or is on a
//! disk that is not mounted.
//!
//! Everything here runs before SQLite opens the path, since SQLite deletes a write-ahead log that has no database.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::files;
use crate::model::timestamp::Timestamp;
use crate::store::backup::manifest::DATABASE;
use crate::store::encryption::keys;
use crate::store::engine::location::lost::{Remains, companion, is_dangling, is_gone, look};
use crate::store::engine::lock::Lock;
use crate::store::engine::schema::APPLICATION_ID;
use crate::store::files::media_store;

/// Leading bytes that identify a file: the length of a tar header.
const HEAD_BYTES: usize = 512;

/// Magic bytes of an SQLite file, and the offset of its application id.
const SQLITE: (&[u8], usize) = (b"SQLite format 3\0", 68);

/// Magic bytes of a tar header, and their offset.
const TAR: (&[u8], usize) = (b"ustar", 257);

/// Magic bytes of compressed and encrypted files, whose content cannot be seen.
const PACKED: [&[u8]; 6] =
    [b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh", b"\x04\x22\x4d\x18", b"age-encryption.org/"];

/// Parts of a name that make such a file a possible backup or database.
const PACKED_NAMES: [&str; 3] = [".tar", ".tgz", ".db"];

/// Folder in the data directory in which a restore assembles the database.
pub const UNFINISHED: &str = "unfinished";

/// Prefix of the folders that [`set_aside`] creates.
const ASIDE: &str = "before-";

/// Folder for what only a running server needs, such as its socket. It holds no data.
pub const RUN: &str = "run";

/// Suffixes of the files that SQLite keeps beside a database in use.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Refuses to create a database where there has been one. Touches nothing.
pub fn refuse(config: &Config) -> Result<()> {
    match find(config)? {
        Some(remains) => Err(remains.refused(&config.database_path())),
        None => Ok(()),
    }
}

/// Remains of the configured database if it is missing; `None` if it exists or never did.
pub fn find(config: &Config) -> Result<Option<Remains>> {
    let database = config.database_path();
    if !is_gone(&database)? {
        return Ok(None);
    }
    let beside = database.parent().unwrap_or(Path::new("")).to_owned();
    let folders = [Some(&beside), Some(&config.data_directory), config.backup.directory.as_ref()];
    if let Some(found) = companion(&database)? {
        return Ok(Some(found));
    }
    for folder in folders.into_iter().flatten() {
        if let Some(found) = copy_in(&entries(folder)?) {
            return Ok(Some(found));
        }
    }
    match part_in(config)? {
        None => within(&config.data_directory),
        found => Ok(found),
    }
}

/// Other parts of a missing database in the data directory.
fn part_in(config: &Config) -> Result<Option<Remains>> {
    let left = [
        (config.data_directory.join(UNFINISHED), "an unfinished restored database"),
        (config.data_directory.join(media_store::NAME), "a folder with media files"),
    ];
    for (path, what) in left {
        if entries(&path)?.iter().any(|entry| !files::is_lost_and_found(entry)) {
            return Ok(Some(Remains { path, what }));
        }
    }
    Ok(None)
}

/// Clears the way for a new database at the operator's request: files that a new database would overwrite or adopt move into
/// a folder `before-…` in the data directory.
///
/// `Unusable` when there is a database, when a server that had it open is still running, or when none could be created; then
/// nothing has moved.
pub fn set_aside(config: &Config, now: Timestamp) -> Result<()> {
    let database = config.database_path();
    if !is_gone(&database)? {
        return Err(Error::Unusable(format!(
            "there is a database at {}: `--new` creates one only where there is none",
            database.display()
        )));
    }
    refuse_hopeless(config, &database)?;
    if find(config)?.is_none() {
        return Ok(());
    }
    let _lock = match database.parent() {
        Some(folder) if folder.is_dir() => Some(Lock::take(&database)?),
        _ => None,
    };
    let media = config.data_directory.join(media_store::NAME);
    let companions = COMPANIONS.map(|ending| files::beside(&database, ending));
    // The folders first: one that is a mount point cannot be moved.
    let left = [media, config.data_directory.join(UNFINISHED)].into_iter().chain(companions);
    let aside = config.data_directory.join(format!("{ASIDE}{}", now.as_file_name()));
    for path in left.filter(|path| path.symlink_metadata().is_ok()) {
        move_into(&aside, &path).map_err(|error| {
            Error::Unusable(format!("cannot move {} into {}: {error}", path.display(), aside.display()))
        })?;
        log::warn!("storage: {} was moved into {}", path.display(), aside.display());
    }
    Ok(())
}

/// Refuses what would make the new database fail after the old one has been set aside.
fn refuse_hopeless(config: &Config, database: &Path) -> Result<()> {
    keys::read(&config.key_source())?;
    if is_dangling(database)? {
        return Err(Error::Unusable(format!(
            "{} is a link that leads nowhere: mount its target, or remove the link; nothing was touched",
            database.display()
        )));
    }
    match database.parent() {
        Some(folder) if folder != config.data_directory && !folder.is_dir() => Err(Error::Unusable(format!(
            "there is no folder {} for a database: create it, or mount it; nothing was touched",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether this entry may be in a data directory that holds no data yet.
pub fn is_empty_database(path: &Path) -> bool {
    files::is_lost_and_found(path) || path.is_dir() && path.file_name().is_some_and(|name| name == RUN)
}

/// Looks one folder further down: the disk may be mounted one level off, or the old folder was moved into the new one.
fn within(data_directory: &Path) -> Result<Option<Remains>> {
    let folders = entries(data_directory)?.into_iter().filter(|path| path.is_dir());
    for folder in folders.filter(|path| path.file_name().is_none_or(|name| name != media_store::NAME)) {
        // An unreadable folder proves nothing, and may have nothing to do with kaiwa.
        let entries = entries(&folder).unwrap_or_default();
        let is_aside = folder.file_name().is_some_and(|name| name.as_bytes().starts_with(ASIDE.as_bytes()));
        if is_aside && !entries.is_empty() {
            let what = "a folder with files that were set aside for a new database";
            return Ok(Some(Remains { path: folder, what }));
        }
        if let Some(found) = copy_in(&entries) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A misplaced kaiwa database or a backup of one, whatever its name.
fn copy_in(entries: &[PathBuf]) -> Option<Remains> {
    let found = entries.iter().find_map(|path| {
        // An unreadable file proves nothing.
        let head = head(path).ok()?;
        let packed =
            || is_packed(path, &head).then_some("compressed, and judging by its name a database or a backup");
        Some((path, kind_of(&head).or_else(packed)?))
    });
    found.map(|(path, what)| Remains { path: path.clone(), what })
}

fn is_packed(path: &Path, head: &[u8]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    PACKED.iter().any(|start| head.starts_with(start)) && PACKED_NAMES.iter().any(|part| name.contains(part))
}

fn kind_of(head: &[u8]) -> Option<&'static str> {
    let at = |(text, place): (&[u8], usize)| head.get(place..place + text.len()) == Some(text);
    let ours = u32::try_from(APPLICATION_ID).map(u32::to_be_bytes).unwrap_or_default();
    if at((SQLITE.0, 0)) && at((&ours, SQLITE.1)) {
        return Some("a misplaced kaiwa database");
    }
    let first = [DATABASE.as_bytes(), b"\0"].concat();
    (at(TAR) && at((&first, 0))).then_some("a backup of a kaiwa database")
}

/// The first bytes of a regular file; empty for anything else, since reading a pipe or device could block.
fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    if fs::metadata(path)?.is_file() {
        File::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    }
    Ok(head)
}

/// Entries of a folder, sorted by name; empty if the folder does not exist.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Some(entries) = look(folder.read_dir(), folder)? else { return Ok(Vec::new()) };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = look(paths, folder)?.unwrap_or_default();
    paths.sort();
    Ok(paths)
}

fn move_into(folder: &Path, path: &Path) -> io::Result<()> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    files::create_directory(folder)?;
    files::rename(path, &folder.join(name))
}
