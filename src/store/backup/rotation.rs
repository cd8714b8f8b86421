//! The folder of backups that are made by themselves: named by their time, the oldest of them removed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
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
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
        part::sweep_interrupted(directory).map_err(unusable)?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Where the backup of this time is, or will be.
    pub fn path(&self, time: Timestamp) -> PathBuf {
        let time = time.to_string().replace(' ', "T").replace(':', "-");
        self.directory.join(format!("{}{time}{}", NAME.0, NAME.1))
    }

    /// The times of all backups, oldest first. Files with other names are nobody's business here.
    pub fn times(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        for entry in self.directory.read_dir().map_err(Error::internal)? {
            let name = entry.map_err(Error::internal)?.file_name();
            times.extend(time_of(&name.to_string_lossy()));
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Removes all but the newest, and tells how many that were.
    pub fn keep_newest(&self, count: usize) -> Result<usize> {
        let times = self.times()?;
        let surplus = times.len().saturating_sub(count);
        for time in &times[..surplus] {
            std::fs::remove_file(self.path(*time)).map_err(Error::internal)?;
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

        assert_eq!(rotation.keep_newest(2).unwrap(), 1);

        assert_eq!(rotation.times().unwrap(), [hour(2), hour(3)]);
        assert_eq!(folder.path().read_dir().unwrap().count(), 5);
        assert!(rotation.path(NOW).ends_with("kaiwa-2023-11-14T22-13-20.000000.tar"));
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
