//! Read-only connections: a pool for long reads, and connections for short reads on the calling thread.

use std::path::{Path, PathBuf};
use std::time::Duration;

use r2d2::{ManageConnection, Pool};

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::store::encryption::sealer::Sealer;
use crate::store::engine::location::DatabaseLocation;
use crate::store::engine::location::lost;
use crate::store::engine::query::Connection;
use crate::store::engine::{connection, failure, schema};

/// Size of the pool for long reads.
const POOL_SIZE: u32 = 4;

/// How long a read waits for a connection of the pool.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the pool of connections for long reads.
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

/// Creates and checks the connections of the pool.
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

    /// Discards a connection with an open transaction, so that it does not affect the next user.
    fn has_broken(&self, connection: &mut Connection) -> bool {
        !connection.is_autocommit()
    }
}

/// A read-only connection, for one thread.
pub struct Reader {
    connection: Connection,
    /// The file named in an error that damage causes; `None` in a server, whose clients do not see file names.
    path: Option<PathBuf>,
}

impl Reader {
    /// Opens an existing database for reading, also while another process writes it.
    ///
    /// `Unusable` when it does not exist, when its schema is not that of this program, or when its secrets are sealed with
    /// another key.
    pub fn open(path: &Path, keys: &KeySource) -> Result<Self> {
        // A reader needs disk space too: SQLite creates an index of the log.
        Self::open_at(path, keys).map_err(failure::named(path))
    }

    fn open_at(path: &Path, keys: &KeySource) -> Result<Self> {
        lost::require(path)?;
        let connection = connection::open_reading(path)?;
        schema::require_current(&connection)?;
        Sealer::unlock(&connection, keys)?.install(&connection)?;
        Ok(Self { connection, path: Some(path.to_owned()) })
    }

    /// The same for a database that is already open.
    pub(in crate::store) fn with(path: &Path, sealer: &Sealer, place: &DatabaseLocation) -> Result<Self> {
        let connection = connection::open_reading(path)?;
        place.check()?;
        schema::require_current(&connection)?;
        sealer.install(&connection)?;
        Ok(Self { connection, path: None })
    }

    /// Runs a short, indexed read on one snapshot.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let read = in_one_view(&self.connection, query);
        match &self.path {
            Some(path) => read.map_err(failure::damaged(path)),
            None => read,
        }
    }
}

/// Runs a query in a read transaction, so that it sees one consistent state.
pub(in crate::store) fn in_one_view<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let _view = View::open(connection)?;
    query(connection)
}

/// A read transaction. It ends on drop, also during a panic.
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
            log::error!("storage: a read transaction could not be ended: {error}");
        }
    }
}
