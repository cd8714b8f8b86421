//! One page of a list that is read newest first.

use crate::error::{Error, Result, Rule};
use crate::model::timestamp::Timestamp;

/// Which rows of a list are asked for: up to `size` of those created strictly before `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many rows at most, 1 to [`Page::SIZE_MAX`].
    pub size: u32,
    /// Only rows created strictly before this time.
    pub before: Timestamp,
}

impl Page {
    /// The largest page, and the page of those who ask for none.
    pub const SIZE_MAX: u32 = 100;

    /// Reads `page_size` and `page_token` of a query.
    pub fn parse(size: Option<&str>, token: Option<&str>) -> Result<Self> {
        Ok(Self {
            size: size.map_or(Ok(Self::SIZE_MAX), parse_size)?,
            before: parse_token(token.unwrap_or_default())?,
        })
    }
}

/// A larger number than [`Page::SIZE_MAX`] means that, however large it is.
fn parse_size(text: &str) -> Result<u32> {
    let expected = || Error::invalid(Rule::Argument, "`page_size` is a number from 1 to 100");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected());
    }
    match text.parse::<u32>() {
        Ok(0) => Err(expected()),
        Ok(size) => Ok(size.min(Page::SIZE_MAX)),
        Err(_) => Ok(Page::SIZE_MAX),
    }
}

/// An empty token is the beginning: an empty page answers with it, and it may be given back.
fn parse_token(text: &str) -> Result<Timestamp> {
    if text.is_empty() {
        return Ok(Timestamp::NEVER);
    }
    let expected =
        "`page_token` is the `next_page_token` of an earlier answer, such as 2022-06-17 06:06:14.446158";
    text.parse().map_err(|_| Error::invalid(Rule::PageToken, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: Option<&str>, expected: Option<u32>) {
        assert_eq!(Page::parse(size, None).ok().map(|page| page.size), expected, "page_size {size:?}");
    }

    #[test]
    fn a_size_is_one_to_a_hundred_and_more_means_a_hundred() {
        check(None, Some(100));
        check(Some("1"), Some(1));
        check(Some("100"), Some(100));
        check(Some("101"), Some(100));
        check(Some("99999999999999999999"), Some(100));
        for size in ["", "0", "00", "-1", "+1", "1.5", "ten", "１"] {
            check(Some(size), None);
        }
    }

    #[test]
    fn a_token_is_a_time_of_an_earlier_answer() {
        let page = Page::parse(None, Some("2022-06-17 06:06:14.446158")).unwrap();

        assert_eq!(page.before.to_string(), "2022-06-17 06:06:14.446158");
        assert_eq!(Page::parse(None, Some("")).unwrap().before, Timestamp::NEVER);
        assert!(Page::parse(None, Some("yesterday")).is_err());
    }
}
