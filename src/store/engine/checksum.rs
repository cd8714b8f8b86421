//! Checksums of rows, which detect faults of the disk or of memory that leave a row readable.
//!
//! Each connection has an SQL function `checksum(…)`. A row with a column of that name stores its result for the other
//! columns. `checksum2(…)` covers more columns and sets a bit beyond the 32 of the CRC, so that a row shows which of the two
//! made its checksum. CRC-32 detects every flip of a single bit, and all but one in 2^32 of other changes.

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

/// Defines the functions on a connection.
pub(in crate::store) fn install(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("checksum", ANY, FLAGS, |context| Ok(of(context)))?;
    Ok(connection.create_scalar_function("checksum2", ANY, FLAGS, |context| Ok(SECOND | of(context)))?)
}

/// Hashes each value with its type and length, so that bytes cannot move from one value to the next unnoticed.
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
    fn every_change_of_a_row_changes_its_checksum() {
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
