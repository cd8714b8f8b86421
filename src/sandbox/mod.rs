//! A local LINE platform: people, groups, webhooks and LINE's API, for development and tests.
//!
//! - `platform`: the handle; `state` and the modules of its fields hold the platform's data and never wait.
//! - `line`: LINE's API and webhooks. `http` handles a request, `endpoints` has what LINE does, `events` and
//!   `webhooks` turn actions of people into events, and `sender` delivers them. The validation rules are in
//!   `line::validation`.
//! - `people`: people, groups and chats; `phone` loads the media of messages.
//! - `records`: what the platform stores about requests, tokens, quota and faults.
//! - `control`: the API that controls all of it; documented in `docs/SANDBOX.md`.

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
/// Maximum number of connections per worker.
const CONNECTIONS_MAX: usize = 25_000;
/// Timeout for the head of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than clients keep idle connections, so that none is closed just as it is being reused.
const KEEP_ALIVE: Duration = Duration::from_mins(2);
/// Faults that never respond must not delay the shutdown.
const SHUTDOWN_SECONDS: u64 = 1;

/// Routes of LINE's API and the control API; they expect a `Data<Platform>`.
///
/// LINE's API handles every path, so these must be the last routes of an app.
pub fn routes(config: &mut ServiceConfig) {
    config
        .app_data(ThinData(sender::client()))
        .app_data(ThinData(Phone::default()))
        .configure(control::routes)
        .service(resource("/{path:.*}").route(to(http::handle)));
}

/// Serves the platform on this listener until the server is stopped; must be called within a runtime.
///
/// Faults can close connections only here; with `routes` in another server they respond with 500 instead.
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
    let app = move |config: &mut ServiceConfig| {
        config.app_data(platform.clone()).configure(routes);
    };
    listening::serve(listener, listening, app).map_err(Error::internal)
}
