//! Requests whose lines end with a bare LF: the parser takes them, but a proxy in front may read one line where it reads two,
//! and then both disagree on where a request ends (RFC 9112, 2.2 and 11.2). In what follows the last chunk of a body the parser
//! does not take it, but waits for more.

/// The longest beginning of a line that has to be known.
const NAME_BYTES_MAX: usize = 64;

/// Reads along with the parser, and makes unreadable what it should refuse.
#[derive(Debug)]
pub struct LineEnds {
    place: Position,
    /// How the present line of a head begins.
    line: Vec<u8>,
    is_after_cr: bool,
    has_begun: bool,
    /// What the present head announces.
    announced: Announced,
    /// Whether the parser is to be given one more byte that it refuses.
    has_refused: bool,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    Length(u64),
    Chunks,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In a head, or before one.
    Head,
    /// In a body that has so many bytes to come.
    Body(u64),
    /// In the line before a chunk.
    Size,
    /// In a chunk that has so many bytes to come, with the end of its line.
    Chunk(u64),
    /// In the lines behind the last chunk.
    Trailer,
    /// Behind the head of a request whose end only the parser knows: nothing is looked at any more.
    Unknown,
}

impl Default for LineEnds {
    fn default() -> Self {
        Self {
            place: Position::Head,
            line: Vec::new(),
            is_after_cr: false,
            has_begun: false,
            announced: Announced::Length(0),
            has_refused: false,
        }
    }
}

impl LineEnds {
    /// Puts NUL, which no head may have, in the place of a bare LF within a head; behind the last chunk CR and NULs, which no
    /// trailer may have.
    pub fn read(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            match self.place {
                Position::Unknown => return,
                Position::Body(to_come) => {
                    let (rest, left) = skip(bytes, to_come);
                    self.place = if left == 0 { Position::Head } else { Position::Body(left) };
                    bytes = rest;
                }
                Position::Chunk(to_come) => {
                    let (rest, left) = skip(bytes, to_come);
                    self.place = if left == 0 { Position::Size } else { Position::Chunk(left) };
                    bytes = rest;
                }
                Position::Head | Position::Size | Position::Trailer => {
                    let (byte, rest) = bytes.split_first_mut().expect("it is not empty");
                    self.read_line(byte);
                    if self.has_refused {
                        rest.fill(0);
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// Whether the parser still waits for a byte to refuse; said once.
    pub fn must_end(&mut self) -> bool {
        std::mem::take(&mut self.has_refused)
    }

    fn read_line(&mut self, byte: &mut u8) {
        match *byte {
            b'\n' if self.is_after_cr => self.end_line(),
            b'\n' => {
                match self.place {
                    Position::Head => *byte = 0,
                    Position::Trailer => {
                        *byte = b'\r';
                        self.has_refused = true;
                    }
                    // The parser refuses it by itself.
                    _ => {}
                }
                self.place = Position::Unknown;
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
        match self.place {
            Position::Size => self.place = behind_size(&line),
            Position::Trailer if line.is_empty() => self.place = Position::Head,
            Position::Head if line.is_empty() => self.end_head(),
            Position::Head => {
                self.has_begun = true;
                self.announced = announced(self.announced, &line);
            }
            _ => {}
        }
    }

    fn end_head(&mut self) {
        // Empty lines before a request are passed over.
        if !std::mem::take(&mut self.has_begun) {
            return;
        }
        self.place = match std::mem::replace(&mut self.announced, Announced::Length(0)) {
            Announced::Length(0) => Position::Head,
            Announced::Length(length) => Position::Body(length),
            Announced::Chunks => Position::Size,
            Announced::Unknown => Position::Unknown,
        };
    }
}

/// What is announced with this line of a head too. What contradicts itself only the parser judges.
fn announced(before: Announced, line: &[u8]) -> Announced {
    let length = |length: &[u8]| {
        let length = std::str::from_utf8(length.trim_ascii()).ok().filter(|length| is_number(length))?;
        Some(Announced::Length(length.parse().unwrap_or(u64::MAX)))
    };
    if let Some(text) = line.strip_prefix(b"content-length:") {
        let is_first = before == Announced::Length(0);
        return length(text).filter(|_| is_first).unwrap_or(Announced::Unknown);
    }
    if let Some(text) = line.strip_prefix(b"transfer-encoding:") {
        let is_chunked = before == Announced::Length(0) && text.trim_ascii() == b"chunked";
        return if is_chunked { Announced::Chunks } else { Announced::Unknown };
    }
    let is_unknown = line.starts_with(b"transfer-encoding") || line.starts_with(b"upgrade");
    if is_unknown { Announced::Unknown } else { before }
}

/// Where the line before a chunk leads: its digits are hexadecimal, and extensions may follow them.
fn behind_size(line: &[u8]) -> Position {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = std::str::from_utf8(&line[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    match size {
        None => Position::Unknown,
        Some(0) => Position::Trailer,
        Some(size) => Position::Chunk(size.saturating_add(2)),
    }
}

/// What is behind up to so many bytes, and how many of them are still to come.
fn skip(bytes: &mut [u8], left: u64) -> (&mut [u8], u64) {
    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    (&mut bytes[skipped..], left - skipped as u64)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the parser is given, whatever pieces the bytes come in.
    #[track_caller]
    fn check(bytes: &str, expected: &str) {
        for size in 1..=bytes.len() {
            let (mut lines, mut given) = (LineEnds::default(), bytes.as_bytes().to_vec());
            given.chunks_mut(size).for_each(|piece| lines.read(piece));
            assert_eq!(String::from_utf8_lossy(&given), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_head_with_a_bare_line_feed_becomes_unreadable() {
        check("GET / HTTP/1.1\nhost: a\n\n", "GET / HTTP/1.1\0host: a\n\n");
        check("GET / HTTP/1.1\r\nhost: a\nb: c\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\0b: c\r\n\r\n");
        check("\nGET / HTTP/1.1\r\n\r\n", "\0GET / HTTP/1.1\r\n\r\n");
        check("GET / HTTP/1.1\r\nhost: a\r\n\n", "GET / HTTP/1.1\r\nhost: a\r\n\0");
        let behind = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n\n\nGET / HTTP/1.1";
        check(&format!("{behind}\n\r\n"), &format!("{behind}\0\r\n"));
        check("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\n", "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\0\n");
    }

    #[test]
    fn what_follows_the_last_chunk_becomes_unreadable_with_a_bare_line_feed() {
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
            assert!(lines.must_end() && !lines.must_end());
        }
        let next = format!("{HEAD}0\r\n\r\nGET / HTTP/1.1");
        check(&format!("{next}\n\n"), &format!("{next}\0\n"));
    }

    #[test]
    fn a_head_is_looked_at_whatever_it_announces() {
        for header in ["Transfer-Encoding: chunked", "Content-Length: +4", "Upgrade: h2c"] {
            let head = format!("POST / HTTP/1.1\r\n{header}\r\nhost: a");
            check(&format!("{head}\nb: c\r\n\r\n"), &format!("{head}\0b: c\r\n\r\n"));
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
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
