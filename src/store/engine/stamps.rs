//! Stamps order all rows: each is later than the last one, whatever the clock of the machine does.
//!
//! The table `clock` stores the last one. It counts as damaged when no page could show it, or when it is far ahead of both the
//! newest row and the machine's clock. Stamps then continue from the newest row.

use std::cell::Cell;
use std::time::Duration;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::report;

/// A stamp further ahead of the newest row and of the machine's clock is damaged: a clock so far ahead would have stamped a row.
const AHEAD_MAX: Duration = Duration::from_hours(366 * 24);

/// The last stamp of an open database.
pub struct Stamps {
    last: Cell<Timestamp>,
    /// Whether the last one was checked against the machine's clock.
    is_judged: Cell<bool>,
}

impl Stamps {
    /// Reads the last stamp from the database.
    pub fn read(connection: &Connection) -> Result<Self> {
        Ok(Self { last: Cell::new(last(connection)?), is_judged: Cell::new(false) })
    }

    /// Replaces the last stamp if it is damaged. Only the first call checks.
    pub fn judge(&self, connection: &Connection, now: Timestamp) -> Result<()> {
        if self.is_judged.get() {
            return Ok(());
        }
        if is_damaged(connection, now)? {
            report("clock.last_stamp", "stamps continue from the newest row");
            self.last.set(newest(connection)?);
        }
        self.is_judged.set(true);
        Ok(())
    }

    /// The last stamp.
    pub fn last(&self) -> Timestamp {
        self.last.get()
    }

    /// The next stamp: `now`, or just after the last one.
    ///
    /// `Unavailable` when no page could show a row with it.
    pub fn next(&self, now: Timestamp) -> Result<Timestamp> {
        let next = now.max(self.last.get().next());
        if !next.is_shown() {
            return Err(Error::Unavailable(format!(
                "the clock of this machine says {now}: what is stored now could not be found again"
            )));
        }
        self.last.set(next);
        Ok(next)
    }

    /// Stores the last stamp, in the transaction that used it.
    pub fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE clock SET last_stamp = ?1";
        connection.prepare_cached(SQL)?.execute([self.last.get()]).map(drop)
    }
}

/// Whether the last stamp cannot have been assigned by now.
pub fn is_damaged(connection: &Connection, now: Timestamp) -> Result<bool> {
    let last = last(connection)?;
    let is_ahead = |of: Timestamp| last > of.after(AHEAD_MAX);
    Ok(!last.is_shown() || is_ahead(now) && is_ahead(newest(connection)?))
}

fn last(connection: &Connection) -> Result<Timestamp> {
    const SQL: &str = "SELECT last_stamp FROM clock";
    Ok(connection.query_row(SQL, [], |row| row.get(0))?)
}

/// The stamp of the newest row that a page can show. One index seek for each conversation.
fn newest(connection: &Connection) -> Result<Timestamp> {
    const SQL: &str = "
        SELECT max(
            coalesce((SELECT max(tm_create) FROM customers WHERE tm_create < ?1), 0),
            coalesce((SELECT max(tm_create) FROM accounts WHERE tm_create < ?1), 0),
            coalesce((SELECT max(tm_create) FROM conversations WHERE tm_create < ?1), 0),
            coalesce((
                SELECT max((SELECT max(tm_create) FROM messages WHERE conversation = key AND tm_create < ?1))
                FROM conversations
            ), 0),
            coalesce((
                SELECT max((SELECT max(tm_create) FROM webhook_deliveries WHERE customer = key AND tm_create < ?1))
                FROM customers
            ), 0))";
    Ok(connection.query_row(SQL, [Timestamp::NEVER], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::{checksum, schema};

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    const DAY: Duration = Duration::from_hours(24);

    /// A database whose last stamp and newest row are these.
    fn database(last: Timestamp, newest: Timestamp) -> Connection {
        const SQL: &str = "
            INSERT INTO customers (id, name, detail, webhook_method, webhook_uri, tm_create, tm_update)
            VALUES (zeroblob(16), '', '', '', '', ?1, 0)";
        let mut connection = Connection::open_in_memory().unwrap();
        checksum::install(&connection).unwrap();
        schema::bring_up_to_date(&mut connection).unwrap();
        connection.execute(SQL, [newest]).unwrap();
        connection.execute("UPDATE clock SET last_stamp = ?1", [last]).unwrap();
        connection
    }

    fn next(last: Timestamp, newest: Timestamp, now: Timestamp) -> Timestamp {
        let connection = database(last, newest);
        let stamps = Stamps::read(&connection).unwrap();
        stamps.judge(&connection, now).unwrap();
        stamps.next(now).unwrap()
    }

    #[test]
    fn after_any_bit_flip_the_next_stamp_can_be_shown_and_is_after_the_newest_row() {
        for bit in 0..64 {
            let flipped = Timestamp::from_microseconds(NOW.as_microseconds() ^ (1 << bit));

            let next = next(flipped, NOW, NOW);

            assert!(next > NOW || next == NOW && flipped < NOW, "bit {bit}: {next}");
            assert!(next < NOW.after(AHEAD_MAX + DAY), "bit {bit}: {next}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_is_not_damage() {
        for ahead in [DAY, DAY * 100, DAY * 100_000] {
            let last = NOW.after(ahead);
            assert_eq!(next(last, last.before(DAY), NOW), last.next(), "{ahead:?}");
        }
        assert_eq!(next(NOW.after(DAY), NOW, NOW), NOW.after(DAY).next());
    }

    #[test]
    fn a_row_that_no_page_shows_does_not_vouch_for_the_last_stamp() {
        let unreachable = Timestamp::from_microseconds(1 << 62);

        assert_eq!(next(unreachable, unreachable, NOW), NOW);
    }

    #[test]
    fn a_stamp_that_no_page_could_show_is_refused() {
        for (last, now) in [(NOW, Timestamp::NEVER), (Timestamp::NEVER.before(DAY), Timestamp::NEVER)] {
            let stamps = Stamps { last: Cell::new(last), is_judged: Cell::new(true) };

            assert!(matches!(stamps.next(now), Err(Error::Unavailable(_))));
            assert_eq!(stamps.last(), last, "and is not used up");
        }
    }
}
