//! The folder of backups that are made by themselves: named by their time, the oldest of them removed.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::files;
use crate::model::timestamp::Timestamp;
use crate::store::backup::part;

/// What the name of a backup begins and ends with.
const NAME: (&str, &str) = ("kaiwa-", ".tar");

/// A folder of backups.
#[derive(Debug, Clone)]
pub struct Rotation {
    directory: PathBuf,
}

impl Rotation {
    /// Backups in this directory, which is made if there is none. What is left of interrupted ones is removed.
    pub fn open(directory: &Path) -> Result<Self> {
        let unusable = |error| {
            Error::Unusable(format!("cannot use the backup directory {}: {error}", directory.display()))
        };
        files::make_folder(directory).map_err(unusable)?;
        part::sweep_interrupted(directory).map_err(unusable)?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Where the backup of this time is, or will be.
    pub fn path(&self, time: Timestamp) -> PathBuf {
        self.directory.join(format!("{}{}{}", NAME.0, time.as_file_name(), NAME.1))
    }

    /// The times of all backups, oldest first. Files with other names are nobody's business here.
    pub fn times(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        for entry in self.directory.read_dir().map_err(Error::internal)? {
            let name = entry.map_err(Error::internal)?.file_name();
            times.extend(name.to_str().and_then(time_of));
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Keeps the backup that was just made and the newest before it, so many in all, and tells which were removed.
    ///
    /// What is named after a later time was made while a clock was ahead. Nobody knows how old it really is: it takes
    /// nobody's place, and is removed only once its time has come.
    pub fn keep_newest(&self, count: usize, made: Timestamp) -> Result<Vec<PathBuf>> {
        let mut earlier = self.times()?;
        earlier.retain(|time| *time < made);
        let surplus = earlier.len().saturating_sub(count.saturating_sub(1));
        let surplus: Vec<_> = earlier[..surplus].iter().map(|time| self.path(*time)).collect();
        for path in &surplus {
            std::fs::remove_file(path).map_err(Error::internal)?;
        }
        Ok(surplus)
    }
}

fn time_of(name: &str) -> Option<Timestamp> {
    let time = name.strip_prefix(NAME.0)?.strip_suffix(NAME.1)?;
    let (date, clock) = time.split_once('T')?;
    format!("{date} {}", clock.replace('-', ":")).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    #[test]
    fn the_oldest_go_and_files_of_other_names_stay() {
        let folder = tempfile::tempdir().unwrap();
        let rotation = Rotation::open(folder.path()).unwrap();
        let hour = |hours| NOW.after(std::time::Duration::from_hours(hours));
        for time in [hour(3), hour(1), hour(2)] {
            std::fs::write(rotation.path(time), "").unwrap();
        }
        for name in ["kaiwa-monday.tar", "kaiwa-2023-11-14.tar", "precious"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }

        assert_eq!(rotation.keep_newest(2, hour(3)).unwrap(), [rotation.path(hour(1))]);

        assert_eq!(rotation.times().unwrap(), [hour(2), hour(3)]);
        assert_eq!(folder.path().read_dir().unwrap().count(), 5);
        assert!(rotation.path(NOW).ends_with("kaiwa-2023-11-14T22-13-20.000000.tar"));
    }

    #[test]
    fn what_was_just_made_stays_whatever_the_clock_has_named_before() {
        let hours = |count: u64| NOW.after(std::time::Duration::from_hours(count));
        let (past, future) = ([hours(1), hours(2), hours(3)], [hours(1_000), hours(2_000), hours(3_000)]);
        // By a good clock, one that was set back, and one that is ahead of all others.
        for (made, kept) in [
            (hours(4), [hours(3), hours(4)].as_slice()),
            (hours(0), &[hours(0), hours(1), hours(2), hours(3)]),
            (hours(2_500), &[hours(2_000), hours(2_500)]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let rotation = Rotation::open(folder.path()).unwrap();
            for time in past.into_iter().chain(future).chain([made]) {
                std::fs::write(rotation.path(time), "").unwrap();
            }

            rotation.keep_newest(2, made).unwrap();
            rotation.keep_newest(2, made).unwrap();

            let left = rotation.times().unwrap();
            let later = future.into_iter().filter(|time| *time > made);
            assert_eq!(left, kept.iter().copied().chain(later).collect::<Vec<_>>(), "made at {made}");
        }
    }

    #[test]
    fn what_is_left_of_an_interrupted_backup_goes_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join(".kaiwa-old.tar.part");
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join("archive"), "half").unwrap();
        let part = part::Part::begin(&folder.path().join("kaiwa-new.tar")).unwrap();

        Rotation::open(folder.path()).unwrap();

        assert!(!dead.exists() && part.path("").exists());
    }
}
