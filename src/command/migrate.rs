//! `kaiwa migrate` and `kaiwa version`.

use clap::Args;
use serde_json::json;

use crate::command::settings::{CommonArguments, require_new_database};
use crate::command::terminal::{output, progress};
use crate::error::Result;
use crate::store::engine::schema;

/// Brings the database up to date without running the server.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    settings: CommonArguments,
    /// Make a new database although there has been one here; what is left of that is moved aside.
    #[arg(long)]
    new: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints versions.
#[derive(Debug, Args)]
pub struct Version {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Migrate {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        if self.new {
            require_new_database(&config)?;
        } else {
            drop(progress::during("opening the database", || self.settings.store())?);
        }
        let path = config.database_path();
        let version = schema::current_version();
        if self.json {
            return output::json(&json!({ "database": path.display().to_string(), "schema": version }));
        }
        output::line(&format!("{} has schema version {version}", path.display()))
    }
}

impl Version {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let (version, schema) = (env!("CARGO_PKG_VERSION"), schema::current_version());
        let sqlite = schema::sqlite_version();
        if self.json {
            return output::json(&json!({ "kaiwa": version, "schema": schema, "sqlite": sqlite }));
        }
        output::line(&format!("kaiwa {version} (schema {schema}, SQLite {sqlite})"))
    }
}
