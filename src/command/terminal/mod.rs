//! Terminal input and output of commands: results, confirmation, progress.

pub(in crate::command) mod confirmation;
pub(in crate::command) mod output;
pub(in crate::command) mod progress;
pub(in crate::command) mod words;
