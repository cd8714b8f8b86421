//! A connection of the API below the HTTP parser, and how it ends during a shutdown.
//!
//! The parser's own shutdown closes idle connections without reading, even when a request has just arrived.
//! Here a connection is read for a while longer, and considered idle only if nothing arrives by then.

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

/// How long after the stop an idle connection may still send a request. A client in constant use has received a
/// response by then that announces the close.
const LAST_CALL: Duration = Duration::from_millis(500);

/// The stream below HTTP, with or without TLS.
pub type ConnectionStream = Either<TcpStream, TlsStream<TcpStream>>;

/// One connection.
pub struct ServedConnection {
    stream: LineEndStream<ConnectionStream>,
    progress: ConnectionProgress,
    /// Resolves when requests are no longer awaited; then `None`.
    last_call: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl ServedConnection {
    /// A connection over this stream, until the stop is requested.
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

    /// The progress of its requests.
    pub fn progress(&self) -> ConnectionProgress {
        self.progress.clone()
    }

    /// Ready when the last call is over and no request is in flight.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(last_call) = &mut self.last_call {
            ready!(last_call.as_mut().poll(context));
            self.last_call = None;
        }
        // The response to the request in flight closes the connection, and the parser polls again after it.
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
            // An end of input tells the parser to stop; the request it is handling continues.
            return self.poll_end(context).map(Ok);
        }
        if buffer.filled().len() > before {
            self.progress.received();
        }
        read
    }
}

forward_writes!([] ServedConnection);
