//! What a service manager such as systemd hands over to the program: a socket that already listens, and whom to tell how
//! it goes. By systemd's protocols: `sd_listen_fds(3)`, `sd_notify(3)` and `sd_watchdog_enabled(3)`.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use listenfd::ListenFd;

use crate::error::{Error, Result};

/// What was handed over. Without a service manager nothing is.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// The socket to listen at: it is open while the program is not running, so that callers wait and are not refused.
    pub listener: Option<TcpListener>,
    /// The socket that takes the program's state.
    pub notify_socket: Option<PathBuf>,
    /// How long the program may be silent before it is taken for stuck.
    pub watchdog: Option<Duration>,
}

impl Supervisor {
    /// What this process was handed. `Unusable` when that is anything but one listening TCP socket.
    pub fn of_this_process() -> Result<Self> {
        let notify_socket = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from);
        Ok(Self { listener: listener()?, notify_socket, watchdog: watchdog() })
    }
}

fn listener() -> Result<Option<TcpListener>> {
    // The variables count for the process that they name only, and a child must not take them for its own.
    let mut handed = ListenFd::from_env();
    if handed.len() > 1 {
        let message = format!("{} sockets were handed over, and one is needed", handed.len());
        return Err(Error::Unusable(message));
    }
    let unusable = |error| Error::Unusable(format!("the socket that was handed over: {error}"));
    handed.take_tcp_listener(0).map_err(unusable)
}

/// The time for a process with another id is not for this one.
fn watchdog() -> Option<Duration> {
    let number = |name: &str| env::var_os(name)?.to_str()?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|process| process == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|time| is_ours && *time > 0).map(Duration::from_micros)
}
