//! Whether the files of an open database are still where the next start will look for them.
//!
//! A file that was moved, removed or replaced stays open, and takes every write; only nobody will ever find what was written.

pub mod lost;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::files::{self, identity};

/// What has to be at its path while a database is open, beside the database itself.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", ".lock"];

/// The files of an open database. Copies watch the same ones.
#[derive(Clone)]
pub struct DatabaseLocation {
    shared: Arc<LocationState>,
}

struct LocationState {
    database: KnownFile,
    companions: Vec<KnownFile>,
    medias: OnceLock<KnownFile>,
    /// Why the database is given up. Once there is a reason it stays.
    lost: watch::Sender<Option<String>>,
}

/// A file or folder as it was when the database was opened.
struct KnownFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl DatabaseLocation {
    /// What is at the paths of a database that was opened a moment ago.
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

    /// Watches the folder of files too from now on.
    pub fn watch_medias(&self, folder: &Path) -> Result<()> {
        let folder = KnownFile::at(folder.to_owned())?;
        self.shared.medias.set(folder).map_err(|_| Error::internal("the folder of files is watched already"))
    }

    /// `Unavailable` as soon as a file is not the one any more that was opened, and from then on whatever becomes of it.
    /// It costs some microseconds.
    pub fn check(&self) -> Result<()> {
        if self.shared.lost.borrow().is_some() {
            return Err(given_up());
        }
        let LocationState { database, companions, medias, lost } = &*self.shared;
        for known in std::iter::once(database).chain(companions).chain(medias.get()) {
            if let Some(fault) = known.fault()? {
                let reason = format!("{} {fault} while it was open", known.path.display());
                log::error!("storage: {reason}: nothing is written any more");
                lost.send_replace(Some(reason));
                return Err(given_up());
            }
        }
        Ok(())
    }

    /// Whether the log alone is missing, so that only this process has what was not copied into the file yet.
    pub fn has_only_lost_its_log(&self) -> bool {
        let is_there = |known: &KnownFile| matches!(known.fault(), Ok(None));
        let log = &self.shared.companions[0];
        is_there(&self.shared.database)
            && !log.path.exists()
            && self.shared.companions[1..].iter().all(is_there)
    }

    /// Looks once more, and tells why the database was given up; nothing while it is in its place.
    pub fn loss(&self) -> Option<Error> {
        // What this finds is what is told.
        drop(self.check());
        let lost = self.shared.lost.borrow();
        let explained = |reason: &String| {
            Error::Unusable(format!(
                "{reason}; what is answered now would be found by no later start. Put it back, and start again"
            ))
        };
        lost.as_ref().map(explained)
    }

    /// Waits until the database is given up.
    pub async fn lost(&self) {
        // The channel ends with the place, which is held here.
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

    /// What has become of it; nothing while it is what it was.
    fn fault(&self) -> Result<Option<&'static str>> {
        match fs::metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => Ok(None),
            Ok(_) => Ok(Some("was replaced")),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Some("was moved or removed"))
            }
            // Whoever cannot look does not know.
            Err(error) => Err(Error::Unavailable(format!("cannot look at {}: {error}", self.path.display()))),
        }
    }
}

fn given_up() -> Error {
    Error::Unavailable("the files of the database are not where they were".to_owned())
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
    fn whatever_is_moved_removed_or_replaced_is_noticed_and_stays_noticed() {
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
