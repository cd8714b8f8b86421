//! What this process denies itself.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// From now on no file is made that others may read, and no memory image is written when the process crashes: it would
/// hold the secrets. A system that forbids to set the limit has one of its own.
pub fn apply() {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        log::warn!("memory images cannot be switched off: {error}");
    }
}
