//! What commands say, and how they ask and show progress.

pub(in crate::command) mod confirmation;
pub(in crate::command) mod output;
pub(in crate::command) mod progress;
pub(in crate::command) mod words;
