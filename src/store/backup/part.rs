//! The temporary folder in which a backup is written, beside its destination.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;
use crate::store::engine::failure;

/// Lock file in the folder, held while a process writes the backup.
const LOCK: &str = "lock";

/// Extension of the folder.
const ENDING: &str = ".part";

/// A hidden folder with owner-only permissions. It is removed on drop.
pub struct PartialBackup {
    folder: PathBuf,
    file: PathBuf,
    _lock: File,
}

impl PartialBackup {
    /// Starts writing a file and removes the remains of an interrupted attempt.
    ///
    /// `Conflict` when the file exists already or another process is writing it.
    pub fn begin(file: &Path) -> Result<Self> {
        if file.symlink_metadata().is_ok() {
            return Err(Error::Conflict(format!("{} already exists; choose another name", file.display())));
        }
        let name = file.file_name().ok_or_else(|| unusable(file, "this is not a file name"))?;
        let folder =
            file.with_file_name(OsString::from_vec([b".", name.as_bytes(), ENDING.as_bytes()].concat()));
        let failed = |error| failure::on_disk("write", file, &error);
        files::create_directory(&folder).map_err(failed)?;
        let lock = files::open_or_create(&folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Conflict(format!("{} is already being written", file.display())));
            }
            Err(TryLockError::Error(error)) => return Err(Error::internal(error)),
        }
        let part = Self { folder, file: file.to_owned(), _lock: lock };
        part.sweep().map_err(Error::internal)?;
        Ok(part)
    }

    /// Path of a file of this name in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The destination.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Creates a file in the folder with owner-only permissions.
    pub fn create(&self, name: &str) -> Result<File> {
        files::create(&self.path(name)).map_err(|error| failure::on_disk("write", &self.file, &error))
    }

    /// Moves a synced file to the destination and makes the move durable.
    pub fn finish(self, name: &str) -> Result<()> {
        files::rename(&self.path(name), &self.file)
            .map_err(|error| failure::on_disk("write", &self.file, &error))
    }

    fn sweep(&self) -> io::Result<()> {
        for entry in self.folder.read_dir()? {
            let entry = entry?;
            if entry.file_name() != LOCK {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for PartialBackup {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            log::warn!("backup: {} could not be removed: {error}", self.folder.display());
        }
    }
}

/// Removes the folders that interrupted attempts left in this directory.
pub fn sweep_interrupted(directory: &Path) -> io::Result<()> {
    for entry in directory.read_dir()? {
        let name = entry?.file_name();
        let file = name.as_bytes().strip_prefix(b".").and_then(|name| name.strip_suffix(ENDING.as_bytes()));
        // One that is being written is locked, so `begin` refuses it.
        drop(file.map(|file| PartialBackup::begin(&directory.join(OsString::from_vec(file.to_owned())))));
    }
    Ok(())
}

fn unusable(file: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Unusable(format!("cannot write {}: {reason}", file.display()))
}
