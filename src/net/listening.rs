//! What lies below the HTTP parser of every listener, and a server that needs nothing more.

use std::future::ready;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::HttpService;
use actix_http::error::DispatchError;
use actix_service::{ServiceFactoryExt, fn_service, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Extensions, Server};
use actix_web::rt::net::TcpStream;
use actix_web::web::ServiceConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::line_ends::LineEnds;

/// Implements `AsyncWrite` for a stream that changes only its input: writes are passed to its field `stream`.
macro_rules! forward_writes {
    ([$($generics:tt)*] $stream:ty) => {
        impl<$($generics)*> tokio::io::AsyncWrite for $stream {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.stream).poll_write(context, bytes)
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.stream).poll_flush(context)
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                context: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
            }
        }
    };
}
pub(crate) use forward_writes;

/// A stream that keeps bare line feeds that would end a line from the parser.
#[derive(Debug)]
pub struct LineEndStream<S> {
    stream: S,
    ends: LineEnds,
}

/// Options of a server.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions {
    /// Number of worker threads.
    pub threads: usize,
    /// Maximum number of open connections per thread.
    pub connections_max: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Timeout for the head of a request.
    pub request_timeout: Duration,
    /// How long a shutdown waits for responses.
    pub shutdown_seconds: u64,
    /// Called for each new connection.
    pub on_connect: fn(&LineEndStream<TcpStream>, &mut Extensions),
}

/// Serves on this listener until the server is stopped; must be called within a runtime.
pub fn serve(
    listener: TcpListener,
    options: ListenOptions,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let ListenOptions { threads, connections_max, keep_alive, request_timeout, shutdown_seconds, on_connect } =
        options;
    let service = move || {
        let http = HttpService::build()
            .keep_alive(keep_alive)
            .client_request_timeout(request_timeout)
            .on_connect_ext(on_connect)
            .h1(map_config(App::new().configure(routes.clone()), |()| AppConfig::default()));
        let below = fn_service(|stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            ready(Ok::<_, DispatchError>((LineEndStream::new(stream), peer)))
        });
        below.and_then(http)
    };
    let server = Server::build()
        .workers(threads)
        .max_concurrent_connections(connections_max)
        .shutdown_timeout(shutdown_seconds)
        .disable_signals()
        .listen("http", listener, service)?;
    Ok(server.run())
}

impl<S> LineEndStream<S> {
    /// Wraps this stream.
    pub fn new(stream: S) -> Self {
        Self { stream, ends: LineEnds::default() }
    }

    /// The wrapped stream.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LineEndStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 && self.ends.take_rejection() {
            buffer.put_slice(&[0]);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.ends.read(&mut buffer.filled_mut()[before..]);
        read
    }
}

forward_writes!([S: AsyncWrite + Unpin] LineEndStream<S>);
