//! Checksums of what rows hold, so that a flaw of the disk or of memory is noticed that leaves everything readable.
//!
//! Each connection has a function `checksum(…)`: a row that has a column of that name keeps what it gives for the others.
//! What it was made of may grow: `checksum2(…)` is the same beyond 32 bits, so that a row tells how its checksum was made.
//! It is CRC-32, which finds every single bit that flips, and of other changes all but one in four thousand million.

use crc32fast::Hasher;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;

use crate::error::Result;

/// Any number of arguments.
const ANY: i32 = -1;

/// Marks checksums of the second kind.
const SECOND: i64 = 1 << 32;

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_DIRECTONLY);

/// Gives a connection the function.
pub(in crate::store) fn install(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("checksum", ANY, FLAGS, |context| Ok(of(context)))?;
    Ok(connection.create_scalar_function("checksum2", ANY, FLAGS, |context| Ok(SECOND | of(context)))?)
}

/// Each value with its type and its length, so that nothing can move from one to the next.
fn of(context: &Context<'_>) -> i64 {
    let mut hasher = Hasher::new();
    let mut add = |kind: u8, bytes: &[u8]| {
        hasher.update(&[kind]);
        hasher.update(&bytes.len().to_le_bytes());
        hasher.update(bytes);
    };
    for place in 0..context.len() {
        match context.get_raw(place) {
            ValueRef::Null => add(0, &[]),
            ValueRef::Integer(number) => add(1, &number.to_le_bytes()),
            ValueRef::Real(number) => add(2, &number.to_le_bytes()),
            ValueRef::Text(text) => add(3, text),
            ValueRef::Blob(bytes) => add(4, bytes),
        }
    }
    i64::from(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_in_a_row_changes_its_checksum() {
        const SQL: &str = "
            SELECT checksum('ab', 'c') UNION ALL SELECT checksum('a', 'bc') UNION ALL SELECT checksum('abc')
            UNION ALL SELECT checksum('ab', x'63') UNION ALL SELECT checksum('ab', NULL) UNION ALL SELECT checksum('ab', '')
            UNION ALL SELECT checksum(1, 2) UNION ALL SELECT checksum(1.0, 2) UNION ALL SELECT checksum(2, 1)";
        let connection = Connection::open_in_memory().unwrap();
        install(&connection).unwrap();
        let read = || -> Vec<i64> {
            let mut statement = connection.prepare(SQL).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(std::result::Result::unwrap).collect()
        };

        let (once, again) = (read(), read());

        assert_eq!(once, again);
        assert_eq!(once.iter().collect::<std::collections::BTreeSet<_>>().len(), 9);
    }
}
