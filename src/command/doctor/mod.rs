//! `kaiwa doctor`: looks at what an operator can get wrong, and says what to do about it.

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

/// Looks and changes nothing; beside a running server too.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    settings: CommonArguments,
    /// Print JSON, one line for each finding.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Runs the command. `Unavailable` when something has to be put right; what only should be is no failure.
    pub fn run(self) -> Result<()> {
        let findings = match self.settings.load() {
            Ok(config) => look(&config, self.settings.file()),
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
            1 => Err(Error::Unavailable(format!("1 of {} checks has failed", findings.len()))),
            count => Err(Error::Unavailable(format!("{count} of {} checks have failed", findings.len()))),
        }
    }
}

fn look(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut findings = local::look(config, file);
    findings.extend(System::new().block_on(accounts::look(config)));
    findings
}
