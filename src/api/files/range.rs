//! Range and conditional requests (RFC 9110, sections 13 and 14).

use actix_web::http::header::{HeaderMap, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE};

/// The part of a file to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    Whole,
    /// A range.
    Part {
        /// The first byte.
        start: u64,
        /// How many bytes; at least one.
        length: u64,
    },
    /// Nothing: the client's copy is current.
    Unchanged,
    /// Nothing: the range lies outside the file.
    Unsatisfiable,
}

/// The part of a file with this tag and size that these headers ask for. Multiple ranges and malformed ones
/// mean the whole file, as the standard allows.
pub fn select(headers: &HeaderMap, etag: &str, size: u64) -> Selection {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(IF_NONE_MATCH).is_some_and(|tags| names(tags, etag)) {
        return Selection::Unchanged;
    }
    // A tag that is not text does not match either.
    let is_same = |tag: &HeaderValue| tag.as_bytes().trim_ascii() == etag.as_bytes();
    let range = text(RANGE).filter(|_| headers.get(IF_RANGE).is_none_or(is_same));
    range.and_then(|range| part(range, size)).unwrap_or(Selection::Whole)
}

/// Whether a list of tags contains this one. Weak tags match too (weak comparison).
fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// `None` unless this is exactly one byte range.
fn part(range: &str, size: u64) -> Option<Selection> {
    let (unit, range) = range.split_once('=')?;
    let (first, last) = range.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes"))?;
    let (start, end) = match (first, last) {
        ("", "") => return None,
        ("", suffix) => match number(suffix)? {
            0 => (size, size),
            suffix => (size.saturating_sub(suffix), size),
        },
        (first, "") => (number(first)?, size),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    let is_satisfiable = start < end;
    Some(if is_satisfiable {
        Selection::Part { start, length: end - start }
    } else {
        Selection::Unsatisfiable
    })
}

/// Parses digits; saturates on overflow.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn selection(headers: &[(&'static str, &'static str)], size: u64) -> Selection {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        select(&pairs.collect(), "\"abc\"", size)
    }

    #[track_caller]
    fn check(range: &'static str, expected: Selection) {
        assert_eq!(selection(&[("range", range)], 100), expected, "{range}");
    }

    const fn part(start: u64, length: u64) -> Selection {
        Selection::Part { start, length }
    }

    #[test]
    fn a_range_is_the_part_of_the_file_that_it_names() {
        check("bytes=0-0", part(0, 1));
        check("bytes=10-19", part(10, 10));
        check("bytes=90-", part(90, 10));
        check("bytes=90-1000", part(90, 10));
        check("bytes=-10", part(90, 10));
        check("bytes=-1000", part(0, 100));
        check("Bytes= 1-2", part(1, 2));
        check("bytes=0-99999999999999999999999", part(0, 100));
    }

    #[test]
    fn a_range_past_the_end_is_unsatisfiable_and_a_malformed_one_is_ignored() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            check(range, Selection::Unsatisfiable);
        }
        for range in
            ["bytes=5-1", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "bytes=+1-2", "items=0-1", "bytes", ""]
        {
            check(range, Selection::Whole);
        }
        assert_eq!(selection(&[("range", "bytes=0-")], 0), Selection::Unsatisfiable);
    }

    #[test]
    fn a_client_with_the_current_file_gets_nothing_and_one_with_another_gets_all() {
        for tag in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(selection(&[("if-none-match", tag)], 100), Selection::Unchanged, "{tag}");
        }
        assert_eq!(selection(&[("if-none-match", "\"ab\"")], 100), Selection::Whole);
        assert_eq!(selection(&[("range", "bytes=0-0"), ("if-range", "\"abc\"")], 100), part(0, 1));
        for tag in ["\"x\"", "W/\"abc\"", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(
                selection(&[("range", "bytes=0-0"), ("if-range", tag)], 100),
                Selection::Whole,
                "{tag}"
            );
        }
        let no_text =
            [(RANGE, "bytes=0-0".parse().unwrap()), (IF_RANGE, HeaderValue::from_bytes(b"\xff").unwrap())];
        assert_eq!(select(&no_text.into_iter().collect(), "\"abc\"", 100), Selection::Whole);
    }
}
