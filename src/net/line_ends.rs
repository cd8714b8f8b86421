//! Rejects requests with bare LF line ends. The parser accepts them, but a proxy in front may read one line
//! where the parser reads two, so that both disagree on where a request ends (RFC 9112, 2.2 and 11.2). In
//! trailers the parser does not accept a bare LF, but waits for more input.

/// Number of bytes of a line that are needed to recognize a header.
const NAME_BYTES_MAX: usize = 64;

/// Follows the input of the parser, and makes requests with bare LFs unparseable.
#[derive(Debug)]
pub struct LineEnds {
    position: Position,
    /// The start of the current line of a head.
    line: Vec<u8>,
    is_after_cr: bool,
    is_in_head: bool,
    /// The body that the current head announces.
    announced_body: AnnouncedBody,
    /// Whether the parser still needs one more byte to reject.
    must_reject: bool,
}

/// The body after a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnnouncedBody {
    Length(u64),
    Chunks,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In a head, or before one.
    Head,
    /// In a body with this many bytes left.
    Body(u64),
    /// In a chunk size line.
    Size,
    /// In a chunk with this many bytes left, including its line end.
    Chunk(u64),
    /// In the trailers.
    Trailer,
    /// After the head of a request whose end only the parser knows; the rest of the connection is not
    /// checked.
    Unknown,
}

impl Default for LineEnds {
    fn default() -> Self {
        Self {
            position: Position::Head,
            line: Vec::new(),
            is_after_cr: false,
            is_in_head: false,
            announced_body: AnnouncedBody::Length(0),
            must_reject: false,
        }
    }
}

impl LineEnds {
    /// Replaces a bare LF within a head by NUL, which no head may contain; in trailers, by CR followed by
    /// NULs, which no trailer may contain.
    pub fn read(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            match self.position {
                Position::Unknown => return,
                Position::Body(remaining) => {
                    let (rest, remaining) = skip(bytes, remaining);
                    self.position = if remaining == 0 { Position::Head } else { Position::Body(remaining) };
                    bytes = rest;
                }
                Position::Chunk(remaining) => {
                    let (rest, remaining) = skip(bytes, remaining);
                    self.position = if remaining == 0 { Position::Size } else { Position::Chunk(remaining) };
                    bytes = rest;
                }
                Position::Head | Position::Size | Position::Trailer => {
                    let (byte, rest) = bytes.split_first_mut().expect("it is not empty");
                    self.read_line(byte);
                    if self.must_reject {
                        rest.fill(0);
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// Whether the parser still needs a byte to reject; true at most once per rejection.
    pub fn take_rejection(&mut self) -> bool {
        std::mem::take(&mut self.must_reject)
    }

    fn read_line(&mut self, byte: &mut u8) {
        match *byte {
            b'\n' if self.is_after_cr => self.end_line(),
            b'\n' => {
                match self.position {
                    Position::Head => *byte = 0,
                    Position::Trailer => {
                        *byte = b'\r';
                        self.must_reject = true;
                    }
                    // The parser rejects it by itself.
                    _ => {}
                }
                self.position = Position::Unknown;
            }
            b'\r' => self.is_after_cr = true,
            other => {
                self.is_after_cr = false;
                if self.line.len() < NAME_BYTES_MAX {
                    self.line.push(other.to_ascii_lowercase());
                }
            }
        }
    }

    fn end_line(&mut self) {
        self.is_after_cr = false;
        let line = std::mem::take(&mut self.line);
        match self.position {
            Position::Size => self.position = after_size(&line),
            Position::Trailer if line.is_empty() => self.position = Position::Head,
            Position::Head if line.is_empty() => self.end_head(),
            Position::Head => {
                self.is_in_head = true;
                self.announced_body = announced_body(self.announced_body, &line);
            }
            _ => {}
        }
    }

    fn end_head(&mut self) {
        // Empty lines before a request are ignored.
        if !std::mem::take(&mut self.is_in_head) {
            return;
        }
        self.position = match std::mem::replace(&mut self.announced_body, AnnouncedBody::Length(0)) {
            AnnouncedBody::Length(0) => Position::Head,
            AnnouncedBody::Length(length) => Position::Body(length),
            AnnouncedBody::Chunks => Position::Size,
            AnnouncedBody::Unknown => Position::Unknown,
        };
    }
}

/// The announced body, updated by this line of the head. Contradictions are left to the parser.
fn announced_body(before: AnnouncedBody, line: &[u8]) -> AnnouncedBody {
    let length = |length: &[u8]| {
        let length = std::str::from_utf8(length.trim_ascii()).ok().filter(|length| is_number(length))?;
        Some(AnnouncedBody::Length(length.parse().unwrap_or(u64::MAX)))
    };
    if let Some(text) = line.strip_prefix(b"content-length:") {
        let is_first = before == AnnouncedBody::Length(0);
        return length(text).filter(|_| is_first).unwrap_or(AnnouncedBody::Unknown);
    }
    if let Some(text) = line.strip_prefix(b"transfer-encoding:") {
        let is_chunked = before == AnnouncedBody::Length(0) && text.trim_ascii() == b"chunked";
        return if is_chunked { AnnouncedBody::Chunks } else { AnnouncedBody::Unknown };
    }
    let is_unknown = line.starts_with(b"transfer-encoding") || line.starts_with(b"upgrade");
    if is_unknown { AnnouncedBody::Unknown } else { before }
}

/// The position after a chunk size line, which has hexadecimal digits and optional extensions.
fn after_size(line: &[u8]) -> Position {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = std::str::from_utf8(&line[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    match size {
        None => Position::Unknown,
        Some(0) => Position::Trailer,
        Some(size) => Position::Chunk(size.saturating_add(2)),
    }
}

/// Skips up to this many bytes; returns the rest and how many bytes are left to skip.
fn skip(bytes: &mut [u8], remaining: u64) -> (&mut [u8], u64) {
    let skipped = usize::try_from(remaining).unwrap_or(usize::MAX).min(bytes.len());
    (&mut bytes[skipped..], remaining - skipped as u64)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the rewritten input for all ways of splitting it into chunks of equal size.
    #[track_caller]
    fn check(bytes: &str, expected: &str) {
        for size in 1..=bytes.len() {
            let (mut lines, mut given) = (LineEnds::default(), bytes.as_bytes().to_vec());
            given.chunks_mut(size).for_each(|chunk| lines.read(chunk));
            assert_eq!(String::from_utf8_lossy(&given), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_head_with_a_bare_line_feed_is_made_unparseable() {
        check("GET / HTTP/1.1\nhost: a\n\n", "GET / HTTP/1.1\0host: a\n\n");
        check("GET / HTTP/1.1\r\nhost: a\nb: c\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\0b: c\r\n\r\n");
        check("\nGET / HTTP/1.1\r\n\r\n", "\0GET / HTTP/1.1\r\n\r\n");
        check("GET / HTTP/1.1\r\nhost: a\r\n\n", "GET / HTTP/1.1\r\nhost: a\r\n\0");
        let behind = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1";
        check(&format!("{behind}\n\r\n"), &format!("{behind}\0\r\n"));
        check("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\0\n");
    }

    #[test]
    fn trailers_with_a_bare_line_feed_are_made_unparseable() {
        const HEAD: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for (chunks, refused) in [
            ("0\r\n\n", "0\r\n\r"),
            ("0\r\na: b\n", "0\r\na: b\r"),
            ("0\r\na: b\r\n\n", "0\r\na: b\r\n\r"),
            ("2;x=y\r\n\n\n\r\n00\r\n\n", "2;x=y\r\n\n\n\r\n00\r\n\r"),
        ] {
            check(&format!("{HEAD}{chunks}"), &format!("{HEAD}{refused}"));
            let (mut lines, mut given) = (LineEnds::default(), format!("{HEAD}{chunks}\nGET").into_bytes());
            lines.read(&mut given);
            assert_eq!(String::from_utf8_lossy(&given), format!("{HEAD}{refused}\0\0\0\0"));
            assert!(lines.take_rejection() && !lines.take_rejection());
        }
        let next = format!("{HEAD}0\r\n\r\nGET / HTTP/1.1");
        check(&format!("{next}\n\n"), &format!("{next}\0\n"));
    }

    #[test]
    fn a_head_is_checked_whatever_it_announces() {
        for header in ["Transfer-Encoding: chunked", "Content-Length: +4", "Upgrade: h2c"] {
            let head = format!("POST / HTTP/1.1\r\n{header}\r\nhost: a");
            check(&format!("{head}\nb: c\r\n\r\n"), &format!("{head}\0b: c\r\n\r\n"));
        }
    }

    #[test]
    fn anything_else_is_left_unchanged() {
        for bytes in [
            "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length:4\r\n\r\n\n\n\n\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\n\n\n\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a=\"b\"\r\n\n\r\n0\r\na: b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n\n\n\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\n",
            "POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\n\n\n\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n\n",
            "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n\n\n",
        ] {
            check(bytes, bytes);
        }
    }
}
