//! The server side of the admin socket.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::task::JoinHandle;
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admin::operation::AdminOperation;
use crate::admin::socket::Socket;
use crate::admin::wire::{self, VERSION, WireOutcome, WireRequest};
use crate::error::{Error, Result};
use crate::runtime::app::Shared;

/// Concurrent connections; more wait.
const CONNECTIONS_MAX: usize = 16;

/// The longest request: it contains secrets and names.
const OPERATION_BYTES_MAX: u64 = 64 * 1024;

/// The timeout for reading a request and for writing a response.
const TIME_MAX: Duration = Duration::from_secs(10);

/// The pause after a failure to accept a connection.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The user who may send commands, besides root.
#[derive(Clone, Copy)]
struct Owner {
    user: u32,
}

/// A listening socket whose connections wait to be served.
pub struct AdminListener {
    socket: Socket,
    listener: std::os::unix::net::UnixListener,
    owner: Owner,
}

/// A socket being served. Dropping this stops serving and removes the socket.
pub struct AdminServer {
    _socket: Socket,
    task: JoinHandle<()>,
}

impl AdminListener {
    /// Starts listening in the data directory of this process.
    pub fn bind(data_directory: &std::path::Path) -> Result<Self> {
        let (socket, listener) = Socket::listen(data_directory).map_err(Error::internal)?;
        listener.set_nonblocking(true).map_err(Error::internal)?;
        let owner = Owner { user: socket.owner().map_err(Error::internal)? };
        Ok(Self { socket, listener, owner })
    }

    /// Starts serving; to be called within a runtime.
    pub fn serve(self, shared: &Arc<Shared>) -> Result<AdminServer> {
        let listener = UnixListener::from_std(self.listener).map_err(Error::internal)?;
        let task = rt::spawn(accept(listener, Arc::clone(shared), self.owner));
        Ok(AdminServer { _socket: self.socket, task })
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, owner: Owner) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        let accepted = async {
            let (stream, _) = listener.accept().await?;
            let user = stream.peer_cred()?.uid();
            let is_allowed = user == 0 || user == owner.user;
            spawn_handler(stream.into_std()?, is_allowed, (Arc::clone(&shared), permit))
        };
        if let Err(error) = accepted.await {
            log::warn!("commands: cannot accept a connection: {error}");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

/// Handles a connection on a thread of its own, since an operation waits for the disk. A shutdown does not wait
/// for it.
fn spawn_handler(
    stream: UnixStream,
    is_allowed: bool,
    (shared, permit): (Arc<Shared>, OwnedSemaphorePermit),
) -> std::io::Result<()> {
    let handler = move || {
        let _permit = permit;
        if let Err(error) = handle(&stream, is_allowed, &shared) {
            log::info!("commands: a connection failed: {error}");
        }
    };
    std::thread::Builder::new().name("command".to_owned()).spawn(handler).map(drop)
}

fn handle(stream: &UnixStream, is_allowed: bool, shared: &Shared) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TIME_MAX))?;
    stream.set_write_timeout(Some(TIME_MAX))?;
    let line = wire::read(stream, OPERATION_BYTES_MAX)?;
    if line.is_empty() {
        // A client that only checks for a running server sends nothing.
        return Ok(());
    }
    let operation = if is_allowed { parse(&line, shared) } else { Err(not_allowed()) };
    let outcome = operation.and_then(|operation| {
        if let Some(command) = operation.started_command() {
            log::info!("commands: {command}");
        }
        let result = operation.run(&shared.store, &shared.config.data_directory, shared.clock.now());
        shared.wakers.wake_all();
        result
    });
    wire::write(stream, &WireOutcome::from(outcome))
}

fn not_allowed() -> Error {
    log::warn!("commands: rejected a command of another user");
    Error::Unusable("the running server belongs to another user".to_owned())
}

/// Parses a request that can be run now. Errors do not repeat the request, which may contain secrets.
fn parse(line: &str, shared: &Shared) -> Result<AdminOperation> {
    let unknown = |_| Error::Unusable("the running server does not know this command: restart it".to_owned());
    let WireRequest { version, database, operation } = serde_json::from_str(line).map_err(unknown)?;
    if version != VERSION {
        return Err(Error::Unusable(format!(
            "the running server is kaiwa {VERSION} and this command is kaiwa {version}: restart the server"
        )));
    }
    if wire::identity(&shared.config.database_path()).map_err(Error::internal)? != database {
        return Err(Error::Unusable(
            "the server on this data directory has another database open".to_owned(),
        ));
    }
    if shared.end.has_begun() {
        return Err(Error::Unavailable("the server is stopping: try again once it has stopped".to_owned()));
    }
    serde_json::from_str(operation.get()).map_err(unknown)
}
