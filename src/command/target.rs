//! Where a command does what it has to do: in the running server, or on the file while none runs.

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

/// Where a command does what it has to do.
pub struct Target {
    config: Config,
    /// The file; nothing where a server has it.
    store: Option<Store>,
}

impl Target {
    /// The running server, else the file. `Unusable` when another process has the file open that cannot be asked.
    pub fn of(settings: &CommonArguments) -> Result<Self> {
        let config = settings.load()?;
        let store = if client::is_there(&config.data_directory)? { None } else { Some(settings.store()?) };
        Ok(Self { config, store })
    }

    /// For what is shown.
    pub fn reader(&self) -> Result<Reader> {
        match &self.store {
            None => Reader::open(&self.config.database_path(), &self.config.key_source()),
            Some(store) => store.reader(),
        }
    }

    /// Does it, and returns what there is to say of it.
    pub fn run<T: DeserializeOwned>(&self, operation: AdminOperation) -> Result<T> {
        let said = match &self.store {
            None => client::ask(&self.config, &operation),
            Some(store) => operation.run(store, &self.config.data_directory, Timestamp::now()),
        };
        operation::answer(said?)
    }

    /// Closes what this process has open. Where no server has the file nobody else gets it for as long as the lock is held.
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
