//! One process for each file.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;
use crate::store::engine::failure;

/// The right to write the database, for as long as it is held. The system takes it back when the process ends.
pub struct Lock {
    _held: LockedFile,
}

impl Lock {
    /// Takes the right, or refuses at once when another process has it.
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

/// The right to look for traces in a data directory: whoever does so makes a copy of the database there. It is held on the folder
/// itself, since a full disk has no room for one file more.
pub struct Search {
    _held: LockedFile,
}

impl Search {
    /// Takes the right; `Conflict` when another process has it.
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

/// A file or folder that is locked until this goes.
struct LockedFile(File);

impl Drop for LockedFile {
    /// Unlocks by name: a process that is being started has a copy of the open file until its program begins, and would keep the
    /// lock for as long.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            log::warn!("storage: a lock was not given back: {error}");
        }
    }
}

/// A file of its own beside the database: closing a second handle of the database itself would drop SQLite's locks.
fn lock_path(database: &Path) -> PathBuf {
    files::beside(database, ".lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_although_a_process_that_is_being_started_has_a_copy_of_the_file() {
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
