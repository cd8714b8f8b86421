//! The thread that takes connections and gives them to the HTTP threads in turn.
//!
//! The acceptor of actix-server forgets, when it is stopped, what it has taken and not yet given to a thread, and what waits
//! in the kernel; and it does not say when it takes no more.

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

/// How long nothing is taken when the system has no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(500);

/// "Return 0" to the packet filter of Linux: let nothing through.
const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);

/// Who holds the listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// This process: who waits for it waits for nobody else.
    Us,
    /// A service manager: the next process takes up what waits.
    Supervisor,
}

/// A connection on its way to an HTTP thread.
pub struct AcceptedSocket {
    /// The connection.
    pub stream: TcpStream,
    /// Its place among those that may be open; what is taken at the end needs none.
    pub place: Option<OwnedSemaphorePermit>,
}

/// Takes connections until the stop is given. The threads learn that no more come from the end of their channels.
pub struct Acceptor {
    /// Where they come from.
    pub listener: std::net::TcpListener,
    /// Whose socket that is.
    pub holder: Holder,
    /// How many connections may be open.
    pub connections_max: usize,
    /// The HTTP threads.
    pub threads: Vec<UnboundedSender<AcceptedSocket>>,
    /// When to stop.
    pub stop: Stop,
}

impl Acceptor {
    /// Begins to take connections.
    pub fn spawn(self) -> Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::internal)?;
        let Self { listener, holder, connections_max, threads, stop } = self;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener).map_err(Error::internal)?
        };
        let room = Arc::new(Semaphore::new(connections_max));
        let run = async move {
            let mut threads = threads.iter().cycle();
            let mut give = |accepted| {
                // A thread that has ended takes its connections with it; the others go on.
                drop(threads.next().map(|thread| thread.send(accepted)));
            };
            accept_until(stop, &listener, &room, &mut give).await;
            if holder == Holder::Us {
                accept_the_rest(listener, &mut give);
            }
        };
        let spawned = std::thread::Builder::new().name("acceptor".to_owned());
        spawned.spawn(move || runtime.block_on(run)).map_err(Error::internal)
    }
}

async fn accept_until(
    mut stop: Stop,
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    give: &mut impl FnMut(AcceptedSocket),
) {
    loop {
        tokio::select! {
            biased;
            () = stop.requested() => return,
            accepted = accept(listener, room) => give(accepted),
        }
    }
}

/// The next connection, once there is room for it. Nothing is lost when this is not waited for to the end.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> AcceptedSocket {
    let place = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => return AcceptedSocket { stream, place },
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                log::error!("no connection can be taken: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What came before the end and was not taken yet. The filter comes first: a connection that the kernel completes after the
/// last look would be reset unanswered, and without an answer to its first packet the client meets the next server, or none.
fn accept_the_rest(listener: TcpListener, give: &mut impl FnMut(AcceptedSocket)) {
    let Ok(listener) = listener.into_std() else { return };
    if let Err(error) = SockRef::from(&listener).attach_filter(&[DROP_ALL]) {
        log::warn!("connections that come at this moment may be reset: {error}");
    }
    loop {
        let accepted =
            listener.accept().and_then(|(stream, _)| stream.set_nonblocking(true).map(|()| stream));
        match accepted {
            Ok(stream) => give(AcceptedSocket { stream, place: None }),
            Err(error) if is_of_connection(&error) => {}
            Err(_) => return,
        }
    }
}

/// Whether only this connection has failed, before it was taken.
fn is_of_connection(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
