//! Results, on standard output.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::error::{Error, Result};

/// Nobody reads the results any more, as after `| head -1`. It is told to nobody: whoever has left has seen enough.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the results")]
pub struct ReaderGone;

/// One line of text.
pub fn line(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::internal(ReaderGone),
        _ => Error::Unavailable(format!("the results cannot be written: {error}")),
    })
}

/// One line of JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value).map_err(Error::internal)?)
}

/// Whether a command ended because nobody reads its results.
pub fn is_reader_gone(error: &Error) -> bool {
    matches!(error, Error::Internal(source) if source.is::<ReaderGone>())
}

/// The last words of a failed command.
pub fn complain(error: &Error) {
    remark(&error.chain());
}

/// A word to whoever gave the command, on standard error, also when nothing logs. There may be nobody who reads it.
pub fn remark(text: &str) {
    writeln!(std::io::stderr(), "kaiwa: {text}").ok();
}
