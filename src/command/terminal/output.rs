//! Writes results to standard output, and errors to standard error.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::error::{Error, Result};

/// The reader of standard output is gone, as after `| head -1`. Not reported: the reader has seen enough.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the results")]
pub struct ReaderGone;

/// Prints a line of text.
pub fn line(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::internal(ReaderGone),
        _ => Error::Unavailable(format!("the results cannot be written: {error}")),
    })
}

/// Prints a line of JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value).map_err(Error::internal)?)
}

/// Whether a command ended because the reader of its results is gone.
pub fn is_reader_gone(error: &Error) -> bool {
    matches!(error, Error::Internal(source) if source.is::<ReaderGone>())
}

/// Prints the error of a failed command.
pub fn error(error: &Error) {
    note(&error.chain());
}

/// Prints a note to standard error, also without logging. Failures to write are ignored.
pub fn note(text: &str) {
    writeln!(std::io::stderr(), "kaiwa: {text}").ok();
}
