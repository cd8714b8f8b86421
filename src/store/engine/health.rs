//! Whether the database can be used.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::model::rate::Rate;
use crate::model::timestamp::Timestamp;
use crate::store::engine::transaction::Transaction;

/// Looks that write in a second; further ones go by what the last of them has found.
const LOOKS: (u32, u32) = (10, 10);

/// A disk with less room than this is full: the next group may need more than the log has room for.
const FULL_BYTES: u64 = 1024 * 1024;

/// Who looks whether the disk takes writes, and how often it is asked.
#[derive(Clone, Default)]
pub struct Looks {
    state: Arc<Mutex<WriteState>>,
}

#[derive(Default)]
struct WriteState {
    /// When all looks of a second are earned again.
    full_at: Option<Timestamp>,
    /// Whether the disk has taken a page and refused nothing since.
    is_proven: bool,
}

impl Looks {
    /// Whether this look has to write. So many that they would wear the disk do not, unless something was refused since
    /// the last one.
    pub fn must_write(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let taken = Rate::new(LOOKS.0, LOOKS.1).map(|rate| rate.take(state.full_at, now));
        if let Some(Ok(full_at)) = taken {
            state.full_at = Some(full_at);
            return true;
        }
        !state.is_proven
    }

    /// A group with a stamp was committed, such as that of a look: the disk has taken a page.
    pub fn written(&self) {
        self.state().is_proven = true;
    }

    /// Something was refused.
    pub fn refused(&self) {
        self.state().is_proven = false;
    }

    fn state(&self) -> MutexGuard<'_, WriteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes a row: the commit that follows shows whether the disk takes it. SQLite writes nothing for a row that stays as
/// it is. The stamp that is used up here nobody gets; it does not follow a clock that is ahead.
pub fn check_writable(tx: &Transaction<'_>) -> Result<()> {
    tx.skip_stamp()
}

/// `Unavailable` when a disk has next to no room: then a write may succeed only because the log has some left.
pub fn require_capacity(free_bytes: u64) -> Result<()> {
    if free_bytes >= FULL_BYTES {
        return Ok(());
    }
    Err(Error::Unavailable(format!("the disk is full: {free_bytes} bytes are free")))
}

/// How much room there is for this process on the disk of the file.
pub fn free_bytes(file: &Path) -> Result<u64> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).map_err(Error::internal)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    #[test]
    fn looks_write_ten_times_a_second_and_always_after_something_was_refused() {
        let looks = Looks::default();
        looks.written();
        let written = |now| (0..1_000).filter(|_| looks.must_write(now)).count();

        assert_eq!(written(NOW), 10);
        assert_eq!(written(NOW.after(Duration::from_millis(100))), 1);
        assert_eq!(written(NOW.before(Duration::from_hours(24))), 10, "a clock that was set back");
        looks.refused();
        assert_eq!(written(NOW), 1_000);
    }

    #[test]
    fn a_disk_without_room_is_full_before_a_write_finds_out() {
        assert!(require_capacity(FULL_BYTES).is_ok());
        assert!(require_capacity(FULL_BYTES - 1).is_err());
    }
}
