//! The two lines of a connection: request and outcome.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::files;

/// Both ends must be the same version: the meaning of an operation may change with it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The request. Its version can be read whatever the operation is.
#[derive(Serialize, Deserialize)]
pub struct WireRequest<'a> {
    /// The version of the client.
    pub version: String,
    /// Device and inode of the database that the client means.
    pub database: (u64, u64),
    /// An [`crate::admin::operation::AdminOperation`].
    #[serde(borrow)]
    pub operation: &'a RawValue,
}

/// The outcome of an operation.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireOutcome {
    /// It succeeded with this result.
    Done(Value),
    /// It failed, and someone has to change something before a retry can succeed.
    Unusable(String),
    /// It failed for another reason.
    Failed(String),
}

/// The identity of a database, independent of the path by which it is found.
pub fn identity(database: &Path) -> io::Result<(u64, u64)> {
    Ok(files::identity(&database.metadata()?))
}

/// Writes a line.
pub fn write(mut stream: &UnixStream, line: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    stream.write_all(&bytes)
}

/// Reads a line of at most `bytes_max` bytes; an empty one when the other end closed without sending anything.
pub fn read(stream: &UnixStream, bytes_max: u64) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(bytes_max)).read_line(&mut line)?;
    if line.is_empty() || line.ends_with('\n') {
        return Ok(line);
    }
    Err(io::Error::new(ErrorKind::InvalidData, "the line is too long or incomplete"))
}

impl From<Result<Value>> for WireOutcome {
    fn from(outcome: Result<Value>) -> Self {
        match outcome {
            Ok(result) => Self::Done(result),
            Err(Error::Unusable(message)) => Self::Unusable(message),
            Err(error) => Self::Failed(error.chain()),
        }
    }
}

impl From<WireOutcome> for Result<Value> {
    fn from(outcome: WireOutcome) -> Self {
        match outcome {
            WireOutcome::Done(result) => Ok(result),
            WireOutcome::Unusable(message) => Err(Error::Unusable(message)),
            WireOutcome::Failed(message) => Err(Error::Conflict(message)),
        }
    }
}
