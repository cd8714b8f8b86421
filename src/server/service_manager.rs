//! Telling the service manager how it goes, by the protocol of `sd_notify(3)`: a datagram with lines of `NAME=value`.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::config::supervisor::Supervisor;
use crate::runtime::heartbeats::Heartbeats;

/// The service manager, if there is one that wants to be told.
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Reaches the service manager. One that cannot be reached is logged: the server works all the same.
    pub fn new(supervisor: &Supervisor) -> Self {
        let socket = supervisor.notify_socket.as_deref().map(reach);
        let socket = socket.and_then(|socket| socket.map_err(|error| report(&error)).ok());
        Self { socket, watchdog: supervisor.watchdog }
    }

    /// Requests are answered.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// No new requests are taken.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Tells again and again that the workers are alive, for as long as they are; never ends. A server that falls silent
    /// is started anew by the service manager.
    pub async fn run_watchdog(&self, heartbeats: &Heartbeats) {
        let Some(limit) = self.watchdog else { return std::future::pending().await };
        loop {
            match heartbeats.check() {
                Ok(()) => self.send("WATCHDOG=1"),
                Err(error) => log::error!("no sign for the watchdog: {error}"),
            }
            // Half of the time, as the protocol advises.
            tokio::time::sleep(limit / 2).await;
        }
    }

    fn send(&self, state: &str) {
        if let Some(Err(error)) = self.socket.as_ref().map(|socket| socket.send(state.as_bytes())) {
            report(&error);
        }
    }
}

fn reach(path: &Path) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A full queue must not hold up the server.
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn report(error: &std::io::Error) {
    log::warn!("the service manager cannot be told: {error}");
}
