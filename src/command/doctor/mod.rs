//! `kaiwa doctor`: checks what an operator can get wrong, and says how to fix it.

mod accounts;
mod examined;
mod finding;
mod local;

use std::path::Path;

use actix_web::rt::System;
use clap::Args;

use crate::command::doctor::finding::{Finding, Level};
use crate::command::settings::CommonArguments;
use crate::command::terminal::output;
use crate::config::Config;
use crate::error::{Error, Result};

/// Check configuration, files, database and LINE accounts without changing anything; also while the server
/// runs.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    settings: CommonArguments,
    /// Print JSON, one line for each finding.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Runs the command. `Unavailable` when something must be fixed; warnings are not a failure.
    pub fn run(self) -> Result<()> {
        let findings = match self.settings.load() {
            Ok(config) => check(&config, self.settings.file()),
            Err(error) => {
                vec![Finding::fail("configuration", error.chain(), "config.example.toml lists every key")]
            }
        };
        for finding in &findings {
            if self.json {
                output::json(finding)?;
            } else {
                output::line(&finding.to_string())?;
            }
        }
        match findings.iter().filter(|finding| finding.level == Level::Fail).count() {
            0 => Ok(()),
            1 => Err(Error::Unavailable(format!("1 of {} checks failed", findings.len()))),
            count => Err(Error::Unavailable(format!("{count} of {} checks failed", findings.len()))),
        }
    }
}

fn check(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut findings = local::check(config, file);
    findings.extend(System::new().block_on(accounts::check(config)));
    findings
}
