//! `kaiwa migrate` and `kaiwa version`.

use clap::Args;
use serde_json::json;

use crate::command::settings::{CommonArguments, require_new_database};
use crate::command::terminal::{output, progress};
use crate::error::Result;
use crate::store::engine::schema;

/// Create the database, or migrate it to the current schema, without running the server.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    settings: CommonArguments,
    /// Create a new database even though there was one here; what is left of that is moved aside.
    #[arg(long)]
    new: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Print the versions of the program, of its database schema and of SQLite.
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
