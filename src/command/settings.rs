//! Arguments that several commands take.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{self, Config};
use crate::error::Result;
use crate::model::customer::Customer;
use crate::model::id::CustomerId;
use crate::store::Store;
use crate::store::customers;
use crate::store::reader::Reader;

/// Where the settings come from.
#[derive(Debug, Args)]
pub struct Settings {
    /// The configuration file; see config.example.toml. Without one, defaults and `KAIWA_…` variables hold.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    /// The settings of the file, of the environment and of nothing else.
    pub fn load(&self) -> Result<Config> {
        config::load_with_process_environment(self.config.as_deref(), &[])
    }

    /// The configuration file, where there is one.
    pub fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The database, for reading; it may be open in a running server.
    pub fn reader(&self) -> Result<Reader> {
        let config = self.load()?;
        Reader::open(&config.database_path(), &config.key_source())
    }

    /// The database, for writing; refused while a server has it open.
    pub fn store(&self) -> Result<Store> {
        let config = self.load()?;
        crate::server::make_private_folder(&config.data_directory)?;
        Store::open(&config.database_path(), &config.key_source(), config.limits.write_queue)
    }
}

/// The customer with this id, or the only one with this name.
pub fn find_customer(reader: &Reader, id_or_name: &str) -> Result<Customer> {
    reader.read(|connection| {
        let id = match id_or_name.parse::<CustomerId>() {
            Ok(id) => id,
            Err(_) => customers::find_by_name(connection, id_or_name)?,
        };
        customers::get(connection, id)
    })
}
