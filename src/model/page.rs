//! One page of a list that is read newest first.

use crate::error::{Error, InvalidRule, Result};
use crate::model::timestamp::Timestamp;

/// Which rows of a list are asked for: up to `size` of those created strictly before `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many rows at most, 1 to [`Page::SIZE_MAX`].
    pub size: u32,
    /// Only rows created strictly before this time.
    pub before: Timestamp,
}

/// Which of those who take part in a conversation are asked for: up to `size` behind the place `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParticipantPage {
    /// How many at most, 1 to [`Page::SIZE_MAX`].
    pub size: u32,
    /// The place of the last of the page before; `None` for the first page, which begins with the account itself.
    pub after: Option<u32>,
}

impl ParticipantPage {
    /// Reads `page_size` and `page_token` of a query.
    pub fn parse(size: Option<&str>, token: Option<&str>) -> Result<Self> {
        let size = size.map_or(Ok(Page::SIZE_MAX), parse_size)?;
        Ok(Self { size, after: parse_position(token.unwrap_or_default())? })
    }
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
    let expected = || Error::invalid(InvalidRule::Argument, "`page_size` is a number from 1 to 100");
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
    text.parse().map_err(|_| Error::invalid(InvalidRule::PageToken, expected))
}

fn parse_position(text: &str) -> Result<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let expected = || {
        Error::invalid(
            InvalidRule::PageToken,
            "`page_token` is the `next_page_token` of an earlier answer, such as 100",
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

    #[test]
    fn a_token_of_participants_is_a_place_of_an_earlier_answer() {
        let after = |token: &str| ParticipantPage::parse(None, Some(token)).ok().map(|page| page.after);

        assert_eq!((after(""), after("0"), after("102")), (Some(None), Some(Some(0)), Some(Some(102))));
        for token in ["-1", "+1", "1.5", " 1", "4294967296", "2022-06-17 06:06:14.446158"] {
            assert_eq!(after(token), None, "{token:?}");
        }
    }
}
