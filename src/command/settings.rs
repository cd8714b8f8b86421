//! Arguments that several commands take.

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

/// The configuration file that is taken when none is named.
const FILE: &str = "kaiwa.toml";

/// Customers that are named to whoever asked for one who is not there.
const KNOWN_MAX: usize = 20;

/// Where the settings come from.
#[derive(Debug, Args)]
pub struct CommonArguments {
    /// The configuration file; see config.example.toml. Without this option it is kaiwa.toml of this folder, if there is one.
    /// `KAIWA_…` variables go before it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Arguments of a command that lists what the database holds.
#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Print JSON, one line for each result.
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    /// Prints each row that `read` finds with `show`, which is told whether JSON is asked for; `empty` where there is none and
    /// people read.
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
    /// The settings of the file, of the environment and of nothing else.
    pub fn load(&self) -> Result<Config> {
        config::load_with_process_environment(self.file(), &[])
    }

    /// The same for a command that is told what it works on: a broken file that merely lies in this folder does not stop it. It is
    /// told and left aside.
    pub fn load_if_valid(&self) -> Result<Config> {
        match self.load() {
            Err(error) if self.config.is_none() && self.file().is_some() => {
                let without = config::load_with_process_environment(None, &[])?;
                output::remark(&format!("{}; ./{FILE} is left aside", error.chain()));
                Ok(without)
            }
            loaded => loaded,
        }
    }

    /// The configuration file, where there is one. A link that leads nowhere is one that cannot be read.
    pub fn file(&self) -> Option<&Path> {
        let here = Path::new(FILE);
        self.config.as_deref().or_else(|| here.symlink_metadata().is_ok().then_some(here))
    }

    /// The database, for reading; it may be open in a running server.
    pub fn reader(&self) -> Result<Reader> {
        let config = self.load()?;
        Reader::open(&config.database_path(), &config.key_source())
            .map_err(|error| before_start(&config, error))
    }

    /// The database, for writing; refused while a server has it open. One is made where there never was one.
    pub fn store(&self) -> Result<Store> {
        let config = self.load()?;
        remains::refuse(&config)?;
        open(&config)
    }
}

/// Makes a database where one is gone, on purpose: what is left of the old one is moved aside.
pub fn require_new_database(config: &Config) -> Result<()> {
    remains::set_aside(config, Timestamp::now())?;
    open(config).map(drop)
}

fn open(config: &Config) -> Result<Store> {
    make_data_directory(&config.data_directory)?;
    Store::open(&config.database_path(), &config.key_source(), config.limits.write_queue)
}

/// The key that tokens are signed with; when it cannot be used, where it was looked for.
pub fn jwt_key<'config>(config: &'config Config, file: Option<&Path>) -> Result<&'config Secret> {
    let looked = || match file {
        Some(file) => format!("the configuration was read from {}", file.display()),
        None => format!("no configuration file was read: `--config` names none, and there is no ./{FILE}"),
    };
    config.require_jwt_key().map_err(|error| Error::Unusable(format!("{error}; {}", looked())))
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

/// Says who is known instead.
fn unknown(id_or_name: &str, known: &[Customer]) -> Error {
    let named = known.iter().take(KNOWN_MAX);
    let named: Vec<_> = named.map(|one| format!("{} {:?}", one.id, one.profile.name)).collect();
    let known = match known.len().saturating_sub(KNOWN_MAX) {
        _ if known.is_empty() => {
            "none is known yet: declare it in the configuration and start the server, or \
                                  add it with `kaiwa customer add`"
                .to_owned()
        }
        0 => format!("known are {}", named.join(", ")),
        more => format!("known are {} and {more} more", named.join(", ")),
    };
    Error::NotHere(Resource::Customer, format!("no such customer: {id_or_name:?}; {known}"))
}

/// Before the first start nothing is missing: it only has not been made.
fn before_start(config: &Config, error: Error) -> Error {
    if config.data_directory.exists() {
        return error;
    }
    Error::Unusable(format!(
        "{error}; `kaiwa serve` makes it at its first start, `kaiwa migrate` without one"
    ))
}
