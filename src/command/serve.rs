//! `kaiwa serve`.

use actix_web::rt::System;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::command::process::logging;
use crate::command::settings::{CommonArguments, jwt_key, require_new_database};
use crate::config::supervisor::Supervisor;
use crate::error::{Error, Result};
use crate::model::clock::Clock;
use crate::server::Server;

/// Run the server until SIGTERM or SIGINT.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    settings: CommonArguments,
    /// Start with a new database even though there was one here; what is left of that is moved aside.
    #[arg(long)]
    new: bool,
}

impl Serve {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        jwt_key(&config, self.settings.file())?;
        logging::start(&config.log);
        if self.new {
            require_new_database(&config)?;
        }
        let server = Server::bind_under(Supervisor::of_this_process()?, config, Clock::default())?;
        if let Some(address) = server.metrics_address()? {
            log::info!("metrics at http://{address}/metrics");
        }
        log::info!("listening on {}", server.url()?);
        System::new().block_on(async { server.run(shutdown_signal()?).await })
    }
}

/// Resolves when the process receives SIGTERM or SIGINT.
pub fn shutdown_signal() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
