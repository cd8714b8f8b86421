//! Process setup: hardening and logging.

pub(in crate::command) mod hardening;
pub(in crate::command) mod logging;
