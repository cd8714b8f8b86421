//! Notifies the service manager of the server's state with the `sd_notify(3)` protocol: datagrams with lines of
//! `NAME=value`.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::config::supervisor::Supervisor;
use crate::runtime::heartbeats::Heartbeats;

/// The service manager, if there is one.
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Connects to the service manager. A failure is only logged: the server works without it.
    pub fn new(supervisor: &Supervisor) -> Self {
        let socket = supervisor.notify_socket.as_deref().map(connect);
        let socket = socket.and_then(|socket| socket.map_err(|error| report(&error)).ok());
        Self { socket, watchdog: supervisor.watchdog }
    }

    /// Reports that the server is ready.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// Reports that the server is shutting down.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Pings the watchdog while the workers are alive; never returns. The service manager restarts a server
    /// that stops pinging.
    pub async fn run_watchdog(&self, heartbeats: &Heartbeats) {
        let Some(limit) = self.watchdog else { return std::future::pending().await };
        loop {
            match heartbeats.check() {
                Ok(()) => self.send("WATCHDOG=1"),
                Err(error) => log::error!("not pinging the watchdog: {error}"),
            }
            // Half the timeout, as the protocol recommends.
            tokio::time::sleep(limit / 2).await;
        }
    }

    fn send(&self, state: &str) {
        if let Some(Err(error)) = self.socket.as_ref().map(|socket| socket.send(state.as_bytes())) {
            report(&error);
        }
    }
}

fn connect(path: &Path) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A full queue must not block the server.
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn report(error: &std::io::Error) {
    log::warn!("cannot notify the service manager: {error}");
}
