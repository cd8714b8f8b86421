//! What is below the HTTP parser of everything that listens here, and the servers that need no more than it.

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

/// Writes of a stream that changes only what is read: they go to its field `stream` as they are.
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

/// A stream on which the parser is given no bare line feeds where they would end a line.
#[derive(Debug)]
pub struct LineEndStream<S> {
    stream: S,
    ends: LineEnds,
}

/// How a server listens.
#[derive(Debug, Clone, Copy)]
pub struct ListenOptions {
    /// So many threads answer.
    pub threads: usize,
    /// So many connections may be open on each of them.
    pub connections_max: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// A head has to arrive within so long.
    pub request_timeout: Duration,
    /// So long a stop waits for answers.
    pub shutdown_seconds: u64,
    /// Is told of each new connection.
    pub on_connect: fn(&LineEndStream<TcpStream>, &mut Extensions),
}

/// Answers at this address until the server is stopped; to be called within a runtime.
pub fn serve(
    listener: TcpListener,
    listening: ListenOptions,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    let ListenOptions { threads, connections_max, keep_alive, request_timeout, shutdown_seconds, on_connect } =
        listening;
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
    /// Over this stream.
    pub fn new(stream: S) -> Self {
        Self { stream, ends: LineEnds::default() }
    }

    /// What is below.
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
        if buffer.remaining() > 0 && self.ends.must_end() {
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
