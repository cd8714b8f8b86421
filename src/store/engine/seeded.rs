//! The seeded bugs of the storage, see [`SeededBug`]. Without the feature `seeded-bugs` nothing here has an effect.

use rusqlite::Connection;

use crate::config::seeded::SeededBug;
use crate::error::Result;

/// Lowers the durability of a connection that writes.
pub fn weaken(connection: &Connection) -> Result<()> {
    if SeededBug::NormalSynchronous.is_built_in() {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
    }
    Ok(())
}

/// Acknowledges the operations of a group before its commit.
pub fn before_commit(replies: &mut Vec<impl FnOnce(bool)>) {
    if SeededBug::AnswerBeforeCommit.is_built_in() {
        replies.drain(..).for_each(|reply| reply(true));
        std::thread::sleep(SeededBug::MOMENT);
    }
}
