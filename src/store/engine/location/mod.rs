//! Whether the files of an open database are still where the next start will look for them.
//!
//! A file that was moved, removed or replaced stays open and accepts every write, but the next start does not find them.

pub mod lost;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::files::{self, identity};

/// Endings of the files that must stay in place while a database is open, beside the database itself.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", ".lock"];

/// The files of an open database. Clones watch the same ones.
#[derive(Clone)]
pub struct DatabaseLocation {
    shared: Arc<LocationState>,
}

struct LocationState {
    database: KnownFile,
    companions: Vec<KnownFile>,
    medias: OnceLock<KnownFile>,
    /// Why the database is lost. It is set once.
    lost: watch::Sender<Option<String>>,
}

/// A file or folder as it was when the database was opened.
struct KnownFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl DatabaseLocation {
    /// The files of a database that was just opened.
    pub fn of(database: &Path) -> Result<Self> {
        let companions = COMPANIONS.iter().map(|ending| KnownFile::at(files::beside(database, ending)));
        let companions = companions.collect::<Result<_>>()?;
        let (lost, _) = watch::channel(None);
        let shared = LocationState {
            database: KnownFile::at(database.to_owned())?,
            companions,
            medias: OnceLock::new(),
            lost,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Watches the folder of the media store too from now on.
    pub fn watch_medias(&self, folder: &Path) -> Result<()> {
        let folder = KnownFile::at(folder.to_owned())?;
        self.shared.medias.set(folder).map_err(|_| Error::internal("the media store is watched already"))
    }

    /// `Unavailable` once a file is no longer the one that was opened, and from then on even if it is put back. Takes some
    /// microseconds.
    pub fn check(&self) -> Result<()> {
        if self.shared.lost.borrow().is_some() {
            return Err(given_up());
        }
        let LocationState { database, companions, medias, lost } = &*self.shared;
        for known in std::iter::once(database).chain(companions).chain(medias.get()) {
            if let Some(fault) = known.fault()? {
                let reason = format!("{} {fault} while it was open", known.path.display());
                log::error!("storage: {reason}: no more writes are accepted");
                lost.send_replace(Some(reason));
                return Err(given_up());
            }
        }
        Ok(())
    }

    /// Whether only the log is missing, so that only this process has the pages that are not yet in the file.
    pub fn has_only_lost_its_log(&self) -> bool {
        let is_there = |known: &KnownFile| matches!(known.fault(), Ok(None));
        let log = &self.shared.companions[0];
        is_there(&self.shared.database)
            && !log.path.exists()
            && self.shared.companions[1..].iter().all(is_there)
    }

    /// Checks again, and returns why the database is lost; `None` while it is in place.
    pub fn loss(&self) -> Option<Error> {
        drop(self.check());
        let lost = self.shared.lost.borrow();
        let explained = |reason: &String| {
            Error::Unusable(format!(
                "{reason}; a later start would not find what is written now. Put it back, and start again"
            ))
        };
        lost.as_ref().map(explained)
    }

    /// Waits until the database is lost.
    pub async fn lost(&self) {
        // The sender exists as long as `self`.
        drop(self.shared.lost.subscribe().wait_for(Option::is_some).await);
    }
}

impl KnownFile {
    fn at(path: PathBuf) -> Result<Self> {
        let found = fs::metadata(&path);
        let found =
            found.map_err(|error| Error::Unusable(format!("cannot look at {}: {error}", path.display())))?;
        Ok(Self { identity: identity(&found), path })
    }

    /// What happened to the file; `None` while it is the same.
    fn fault(&self) -> Result<Option<&'static str>> {
        match fs::metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => Ok(None),
            Ok(_) => Ok(Some("was replaced")),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Some("was moved or removed"))
            }
            // If it cannot be examined, it is not known to be lost.
            Err(error) => Err(Error::Unavailable(format!("cannot look at {}: {error}", self.path.display()))),
        }
    }
}

fn given_up() -> Error {
    Error::Unavailable("the files of the database were moved or removed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::connection;

    fn opened(folder: &Path) -> (rusqlite::Connection, DatabaseLocation) {
        let database = folder.join("kaiwa.db");
        let connection = connection::open_writing(&database).unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        fs::write(folder.join("kaiwa.db.lock"), "").unwrap();
        fs::create_dir(folder.join("media")).unwrap();
        let place = DatabaseLocation::of(&database).unwrap();
        place.watch_medias(&folder.join("media")).unwrap();
        (connection, place)
    }

    #[test]
    fn a_file_that_is_moved_removed_or_replaced_is_noticed_for_good() {
        for name in ["kaiwa.db", "kaiwa.db-wal", "kaiwa.db-shm", "kaiwa.db.lock", "media", ""] {
            for is_replaced in [false, true] {
                let outer = tempfile::tempdir().unwrap();
                let folder = outer.path().join("data");
                fs::create_dir(&folder).unwrap();
                let (_connection, place) = opened(&folder);
                place.check().unwrap();

                let (path, aside) = (folder.join(name), outer.path().join("aside"));
                fs::rename(&path, &aside).unwrap();
                if is_replaced {
                    copy(&aside, &path);
                }

                let refused = place.check();
                assert!(matches!(refused, Err(Error::Unavailable(_))), "{name:?}, replaced: {is_replaced}");
                if !is_replaced {
                    fs::rename(&aside, &path).unwrap();
                }
                assert!(place.check().is_err(), "{name:?}");
            }
        }
    }

    fn copy(from: &Path, to: &Path) {
        if !from.is_dir() {
            fs::copy(from, to).unwrap();
            return;
        }
        fs::create_dir(to).unwrap();
        for entry in from.read_dir().unwrap().map(Result::unwrap) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    }

    #[test]
    fn a_file_that_is_written_or_truncated_is_still_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, place) = opened(folder.path());

        connection.execute_batch("INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)").unwrap();

        place.check().unwrap();
        assert!(!place.has_only_lost_its_log());
        fs::remove_file(folder.path().join("kaiwa.db-wal")).unwrap();
        assert!(place.has_only_lost_its_log());
    }
}
