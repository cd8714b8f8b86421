//! The folder of automatic backups: named by their time, the oldest removed.

use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;
use crate::model::timestamp::Timestamp;
use crate::store::backup::part;

/// Prefix and extension of the name of a backup.
const NAME: (&str, &str) = ("kaiwa-", ".tar");

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct BackupRotation {
    directory: PathBuf,
}

impl BackupRotation {
    /// Opens the folder, and creates it if it does not exist. Removes the remains of interrupted backups.
    pub fn open(directory: &Path) -> Result<Self> {
        let unusable = |error| {
            Error::Unusable(format!("cannot use the backup directory {}: {error}", directory.display()))
        };
        files::create_directory(directory).map_err(unusable)?;
        part::sweep_interrupted(directory).map_err(unusable)?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Path of the backup made at this time.
    pub fn path(&self, time: Timestamp) -> PathBuf {
        self.directory.join(name_of(time))
    }

    /// The times of all backups, oldest first. Ignores files with other names, empty files, and anything that is not a regular
    /// file.
    pub fn times(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        for entry in self.directory.read_dir().map_err(Error::internal)? {
            let entry = entry.map_err(Error::internal)?;
            times.extend(entry.file_name().to_str().and_then(time_of).filter(|_| has_content(&entry)));
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Keeps the backup that was just made and the newest ones before it, `count` in all, and removes the others. Returns for
    /// each of those whether it could be removed; one that could not does not prevent the removal of the rest.
    ///
    /// A backup named after a later time was made while the clock was ahead. Its real age is unknown: it does not count
    /// towards `count`, and is removed only once its time has come.
    pub fn retain_newest(&self, count: usize, made: Timestamp) -> Result<Vec<(PathBuf, io::Result<()>)>> {
        let mut earlier = self.times()?;
        earlier.retain(|time| *time < made);
        let surplus = earlier.len().saturating_sub(count.saturating_sub(1));
        let surplus = earlier[..surplus].iter().map(|time| self.path(*time));
        Ok(surplus.map(|path| (path.clone(), std::fs::remove_file(path))).collect())
    }
}

fn name_of(time: Timestamp) -> String {
    format!("{}{}{}", NAME.0, time.as_file_name(), NAME.1)
}

/// Time of a backup. Only the spelling that `name_of` writes is accepted.
fn time_of(name: &str) -> Option<Timestamp> {
    let time = name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?;
    let (date, clock) = time.split_once('T')?;
    let time = format!("{date} {}", clock.replace('-', ":")).parse().ok();
    time.filter(|time| name_of(*time) == name)
}

fn has_content(entry: &DirEntry) -> bool {
    entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    /// Names that are not those of a backup, though some parse as a time.
    const ODD: [&str; 8] = [
        "kaiwa-monday.tar",
        "kaiwa-2023-11-14.tar",
        "kaiwa-2020-01-02T00:00:00.000000.tar",
        "kaiwa-2020-01-02T00-00:00.000000.tar",
        "kaiwa-2020-01-02T00-00-00.000000.tar.tar",
        "kaiwa-2020-01-02 00-00-00.000000.tar",
        "kaiwa-+2020-01-02T00-00-00.000000.tar",
        "precious",
    ];

    #[test]
    fn the_oldest_are_removed_and_files_with_other_names_stay() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = BackupRotation::open(folder.path()).unwrap();
        let hour = |hours| NOW.after(std::time::Duration::from_hours(hours));
        for time in [hour(3), hour(1), hour(2)] {
            std::fs::write(rotation.path(time), "backup").unwrap();
        }
        for name in ODD {
            std::fs::write(folder.path().join(name), "precious").unwrap();
        }
        std::fs::write(rotation.path(NOW), "").unwrap();
        std::fs::create_dir(rotation.path(hour(4))).unwrap();
        std::os::unix::fs::symlink(rotation.path(hour(3)), rotation.path(hour(5))).unwrap();

        let removed = rotation.retain_newest(2, hour(3)).unwrap();

        assert!(matches!(&removed[..], [(path, Ok(()))] if *path == rotation.path(hour(1))), "{removed:?}");
        assert_eq!(rotation.times().unwrap(), [hour(2), hour(3)]);
        assert_eq!(folder.path().read_dir().unwrap().count(), ODD.len() + 5);
        assert!(rotation.path(NOW).ends_with("kaiwa-2023-11-14T22-13-20.000000.tar"));
    }

    #[test]
    fn the_newest_backup_stays_whatever_the_clock_did_before() {
        let hours = |count: u64| NOW.after(std::time::Duration::from_hours(count));
        let (past, future) = ([hours(1), hours(2), hours(3)], [hours(1_000), hours(2_000), hours(3_000)]);
        // A correct clock, one that was set back, and one that is ahead of the others.
        for (made, kept) in [
            (hours(4), [hours(3), hours(4)].as_slice()),
            (hours(0), &[hours(0), hours(1), hours(2), hours(3)]),
            (hours(2_500), &[hours(2_000), hours(2_500)]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let rotation = BackupRotation::open(folder.path()).unwrap();
            for time in past.into_iter().chain(future).chain([made]) {
                std::fs::write(rotation.path(time), "backup").unwrap();
            }

            rotation.retain_newest(2, made).unwrap();
            rotation.retain_newest(2, made).unwrap();

            let left = rotation.times().unwrap();
            let later = future.into_iter().filter(|time| *time > made);
            assert_eq!(left, kept.iter().copied().chain(later).collect::<Vec<_>>(), "made at {made}");
        }
    }

    #[test]
    fn an_interrupted_backup_is_removed_and_one_in_progress_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".kaiwa-old.tar.part");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("archive"), "half").unwrap();
        let part = part::PartialBackup::begin(&folder.path().join("kaiwa-new.tar")).unwrap();

        BackupRotation::open(folder.path()).unwrap();

        assert!(!dead.exists() && part.path("").exists());
    }
}
