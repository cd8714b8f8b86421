//! The ports of the server and the threads behind them.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::task::JoinHandle;
use actix_web::{rt, web};
use rustls::ServerConfig;
use socket2::{Domain, SockRef, Socket, Type};

use crate::api;
use crate::error::{Error, Result};
use crate::net::listening::{self, ListenOptions};
use crate::runtime::app::Shared;
use crate::server::acceptor::{Acceptor, Holder};
use crate::server::threads;

/// Connections that wait to be taken.
const BACKLOG: i32 = 1_024;

/// Connections at once to the port of the metrics: scrapers are few.
const METRICS_CONNECTIONS: usize = 16;

/// Nobody uses the connection between two scrapes.
const METRICS_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The running HTTP threads.
pub struct Http {
    shared: Arc<Shared>,
    /// The acceptor, and those that it gives connections to.
    threads: Vec<std::thread::JoinHandle<()>>,
    metrics: Option<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
}

impl Http {
    /// Begins to answer.
    pub async fn start(
        shared: &Arc<Shared>,
        (listener, holder, tls): (TcpListener, Holder, Option<ServerConfig>),
        metrics: Option<TcpListener>,
    ) -> Result<Self> {
        let limits = &shared.config.limits;
        limit_stalls(&listener, limits.stall_timeout);
        let (mut connections, mut threads) = (Vec::new(), Vec::new());
        for number in 0..shared.config.workers {
            let thread = threads::spawn(shared, tls.as_ref(), number).await?;
            connections.push(thread.connections);
            threads.push(thread.handle);
        }
        let (connections_max, stop) = (limits.connections, shared.end.stop());
        threads.push(Acceptor { listener, holder, connections_max, threads: connections, stop }.spawn()?);
        let metrics = metrics.map(|listener| serve_metrics(shared, listener)).transpose()?;
        let metrics = metrics.map(|server| (server.handle(), rt::spawn(server)));
        Ok(Self { shared: Arc::clone(shared), threads, metrics })
    }

    /// Takes nothing new, and ends when what was taken is answered or its time is over.
    pub async fn stop(self) -> Result<()> {
        self.shared.end.begin();
        let threads = self.threads;
        let join = move || threads.into_iter().try_for_each(std::thread::JoinHandle::join);
        let joined = tokio::task::spawn_blocking(join).await.map_err(Error::internal)?;
        joined.map_err(|_| Error::internal("an HTTP thread panicked"))?;
        let Some((handle, ended)) = self.metrics else { return Ok(()) };
        handle.stop(false).await;
        ended.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

fn serve_metrics(shared: &Arc<Shared>, listener: TcpListener) -> Result<Server> {
    let shared = Arc::clone(shared);
    let listening = ListenOptions {
        threads: 1,
        connections_max: METRICS_CONNECTIONS,
        keep_alive: METRICS_KEEP_ALIVE,
        request_timeout: shared.config.limits.request_timeout,
        shutdown_seconds: 0,
        on_connect: |_, _| {},
    };
    let routes = move |service: &mut web::ServiceConfig| {
        service.app_data(web::Data::new(Arc::clone(&shared))).configure(api::operator::metrics::routes);
    };
    listening::serve(listener, listening, routes).map_err(Error::internal)
}

/// Lets the kernel end a connection when what was sent is not taken for this long, be it that nobody is there any more or that
/// nobody reads (`TCP_USER_TIMEOUT`; Linux counts a window that stays closed too). Connections take it over from the socket
/// that listens.
fn limit_stalls(listener: &TcpListener, time: Duration) {
    if let Err(error) = SockRef::from(listener).set_tcp_user_timeout(Some(time)) {
        log::warn!("connections have no limit for clients that do not read: {error}");
    }
}

/// The socket at a configured address. `Unusable` when it cannot be had.
pub fn listen(address: &str) -> Result<TcpListener> {
    let failed = |error| {
        Error::Unusable(format!("cannot listen on {address}: {error}; choose another address or port"))
    };
    let found = address.to_socket_addrs().map_err(failed)?.next();
    let found = found.ok_or_else(|| Error::Unusable(format!("{address} is no address")))?;
    bind(found).map_err(failed)
}

/// Makes a socket that was handed over one of ours. Where it listens is not for us to say.
pub fn take_over(listener: TcpListener) -> Result<TcpListener> {
    let unusable = |error| Error::Unusable(format!("the socket that was handed over: {error}"));
    listener.set_nonblocking(true).map_err(unusable)?;
    Ok(listener)
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
