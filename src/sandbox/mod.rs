//! A LINE platform of our own: people, groups, webhooks and LINE's API, for trying things out and for tests.
//!
//! - `platform`: the handle; `state` and the files of its fields hold what the platform knows, without waiting.
//! - `exchange`: a request to LINE's API and its answer; `endpoints`: what LINE does; what it takes is in `line::validation`.
//! - `events` and `webhooks`: what people do and how the bot is told; `sender` brings it.
//! - `media` and `phone`: what a phone loads of a message; `buttons` and `taps`: what a person presses.
//! - `control`: how people, faults and everything else are moved from outside; documented in `docs/SANDBOX.md`.

pub mod control;
pub mod line;
pub mod options;
pub mod platform;
pub mod state;
pub mod webhook;

pub mod people;
pub mod phone;
pub mod records;
#[cfg(test)]
mod tests;

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{Data, ServiceConfig, ThinData, resource, to};

use crate::error::{Error, Result};
use crate::net::listening::{self, ListenOptions};
use crate::sandbox::line::{hangup, http, sender};
use crate::sandbox::phone::Phone;
use crate::sandbox::platform::Platform;

const WORKERS: usize = 2;
/// Connections at once to each of them.
const CONNECTIONS_MAX: usize = 25_000;
/// A head has to arrive within so long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than clients keep idle connections, so that none is closed in the moment in which it is used.
const KEEP_ALIVE: Duration = Duration::from_mins(2);
/// Faults that never answer must not hold up the end of the process.
const SHUTDOWN_SECONDS: u64 = 1;

/// LINE's API and the control API; the handle is taken from `Data<Platform>`.
///
/// LINE's API answers every path, so these routes are the last of their app.
pub fn routes(config: &mut ServiceConfig) {
    config
        .app_data(ThinData(sender::client()))
        .app_data(ThinData(Phone::default()))
        .configure(control::routes)
        .service(resource("/{path:.*}").route(to(http::answer)));
}

/// The platform on this address until the server is stopped; to be called within a runtime.
///
/// Faults can close connections only here: `routes` in another server answers 500 instead.
pub fn serve(platform: Platform, listener: TcpListener) -> Result<Server> {
    let platform = Data::new(platform);
    let listening = ListenOptions {
        threads: WORKERS,
        connections_max: CONNECTIONS_MAX,
        keep_alive: KEEP_ALIVE,
        request_timeout: REQUEST_TIMEOUT,
        shutdown_seconds: SHUTDOWN_SECONDS,
        on_connect: hangup::remember,
    };
    let all = move |config: &mut ServiceConfig| {
        config.app_data(platform.clone()).configure(routes);
    };
    listening::serve(listener, listening, all).map_err(Error::internal)
}
