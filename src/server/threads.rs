//! The HTTP threads: each serves its connections until the last one has ended.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{Service, ServiceFactory, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor as TlsAcceptor, AcceptorService as Tls};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::{App as Routes, middleware, rt, web};
use rustls::ServerConfig;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio_util::either::Either;

use crate::api;
use crate::api::middleware::envelope::wrap;
use crate::error::{Error, Result};
use crate::runtime::app::{App, Shared};
use crate::server::acceptor::AcceptedSocket;
use crate::server::connection::ServedConnection;

/// Longer than proxies keep idle connections (nginx: 60 s), so that they never reuse one that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take to close its side of a connection after ours.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The most threads for blocking disk access, over all HTTP threads.
const BLOCKING_THREADS_MAX: usize = 512;

/// One HTTP thread.
pub struct Thread {
    /// The sender of its connections. The thread ends when this is dropped and all connections have ended.
    pub connections: UnboundedSender<AcceptedSocket>,
    /// The thread itself.
    pub handle: JoinHandle<()>,
}

/// Starts serving on a new thread.
pub async fn spawn(shared: &Arc<Shared>, tls: Option<&ServerConfig>, number: usize) -> Result<Thread> {
    let (connections, incoming) = mpsc::unbounded_channel();
    let (ready, is_ready) = oneshot::channel();
    let (shared, tls) = (Arc::clone(shared), tls.cloned());
    let blocking = (BLOCKING_THREADS_MAX / shared.config.workers).max(1);
    let run = move || {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(blocking).build();
        let started = runtime.map_err(Error::internal).and_then(|runtime| Ok((runtime, App::new(shared)?)));
        match started {
            Ok((runtime, app)) => {
                drop(ready.send(Ok(())));
                rt::Runtime::from(runtime).block_on(run(app, tls, incoming));
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    };
    let thread = std::thread::Builder::new().name(format!("http {number}"));
    let handle = thread.spawn(run).map_err(Error::internal)?;
    is_ready.await.map_err(Error::internal)??;
    Ok(Thread { connections, handle })
}

async fn run(app: App, tls: Option<ServerConfig>, incoming: UnboundedReceiver<AcceptedSocket>) {
    let shared = Arc::clone(&app.shared);
    let routes = Routes::new()
        .app_data(web::Data::new(app))
        .wrap(middleware::from_fn(wrap))
        .configure(api::routes::routes);
    let http = HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(shared.config.limits.request_timeout)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .on_connect_ext(|connection: &ServedConnection, data| drop(data.insert(connection.progress())))
        .h1(map_config(routes, |()| AppConfig::default()));
    let tls = match tls {
        Some(settings) => {
            let acceptor = TlsAcceptor::new(settings);
            ServiceFactory::<TcpStream>::new_service(&acceptor, ()).await.ok().map(Rc::new)
        }
        None => None,
    };
    match http.new_service(()).await {
        Ok(http) => serve(Rc::new(http), tls, &shared, incoming).await,
        Err(()) => log::error!("an HTTP thread cannot start its service"),
    }
}

/// Serves connections until no more arrive, and then until all have ended or the shutdown timeout has passed.
async fn serve<H>(
    http: Rc<H>,
    tls: Option<Rc<Tls>>,
    shared: &Shared,
    mut incoming: UnboundedReceiver<AcceptedSocket>,
) where
    H: Service<(ServedConnection, Option<SocketAddr>)> + 'static,
{
    let (open, mut all_ended) = mpsc::channel::<Infallible>(1);
    while let Some(accepted) = incoming.recv().await {
        let (http, tls, stop, open) = (Rc::clone(&http), tls.clone(), shared.end.stop(), open.clone());
        rt::spawn(async move {
            let AcceptedSocket { stream, permit } = accepted;
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let peer = stream.peer_addr().ok();
            let stream = match tls {
                None => Either::Left(stream),
                Some(tls) => match tls.call(stream).await {
                    Ok(stream) => Either::Right(stream),
                    Err(_) => return,
                },
            };
            if poll_fn(|context| http.poll_ready(context)).await.is_ok() {
                // Nothing can be done about how a connection ended.
                drop(http.call((ServedConnection::new(stream, stop), peer)).await);
            }
            drop((open, permit));
        });
    }
    drop(open);
    if tokio::time::timeout(shared.config.limits.shutdown_timeout, all_ended.recv()).await.is_err() {
        log::warn!("some requests did not finish in time; their connections are closed");
    }
}
