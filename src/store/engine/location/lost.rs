//! Whether a database is lost: its file is missing but a companion that SQLite keeps beside it is there. The file was moved, or
//! its disk is not mounted.
//!
//! This has to be checked before SQLite opens the path, since SQLite deletes a log without its database.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;

/// Something that only a database leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) what: &'static str,
}

/// Refuses a path without a database before it is opened.
pub fn require(database: &Path) -> Result<()> {
    refuse(database)?;
    if is_gone(database)? {
        return Err(Error::Unusable(format!("there is no database at {}", database.display())));
    }
    Ok(())
}

/// Refuses to open a missing or empty file that has a log.
pub fn refuse(database: &Path) -> Result<()> {
    if !is_gone(database)? {
        return Ok(());
    }
    match companion(database)? {
        Some(remains) => Err(remains.refused(database)),
        None => Ok(()),
    }
}

impl Remains {
    /// Path and kind, for a person.
    pub fn describe(&self) -> String {
        format!("{}: {}", self.path.display(), self.what)
    }

    pub(in crate::store) fn refused(&self, database: &Path) -> Error {
        Error::Unusable(format!(
            "there is no database at {}, and there has been one: {} is {}. Is a disk not mounted, or was the file moved? Put \
             it back, or begin a new one on purpose with `kaiwa migrate --new`; nothing was touched",
            database.display(),
            self.path.display(),
            self.what
        ))
    }
}

/// Whether there is no database here. An interrupted start, or one on a full disk, leaves an empty file, so that is no sign of
/// a database, not even beside a key, which may have been put there before the first start.
pub(in crate::store) fn is_gone(database: &Path) -> Result<bool> {
    Ok(look(fs::metadata(database), database)?.is_none_or(|file| file.len() == 0))
}

/// A companion file that exists only together with a database.
pub(in crate::store) fn companion(database: &Path) -> Result<Option<Remains>> {
    if is_dangling(database)? {
        return Ok(Some(Remains { path: database.to_owned(), what: "a link that leads nowhere" }));
    }
    let log = files::beside(database, "-wal");
    if look(fs::symlink_metadata(&log), &log)?.is_some() {
        return Ok(Some(Remains { path: log, what: "the log of a database" }));
    }
    // An interrupted start leaves a journal too, but beside an empty file.
    let journal = files::beside(database, "-journal");
    let undoes = look(fs::metadata(&journal), &journal)?.is_some_and(|journal| journal.len() > 0);
    if undoes && look(fs::metadata(database), database)?.is_none() {
        return Ok(Some(Remains { path: journal, what: "the journal of a database" }));
    }
    Ok(None)
}

pub(in crate::store) fn is_dangling(path: &Path) -> Result<bool> {
    let link = look(fs::symlink_metadata(path), path)?.filter(Metadata::is_symlink);
    Ok(link.is_some() && look(fs::metadata(path), path)?.is_none())
}

/// The result of examining a path; `None` when nothing is there. Other errors must not be taken for that.
pub(in crate::store) fn look<T>(found: io::Result<T>, path: &Path) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Unusable(format!("cannot look at {}: {error}", path.display()))),
    }
}
