//! The client side of the admin socket, used by commands.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::admin::operation::AdminOperation;
use crate::admin::socket;
use crate::admin::wire::{self, VERSION, WireOutcome, WireRequest};
use crate::config::Config;
use crate::error::{Error, Result};

/// The longest response: all texts of one erasure step, as JSON.
const RESPONSE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The timeout of one operation: it may scan the whole database.
const TIME_MAX: Duration = Duration::from_hours(1);

/// Whether a server runs on this data directory and accepts commands.
///
/// `Unusable` when only another user can reach it.
pub fn is_running(data_directory: &Path) -> Result<bool> {
    let denied = |error| Error::Unusable(format!("cannot connect to the running server: {error}"));
    Ok(socket::connect(data_directory).map_err(denied)?.is_some())
}

/// Runs an operation in the running server and returns its result.
pub fn request(config: &Config, operation: &AdminOperation) -> Result<Value> {
    let path = config.database_path();
    let missing = |error| {
        Error::Unusable(format!(
            "a server is running, but its database is not at {}: {error}",
            path.display()
        ))
    };
    let unresponsive = |error: &dyn Display| {
        Error::Unavailable(format!(
            "the running server does not respond: {error}; check that it is still running, then try again"
        ))
    };
    let operation = to_raw_value(operation).map_err(Error::internal)?;
    let database = wire::identity(&path).map_err(missing)?;
    let request = WireRequest { version: VERSION.to_owned(), database, operation: &operation };
    let stream = socket::connect(&config.data_directory).map_err(|error| unresponsive(&error))?;
    let stream = stream.ok_or_else(|| unresponsive(&"it has stopped"))?;
    let timeouts = stream.set_read_timeout(Some(TIME_MAX)).and(stream.set_write_timeout(Some(TIME_MAX)));
    let response = timeouts
        .and_then(|()| wire::write(&stream, &request))
        .and_then(|()| wire::read(&stream, RESPONSE_BYTES_MAX))
        .map_err(|error| unresponsive(&error))?;
    let outcome: WireOutcome =
        serde_json::from_str(&response).map_err(|_| unresponsive(&"its response cannot be read"))?;
    outcome.into()
}
