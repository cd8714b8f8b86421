//! Checkpoints: committed pages are copied from the log into the file, off the writer's path.
//!
//! A separate thread runs PASSIVE checkpoints. Under steady load these never reset the log, so the writer runs a RESTART
//! checkpoint once the log has [`FRAMES_MAX`] pages. After an erasure the thread empties the log (TRUNCATE), because older
//! pages in it still contain erased data.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::error::{Error, Result};
use crate::store::engine::location::DatabaseLocation;
use crate::store::engine::{connection, failure};

/// The pause between two checkpoints while there are commits.
const PAUSE: Duration = Duration::from_millis(100);

/// Pages in the log from which the writer resets it: 128 MiB of 4 KiB pages.
const FRAMES_MAX: i64 = 32_768;

/// The length from which this process trims the log although that was left to another one: 1 GiB.
const LEFT_BYTES_MAX: u64 = 1 << 30;

/// The pause between two attempts to empty the log.
const ERASURE_PAUSE: Duration = Duration::from_secs(2);

/// How long a caller waits for the log to be emptied.
const EMPTY_TIME_MAX: Duration = Duration::from_mins(1);

/// How long an attempt to empty the log waits for readers. It is short, because the writer waits for as long.
const ERASURE_BUSY_TIMEOUT: Duration = Duration::from_millis(20);

/// The handle to the thread. Dropping it ends the thread.
pub struct Checkpoints {
    shared: Arc<CheckpointState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct CheckpointState {
    stopping: AtomicBool,
    frames: AtomicI64,
    /// Whether the log may contain erased data.
    erased: AtomicBool,
    /// Whether another process trims the log.
    is_left: AtomicBool,
}

/// Controls which process trims the log.
pub struct Switch {
    shared: Arc<CheckpointState>,
}

impl Switch {
    /// Leaves the log to another process, also when this one ends.
    pub fn leave_to_others(&self) {
        self.shared.is_left.store(true, Ordering::Release);
    }

    /// Empties the log now, unless another process trims it.
    pub fn empty_log(&self, path: &Path) -> Result<()> {
        if self.shared.is_left.load(Ordering::Acquire) {
            return Ok(());
        }
        let connection = connection::open_writing(path)?;
        connection.busy_timeout(ERASURE_BUSY_TIMEOUT)?;
        let limit = Instant::now() + EMPTY_TIME_MAX;
        while Instant::now() < limit {
            if truncate(&connection)? {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::Unavailable(
            "the log cannot be emptied while a reader keeps an older snapshot; try again later".to_owned(),
        ))
    }
}

impl Checkpoints {
    /// Starts the thread with its own connection. It empties the log first: the previous process may have ended between an
    /// erasure and its checkpoint.
    pub fn start(path: &Path) -> Result<Self> {
        let connection = connection::open_writing(path)?;
        connection.busy_timeout(ERASURE_BUSY_TIMEOUT)?;
        let shared =
            Arc::new(CheckpointState { erased: AtomicBool::new(true), ..CheckpointState::default() });
        let seen = Arc::clone(&shared);
        let log = connection::log_path(path);
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || run(&connection, &log, &seen))
            .map_err(Error::internal)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The control of which process trims the log.
    pub fn switch(&self) -> Switch {
        Switch { shared: Arc::clone(&self.shared) }
    }

    /// Wakes the thread, and resets the log when it is too long. `erased` says that the log has to be emptied.
    pub fn after_commit(&self, connection: &Connection, erased: bool) {
        if erased {
            self.shared.erased.store(true, Ordering::Release);
        }
        if self.shared.frames.load(Ordering::Relaxed) > FRAMES_MAX {
            // The log continues to grow while a reader keeps an old snapshot: the writer does not wait for readers.
            report(connection.busy_timeout(Duration::ZERO).and_then(|()| checkpoint(connection, "RESTART")));
            report(connection.busy_timeout(connection::BUSY_TIMEOUT).map(|()| 0));
            self.shared.frames.store(0, Ordering::Relaxed);
        }
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Ends the thread when the server stops, and checkpoints the whole log. The log stays if it is left to another process or
    /// if the files were moved.
    pub fn fold_into_file(self, connection: &Connection, place: &DatabaseLocation) {
        let is_left = self.shared.is_left.load(Ordering::Acquire);
        drop(self);
        let is_in_place = place.check().is_ok();
        // A log that was unlinked is lost when this process ends, so this is the last chance to copy it.
        if is_in_place && !is_left || !is_in_place && place.has_only_lost_its_log() {
            report(checkpoint(connection, "TRUNCATE"));
        }
        if is_left || !is_in_place {
            keep_log_file(connection);
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        if thread.join().is_err() {
            log::error!("the checkpoint thread panicked");
        }
    }
}

fn run(connection: &Connection, log: &Path, shared: &CheckpointState) {
    let mut emptied = Instant::now();
    while !shared.stopping.load(Ordering::Relaxed) {
        if shared.erased.load(Ordering::Relaxed) {
            std::thread::park_timeout(ERASURE_PAUSE);
        } else {
            std::thread::park();
        }
        std::thread::park_timeout(PAUSE);
        if shared.is_left.load(Ordering::Acquire) && is_short_enough(log) {
            keep_log_file(connection);
            continue;
        }
        match checkpoint(connection, "PASSIVE") {
            Ok(frames) => shared.frames.store(frames, Ordering::Relaxed),
            failed => report(failed),
        }
        if emptied.elapsed() >= ERASURE_PAUSE && shared.erased.swap(false, Ordering::AcqRel) {
            emptied = Instant::now();
            empty_log(connection, shared);
        }
    }
}

/// Whether the log that another process trims is within its limit.
fn is_short_enough(log: &Path) -> bool {
    let length = std::fs::metadata(log).map_or(0, |log| log.len());
    if length > LEFT_BYTES_MAX {
        log::warn!("storage: no process trims the log, which has {length} bytes: see storage.checkpoint");
    }
    length <= LEFT_BYTES_MAX
}

/// Keeps SQLite from trimming the log when the last connection is closed.
fn keep_log_file(connection: &Connection) {
    report(connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(|_| 0));
}

/// Empties the log, or schedules another attempt: a reader may still need it.
fn empty_log(connection: &Connection, shared: &CheckpointState) {
    match truncate(connection) {
        Ok(true) => shared.frames.store(0, Ordering::Relaxed),
        Ok(false) => shared.erased.store(true, Ordering::Release),
        Err(error) => {
            shared.erased.store(true, Ordering::Release);
            report(Err(error));
        }
    }
}

/// Empties the log; `false` when a reader still needs it.
fn truncate(connection: &Connection) -> rusqlite::Result<bool> {
    let is_blocked: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!is_blocked)
}

/// Runs a checkpoint and returns how many pages are in the log.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}

fn report(checkpoint: rusqlite::Result<i64>) {
    if let Err(error) = checkpoint {
        log::warn!("storage: checkpoint: {error}");
        failure::exit_if_fatal(&error);
    }
}
