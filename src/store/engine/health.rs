//! Health checks: whether the disk accepts writes and has room.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::model::rate::Rate;
use crate::model::timestamp::Timestamp;
use crate::store::engine::transaction::Transaction;

/// Checks per second that write, and their burst; further ones rely on the last result.
const LOOKS: (u32, u32) = (10, 10);

/// A disk with less free space than this counts as full: the next group may need more than the log can take.
const FULL_BYTES: u64 = 1024 * 1024;

/// Decides which health checks write.
#[derive(Clone, Default)]
pub struct Looks {
    state: Arc<Mutex<WriteState>>,
}

#[derive(Default)]
struct WriteState {
    /// When the rate limit has recovered completely.
    full_at: Option<Timestamp>,
    /// Whether the disk has accepted a page and refused nothing since.
    is_proven: bool,
}

impl Looks {
    /// Whether this check has to write. Beyond the rate limit, which protects the disk from wear, only after a refused write.
    pub fn must_write(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let taken = Rate::new(LOOKS.0, LOOKS.1).map(|rate| rate.take(state.full_at, now));
        if let Some(Ok(full_at)) = taken {
            state.full_at = Some(full_at);
            return true;
        }
        !state.is_proven
    }

    /// Notes that a group with a stamp was committed, so the disk has accepted a page.
    pub fn written(&self) {
        self.state().is_proven = true;
    }

    /// Notes that a write was refused.
    pub fn refused(&self) {
        self.state().is_proven = false;
    }

    fn state(&self) -> MutexGuard<'_, WriteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes a row, so that the following commit shows whether the disk accepts it; SQLite writes nothing for an unchanged row.
/// It uses up a stamp, without following a clock that is ahead.
pub fn check_writable(tx: &Transaction<'_>) -> Result<()> {
    tx.skip_stamp()
}

/// `Unavailable` when a disk is almost full: a write may then succeed only because the log has room left.
pub fn require_capacity(free_bytes: u64) -> Result<()> {
    if free_bytes >= FULL_BYTES {
        return Ok(());
    }
    Err(Error::Unavailable(format!("the disk is full: {free_bytes} bytes are free")))
}

/// Free bytes for this process on the disk of the file.
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
    fn checks_write_ten_times_a_second_and_always_after_a_refused_write() {
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
    fn a_disk_without_room_is_full_before_a_write_fails() {
        assert!(require_capacity(FULL_BYTES).is_ok());
        assert!(require_capacity(FULL_BYTES - 1).is_err());
    }
}
