//! Accepts connections on a thread of its own and distributes them to the HTTP threads round-robin.
//!
//! When actix-server's acceptor is stopped, it drops connections that it has accepted but not yet handed to a
//! thread and those that wait in the kernel, and it does not report when it has stopped accepting.

use std::io::{self, ErrorKind};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};
use crate::runtime::wakers::Stop;

/// The pause in accepting when the system is out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(500);

/// "Return 0" for the Linux packet filter: drop every packet.
const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);

/// The holder of the listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// This process: no other process will serve the clients that wait.
    Us,
    /// A service manager: the next process serves the clients that wait.
    Supervisor,
}

/// A connection to hand to an HTTP thread.
pub struct AcceptedSocket {
    /// The connection.
    pub stream: TcpStream,
    /// Its permit among the open connections; those accepted at shutdown need none.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Accepts connections until the stop is requested. The threads then see their channels close.
pub struct Acceptor {
    /// The listening socket.
    pub listener: std::net::TcpListener,
    /// The holder of the socket.
    pub holder: Holder,
    /// The most open connections.
    pub connections_max: usize,
    /// The channels of the HTTP threads.
    pub threads: Vec<UnboundedSender<AcceptedSocket>>,
    /// When to stop.
    pub stop: Stop,
}

impl Acceptor {
    /// Starts accepting connections.
    pub fn spawn(self) -> Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
        let Self { listener, holder, connections_max, threads, stop } = self;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener).map_err(Error::internal)?
        };
        let permits = Arc::new(Semaphore::new(connections_max));
        let run = async move {
            let mut threads = threads.iter().cycle();
            let mut hand_over = |accepted| {
                // The connection is lost if the thread has ended; the other threads continue.
                drop(threads.next().map(|thread| thread.send(accepted)));
            };
            accept_until(stop, &listener, &permits, &mut hand_over).await;
            if holder == Holder::Us {
                drain_backlog(listener, &mut hand_over);
            }
        };
        let spawned = std::thread::Builder::new().name("acceptor".to_owned());
        spawned.spawn(move || runtime.block_on(run)).map_err(Error::internal)
    }
}

async fn accept_until(
    mut stop: Stop,
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    hand_over: &mut impl FnMut(AcceptedSocket),
) {
    loop {
        tokio::select! {
            biased;
            () = stop.requested() => return,
            accepted = accept(listener, permits) => hand_over(accepted),
        }
    }
}

/// The next connection, once there is a permit for it. Cancel-safe: dropping this future loses no connection.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> AcceptedSocket {
    let permit = Arc::clone(permits).acquire_owned().await.ok();
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => return AcceptedSocket { stream, permit },
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                log::error!("cannot accept connections: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Accepts what already waits in the kernel. The filter is attached first: otherwise a connection that the
/// kernel completes after the last `accept` would be reset, whereas a client whose first packet gets no reply
/// retries and reaches the next server, or none.
fn drain_backlog(listener: TcpListener, hand_over: &mut impl FnMut(AcceptedSocket)) {
    let Ok(listener) = listener.into_std() else { return };
    if let Err(error) = SockRef::from(&listener).attach_filter(&[DROP_ALL]) {
        log::warn!("connections that arrive right now may be reset: {error}");
    }
    loop {
        let accepted =
            listener.accept().and_then(|(stream, _)| stream.set_nonblocking(true).map(|()| stream));
        match accepted {
            Ok(stream) => hand_over(AcceptedSocket { stream, permit: None }),
            Err(error) if is_of_connection(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether only this connection failed, before it was accepted.
fn is_of_connection(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
