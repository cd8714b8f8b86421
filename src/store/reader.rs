//! Read-only connections: a pool for reads that may take long, and one per thread for short reads.

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

/// Connections in the pool.
const POOL_SIZE: u32 = 4;

/// How long a read waits for a connection of the pool.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// The pool of connections for reads that may take long.
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

/// Opens and checks the connections of the pool.
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

    /// A connection with a transaction left open is discarded.
    fn has_broken(&self, connection: &mut Connection) -> bool {
        !connection.is_autocommit()
    }
}

/// A read-only connection, for one thread.
pub struct Reader {
    connection: Connection,
    /// The file to name in errors of a damaged database; `None` in a server, whose clients see no file names.
    path: Option<PathBuf>,
}

impl Reader {
    /// Opens an existing database for reading, also while another process writes it.
    ///
    /// `Unusable` when there is none, when it has another schema than this program, or when its secrets are sealed with
    /// another key.
    pub fn open(path: &Path, keys: &KeySource) -> Result<Self> {
        // A reader needs space on the disk too: SQLite builds an index of the log.
        Self::open_at(path, keys).map_err(failure::named(path))
    }

    fn open_at(path: &Path, keys: &KeySource) -> Result<Self> {
        lost::require(path)?;
        let connection = connection::open_reading(path)?;
        schema::require_current(&connection)?;
        Sealer::unlock(&connection, keys)?.install(&connection)?;
        Ok(Self { connection, path: Some(path.to_owned()) })
    }

    /// Opens a reader of a database that this process has open.
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

/// Runs a query on one snapshot of the database.
pub(in crate::store) fn in_one_view<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let _view = View::open(connection)?;
    query(connection)
}

/// A read transaction. It ends when it is dropped, also in a panic.
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
