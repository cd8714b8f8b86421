//! `kaiwa healthcheck`: for containers, unit files and scripts without an HTTP client.

use actix_web::rt::System;
use clap::Args;
use serde_json::Value;

use crate::command::local_client::{self, Request};
use crate::command::settings::CommonArguments;
use crate::command::terminal::output;
use crate::error::{Error, Result};

/// Query `/readyz` of the server at the configured address.
#[derive(Debug, Args)]
pub struct Healthcheck {
    #[command(flatten)]
    settings: CommonArguments,
    /// Print the server's whole response as JSON.
    #[arg(long)]
    json: bool,
}

impl Healthcheck {
    /// Runs the command. `Unavailable` when the server cannot be reached or is not ready.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let request = Request { method: "GET", path: "/readyz", header: None, body: "" };
        let (status, body) = System::new().block_on(local_client::send(&config, &request))?;
        let foreign = |_| Error::Unavailable(format!("the server at {} is not kaiwa", config.listen));
        let body: Value = serde_json::from_str(&body).map_err(foreign)?;
        if self.json {
            output::json(&body)?;
        }
        match status {
            200 if self.json => Ok(()),
            200 => output::line("ready"),
            _ => Err(Error::Unavailable(format!("{} is not ready: {}", config.listen, body["checks"]))),
        }
    }
}
