//! The one thread that writes. Operations queue up; all that wait are run in one transaction, and answered after it
//! was committed, so that each is durable and none pays for a disk write alone.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store::checkpoint::Checkpoints;
use crate::store::failure;
use crate::store::transaction::Transaction;

/// Operations in one commit: more gain no throughput and cost latency (measured).
const GROUP_MAX: usize = 512;

/// Runs within the group and returns what tells the caller how it ended.
type Operation = Box<dyn FnOnce(&Group<'_>) -> Answer + Send>;

/// Tells the caller, once it is known whether the group was committed.
type Answer = Box<dyn FnOnce(Result<(), &str>) + Send>;

/// The handle to the thread. Dropping it lets the thread finish what is queued, and waits for that.
pub struct Writer {
    queue: Option<SyncSender<Operation>>,
    thread: Option<JoinHandle<()>>,
}

struct Group<'group> {
    connection: &'group Connection,
    last_stamp: &'group Cell<Timestamp>,
}

impl Writer {
    /// Starts the thread; `queue` operations may wait for it.
    pub fn start(connection: Connection, checkpoints: Checkpoints, queue: usize) -> Result<Self> {
        let last_stamp = read_last_stamp(&connection)?;
        let (sender, receiver) = sync_channel(queue);
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || run(&connection, checkpoints, &receiver, last_stamp))
            .map_err(Error::internal)?;
        Ok(Self { queue: Some(sender), thread: Some(thread) })
    }

    /// Queues an operation. `Unavailable` when too many wait already.
    pub fn submit<T: Send + 'static>(
        &self,
        now: Timestamp,
        operation: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (sender, receiver) = oneshot::channel();
        let run: Operation = Box::new(move |group| {
            let outcome = Transaction::new(group.connection, group.last_stamp, now).attempt(operation);
            Box::new(move |committed| {
                let committed = committed.map_err(|message| Error::Unavailable(message.to_owned()));
                // The caller may have gone away; what it asked for was done or undone all the same.
                drop(sender.send(outcome.and_then(|answer| committed.map(|()| answer))));
            })
        });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        match queue.try_send(run) {
            Ok(()) => Ok(receiver),
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

/// What callers are told once the writer has gone.
pub fn stopped() -> Error {
    Error::Unavailable("the server is stopping".to_owned())
}

fn run(
    connection: &Connection,
    checkpoints: Checkpoints,
    queue: &Receiver<Operation>,
    last_stamp: Timestamp,
) {
    let last_stamp = Cell::new(last_stamp);
    let group = Group { connection, last_stamp: &last_stamp };
    while let Ok(first) = queue.recv() {
        group.commit_with(first, queue);
        checkpoints.after_commit(connection);
    }
    checkpoints.fold_into_file(connection);
}

impl Group<'_> {
    /// Runs the first operation and all that wait behind it, commits, and answers.
    fn commit_with(&self, first: Operation, queue: &Receiver<Operation>) {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        let stamp_before = self.last_stamp.get();
        let mut answers = Vec::new();
        let waiting = std::iter::once(first).chain(queue.try_iter().take(GROUP_MAX - 1));
        for operation in waiting {
            answers.push(operation(self));
            // SQLite undoes the whole transaction for some errors (full disk, I/O): the group ends here.
            if self.connection.is_autocommit() {
                break;
            }
        }
        let committed = begun.and_then(|()| self.commit(stamp_before));
        self.answer(answers, committed);
    }

    fn commit(&self, stamp_before: Timestamp) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE clock SET last_stamp = ?1";
        if self.last_stamp.get() != stamp_before {
            self.connection.prepare_cached(SQL)?.execute([self.last_stamp.get()])?;
        }
        self.connection.execute_batch("COMMIT")
    }

    fn answer(&self, answers: Vec<Answer>, committed: rusqlite::Result<()>) {
        let message = committed.as_ref().err().map(|error| Error::from(error_kind(error)).to_string());
        for answer in answers {
            answer(message.as_deref().map_or(Ok(()), Err));
        }
        let Err(error) = committed else { return };
        log::error!("storage: a group was not committed: {error}");
        if failure::is_fatal(&error) {
            log::error!("storage: the file cannot be trusted any more in this process; start again");
            std::process::exit(1);
        }
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            log::error!("storage: a failed group could not be undone: {error}");
        }
    }
}

/// The same error without its text, which can name files.
fn error_kind(error: &rusqlite::Error) -> rusqlite::Error {
    match error.sqlite_error() {
        Some(failure) => rusqlite::Error::SqliteFailure(*failure, None),
        None => rusqlite::Error::InvalidQuery,
    }
}

fn read_last_stamp(connection: &Connection) -> Result<Timestamp> {
    const SQL: &str = "SELECT last_stamp FROM clock";
    Ok(connection.query_row(SQL, [], |row| row.get(0))?)
}
