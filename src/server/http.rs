//! The ports of the server and the threads behind them.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::map_config;
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::rt::task::JoinHandle;
use actix_web::{App as Service, HttpServer, middleware, rt, web};
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

use crate::api;
use crate::api::app::{App, Shared};
use crate::api::guard::guard;
use crate::error::{Error, Result};

/// Longer than proxies keep connections to us (nginx: 60 s), so that they never use one that we are closing.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Connections that wait to be taken.
const BACKLOG: i32 = 1_024;

/// Connections at once to the port of the metrics: scrapers are few.
const METRICS_CONNECTIONS: usize = 16;

/// The running HTTP threads.
pub struct Http {
    interface: Running,
    metrics: Option<Running>,
}

/// The threads behind one port.
struct Running {
    handle: ServerHandle,
    ended: JoinHandle<std::io::Result<()>>,
}

impl Http {
    /// Begins to answer.
    pub fn start(
        shared: &Arc<Shared>,
        (listener, tls): (TcpListener, Option<ServerConfig>),
        metrics: Option<TcpListener>,
    ) -> Result<Self> {
        let interface = match tls {
            Some(tls) => tls_interface(shared, listener, tls)?,
            None => interface(shared, listener)?,
        };
        let interface = Running::begin(interface);
        let metrics = metrics.map(|listener| serve_metrics(shared, listener)).transpose()?;
        Ok(Self { interface, metrics: metrics.map(Running::begin) })
    }

    /// Takes nothing new, and ends when what is under way is answered or its time is over.
    pub async fn stop(self) -> Result<()> {
        self.interface.stop(true).await?;
        match self.metrics {
            Some(metrics) => metrics.stop(false).await,
            None => Ok(()),
        }
    }
}

impl Running {
    fn begin(server: Server) -> Self {
        Self { handle: server.handle(), ended: rt::spawn(server) }
    }

    async fn stop(self, gracefully: bool) -> Result<()> {
        self.handle.stop(gracefully).await;
        self.ended.await.map_err(Error::internal)?.map_err(Error::internal)
    }
}

fn interface(shared: &Arc<Shared>, listener: TcpListener) -> Result<Server> {
    let config = &shared.config;
    let for_threads = Arc::clone(shared);
    let server = HttpServer::new(move || {
        let shared = Arc::clone(&for_threads);
        Service::new()
            .data_factory(move || std::future::ready(App::new(Arc::clone(&shared))))
            .wrap(middleware::from_fn(guard))
            .configure(api::routes)
    })
    .workers(config.workers)
    .max_connections(config.limits.connections.div_ceil(config.workers))
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(config.limits.request_timeout)
    .shutdown_timeout(config.limits.shutdown_timeout.as_secs())
    .disable_signals()
    .listen(listener)
    .map_err(Error::internal)?;
    Ok(server.run())
}

/// The same within TLS. The framework's own way would also offer HTTP/2, because the client library that speaks to LINE
/// builds it in; its limits have never been tried here.
fn tls_interface(shared: &Arc<Shared>, listener: TcpListener, tls: ServerConfig) -> Result<Server> {
    let config = &shared.config;
    let for_threads = Arc::clone(shared);
    let timeout = config.limits.request_timeout;
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let server = builder
        .workers(config.workers)
        .max_concurrent_connections(config.limits.connections.div_ceil(config.workers))
        .shutdown_timeout(config.limits.shutdown_timeout.as_secs())
        .disable_signals()
        .listen("interface", listener, move || {
            let shared = Arc::clone(&for_threads);
            let service = Service::new()
                .data_factory(move || std::future::ready(App::new(Arc::clone(&shared))))
                .wrap(middleware::from_fn(guard))
                .configure(api::routes);
            let stopping = stopping.clone();
            HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(timeout)
                .h1(map_config(service, |()| AppConfig::default()))
                .rustls_0_23(tls.clone())
        })
        .map_err(Error::internal)?;
    Ok(server.run())
}

fn serve_metrics(shared: &Arc<Shared>, listener: TcpListener) -> Result<Server> {
    let shared = Arc::clone(shared);
    let timeout = shared.config.limits.request_timeout;
    let server = HttpServer::new(move || {
        Service::new().app_data(web::Data::new(Arc::clone(&shared))).configure(api::metrics::routes)
    })
    .workers(1)
    .max_connections(METRICS_CONNECTIONS)
    .client_request_timeout(timeout)
    .disable_signals()
    .listen(listener)
    .map_err(Error::internal)?;
    Ok(server.run())
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
