//! The writer thread. It runs all queued operations in one transaction and replies to each after the commit, so that every
//! operation is durable and they share the cost of one disk write.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::metrics::Commits;
use crate::model::timestamp::Timestamp;
use crate::store::engine::checkpoint::Checkpoints;
use crate::store::engine::health::Looks;
use crate::store::engine::listeners::Listeners;
use crate::store::engine::location::DatabaseLocation;
use crate::store::engine::stamps::Stamps;
use crate::store::engine::transaction::{Notes, Transaction};
use crate::store::engine::{failure, seeded};

/// Operations in one commit: more do not increase throughput, but increase latency (measured).
const GROUP_MAX: usize = 512;

/// After this long without an operation the writer checks that the files are still in place.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// The error of operations whose group was not committed; the log has the reason.
const NOT_COMMITTED: &str = "the storage did not take the write";

/// Runs within the group, if one could be begun, and returns the reply.
type QueuedOperation = Box<dyn FnOnce(Option<&CommitGroup<'_>>) -> Reply + Send>;

/// Sends the operation's result to the caller; the argument is whether the group was committed.
type Reply = Box<dyn FnOnce(bool) + Send>;

/// The handle to the thread. Dropping it waits until the thread has run what is queued.
pub struct Writer {
    queue: Option<SyncSender<QueuedOperation>>,
    commits: Commits,
    thread: Option<JoinHandle<()>>,
}

/// Why a group was not committed.
enum SubmitError {
    /// The files were moved or removed.
    Place(Error),
    /// SQLite failed.
    Storage(rusqlite::Error),
}

impl From<rusqlite::Error> for SubmitError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error)
    }
}

struct CommitGroup<'group> {
    connection: &'group Connection,
    stamps: &'group Stamps,
    /// What has to be notified after the commit.
    notes: &'group Notes,
    commits: &'group Commits,
    watched: &'group Watched,
}

/// The state by which writes are known to be safe.
#[derive(Clone)]
pub struct Watched {
    /// Whether the files are in place.
    pub place: DatabaseLocation,
    /// Whether the disk has refused a write since the last health check.
    pub looks: Looks,
}

impl Writer {
    /// Starts the thread. It notifies `told` of its commits and writes only while the files are in place; up to `queue`
    /// operations wait for it.
    pub fn start(
        connection: Connection,
        notified: (Checkpoints, Listeners, Watched),
        queue: usize,
        commits: Commits,
    ) -> Result<Self> {
        let stamps = Stamps::read(&connection)?;
        let (sender, receiver) = sync_channel(queue);
        let counted = commits.clone();
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || run(&connection, notified, &receiver, (&stamps, &counted)))
            .map_err(Error::internal)?;
        Ok(Self { queue: Some(sender), commits, thread: Some(thread) })
    }

    /// Queues an operation. `Unavailable` when too many wait already.
    pub fn submit<T: Send + 'static>(
        &self,
        now: Timestamp,
        operation: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (sender, receiver) = oneshot::channel();
        let run: QueuedOperation = Box::new(move |group| {
            let outcome = group.map(|group| group.transaction(now)?.attempt(operation));
            Box::new(move |committed| {
                let failed = || Err(Error::Unavailable(NOT_COMMITTED.to_owned()));
                // The caller may be gone; the operation was committed or undone all the same.
                drop(sender.send(outcome.filter(|_| committed).unwrap_or_else(failed)));
            })
        });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        match queue.try_send(run) {
            Ok(()) => {
                self.commits.queued();
                Ok(receiver)
            }
            Err(TrySendError::Full(_)) => Err(Error::Unavailable("too many writes are waiting".to_owned())),
            Err(TrySendError::Disconnected(_)) => Err(stopped()),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the writer thread panicked");
        }
    }
}

/// The error once the writer has ended.
pub fn stopped() -> Error {
    Error::Unavailable("the server is stopping".to_owned())
}

fn run(
    connection: &Connection,
    (checkpoints, listeners, watched): (Checkpoints, Listeners, Watched),
    queue: &Receiver<QueuedOperation>,
    (stamps, commits): (&Stamps, &Commits),
) {
    let notes = Notes::default();
    let group = CommitGroup { connection, stamps, notes: &notes, commits, watched: &watched };
    while let Some(first) = next(queue, &watched.place) {
        group.commit_with(first, queue);
        listeners.notify(notes.customers.take());
        if notes.webhooks.take() {
            listeners.notify_webhooks();
        }
        checkpoints.after_commit(connection, notes.erased.take());
    }
    checkpoints.fold_into_file(connection, &watched.place);
}

/// The next operation; `None` when the handle was dropped. While waiting it checks the files.
fn next(queue: &Receiver<QueuedOperation>, place: &DatabaseLocation) -> Option<QueuedOperation> {
    loop {
        match queue.recv_timeout(LOOK_PAUSE) {
            Ok(operation) => return Some(operation),
            Err(RecvTimeoutError::Disconnected) => return None,
            // The check itself reports what it finds.
            Err(RecvTimeoutError::Timeout) => drop(place.check()),
        }
    }
}

impl CommitGroup<'_> {
    fn transaction(&self, now: Timestamp) -> Result<Transaction<'_>> {
        self.stamps.judge(self.connection, now)?;
        Ok(Transaction::new(self.connection, self.stamps, self.notes, now))
    }

    /// Runs the first operation and all that wait behind it, commits, and replies.
    fn commit_with(&self, first: QueuedOperation, queue: &Receiver<QueuedOperation>) {
        let stamp_before = self.stamps.last();
        let begun = self.begin();
        let mut answers = Vec::new();
        for operation in std::iter::once(first).chain(queue.try_iter().take(GROUP_MAX - 1)) {
            self.commits.taken();
            answers.push(operation(begun.is_ok().then_some(self)));
            // SQLite rolls back the whole transaction for some errors (full disk, I/O): the group ends here.
            if self.connection.is_autocommit() {
                break;
            }
        }
        seeded::before_commit(&mut answers);
        let start = Instant::now();
        let committed = begun.and_then(|()| self.commit(stamp_before));
        if committed.is_ok() {
            self.commits.committed(answers.len(), start.elapsed());
        }
        match committed {
            Ok(()) if self.stamps.last() != stamp_before => self.watched.looks.written(),
            Ok(()) => {}
            Err(_) => self.watched.looks.refused(),
        }
        for answer in answers {
            answer(committed.is_ok());
        }
        if let Err(error) = committed {
            self.give_up(&error);
        }
    }

    fn begin(&self) -> std::result::Result<(), SubmitError> {
        self.watched.place.check().map_err(SubmitError::Place)?;
        Ok(self.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn commit(&self, stamp_before: Timestamp) -> std::result::Result<(), SubmitError> {
        if self.stamps.last() != stamp_before {
            self.stamps.write(self.connection)?;
        }
        self.connection.execute_batch("COMMIT")?;
        // A commit into files that were moved is not durable.
        self.watched.place.check().map_err(SubmitError::Place)
    }

    /// Rolls back a failed group, or ends the process when it can no longer trust the file.
    fn give_up(&self, refused: &SubmitError) {
        match refused {
            SubmitError::Place(error) => log::warn!("storage: a group was refused: {error}"),
            SubmitError::Storage(error) => {
                log::error!("storage: a group was not committed: {error}");
                failure::exit_if_fatal(error);
            }
        }
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            log::error!("storage: a failed group could not be rolled back: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::Resource;
    use crate::files;
    use crate::store::engine::{connection, schema};

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    fn start(path: &Path, queue: usize) -> Writer {
        let mut connection = connection::open_writing(path).unwrap();
        schema::bring_up_to_date(&mut connection).unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        connection.execute_batch("CREATE TABLE IF NOT EXISTS notes (text TEXT)").unwrap();
        std::fs::write(files::beside(path, ".lock"), "").unwrap();
        let notified = (Checkpoints::start(path).unwrap(), Listeners::default(), watched(path));
        Writer::start(connection, notified, queue, Commits::default()).unwrap()
    }

    fn watched(path: &Path) -> Watched {
        Watched { place: DatabaseLocation::of(path).unwrap(), looks: Looks::default() }
    }

    fn note(tx: &Transaction<'_>, text: &str) -> Result<()> {
        tx.execute("INSERT INTO notes VALUES (?1)", [text])?;
        Ok(())
    }

    fn notes(path: &Path) -> Vec<String> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT text FROM notes ORDER BY rowid").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn an_operation_that_fails_or_panics_is_undone_without_affecting_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        let writer = start(&path, 16);

        let first = writer.submit(NOW, |tx| note(tx, "first")).unwrap();
        let failing =
            writer.submit(NOW, |tx| note(tx, "failing").and(Err::<(), _>(Error::NotFound(Resource::Route))));
        let panicking =
            writer.submit(NOW, |tx| note(tx, "panicking").map(|()| assert!(tx.now() < NOW, "on purpose")));
        let last = writer.submit(NOW, |tx| note(tx, "last")).unwrap();

        assert!(first.blocking_recv().unwrap().is_ok());
        assert!(matches!(failing.unwrap().blocking_recv().unwrap(), Err(Error::NotFound(_))));
        assert!(matches!(panicking.unwrap().blocking_recv().unwrap(), Err(Error::Internal(_))));
        assert!(last.blocking_recv().unwrap().is_ok());
        assert_eq!(notes(&path), ["first", "last"]);
    }

    #[test]
    fn stamps_increase_whatever_the_clock_does_and_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        let hour = Duration::from_hours(1);
        let mut stamps = Vec::new();

        for now in [NOW, NOW, NOW.before(hour), NOW.after(hour), NOW] {
            let writer = start(&path, 16);
            let two = writer.submit(now, |tx| Ok([tx.stamp()?, tx.stamp()?])).unwrap();
            stamps.extend(two.blocking_recv().unwrap().unwrap());
        }

        assert!(stamps.is_sorted_by(|earlier, later| earlier < later), "{stamps:?}");
        assert_eq!(stamps[6], NOW.after(hour), "the clock's own time where that is later");
    }

    #[test]
    fn nothing_is_run_while_the_file_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        let writer = start(&path, 16);
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();

        let refused = writer.submit(NOW, |tx| note(tx, "refused")).unwrap().blocking_recv().unwrap();

        assert!(matches!(refused, Err(Error::Unavailable(_))));
        other.execute_batch("ROLLBACK").unwrap();
        writer.submit(NOW, |tx| note(tx, "taken")).unwrap().blocking_recv().unwrap().unwrap();
        assert_eq!(notes(&path), ["taken"]);
    }

    #[test]
    fn nothing_is_acknowledged_or_written_once_the_file_was_moved() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("kaiwa.db"), folder.path().join("moved.db"));
        let writer = start(&path, 16);
        writer.submit(NOW, |tx| note(tx, "first")).unwrap().blocking_recv().unwrap().unwrap();

        let move_it = {
            let (path, moved) = (path.clone(), moved.clone());
            move |tx: &Transaction<'_>| {
                std::fs::rename(path, moved).map_err(Error::internal)?;
                note(tx, "while it is moved")
            }
        };
        let during = writer.submit(NOW, move_it).unwrap().blocking_recv().unwrap();
        let after = writer.submit(NOW, |tx| note(tx, "after")).unwrap().blocking_recv().unwrap();

        assert!(matches!((during, after), (Err(Error::Unavailable(_)), Err(Error::Unavailable(_)))));
        std::fs::rename(&moved, &path).unwrap();
        let late = writer.submit(NOW, |tx| note(tx, "late")).unwrap().blocking_recv().unwrap();
        assert!(late.is_err(), "what was lost once stays lost for this process");
        drop(writer);
        assert!(!notes(&path).iter().any(|note| note == "after" || note == "late"));
    }

    #[test]
    fn too_many_waiting_operations_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let writer = start(&folder.path().join("kaiwa.db"), 1);
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (sender, notified) = std::sync::mpsc::channel();
        let holding = move |_: &Transaction<'_>| {
            sender.send(()).unwrap();
            Ok(held.recv().is_ok())
        };

        let first = writer.submit(NOW, holding).unwrap();
        notified.recv().unwrap();
        let second = writer.submit(NOW, |_| Ok(())).unwrap();
        let third = writer.submit(NOW, |_| Ok(()));

        assert!(matches!(third, Err(Error::Unavailable(_))));
        release.send(()).unwrap();
        assert!(first.blocking_recv().unwrap().unwrap());
        second.blocking_recv().unwrap().unwrap();
    }

    #[test]
    fn what_is_queued_when_the_writer_ends_is_still_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaiwa.db");
        let writer = start(&path, 64);

        let waiting: Vec<_> =
            (0..50).map(|number| writer.submit(NOW, move |tx| note(tx, &number.to_string()))).collect();
        drop(writer);

        assert!(waiting.into_iter().all(|answer| answer.unwrap().blocking_recv().unwrap().is_ok()));
        assert_eq!(notes(&path).len(), 50);
    }
}
