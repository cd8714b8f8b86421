//! The two lines of a connection.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::files;

/// Both ends are of one version: what an operation means may change with it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is asked. The version is read whatever the operation is.
#[derive(Serialize, Deserialize)]
pub struct Asked<'a> {
    /// Of whoever asks.
    pub version: String,
    /// Device and inode of the database that is meant.
    pub database: (u64, u64),
    /// An [`crate::admin::operation::AdminOperation`].
    #[serde(borrow)]
    pub operation: &'a RawValue,
}

/// What came of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireOutcome {
    /// It is done; this is what there is to say of it.
    Done(Value),
    /// It failed, and a person has to change something before another try can succeed.
    Unusable(String),
    /// It failed.
    Failed(String),
}

/// What tells one database from another, by whatever path it is found.
pub fn identity(database: &Path) -> io::Result<(u64, u64)> {
    Ok(files::identity(&database.metadata()?))
}

/// Writes a line.
pub fn write(mut stream: &UnixStream, line: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    stream.write_all(&bytes)
}

/// Reads a line of at most so many bytes; an empty one when the other end has gone without a word.
pub fn read(stream: &UnixStream, bytes_max: u64) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(bytes_max)).read_line(&mut line)?;
    if line.is_empty() || line.ends_with('\n') {
        return Ok(line);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "the line has no end"))
}

impl From<Result<Value>> for WireOutcome {
    fn from(outcome: Result<Value>) -> Self {
        match outcome {
            Ok(said) => Self::Done(said),
            Err(Error::Unusable(message)) => Self::Unusable(message),
            Err(error) => Self::Failed(error.chain()),
        }
    }
}

impl From<WireOutcome> for Result<Value> {
    fn from(outcome: WireOutcome) -> Self {
        match outcome {
            WireOutcome::Done(said) => Ok(said),
            WireOutcome::Unusable(message) => Err(Error::Unusable(message)),
            WireOutcome::Failed(message) => Err(Error::Conflict(message)),
        }
    }
}
