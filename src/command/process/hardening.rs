//! Restrictions that the process imposes on itself.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Makes new files inaccessible to others, and disables core dumps, which would contain secrets. A system that
/// forbids setting the limit has its own.
pub fn apply() {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        log::warn!("cannot disable core dumps: {error}");
    }
}
