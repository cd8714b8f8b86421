//! Where a command runs its operations: in the running server, or on the database file while none runs.

use serde::de::DeserializeOwned;

use crate::admin::client;
use crate::admin::operation::{self, AdminOperation};
use crate::command::settings::CommonArguments;
use crate::config::Config;
use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::engine::lock::Lock;
use crate::store::reader::Reader;

/// Where a command runs its operations.
pub struct Target {
    config: Config,
    /// The database file; `None` if a server has it open.
    store: Option<Store>,
}

impl Target {
    /// The running server, or else the file. `Unusable` when the file is open in another process that does not
    /// accept commands.
    pub fn of(settings: &CommonArguments) -> Result<Self> {
        let config = settings.load()?;
        let store = if client::is_running(&config.data_directory)? { None } else { Some(settings.store()?) };
        Ok(Self { config, store })
    }

    /// Opens the database for reading.
    pub fn reader(&self) -> Result<Reader> {
        match &self.store {
            None => Reader::open(&self.config.database_path(), &self.config.key_source()),
            Some(store) => store.reader(),
        }
    }

    /// Runs an operation and returns its result.
    pub fn run<T: DeserializeOwned>(&self, operation: AdminOperation) -> Result<T> {
        let result = match &self.store {
            None => client::request(&self.config, &operation),
            Some(store) => operation.run(store, &self.config.data_directory, Timestamp::now()),
        };
        operation::parse_result(result?)
    }

    /// Closes the database. If no server has it open, the lock keeps others from opening it while it is held.
    pub fn close(self) -> Result<(Config, Option<Lock>)> {
        let Self { config, store } = self;
        let lock = match store {
            None => None,
            Some(store) => {
                drop(store);
                Some(Lock::take(&config.database_path())?)
            }
        };
        Ok((config, lock))
    }
}
