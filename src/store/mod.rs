//! The SQLite database: one writer that commits in groups, concurrent readers, and the operations of the domain.
//!
//! Operations that write take a [`engine::transaction::Transaction`]; those that read take a connection, so they also work
//! within a write. Nothing outside this folder knows SQL.

pub mod accounts;
pub mod backup;
pub mod chats;
pub mod dispatch;
pub mod encryption;
pub mod engine;
pub mod erasure;
pub mod events;
pub mod files;
mod keys;
mod message;
pub mod outbox;
pub mod reader;
pub mod verify;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use r2d2::Pool;
use tokio::sync::Notify;

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::metrics::Commits;
use crate::model::timestamp::Timestamp;
use crate::store::backup::copy;
use crate::store::encryption::sealer::Sealer;
use crate::store::engine::checkpoint::{Checkpoints, Switch};
use crate::store::engine::health::Looks;
use crate::store::engine::listeners::{EventListener, Listeners};
use crate::store::engine::location::DatabaseLocation;
use crate::store::engine::location::lost;
use crate::store::engine::lock::Lock;
use crate::store::engine::query::Connection;
use crate::store::engine::transaction::Transaction;
use crate::store::engine::writer::{Watched, Writer};
use crate::store::engine::{connection, failure, health, schema, writer};
use crate::store::events::EventCursor;
use crate::store::files::media_store::MediaStore;
use crate::store::files::medias;
use crate::store::reader::ReadOnly;
use crate::store::reader::Reader;
use crate::store::verify::diagnostics;

/// The database of a running server. Clones are handles to the same database.
///
/// When the last handle is dropped, queued operations are committed, the log is checkpointed, and the lock is released.
#[derive(Clone)]
pub struct Store {
    open: Arc<OpenStore>,
}

/// Fields are dropped in this order: the readers first, so that the writer can remove the log; the lock last.
struct OpenStore {
    pool: Pool<ReadOnly>,
    writer: Writer,
    listeners: Listeners,
    commits: Commits,
    checkpoints: Switch,
    path: PathBuf,
    watched: Watched,
    sealer: Sealer,
    _lock: Lock,
}

impl Store {
    /// Opens the database, creates it if it does not exist, and migrates an older one to the current schema.
    ///
    /// `queue` is the number of operations that may wait for the writer. `Unusable` when another process has the database
    /// open, when it belongs to a newer version or to another program, when its secrets are sealed with another key, when
    /// it does not provide the promised durability, or when its log exists but the database does not.
    pub fn open(path: &Path, keys: &KeySource, queue: usize) -> Result<Self> {
        Self::open_at(path, keys, queue).map_err(failure::named(path))
    }

    fn open_at(path: &Path, keys: &KeySource, queue: usize) -> Result<Self> {
        lost::refuse(path)?;
        let lock = Lock::take(path)?;
        schema::refuse_foreign(path)?;
        copy::before_migration(path)?;
        let mut writing = connection::open_writing(path)?;
        let synchronous = connection::setting(&writing, "synchronous")?;
        log::info!("storage: SQLite {} with synchronous = {synchronous}", schema::sqlite_version());
        Sealer::refuse_other_key(&writing, keys)?;
        schema::bring_up_to_date(&mut writing)?;
        let sealer = Sealer::unlock_or_begin(&mut writing, keys)?;
        sealer.install(&writing)?;
        let checkpoints = Checkpoints::start(path)?;
        let switch = checkpoints.switch();
        let (listeners, commits) = (Listeners::default(), Commits::default());
        let watched = Watched { place: DatabaseLocation::of(path)?, looks: Looks::default() };
        let observers = (checkpoints, listeners.clone(), watched.clone());
        let writer = Writer::start(writing, observers, queue, commits.clone())?;
        let pool = reader::pool(path, &sealer, &watched.place)?;
        let (path, checkpoints) = (path.to_owned(), switch);
        let open =
            OpenStore { pool, writer, listeners, commits, checkpoints, path, watched, sealer, _lock: lock };
        Ok(Self { open: Arc::new(open) })
    }

    /// Runs an operation in the next group commit and returns its result after the commit, or after its rollback on error.
    ///
    /// `Unavailable` when too many operations are queued, or when the disk fails to write the group.
    pub async fn write<T: Send + 'static>(
        &self,
        now: Timestamp,
        operation: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let result = self.open.writer.submit(now, operation)?;
        result.await.map_err(|_| writer::stopped())?
    }

    /// The same for callers outside the async runtime: the command line and the start of the server.
    pub fn write_blocking<T: Send + 'static>(
        &self,
        now: Timestamp,
        operation: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let result = self.open.writer.submit(now, operation)?;
        let result = result.blocking_recv().map_err(|_| writer::stopped())?;
        result.map_err(failure::named(&self.open.path))
    }

    /// Checks that the disk accepts writes, by making one unless there were many within the last second.
    ///
    /// `Unavailable` when it does not, when it is full, or when the files are no longer in their place.
    pub async fn check_writable(&self, now: Timestamp) -> Result<()> {
        let Watched { place, looks } = &self.open.watched;
        place.check()?;
        health::require_capacity(self.free_bytes()?)?;
        if looks.must_write(now) {
            self.write(now, health::check_writable).await?;
        }
        Ok(())
    }

    /// Runs a long read on a thread for blocking work, in one consistent view.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let pool = self.open.pool.clone();
        let read = move || {
            let connection =
                pool.get().map_err(|_| Error::Unavailable("too many long reads are waiting".to_owned()))?;
            reader::in_one_view(&connection, query)
        };
        tokio::task::spawn_blocking(read).await.map_err(Error::internal)?
    }

    /// Subscribes to further events of the cursor's customer.
    pub fn listen(&self, cursor: &EventCursor) -> EventListener {
        self.open.listeners.listen(cursor.customer)
    }

    /// Notified when a commit has enqueued webhooks. A notification that nobody waits for is kept.
    pub fn webhooks_enqueued(&self) -> Arc<Notify> {
        self.open.listeners.webhooks()
    }

    /// Statistics of the writer since the start.
    pub fn commits(&self) -> &Commits {
        &self.open.commits
    }

    /// Leaves checkpoints and truncation of the log to another process, until the log reaches a gigabyte. Erased data stays in
    /// the log until that process has done so.
    pub fn leave_checkpoints_to_others(&self) {
        self.open.checkpoints.leave_to_others();
    }

    /// Truncates the log, so that no old page in it contains erased data. Waits for readers of an older state. Does nothing to a
    /// log whose checkpoints are left to another process.
    ///
    /// `Unavailable` when a reader holds an older state for too long.
    pub fn empty_log(&self) -> Result<()> {
        self.open.checkpoints.empty_log(&self.open.path)
    }

    /// Opens the media store, creates it if no file was ever stored, and watches its folder from now on like the files of the
    /// database.
    ///
    /// `Unusable` when the folder is missing although the database lists files in it.
    pub fn open_media_store(&self, data_directory: &Path) -> Result<MediaStore> {
        let media_store = MediaStore::at(data_directory);
        if media_store.has_nothing()? && self.reader()?.read(medias::is_any_stored)? {
            media_store.miss()?;
        }
        let media_store = MediaStore::open(data_directory)?;
        self.open.watched.place.watch_medias(media_store.location())?;
        Ok(media_store)
    }

    /// Waits until the database is given up because its files are no longer in their place. No write is accepted from then on.
    pub async fn lost(&self) {
        self.open.watched.place.lost().await;
    }

    /// Why the database was given up; `None` while its files are in their place.
    pub fn loss(&self) -> Option<Error> {
        self.open.watched.place.loss()
    }

    /// Length of the write-ahead log in bytes; 0 if there is none.
    pub fn log_bytes(&self) -> u64 {
        diagnostics::log_bytes(&self.open.path)
    }

    /// Free space for this process on the disk of the database, in bytes.
    pub fn free_bytes(&self) -> Result<u64> {
        health::free_bytes(&self.open.path)
    }

    /// A connection for short, indexed reads on the calling thread, which is cheaper than a hop to another thread.
    pub fn reader(&self) -> Result<Reader> {
        Reader::with(&self.open.path, &self.open.sealer, &self.open.watched.place)
    }
}
