//! A connection from which awc reads responses, each delimited as HTTP requires.
//!
//! awc takes an interim response for the final one, accepts a truncated chunked body as complete, and treats
//! a body that only the closed connection ends as empty. So its input is rewritten first: see [`Framing`].

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::{ActixStream, Ready};
use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::framing::Framing;

/// Maximum number of bytes per read.
const READ_BYTES: usize = 16 * 1024;

/// A stream with or without TLS.
pub trait RawStream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> RawStream for S {}

/// A stream whose input is rewritten so that awc delimits responses correctly.
pub struct FramedStream {
    stream: Box<dyn RawStream>,
    framing: Framing,
    input: BytesMut,
    output: BytesMut,
}

/// A reused connection ended without a byte of the response.
#[derive(Debug)]
pub struct StaleConnection(io::Error);

impl FramedStream {
    pub fn new(stream: Box<dyn RawStream>) -> Self {
        Self { stream, framing: Framing::default(), input: BytesMut::new(), output: BytesMut::new() }
    }

    /// Marks an error as [`StaleConnection`] if the request in flight may have met a closing connection.
    fn error(&self, error: io::Error) -> io::Error {
        if self.framing.is_stale() { io::Error::new(error.kind(), StaleConnection(error)) } else { error }
    }

    /// Reads more input; false at the end of the connection.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut chunk = [0; READ_BYTES];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut chunk))?;
        self.input.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(!chunk.filled().is_empty()))
    }
}

impl AsyncRead for FramedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.output.is_empty() {
                this.framing.read(&mut this.input, &mut this.output)?;
            }
            if !this.output.is_empty() {
                let count = this.output.len().min(buffer.remaining());
                buffer.put_slice(&this.output.split_to(count));
                return Poll::Ready(Ok(()));
            }
            if !ready!(this.poll_more(context)).map_err(|error| this.error(error))? {
                return Poll::Ready(this.framing.end(&this.input).map_err(|error| this.error(error)));
            }
        }
    }
}

impl AsyncWrite for FramedStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.framing.request_sent(bytes);
        Pin::new(&mut this.stream).poll_write(context, bytes).map_err(|error| this.error(error))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        Pin::new(&mut this.stream).poll_flush(context).map_err(|error| this.error(error))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// awc requires this trait but never uses it.
impl ActixStream for FramedStream {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

impl fmt::Debug for FramedStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FramedStream")
    }
}

impl fmt::Display for StaleConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the idle connection was closed: {}", self.0)
    }
}

impl Error for StaleConnection {}
