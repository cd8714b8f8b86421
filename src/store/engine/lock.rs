//! Locks: one process writes a database, one searches a data directory.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;
use crate::store::engine::failure;

/// The lock of the process that writes the database. The system releases it when the process ends.
pub struct Lock {
    _held: LockedFile,
}

impl Lock {
    /// Takes the lock; `Unusable` at once when another process has it.
    pub fn take(database: &Path) -> Result<Self> {
        let path = lock_path(database);
        let failed = |error| failure::on_disk("open", &path, &error);
        let file = files::open_or_create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _held: LockedFile(file) }),
            Err(TryLockError::WouldBlock) => Err(Error::Unusable(format!(
                "another kaiwa process has {} open; stop it, or use its HTTP interface",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// The lock of the process that searches a data directory for traces, and makes a copy of the database there. It is taken on the
/// folder itself, since a full disk has no room for another file.
pub struct Search {
    _held: LockedFile,
}

impl Search {
    /// Takes the lock; `Conflict` when another process has it.
    pub fn begin(data_directory: &Path) -> Result<Self> {
        let failed = |error| failure::on_disk("open", data_directory, &error);
        let folder = File::open(data_directory).map_err(failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(Self { _held: LockedFile(folder) }),
            Err(TryLockError::WouldBlock) => Err(Error::Conflict(format!(
                "another `kaiwa erase` is at work in {}; wait until it has ended",
                data_directory.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// A file or folder that is locked until this is dropped.
struct LockedFile(File);

impl Drop for LockedFile {
    /// Unlocks explicitly: a child process has a copy of the file descriptor until its `exec`, which would keep the lock until
    /// then.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            log::warn!("storage: a lock could not be released: {error}");
        }
    }
}

/// A separate file beside the database: closing a second handle of the database itself would drop SQLite's locks.
fn lock_path(database: &Path) -> PathBuf {
    files::beside(database, ".lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_released_although_a_child_process_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("kaiwa.db");
        let file = files::open_or_create(&lock_path(&database)).unwrap();
        let _copy = file.try_clone().unwrap();
        file.try_lock().unwrap();
        let held = LockedFile(file);
        assert!(Lock::take(&database).is_err());

        drop(held);

        assert!(Lock::take(&database).is_ok());
    }
}
