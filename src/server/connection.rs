//! A connection of the interface below the HTTP parser, and how it ends on a server that stops.
//!
//! The parser's own way of stopping closes what is idle unread, also when a request has just arrived there. Here a
//! connection is read for a while longer, and its client is taken for gone only if nothing has come by then.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::sleep;
use tokio_util::either::Either;

use crate::api::middleware::connection_progress::ConnectionProgress;
use crate::net::listening::{LineEndStream, forward_writes};
use crate::runtime::wakers::Stop;

/// For so long after the stop a request is awaited on a connection that has none. Whoever uses a connection all the time has
/// an answer by then which says that it is the last one.
const LAST_CALL: Duration = Duration::from_millis(500);

/// What is below HTTP, with or without TLS.
pub type ConnectionStream = Either<TcpStream, TlsStream<TcpStream>>;

/// One connection.
pub struct ServedConnection {
    stream: LineEndStream<ConnectionStream>,
    progress: ConnectionProgress,
    /// Ready when nothing more is awaited; then nothing.
    last_call: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl ServedConnection {
    /// Over this stream, until the stop is given.
    pub fn new(stream: ConnectionStream, mut stop: Stop) -> Self {
        let last_call = async move {
            stop.requested().await;
            sleep(LAST_CALL).await;
        };
        Self {
            stream: LineEndStream::new(stream),
            progress: ConnectionProgress::default(),
            last_call: Some(Box::pin(last_call)),
        }
    }

    /// How far it has come.
    pub fn progress(&self) -> ConnectionProgress {
        self.progress.clone()
    }

    /// Ready when the last call is over and nothing has come.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(last_call) = &mut self.last_call {
            ready!(last_call.as_mut().poll(context));
            self.last_call = None;
        }
        // The answer to what is under way ends the connection, and the parser looks again after it.
        if self.progress.is_in_flight() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl AsyncRead for ServedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            // To read no more is how the parser learns of the end; what it is answering goes on.
            return self.poll_end(context).map(Ok);
        }
        if buffer.filled().len() > before {
            self.progress.received();
        }
        read
    }
}

forward_writes!([] ServedConnection);
