//! The only place that converts errors of SQLite and of the disk into [`Error`].

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;
use crate::store::engine::health;

/// With less free space than this a disk has no room for a page or the index of a log.
const NO_ROOM_BYTES: u64 = 64 * 1024;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Unavailable("the disk is full".to_owned()),
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory,
            ) => Self::Unavailable(format!("the storage does not work: {error}")),
            _ => Self::internal(error),
        }
    }
}

/// The error for a failure of SQLite on the file at this path. The file is called damaged only if SQLite has read it and says
/// so.
pub fn of(path: &Path, error: rusqlite::Error) -> Error {
    let refused = |doing: &str| {
        if is_full(path) {
            return full(path);
        }
        Error::Unusable(format!("{} {doing}: {error}", path.display()))
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Unusable(format!("{} cannot be read as a database: {error}", path.display()))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            refused("cannot be opened")
        }
        _ => named(path)(error.into()),
    }
}

/// Adds the path to an error by which SQLite says that the file is damaged.
pub fn damaged(path: &Path) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Internal(source) => match source.downcast::<rusqlite::Error>() {
            Ok(error) if is_corrupt(&error) => of(path, *error),
            Ok(error) => Error::Internal(error),
            Err(source) => Error::Internal(source),
        },
        other => other,
    }
}

/// The same, and adds the path when the storage fails.
pub fn named(path: &Path) -> impl Fn(Error) -> Error {
    move |error| match damaged(path)(error) {
        Error::Unavailable(_) if is_full(path) => full(path),
        Error::Unavailable(text) => Error::Unavailable(format!("{text} ({})", path.display())),
        other => other,
    }
}

/// The error for a file that could not be read or written.
pub fn on_disk(doing: &str, path: &Path, error: &io::Error) -> Error {
    if is_of_full_disk(error) {
        return full(path);
    }
    Error::Unusable(format!("cannot {doing} {}: {error}", path.display()))
}

/// The error for a failure while a file was written: internal, unless the disk is full.
pub fn while_writing(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| if is_of_full_disk(&error) { full(path) } else { Error::internal(error) }
}

fn is_of_full_disk(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn full(path: &Path) -> Error {
    Error::Unavailable(format!("the disk of {} is full", path.display()))
}

fn is_full(path: &Path) -> bool {
    health::free_bytes(path).is_ok_and(|free| free < NO_ROOM_BYTES)
}

/// Ends the process after an error that leaves memory and disk inconsistent: only a restart from the file is safe.
///
/// After a failed fsync the kernel may have dropped the pages, and the next fsync may report success all the same.
pub fn exit_if_fatal(error: &rusqlite::Error) {
    if is_fatal(error) {
        log::error!("storage: this process can no longer trust the file; restart it");
        std::process::exit(1);
    }
}

fn is_fatal(error: &rusqlite::Error) -> bool {
    /// `SQLITE_IOERR_FSYNC` and `SQLITE_IOERR_DIR_FSYNC`.
    const FSYNC: [i32; 2] = [1034, 1290];
    let extended = error.sqlite_error().map_or(0, |failure| failure.extended_code);
    is_corrupt(error) || FSYNC.contains(&extended)
}

/// Whether SQLite says that the file is corrupt or not a database.
fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
