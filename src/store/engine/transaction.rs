//! The transaction of an operation that writes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store::engine::stamps::Stamps;

/// A write that is undone as a whole when it fails, and is committed together with others after it has ended. It can be read
/// from like a connection.
pub struct Transaction<'group> {
    connection: &'group Connection,
    stamps: &'group Stamps,
    notes: &'group Notes,
    now: Timestamp,
}

/// What has to be notified after the commit of a group.
#[derive(Debug, Default)]
pub(in crate::store) struct Notes {
    /// Whether something was erased.
    pub(in crate::store) erased: Cell<bool>,
    /// The private keys of the customers who have new events.
    pub(in crate::store) customers: RefCell<BTreeSet<i64>>,
    /// Whether there are new webhook deliveries.
    pub(in crate::store) webhooks: Cell<bool>,
}

impl<'group> Transaction<'group> {
    pub(in crate::store) fn new(
        connection: &'group Connection,
        stamps: &'group Stamps,
        notes: &'group Notes,
        now: Timestamp,
    ) -> Self {
        Self { connection, stamps, notes, now }
    }

    /// Notes an erasure: the log, which still contains the erased data, is emptied soon after the commit.
    pub fn note_erasure(&self) {
        self.notes.erased.set(true);
    }

    /// Notes a new event of a customer, whose listeners are notified after the commit.
    pub(in crate::store) fn note_event(&self, customer: i64) {
        self.notes.customers.borrow_mut().insert(customer);
    }

    /// Notes a webhook delivery, of which the worker is notified after the commit.
    pub(in crate::store) fn note_webhook(&self) {
        self.notes.webhooks.set(true);
    }

    /// The time of the caller. It may repeat and go backwards.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A time for `tm_create`: now, or just after the last stamp of this database.
    ///
    /// `Unavailable` when no page could show a row with it.
    pub fn stamp(&self) -> Result<Timestamp> {
        self.stamps.next(self.now)
    }

    /// Uses up a stamp, so that the group changes at least one row.
    pub(in crate::store) fn skip_stamp(&self) -> Result<()> {
        self.stamps.next(self.stamps.last()).map(drop)
    }

    /// Runs a part of the operation in a savepoint. If it fails or panics, only that part is undone.
    pub fn attempt<T>(&self, part: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.execute_cached("SAVEPOINT attempt")?;
        let outcome = catch_unwind(AssertUnwindSafe(|| part(self)))
            .unwrap_or_else(|_| Err(Error::internal("an operation on the database panicked")));
        match outcome {
            Ok(answer) => {
                self.execute_cached("RELEASE attempt")?;
                Ok(answer)
            }
            Err(error) => Err(self.undo(error)),
        }
    }

    /// Rolls back to the savepoint, unless SQLite has already rolled back the whole transaction.
    fn undo(&self, error: Error) -> Error {
        if self.connection.is_autocommit() {
            return error;
        }
        let undone =
            self.execute_cached("ROLLBACK TO attempt").and_then(|()| self.execute_cached("RELEASE attempt"));
        undone.err().unwrap_or(error)
    }

    fn execute_cached(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}
