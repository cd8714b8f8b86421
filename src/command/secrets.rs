//! `kaiwa secrets`.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::command::settings::CommonArguments;
use crate::command::terminal::output;
use crate::error::Result;
use crate::store::encryption;
use crate::store::encryption::sealer::KeyRotation;

/// The secrets in the database: channel secrets and tokens.
#[derive(Debug, Args)]
pub struct SecretsCommand {
    #[command(subcommand)]
    action: SecretsAction,
}

#[derive(Debug, Subcommand)]
enum SecretsAction {
    /// Seal all secrets with the new key. The server must not be running.
    Rotate(Rotate),
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    settings: CommonArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl SecretsCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self.action {
            SecretsAction::Rotate(rotate) => rotate.run(),
        }
    }
}

impl Rotate {
    fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let KeyRotation { from, to } =
            encryption::sealer::rotate(&config.database_path(), &config.key_source())?;
        if self.json {
            return output::json(&json!({ "from": from, "to": to }));
        }
        output::line(&format!(
            "all secrets are sealed with the key {to}; {from} is now needed only for earlier backups"
        ))
    }
}
