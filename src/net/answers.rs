//! A connection on which awc reads answers, each of which begins and ends where HTTP says so.
//!
//! awc takes an interim answer for the final one, a chunked body that breaks off for a whole one, and a body that only the
//! closed connection ends for none. So what it reads here is put right before: see [`Framing`].

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::{ActixStream, Ready};
use actix_web::web::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::framing::Framing;

/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// A connection with or without TLS.
pub trait AnswerStream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> AnswerStream for S {}

/// The connection.
pub struct FramedAnswers {
    stream: Box<dyn AnswerStream>,
    framing: Framing,
    came: BytesMut,
    told: BytesMut,
}

/// A connection that carried answers before has ended without a byte of the present one.
#[derive(Debug)]
pub struct Unheard(io::Error);

impl FramedAnswers {
    pub fn new(stream: Box<dyn AnswerStream>) -> Self {
        Self { stream, framing: Framing::default(), came: BytesMut::new(), told: BytesMut::new() }
    }

    /// What this means for the request that is under way.
    fn error(&self, error: io::Error) -> io::Error {
        if self.framing.is_unheard() { io::Error::new(error.kind(), Unheard(error)) } else { error }
    }

    /// Reads more; false at the end of the connection.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut piece = [0; READ_BYTES];
        let mut piece = ReadBuf::new(&mut piece);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
        self.came.extend_from_slice(piece.filled());
        Poll::Ready(Ok(!piece.filled().is_empty()))
    }
}

impl AsyncRead for FramedAnswers {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.told.is_empty() {
                this.framing.read(&mut this.came, &mut this.told)?;
            }
            if !this.told.is_empty() {
                let count = this.told.len().min(buffer.remaining());
                buffer.put_slice(&this.told.split_to(count));
                return Poll::Ready(Ok(()));
            }
            if !ready!(this.poll_more(context)).map_err(|error| this.error(error))? {
                return Poll::Ready(this.framing.end(&this.came).map_err(|error| this.error(error)));
            }
        }
    }
}

impl AsyncWrite for FramedAnswers {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.framing.asked(bytes);
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

/// awc asks for it and never uses it.
impl ActixStream for FramedAnswers {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::READABLE))
    }

    fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        Poll::Ready(Ok(Ready::WRITABLE))
    }
}

impl fmt::Debug for FramedAnswers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Answers")
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the connection was closed while it was asked: {}", self.0)
    }
}

impl Error for Unheard {}
