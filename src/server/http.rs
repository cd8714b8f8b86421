//! The server's ports and HTTP threads.

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

/// The most connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Concurrent connections to the metrics port: scrapers are few.
const METRICS_CONNECTIONS: usize = 16;

/// Short, since a scraper's connection is idle between scrapes.
const METRICS_KEEP_ALIVE: Duration = Duration::from_secs(5);

/// The running HTTP threads.
pub struct Http {
    shared: Arc<Shared>,
    /// The acceptor and the HTTP threads.
    threads: Vec<std::thread::JoinHandle<()>>,
    metrics: Option<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
}

impl Http {
    /// Starts serving requests.
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

    /// Stops accepting, and returns when all requests in flight are finished or the shutdown timeout has
    /// passed.
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

/// Makes the kernel close a connection when sent data is not acknowledged for this long, either because the
/// peer is gone or because it does not read (`TCP_USER_TIMEOUT`; Linux also counts a window that stays closed).
/// Accepted connections inherit this from the listening socket.
fn limit_stalls(listener: &TcpListener, time: Duration) {
    if let Err(error) = SockRef::from(listener).set_tcp_user_timeout(Some(time)) {
        log::warn!("cannot limit connections of clients that do not read: {error}");
    }
}

/// Listens on a configured address. `Unusable` when that is not possible.
pub fn listen(address: &str) -> Result<TcpListener> {
    let failed = |error| {
        Error::Unusable(format!("cannot listen on {address}: {error}; choose another address or port"))
    };
    let found = address.to_socket_addrs().map_err(failed)?.next();
    let found = found.ok_or_else(|| Error::Unusable(format!("{address} is not an address")))?;
    bind(found).map_err(failed)
}

/// Prepares a socket passed by the service manager, which has chosen its address.
pub fn take_over(listener: TcpListener) -> Result<TcpListener> {
    let unusable = |error| Error::Unusable(format!("the socket passed by the service manager: {error}"));
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
