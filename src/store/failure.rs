//! The one place that turns database errors into ours.

use rusqlite::ErrorCode;

use crate::error::Error;

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
    let damaged =
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
    damaged || FSYNC.contains(&extended)
}
