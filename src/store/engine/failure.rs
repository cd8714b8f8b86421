//! The one place that turns database errors into ours.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;
use crate::store::engine::health;

/// A disk with less room than this takes no page and no index of a log any more.
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

/// What SQLite said of the file at this path: that is damaged only when SQLite has read it and says so.
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

/// Names the file when SQLite has read it and says that it is damaged.
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

/// The same, and names the disk where the storage does not work.
pub fn named(path: &Path) -> impl Fn(Error) -> Error {
    move |error| match damaged(path)(error) {
        Error::Unavailable(_) if is_full(path) => full(path),
        Error::Unavailable(text) => Error::Unavailable(format!("{text} ({})", path.display())),
        other => other,
    }
}

/// What went wrong with a file that was to be read or written.
pub fn on_disk(doing: &str, path: &Path, error: &io::Error) -> Error {
    if is_of_full_disk(error) {
        return full(path);
    }
    Error::Unusable(format!("cannot {doing} {}: {error}", path.display()))
}

/// What went wrong while a file was written: our fault, unless its disk is full.
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

/// Ends the process after an error after which nothing in memory can be trusted: only a new start from the file is right.
///
/// After a failed fsync the kernel may have dropped the pages, and the next fsync may report success all the same.
pub fn exit_if_fatal(error: &rusqlite::Error) {
    if is_fatal(error) {
        log::error!("storage: the file cannot be trusted any more in this process; start again");
        std::process::exit(1);
    }
}

fn is_fatal(error: &rusqlite::Error) -> bool {
    /// `SQLITE_IOERR_FSYNC` and `SQLITE_IOERR_DIR_FSYNC`.
    const FSYNC: [i32; 2] = [1034, 1290];
    let extended = error.sqlite_error().map_or(0, |failure| failure.extended_code);
    is_corrupt(error) || FSYNC.contains(&extended)
}

/// Whether SQLite has read something that is no database.
fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
