//! Pages of lists that are read newest first.

use crate::error::{Error, InvalidRule, Result};
use crate::model::timestamp::Timestamp;

/// A page of a list: up to `size` of the rows created strictly before `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Maximum number of rows, 1 to [`Page::SIZE_MAX`].
    pub size: u32,
    /// Only rows created strictly before this time.
    pub before: Timestamp,
}

/// A page of participants: up to `size` after the position `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantPage {
    /// Maximum number of participants, 1 to [`Page::SIZE_MAX`].
    pub size: u32,
    /// The position of the last participant of the page before; `None` for the first page, which starts with
    /// the account.
    pub after: Option<u32>,
}

impl ParticipantPage {
    /// Parses `page_size` and `page_token` of a query.
    pub fn parse(size: Option<&str>, token: Option<&str>) -> Result<Self> {
        let size = size.map_or(Ok(Page::SIZE_MAX), parse_size)?;
        Ok(Self { size, after: parse_position(token.unwrap_or_default())? })
    }
}

impl Page {
    /// The maximum page size, which is also the default.
    pub const SIZE_MAX: u32 = 100;

    /// Parses `page_size` and `page_token` of a query.
    pub fn parse(size: Option<&str>, token: Option<&str>) -> Result<Self> {
        Ok(Self {
            size: size.map_or(Ok(Self::SIZE_MAX), parse_size)?,
            before: parse_token(token.unwrap_or_default())?,
        })
    }
}

/// Larger numbers mean [`Page::SIZE_MAX`].
fn parse_size(text: &str) -> Result<u32> {
    let expected = || Error::invalid(InvalidRule::Argument, "`page_size` must be a number from 1 to 100");
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected());
    }
    match text.parse::<u32>() {
        Ok(0) => Err(expected()),
        Ok(size) => Ok(size.min(Page::SIZE_MAX)),
        Err(_) => Ok(Page::SIZE_MAX),
    }
}

/// An empty token is the start: an empty page returns it, and it may be sent back.
fn parse_token(text: &str) -> Result<Timestamp> {
    if text.is_empty() {
        return Ok(Timestamp::NEVER);
    }
    let expected =
        "`page_token` is the `next_page_token` of an earlier response, such as 2022-06-17 06:06:14.446158";
    text.parse().map_err(|_| Error::invalid(InvalidRule::PageToken, expected))
}

fn parse_position(text: &str) -> Result<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let expected = || {
        Error::invalid(
            InvalidRule::PageToken,
            "`page_token` is the `next_page_token` of an earlier response, such as 100",
        )
    };
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size: Option<&str>, expected: Option<u32>) {
        assert_eq!(Page::parse(size, None).ok().map(|page| page.size), expected, "page_size {size:?}");
    }

    #[test]
    fn a_page_size_is_one_to_a_hundred_and_larger_ones_mean_a_hundred() {
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
    fn a_page_token_is_a_time_of_an_earlier_response() {
        let page = Page::parse(None, Some("2022-06-17 06:06:14.446158")).unwrap();

        assert_eq!(page.before.to_string(), "2022-06-17 06:06:14.446158");
        assert_eq!(Page::parse(None, Some("")).unwrap().before, Timestamp::NEVER);
        assert!(Page::parse(None, Some("yesterday")).is_err());
    }

    #[test]
    fn a_participant_page_token_is_a_position_of_an_earlier_response() {
        let after = |token: &str| ParticipantPage::parse(None, Some(token)).ok().map(|page| page.after);

        assert_eq!((after(""), after("0"), after("102")), (Some(None), Some(Some(0)), Some(Some(102))));
        for token in ["-1", "+1", "1.5", " 1", "4294967296", "2022-06-17 06:06:14.446158"] {
            assert_eq!(after(token), None, "{token:?}");
        }
    }
}
