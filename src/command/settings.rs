//! Arguments that commands share.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::terminal::output;
use crate::config::{self, Config};
use crate::error::{Error, Resource, Result};
use crate::model::accounts::customer::Customer;
use crate::model::id::CustomerId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::server::make_data_directory;
use crate::store::Store;
use crate::store::accounts::customers;
use crate::store::backup::remains;
use crate::store::reader::Reader;

/// The default configuration file.
const FILE: &str = "kaiwa.toml";

/// The most customers listed in the error for an unknown one.
const KNOWN_MAX: usize = 20;

/// The source of the settings.
#[derive(Debug, Args)]
pub struct CommonArguments {
    /// The configuration file; see config.example.toml. Default: kaiwa.toml in the current directory, if it
    /// exists. `KAIWA_…` variables take precedence over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Arguments of a command that lists rows of the database.
#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Print JSON, one line for each result.
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    /// Prints each row that `read` finds with `show`, whose second argument is whether to print JSON; without
    /// rows prints `empty`, unless in JSON.
    pub fn list<T>(
        &self,
        read: impl FnOnce(&Reader) -> Result<Vec<T>>,
        empty: &str,
        show: impl Fn(&T, bool) -> Result<()>,
    ) -> Result<()> {
        let rows = read(&self.common.reader()?)?;
        if rows.is_empty() && !self.json {
            return output::line(empty);
        }
        rows.iter().try_for_each(|row| show(row, self.json))
    }
}

impl CommonArguments {
    /// Loads the settings from the file and the environment.
    pub fn load(&self) -> Result<Config> {
        config::load_with_process_environment(self.file(), &[])
    }

    /// Loads the settings for a command that is given its subject explicitly: an invalid default file does not
    /// stop it but is reported and ignored.
    pub fn load_if_valid(&self) -> Result<Config> {
        match self.load() {
            Err(error) if self.config.is_none() && self.file().is_some() => {
                let without = config::load_with_process_environment(None, &[])?;
                output::note(&format!("{}; ignoring ./{FILE}", error.chain()));
                Ok(without)
            }
            loaded => loaded,
        }
    }

    /// The configuration file, if there is one. A dangling link counts as an unreadable file.
    pub fn file(&self) -> Option<&Path> {
        let here = Path::new(FILE);
        self.config.as_deref().or_else(|| here.symlink_metadata().is_ok().then_some(here))
    }

    /// Opens the database for reading, also while a server has it open.
    pub fn reader(&self) -> Result<Reader> {
        let config = self.load()?;
        Reader::open(&config.database_path(), &config.key_source())
            .map_err(|error| before_start(&config, error))
    }

    /// Opens the database for writing; fails while a server has it open. Creates it if there never was one.
    pub fn store(&self) -> Result<Store> {
        let config = self.load()?;
        remains::refuse(&config)?;
        open(&config)
    }
}

/// Creates a database in place of one that is gone, on explicit request: what is left of the old one is moved
/// aside.
pub fn require_new_database(config: &Config) -> Result<()> {
    remains::set_aside(config, Timestamp::now())?;
    open(config).map(drop)
}

fn open(config: &Config) -> Result<Store> {
    make_data_directory(&config.data_directory)?;
    Store::open(&config.database_path(), &config.key_source(), config.limits.write_queue)
}

/// The key that signs tokens. If it cannot be used, the error says where it was looked for.
pub fn jwt_key<'config>(config: &'config Config, file: Option<&Path>) -> Result<&'config Secret> {
    let source = || match file {
        Some(file) => format!("the configuration was read from {}", file.display()),
        None => format!("no configuration file was read: `--config` was not given, and there is no ./{FILE}"),
    };
    config.require_jwt_key().map_err(|error| Error::Unusable(format!("{error}; {}", source())))
}

/// The customer with this id, or the only one with this name.
pub fn find_customer(reader: &Reader, id_or_name: &str) -> Result<Customer> {
    reader.read(|connection| {
        let found = match id_or_name.parse::<CustomerId>() {
            Ok(id) => Ok(id),
            Err(_) => customers::find_by_name(connection, id_or_name),
        };
        match found.and_then(|id| customers::get(connection, id)) {
            Err(Error::NotFound(_)) => Err(unknown(id_or_name, &customers::list(connection)?)),
            found => found,
        }
    })
}

/// The error for an unknown customer, which lists the existing ones.
fn unknown(id_or_name: &str, known: &[Customer]) -> Error {
    let named = known.iter().take(KNOWN_MAX);
    let named: Vec<_> = named.map(|one| format!("{} {:?}", one.id, one.profile.name)).collect();
    let known = match known.len().saturating_sub(KNOWN_MAX) {
        _ if known.is_empty() => {
            "there is none yet: declare it in the configuration and start the server, or add it with `kaiwa customer add`"
                .to_owned()
        }
        0 => format!("the customers are {}", named.join(", ")),
        more => format!("the customers are {} and {more} more", named.join(", ")),
    };
    Error::NotHere(Resource::Customer, format!("no such customer: {id_or_name:?}; {known}"))
}

/// Before the first start the database is not lost, just not created yet.
fn before_start(config: &Config, error: Error) -> Error {
    if config.data_directory.exists() {
        return error;
    }
    Error::Unusable(format!(
        "{error}; the first `kaiwa serve` creates it, or `kaiwa migrate` without starting the server"
    ))
}
