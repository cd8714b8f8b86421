//! Requests whose lines end with a bare LF: the parser takes them, but a proxy in front may read one line where it reads two,
//! and then both disagree on where a request ends (RFC 9112, 2.2 and 11.2).

/// The longest beginning of a line that has to be known.
const NAME_BYTES_MAX: usize = 64;

/// Reads along with the parser, and makes unreadable what it should refuse.
#[derive(Debug)]
pub struct LineEnds {
    place: Place,
    /// How the present line of a head begins.
    line: Vec<u8>,
    is_after_cr: bool,
    has_begun: bool,
    /// The length of the body that the present head announces.
    body: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a head, or before one.
    Head,
    /// In a body that has so many bytes to come.
    Body(u64),
    /// Behind the head of a request whose end only the parser knows: nothing is looked at any more.
    Unknown,
}

impl Default for LineEnds {
    fn default() -> Self {
        Self { place: Place::Head, line: Vec::new(), is_after_cr: false, has_begun: false, body: 0 }
    }
}

impl LineEnds {
    /// Puts NUL, which no head may have, in the place of a bare LF within a head.
    pub fn read(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            match self.place {
                Place::Unknown => return,
                Place::Body(left) => {
                    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let left = left - skipped as u64;
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                    bytes = &mut bytes[skipped..];
                }
                Place::Head => {
                    self.read_head(&mut bytes[0]);
                    bytes = &mut bytes[1..];
                }
            }
        }
    }

    fn read_head(&mut self, byte: &mut u8) {
        match *byte {
            b'\n' if self.is_after_cr => self.end_line(),
            b'\n' => {
                *byte = 0;
                self.place = Place::Unknown;
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
        if line.is_empty() {
            // Empty lines before a request are passed over.
            if std::mem::take(&mut self.has_begun) {
                self.place = if self.body == 0 { Place::Head } else { Place::Body(self.body) };
                self.body = 0;
            }
            return;
        }
        self.has_begun = true;
        if let Some(length) = line.strip_prefix(b"content-length:") {
            match std::str::from_utf8(length.trim_ascii()).ok().filter(|length| is_number(length)) {
                Some(length) => self.body = length.parse().unwrap_or(u64::MAX),
                None => self.place = Place::Unknown,
            }
        } else if line.starts_with(b"transfer-encoding") || line.starts_with(b"upgrade") {
            self.place = Place::Unknown;
        }
    }
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
    fn everything_else_stays_as_it_is() {
        for bytes in [
            "\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length:4\r\n\r\n\n\n\n\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\n\n\n\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\n\n\n\n\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n\n",
            "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n\n\n",
        ] {
            check(bytes, bytes);
        }
    }
}
