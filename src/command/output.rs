//! Results, on standard output.

use std::io::Write;

use serde::Serialize;

use crate::error::{Error, Result};

/// One line of text.
pub fn line(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).map_err(Error::internal)
}

/// One line of JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value).map_err(Error::internal)?)
}
