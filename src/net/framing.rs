//! Where an answer begins and ends (RFC 9112, 6.3), followed byte by byte and told on in one plain form: the final head with a
//! single word on the length of the body, then the body.

use std::io::{self, ErrorKind};

use actix_web::web::BytesMut;
use httparse::{EMPTY_HEADER, Header, ParserConfig, Status, parse_chunk_size};

/// The longest head, and the longest line of a chunked body.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// More headers than LINE's and most servers' heads have.
const HEADERS_MAX: usize = 128;

/// The headers that are told on, beside the one word on the length. awc takes fewer than come.
const FORWARDED_HEADERS: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-type",
    "date",
    "retry-after",
    "upgrade",
    "x-line-accepted-request-id",
    "x-line-request-id",
];

/// As many of them as are told on, some of which may stand there twice; awc takes 96.
const FORWARDED_HEADER_BYTES_MAX: usize = 64;

/// Follows the answers on a connection.
#[derive(Debug, Default)]
pub struct Framing {
    state: FramingState,
    /// The answer is to `HEAD`, and has no body whatever its head says.
    is_bare: bool,
    was_asked: bool,
    /// The connection carried an answer before, and nothing has come of the present one.
    is_unheard: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum FramingState {
    /// Nothing was asked, and nothing may come.
    #[default]
    Idle,
    Head,
    /// So many bytes of the body are still to come.
    Length(u64),
    ChunkSize,
    /// So many bytes of a chunk and the end of its line.
    Chunk(u64),
    Trailers,
    UntilClosed,
}

/// What a head says of the end of its body.
#[derive(Debug, PartialEq, Eq)]
enum BodyLength {
    None,
    Length(u64),
    Chunked,
    UntilClosed,
}

impl Framing {
    /// A request, or a part of it, is sent.
    pub fn asked(&mut self, bytes: &[u8]) {
        if self.state == FramingState::Idle && !bytes.is_empty() {
            self.state = FramingState::Head;
            self.is_bare = bytes.starts_with("HEAD ".as_bytes());
            self.is_unheard = std::mem::replace(&mut self.was_asked, true);
        }
    }

    /// Whether the request may have met a connection that the other side was closing, since it had been idle.
    pub fn is_unheard(&self) -> bool {
        self.is_unheard
    }

    /// Takes what has come, as far as it is understood, and tells it on. `InvalidData` for what is no answer.
    pub fn read(&mut self, came: &mut BytesMut, told: &mut BytesMut) -> io::Result<()> {
        self.is_unheard &= came.is_empty();
        // What follows an answer is not told on with it.
        while self.step(came, told)? && (self.state != FramingState::Idle || told.is_empty()) {}
        Ok(())
    }

    /// Takes the next part of an answer; false when there is not enough of it yet.
    fn step(&mut self, came: &mut BytesMut, told: &mut BytesMut) -> io::Result<bool> {
        match self.state {
            _ if came.is_empty() => Ok(false),
            // It is nobody's, and the connection is of no more use: whoever has it finds that out by it.
            FramingState::Idle | FramingState::UntilClosed => Ok(take(came, told, u64::MAX) > 0),
            FramingState::Head => self.head(came, told),
            FramingState::Length(left) => {
                let left = left - take(came, told, left);
                self.state = if left == 0 { FramingState::Idle } else { FramingState::Length(left) };
                Ok(true)
            }
            FramingState::ChunkSize => self.chunk_size(came, told),
            FramingState::Chunk(left) => {
                let left = left - take(came, told, left);
                self.state = if left == 0 { FramingState::ChunkSize } else { FramingState::Chunk(left) };
                Ok(true)
            }
            FramingState::Trailers => self.trailers(came, told),
        }
    }

    /// The connection has ended. `UnexpectedEof` when an answer has not.
    pub fn end(&self, came: &BytesMut) -> io::Result<()> {
        match self.state {
            FramingState::Idle | FramingState::UntilClosed => Ok(()),
            FramingState::Head if came.is_empty() && !self.is_unheard => Ok(()),
            _ => Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection ended before the answer")),
        }
    }

    /// Passes over interim heads, and tells on the final one. False when there is not enough of it yet.
    fn head(&mut self, came: &mut BytesMut, told: &mut BytesMut) -> io::Result<bool> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let mut parser = ParserConfig::default();
        parser.allow_spaces_after_header_name_in_responses(true);
        let length = match parser.parse_response(&mut response, &came[..]) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if came.len() <= HEAD_BYTES_MAX => return Ok(false),
            Ok(Status::Partial) => return Err(no_answer("its head is too long")),
            Err(error) => return Err(no_answer(error)),
        };
        let (code, version) = (response.code.unwrap_or_default(), response.version.unwrap_or_default());
        if !(100..=199).contains(&code) || code == 101 {
            let body = if self.is_bare || matches!(code, 204 | 304) {
                BodyLength::None
            } else if code == 101 {
                BodyLength::UntilClosed
            } else {
                body(response.headers, version)?
            };
            write_head(told, (code, version), response.headers, &body);
            self.state = match body {
                BodyLength::None | BodyLength::Length(0) => FramingState::Idle,
                BodyLength::Length(length) => FramingState::Length(length),
                BodyLength::Chunked => FramingState::ChunkSize,
                BodyLength::UntilClosed => FramingState::UntilClosed,
            };
        }
        drop(came.split_to(length));
        Ok(true)
    }

    fn chunk_size(&mut self, came: &mut BytesMut, told: &mut BytesMut) -> io::Result<bool> {
        match parse_chunk_size(came) {
            Ok(Status::Complete((length, size))) => {
                drop(came.split_to(length));
                if size == 0 {
                    self.state = FramingState::Trailers;
                } else {
                    told.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                    self.state = FramingState::Chunk(size.saturating_add(2));
                }
                Ok(true)
            }
            Ok(Status::Partial) if came.len() <= HEAD_BYTES_MAX => Ok(false),
            _ => Err(no_answer("a chunk without a size")),
        }
    }

    /// Passes over what follows the last chunk, up to an empty line.
    fn trailers(&mut self, came: &mut BytesMut, told: &mut BytesMut) -> io::Result<bool> {
        match came.windows(2).position(|pair| pair == b"\r\n") {
            Some(0) => {
                drop(came.split_to(2));
                told.extend_from_slice(b"0\r\n\r\n");
                self.state = FramingState::Idle;
                Ok(true)
            }
            Some(length) => {
                drop(came.split_to(length + 2));
                Ok(true)
            }
            None if came.len() <= HEAD_BYTES_MAX => Ok(false),
            None => Err(no_answer("a line after the last chunk is too long")),
        }
    }
}

/// Tells on up to so many bytes, and says how many.
fn take(came: &mut BytesMut, told: &mut BytesMut, most: u64) -> u64 {
    let count = usize::try_from(most).unwrap_or(usize::MAX).min(came.len());
    told.extend_from_slice(&came.split_to(count));
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// RFC 9112, 6.3. The coding goes before the length.
fn body(headers: &[Header<'_>], version: u8) -> io::Result<BodyLength> {
    let codings: Vec<_> = comma_separated(headers, "transfer-encoding")
        .filter(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        .collect();
    match codings[..] {
        [] => {}
        [coding] if coding.eq_ignore_ascii_case(b"chunked") && version == 1 => {
            return Ok(BodyLength::Chunked);
        }
        _ => return Err(no_answer("a transfer coding that was not asked for")),
    }
    let mut lengths = comma_separated(headers, "content-length");
    let Some(length) = lengths.next() else { return Ok(BodyLength::UntilClosed) };
    let number = Some(length).filter(|length| length.iter().all(u8::is_ascii_digit));
    let number = number.and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    match number {
        Some(number) if lengths.all(|other| other == length) => Ok(BodyLength::Length(number)),
        _ => Err(no_answer("a length that is none, or several")),
    }
}

/// The values of a list that may stand in one header or in several.
fn comma_separated<'a>(headers: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.flat_map(|header| header.value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// One word on the length, or version 1.0, with which awc reads until the connection is closed.
fn write_head(told: &mut BytesMut, (code, version): (u16, u8), headers: &[Header<'_>], body: &BodyLength) {
    let version = if *body == BodyLength::UntilClosed && code != 101 { 0 } else { version };
    told.extend_from_slice(format!("HTTP/1.{version} {code} \r\n").as_bytes());
    for header in headers.iter().filter(|header| is_forwarded(header.name)).take(FORWARDED_HEADER_BYTES_MAX) {
        for part in [header.name.as_bytes(), b": ", header.value, b"\r\n"] {
            told.extend_from_slice(part);
        }
    }
    let word = match body {
        BodyLength::None => "content-length: 0\r\n\r\n".to_owned(),
        BodyLength::Length(length) => format!("content-length: {length}\r\n\r\n"),
        BodyLength::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
        BodyLength::UntilClosed => "\r\n".to_owned(),
    };
    told.extend_from_slice(word.as_bytes());
}

/// Whether a header of this name is told on as it came.
pub fn is_forwarded(name: &str) -> bool {
    FORWARDED_HEADERS.iter().any(|told| name.eq_ignore_ascii_case(told))
}

fn no_answer(reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("this is no HTTP answer: {reason}"))
}
