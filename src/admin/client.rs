//! The command's end of the socket.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::admin::operation::AdminOperation;
use crate::admin::socket;
use crate::admin::wire::{self, Asked, VERSION, WireOutcome};
use crate::config::Config;
use crate::error::{Error, Result};

/// The longest answer: all texts of one step of an erasure, as JSON writes them.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The longest time for one operation: it may look through the whole database.
const TIME_MAX: Duration = Duration::from_hours(1);

/// Whether a server runs on this data folder and can be asked.
///
/// `Unusable` when it can be asked only by somebody else.
pub fn is_there(data_directory: &Path) -> Result<bool> {
    let closed = |error| Error::Unusable(format!("the running server cannot be asked: {error}"));
    Ok(socket::connect(data_directory).map_err(closed)?.is_some())
}

/// Lets the running server do it, and returns what there is to say of it.
pub fn ask(config: &Config, operation: &AdminOperation) -> Result<Value> {
    let path = config.database_path();
    let gone = |error| {
        Error::Unusable(format!("a server runs, and its database is not at {}: {error}", path.display()))
    };
    let silent = |error: &dyn Display| {
        Error::Unavailable(format!(
            "the running server does not answer: {error}; see whether it still runs, and begin again"
        ))
    };
    let operation = to_raw_value(operation).map_err(Error::internal)?;
    let database = wire::identity(&path).map_err(gone)?;
    let asked = Asked { version: VERSION.to_owned(), database, operation: &operation };
    let stream = socket::connect(&config.data_directory).map_err(|error| silent(&error))?;
    let stream = stream.ok_or_else(|| silent(&"it has ended"))?;
    let times = stream.set_read_timeout(Some(TIME_MAX)).and(stream.set_write_timeout(Some(TIME_MAX)));
    let answer = times
        .and_then(|()| wire::write(&stream, &asked))
        .and_then(|()| wire::read(&stream, ANSWER_BYTES_MAX))
        .map_err(|error| silent(&error))?;
    let outcome: WireOutcome = serde_json::from_str(&answer).map_err(|_| silent(&"it said nothing"))?;
    outcome.into()
}
