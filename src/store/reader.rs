//! Connections that only read: those of the pool for reads that may take long, and short reads on the thread that asks for
//! them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use r2d2::{ManageConnection, Pool};
use rusqlite::Connection;

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::store::encryption::sealer::Sealer;
use crate::store::engine::location::DatabaseLocation;
use crate::store::engine::location::lost;
use crate::store::engine::{connection, failure, schema};

/// Connections for reads that may take long.
const POOL_SIZE: u32 = 4;

/// How long such a read waits for a connection.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections for reads that may take long.
pub fn pool(path: &Path, sealer: &Sealer, place: &DatabaseLocation) -> Result<Pool<ReadOnly>> {
    Pool::builder()
        .max_size(POOL_SIZE)
        .min_idle(Some(0))
        .max_lifetime(None)
        .test_on_check_out(false)
        .connection_timeout(POOL_TIMEOUT)
        .build(ReadOnly { path: path.to_owned(), sealer: sealer.clone(), place: place.clone() })
        .map_err(Error::internal)
}

/// How the pool makes and judges its connections.
pub struct ReadOnly {
    path: PathBuf,
    sealer: Sealer,
    place: DatabaseLocation,
}

impl ManageConnection for ReadOnly {
    type Connection = Connection;
    type Error = Error;

    fn connect(&self) -> Result<Connection> {
        let connection = connection::open_reading(&self.path)?;
        self.place.check()?;
        self.sealer.install(&connection)?;
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<()> {
        Ok(connection.execute_batch("SELECT 1")?)
    }

    /// A transaction that was left open costs the connection, not its next user.
    fn has_broken(&self, connection: &mut Connection) -> bool {
        !connection.is_autocommit()
    }
}

/// A read-only connection of one thread.
pub struct Reader {
    connection: Connection,
    /// Which file an error names that only a damaged one causes; none in a server, whose callers are told of no files.
    path: Option<PathBuf>,
}

impl Reader {
    /// Opens an existing database for reading, also beside a process that writes it.
    ///
    /// `Unusable` when there is none, when it has another schema than this program, or when its secrets are sealed with
    /// another key.
    pub fn open(path: &Path, keys: &KeySource) -> Result<Self> {
        // Who reads needs room too: SQLite makes an index of the log.
        Self::open_at(path, keys).map_err(failure::named(path))
    }

    fn open_at(path: &Path, keys: &KeySource) -> Result<Self> {
        lost::require(path)?;
        let connection = connection::open_reading(path)?;
        schema::require_current(&connection)?;
        Sealer::unlock(&connection, keys)?.install(&connection)?;
        Ok(Self { connection, path: Some(path.to_owned()) })
    }

    /// The same for a database that is open.
    pub(in crate::store) fn with(path: &Path, sealer: &Sealer, place: &DatabaseLocation) -> Result<Self> {
        let connection = connection::open_reading(path)?;
        place.check()?;
        schema::require_current(&connection)?;
        sealer.install(&connection)?;
        Ok(Self { connection, path: None })
    }

    /// Runs a short, indexed read in one consistent view.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let read = in_one_view(&self.connection, query);
        match &self.path {
            Some(path) => read.map_err(failure::damaged(path)),
            None => read,
        }
    }
}

/// All that the query reads is of one moment.
pub(in crate::store) fn in_one_view<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let _view = View::open(connection)?;
    query(connection)
}

/// A read transaction, which ends when it is dropped, also by a panic.
struct View<'connection> {
    connection: &'connection Connection,
}

impl<'connection> View<'connection> {
    fn open(connection: &'connection Connection) -> Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self { connection })
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        if let Err(error) = ended {
            log::error!("storage: a read did not end: {error}");
        }
    }
}
