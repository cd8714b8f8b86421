//! Delimits responses (RFC 9112, 6.3) byte by byte, and rewrites them into one plain form: the final head
//! with a single header for the length of the body, then the body.

use std::io::{self, ErrorKind};

use actix_web::web::BytesMut;
use httparse::{EMPTY_HEADER, Header, ParserConfig, Status, parse_chunk_size};

/// Maximum length of a head, and of a line of a chunked body.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Maximum number of headers of a head; LINE's and most servers' have fewer.
const HEADERS_MAX: usize = 128;

/// The headers that are forwarded, besides the one for the length. awc accepts fewer headers than servers
/// send.
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

/// Maximum number of forwarded headers, some of which may occur twice; awc accepts 96.
const FORWARDED_HEADERS_MAX: usize = 64;

/// Follows the responses on a connection.
#[derive(Debug, Default)]
pub struct Framing {
    state: FramingState,
    /// The response is to `HEAD` and has no body, whatever its head says.
    is_head_request: bool,
    was_used: bool,
    /// The connection carried a response before, and no byte of the current one has arrived.
    is_stale: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum FramingState {
    /// No request was sent, and no response is expected.
    #[default]
    Idle,
    Head,
    /// This many bytes of the body are left.
    Length(u64),
    ChunkSize,
    /// This many bytes of a chunk and its line end are left.
    Chunk(u64),
    Trailers,
    UntilClosed,
}

/// How a head delimits its body.
#[derive(Debug, PartialEq, Eq)]
enum BodyLength {
    None,
    Length(u64),
    Chunked,
    UntilClosed,
}

impl Framing {
    /// A request, or a part of it, is sent.
    pub fn request_sent(&mut self, bytes: &[u8]) {
        if self.state == FramingState::Idle && !bytes.is_empty() {
            self.state = FramingState::Head;
            self.is_head_request = bytes.starts_with("HEAD ".as_bytes());
            self.is_stale = std::mem::replace(&mut self.was_used, true);
        }
    }

    /// Whether the request may have met a connection that the other side was closing because it was idle.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Rewrites as much input as is complete to the output. Fails with `InvalidData` for anything that is not
    /// a response.
    pub fn read(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<()> {
        self.is_stale &= input.is_empty();
        // Bytes after a response are not forwarded together with it.
        while self.step(input, output)? && (self.state != FramingState::Idle || output.is_empty()) {}
        Ok(())
    }

    /// Processes the next part of a response; false if it is not complete yet.
    fn step(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
        match self.state {
            _ if input.is_empty() => Ok(false),
            // Unexpected bytes make the connection unusable; forwarding them makes awc notice.
            FramingState::Idle | FramingState::UntilClosed => Ok(forward(input, output, u64::MAX) > 0),
            FramingState::Head => self.head(input, output),
            FramingState::Length(remaining) => {
                let remaining = remaining - forward(input, output, remaining);
                self.state =
                    if remaining == 0 { FramingState::Idle } else { FramingState::Length(remaining) };
                Ok(true)
            }
            FramingState::ChunkSize => self.chunk_size(input, output),
            FramingState::Chunk(remaining) => {
                let remaining = remaining - forward(input, output, remaining);
                self.state =
                    if remaining == 0 { FramingState::ChunkSize } else { FramingState::Chunk(remaining) };
                Ok(true)
            }
            FramingState::Trailers => self.trailers(input, output),
        }
    }

    /// The connection has ended. Fails with `UnexpectedEof` if a response is not complete.
    pub fn end(&self, input: &BytesMut) -> io::Result<()> {
        match self.state {
            FramingState::Idle | FramingState::UntilClosed => Ok(()),
            FramingState::Head if input.is_empty() && !self.is_stale => Ok(()),
            _ => Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection ended before the response")),
        }
    }

    /// Skips interim heads and forwards the final one. False if it is not complete yet.
    fn head(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let mut parser = ParserConfig::default();
        parser.allow_spaces_after_header_name_in_responses(true);
        let length = match parser.parse_response(&mut response, &input[..]) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if input.len() <= HEAD_BYTES_MAX => return Ok(false),
            Ok(Status::Partial) => return Err(invalid_response("its head is too long")),
            Err(error) => return Err(invalid_response(error)),
        };
        let (code, version) = (response.code.unwrap_or_default(), response.version.unwrap_or_default());
        if !(100..=199).contains(&code) || code == 101 {
            let body = if self.is_head_request || matches!(code, 204 | 304) {
                BodyLength::None
            } else if code == 101 {
                BodyLength::UntilClosed
            } else {
                body(response.headers, version)?
            };
            write_head(output, (code, version), response.headers, &body);
            self.state = match body {
                BodyLength::None | BodyLength::Length(0) => FramingState::Idle,
                BodyLength::Length(length) => FramingState::Length(length),
                BodyLength::Chunked => FramingState::ChunkSize,
                BodyLength::UntilClosed => FramingState::UntilClosed,
            };
        }
        drop(input.split_to(length));
        Ok(true)
    }

    fn chunk_size(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
        match parse_chunk_size(input) {
            Ok(Status::Complete((length, size))) => {
                drop(input.split_to(length));
                if size == 0 {
                    self.state = FramingState::Trailers;
                } else {
                    output.extend_from_slice(format!("{size:x}\r\n").as_bytes());
                    self.state = FramingState::Chunk(size.saturating_add(2));
                }
                Ok(true)
            }
            Ok(Status::Partial) if input.len() <= HEAD_BYTES_MAX => Ok(false),
            _ => Err(invalid_response("a chunk size is missing")),
        }
    }

    /// Skips the trailers, up to an empty line.
    fn trailers(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
        match input.windows(2).position(|pair| pair == b"\r\n") {
            Some(0) => {
                drop(input.split_to(2));
                output.extend_from_slice(b"0\r\n\r\n");
                self.state = FramingState::Idle;
                Ok(true)
            }
            Some(length) => {
                drop(input.split_to(length + 2));
                Ok(true)
            }
            None if input.len() <= HEAD_BYTES_MAX => Ok(false),
            None => Err(invalid_response("a trailer is too long")),
        }
    }
}

/// Forwards up to this many bytes; returns how many.
fn forward(input: &mut BytesMut, output: &mut BytesMut, count_max: u64) -> u64 {
    let count = usize::try_from(count_max).unwrap_or(usize::MAX).min(input.len());
    output.extend_from_slice(&input.split_to(count));
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// How the head delimits the body (RFC 9112, 6.3). `Transfer-Encoding` overrides `Content-Length`.
fn body(headers: &[Header<'_>], version: u8) -> io::Result<BodyLength> {
    let codings: Vec<_> = comma_separated(headers, "transfer-encoding")
        .filter(|coding| !coding.eq_ignore_ascii_case(b"identity"))
        .collect();
    match codings[..] {
        [] => {}
        [coding] if coding.eq_ignore_ascii_case(b"chunked") && version == 1 => {
            return Ok(BodyLength::Chunked);
        }
        _ => return Err(invalid_response("an unsupported transfer coding")),
    }
    let mut lengths = comma_separated(headers, "content-length");
    let Some(length) = lengths.next() else { return Ok(BodyLength::UntilClosed) };
    let number = Some(length).filter(|length| length.iter().all(u8::is_ascii_digit));
    let number = number.and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    match number {
        Some(number) if lengths.all(|other| other == length) => Ok(BodyLength::Length(number)),
        _ => Err(invalid_response("an invalid or ambiguous content length")),
    }
}

/// The values of a list header, which may be split over several headers.
fn comma_separated<'a>(headers: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.flat_map(|header| header.value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Writes the head with one header for the length, or with version 1.0, with which awc reads until the
/// connection is closed.
fn write_head(output: &mut BytesMut, (code, version): (u16, u8), headers: &[Header<'_>], body: &BodyLength) {
    let version = if *body == BodyLength::UntilClosed && code != 101 { 0 } else { version };
    output.extend_from_slice(format!("HTTP/1.{version} {code} \r\n").as_bytes());
    for header in headers.iter().filter(|header| is_forwarded(header.name)).take(FORWARDED_HEADERS_MAX) {
        for part in [header.name.as_bytes(), b": ", header.value, b"\r\n"] {
            output.extend_from_slice(part);
        }
    }
    let length_header = match body {
        BodyLength::None => "content-length: 0\r\n\r\n".to_owned(),
        BodyLength::Length(length) => format!("content-length: {length}\r\n\r\n"),
        BodyLength::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
        BodyLength::UntilClosed => "\r\n".to_owned(),
    };
    output.extend_from_slice(length_header.as_bytes());
}

/// Whether a header of this name is forwarded unchanged.
pub fn is_forwarded(name: &str) -> bool {
    FORWARDED_HEADERS.iter().any(|forwarded| name.eq_ignore_ascii_case(forwarded))
}

fn invalid_response(reason: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("invalid HTTP response: {reason}"))
}
