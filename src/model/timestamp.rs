//! Timestamps with microsecond precision, written as `2022-06-17 06:06:14.446158`.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::error::{Error, InvalidRule};

/// UTC with six decimals: the only format of times in the HTTP contract.
const FORMAT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]");

/// `0000-01-01 00:00:00.000000`, the earliest time that can be written.
const WRITTEN_MIN: i64 = -62_167_219_200_000_000;

/// `9999-12-31 23:59:59.999999`, the latest time that can be written.
const WRITTEN_MAX: i64 = 253_402_300_799_999_999;

/// A point in time in microseconds since 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The value of `tm_delete` while a row exists: `9999-01-01 00:00:00.000000`.
    pub const NEVER: Self = Self(253_370_764_800_000_000);

    /// Reads the clock. The only place in the program that does.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn now() -> Self {
        let nanoseconds = OffsetDateTime::now_utc().unix_timestamp_nanos();
        Self(i64::try_from(nanoseconds / 1_000).expect("microseconds fit for 292,000 years"))
    }

    /// From microseconds since 1970, as stored.
    pub const fn from_microseconds(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// The date of an HTTP header, in any of the formats of RFC 9110, 5.6.7; `None` for other text.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let since_1970 = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since_1970.as_micros()).ok().map(Self)
    }

    /// From milliseconds since 1970 of an external source; `None` unless between 1970 and 9999.
    pub fn from_foreign_milliseconds(milliseconds: i64) -> Option<Self> {
        let time = Self(milliseconds.checked_mul(1_000)?);
        (Self(0)..Self::NEVER).contains(&time).then_some(time)
    }

    /// From milliseconds since 1970, as LINE writes `timestamp`.
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    pub const fn as_microseconds(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, as LINE writes `timestamp`.
    pub const fn as_milliseconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since 1970, as the `exp` of a token.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time as part of a file name, without spaces and colons.
    pub fn as_file_name(self) -> String {
        self.to_string().replace(' ', "T").replace(':', "-")
    }

    /// This much later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(microseconds(duration)))
    }

    /// This much earlier.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(microseconds(duration)))
    }

    /// The time from `earlier` until this; zero if this is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether a page of a list can show rows created at this time: pages end before [`Self::NEVER`].
    pub const fn is_shown(self) -> bool {
        self.0 >= 0 && self.0 < Self::NEVER.0
    }

    /// The smallest later time.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Times out of range are clamped: the format has four digits for the year.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0.clamp(WRITTEN_MIN, WRITTEN_MAX)) * 1_000;
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map_err(|_| fmt::Error)?;
        formatter.write_str(&time.format(FORMAT).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = PrimitiveDateTime::parse(text, FORMAT).ok();
        parsed
            .and_then(|time| i64::try_from(time.assume_utc().unix_timestamp_nanos() / 1_000).ok())
            .map(Self)
            .ok_or_else(|| {
                Error::invalid(
                    InvalidRule::Argument,
                    "a time must be written like 2022-06-17 06:06:14.446158",
                )
            })
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_time_of_the_tutorial_is_parsed_and_formatted() {
        let text = "2022-06-17 06:06:14.446158";

        let time: Timestamp = text.parse().unwrap();

        assert_eq!(time.as_microseconds(), 1_655_445_974_446_158);
        assert_eq!(time.to_string(), text);
    }

    #[test]
    fn never_is_the_first_moment_of_the_year_9999() {
        assert_eq!(Timestamp::NEVER.to_string(), "9999-01-01 00:00:00.000000");
    }

    #[test]
    fn every_number_is_formatted_as_a_time_and_only_those_of_four_digits_are_accepted_from_others() {
        for (milliseconds, written, is_taken) in [
            (0, "1970-01-01 00:00:00.000000", true),
            (-1, "1969-12-31 23:59:59.999000", false),
            (253_370_764_799_999, "9998-12-31 23:59:59.999000", true),
            (253_370_764_800_000, "9999-01-01 00:00:00.000000", false),
            (253_402_300_800_000, "9999-12-31 23:59:59.999999", false),
            (1_655_445_974_446_158, "9999-12-31 23:59:59.999999", false),
            (-62_167_219_200_001, "0000-01-01 00:00:00.000000", false),
            (i64::MAX, "9999-12-31 23:59:59.999999", false),
            (i64::MIN, "0000-01-01 00:00:00.000000", false),
        ] {
            assert_eq!(Timestamp::from_milliseconds(milliseconds).to_string(), written, "{milliseconds}");
            let taken = Timestamp::from_foreign_milliseconds(milliseconds);
            assert_eq!(taken, is_taken.then(|| Timestamp::from_milliseconds(milliseconds)), "{milliseconds}");
        }
        assert_eq!(Timestamp::NEVER.after(Duration::MAX).to_string(), "9999-12-31 23:59:59.999999");
        assert_eq!(Timestamp::NEVER.before(Duration::MAX).to_string(), "0000-01-01 00:00:00.000000");
    }

    #[test]
    fn an_http_date_is_read_in_each_of_its_three_formats() {
        let time = Some(Timestamp::from_milliseconds(784_111_777_000));

        assert_eq!(Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), time);
        assert_eq!(Timestamp::from_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), time);
        assert_eq!(Timestamp::from_http_date("Sun Nov  6 08:49:37 1994"), time);
        for text in ["", "1994-11-06 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "120"] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn any_other_format_is_refused() {
        for text in [
            "",
            "2022-06-17",
            "2022-06-17T06:06:14.446158",
            "2022-06-17 06:06:14",
            "2022-13-17 06:06:14.446158",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn every_formatted_time_is_parsed_as_itself(microseconds in 0..Timestamp::NEVER.as_microseconds()) {
            let time = Timestamp::from_microseconds(microseconds);

            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
    }
}
