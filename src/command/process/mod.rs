//! What the process is before it does anything.

pub(in crate::command) mod hardening;
pub(in crate::command) mod logging;
