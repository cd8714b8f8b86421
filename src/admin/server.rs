//! The server's end of the socket.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::task::JoinHandle;
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admin::operation::AdminOperation;
use crate::admin::socket::Socket;
use crate::admin::wire::{self, Asked, VERSION, WireOutcome};
use crate::error::{Error, Result};
use crate::runtime::app::Shared;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 16;

/// The longest operation: secrets and names.
const OPERATION_BYTES_MAX: u64 = 64 * 1024;

/// How long a command may take to say what it wants, and to take what is said to it.
const TIME_MAX: Duration = Duration::from_secs(10);

/// How long nothing is taken after a connection could not be.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Who may ask, beside root.
#[derive(Clone, Copy)]
struct Owner {
    user: u32,
}

/// A socket whose commands wait until they are answered.
pub struct AdminListener {
    socket: Socket,
    listener: std::os::unix::net::UnixListener,
    owner: Owner,
}

/// A socket whose commands are answered. Both end when this is dropped.
pub struct Answering {
    _socket: Socket,
    task: JoinHandle<()>,
}

impl AdminListener {
    /// Begins to listen in the data folder of this process.
    pub fn begin(data_directory: &std::path::Path) -> Result<Self> {
        let (socket, listener) = Socket::listen(data_directory).map_err(Error::internal)?;
        listener.set_nonblocking(true).map_err(Error::internal)?;
        let owner = Owner { user: socket.owner().map_err(Error::internal)? };
        Ok(Self { socket, listener, owner })
    }

    /// Begins to answer; to be called within a runtime.
    pub fn answer(self, shared: &Arc<Shared>) -> Result<Answering> {
        let listener = UnixListener::from_std(self.listener).map_err(Error::internal)?;
        let task = rt::spawn(take(listener, Arc::clone(shared), self.owner));
        Ok(Answering { _socket: self.socket, task })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(listener: UnixListener, shared: Arc<Shared>, owner: Owner) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let taken = async {
            let (stream, _) = listener.accept().await?;
            let user = stream.peer_cred()?.uid();
            let is_known = user == 0 || user == owner.user;
            answer_on_a_thread(stream.into_std()?, is_known, (Arc::clone(&shared), place))
        };
        if let Err(error) = taken.await {
            log::warn!("commands: a connection could not be taken: {error}");
            tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

/// An operation waits for the disk, and a stop does not wait for it.
fn answer_on_a_thread(
    stream: UnixStream,
    is_known: bool,
    (shared, place): (Arc<Shared>, OwnedSemaphorePermit),
) -> std::io::Result<()> {
    let answer = move || {
        let _place = place;
        if let Err(error) = answer(&stream, is_known, &shared) {
            log::info!("commands: one has gone: {error}");
        }
    };
    std::thread::Builder::new().name("command".to_owned()).spawn(answer).map(drop)
}

fn answer(stream: &UnixStream, is_known: bool, shared: &Shared) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(TIME_MAX))?;
    stream.set_write_timeout(Some(TIME_MAX))?;
    let line = wire::read(stream, OPERATION_BYTES_MAX)?;
    if line.is_empty() {
        // Whoever only looks whether a server is here says nothing.
        return Ok(());
    }
    let operation = if is_known { understand(&line, shared) } else { Err(stranger()) };
    let outcome = operation.and_then(|operation| {
        if let Some(command) = operation.begun() {
            log::info!("commands: {command}");
        }
        let done = operation.run(&shared.store, &shared.config.data_directory, shared.clock.now());
        shared.wakers.wake_all();
        done
    });
    wire::write(stream, &WireOutcome::from(outcome))
}

fn stranger() -> Error {
    log::warn!("commands: one of another user was refused");
    Error::Unusable("the running server belongs to another user".to_owned())
}

/// What is wanted, when it can be done now. What was sent is not repeated: there may be secrets in it.
fn understand(line: &str, shared: &Shared) -> Result<AdminOperation> {
    let unknown =
        |_| Error::Unusable("the running server does not know this command: start it anew".to_owned());
    let Asked { version, database, operation } = serde_json::from_str(line).map_err(unknown)?;
    if version != VERSION {
        return Err(Error::Unusable(format!(
            "the running server is kaiwa {VERSION} and this command kaiwa {version}: start the server anew"
        )));
    }
    if wire::identity(&shared.config.database_path()).map_err(Error::internal)? != database {
        return Err(Error::Unusable("the server on this data folder has another database open".to_owned()));
    }
    if shared.end.has_begun() {
        return Err(Error::Unavailable("the server is stopping: begin again once it has".to_owned()));
    }
    serde_json::from_str(operation.get()).map_err(unknown)
}
