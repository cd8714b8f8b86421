//! What a service manager such as systemd passes to the program: a listening socket, and the socket for status
//! notifications. Implements systemd's protocols `sd_listen_fds(3)`, `sd_notify(3)` and
//! `sd_watchdog_enabled(3)`.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use listenfd::ListenFd;

use crate::error::{Error, Result};

/// What was passed; empty without a service manager.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// The listening socket. It stays open while the program is not running, so that clients wait instead of
    /// being refused.
    pub listener: Option<TcpListener>,
    /// The socket for status notifications.
    pub notify_socket: Option<PathBuf>,
    /// How long the program may be silent before it is considered hung.
    pub watchdog: Option<Duration>,
}

impl Supervisor {
    /// What was passed to this process. `Unusable` when it is anything but one listening TCP socket.
    pub fn of_this_process() -> Result<Self> {
        let notify_socket = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(Self { listener: listener()?, notify_socket, watchdog: watchdog() })
    }
}

fn listener() -> Result<Option<TcpListener>> {
    // The variables apply only to the process they name, and must not be inherited by a child.
    let mut passed = ListenFd::from_env();
    if passed.len() > 1 {
        let message = format!("the service manager passed {} sockets, expected one", passed.len());
        return Err(Error::Unusable(message));
    }
    let unusable = |error| Error::Unusable(format!("the socket passed by the service manager: {error}"));
    passed.take_tcp_listener(0).map_err(unusable)
}

/// The watchdog timeout, unless it is meant for another process.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var_os(name)?.to_str()?.parse::<u64>().ok();
    let is_for_us = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|time| is_for_us && *time > 0).map(Duration::from_micros)
}
