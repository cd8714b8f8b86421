//! The text of an outgoing message, and how it is divided into what LINE takes at once.

use std::str::FromStr;

use unicode_segmentation::UnicodeSegmentation;

use crate::error::{Error, Rule};

/// What LINE shows as one bubble: at most 5,000 UTF-16 code units ("Text character count" in LINE's documentation).
pub const BUBBLE_UNITS_MAX: usize = 5_000;

/// LINE takes at most five message objects in one request ("Send push message").
pub const BUBBLES_PER_REQUEST_MAX: usize = 5;

/// An outgoing text of 1 to [`Text::UNITS_MAX`] UTF-16 code units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// As much as LINE takes in one request: five bubbles.
    pub const UNITS_MAX: usize = BUBBLE_UNITS_MAX * BUBBLES_PER_REQUEST_MAX;

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text in as few bubbles as possible, in order; together they are the text.
    ///
    /// A cut falls behind a word where that costs no further bubble, else between two graphemes, and inside a
    /// grapheme only where that grapheme alone is longer than a bubble.
    pub fn bubbles(&self) -> Vec<&str> {
        let mut bubbles = Vec::new();
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let (bubble, tail) = rest.split_at(cut(rest));
            bubbles.push(bubble);
            rest = tail;
        }
        bubbles
    }
}

impl FromStr for Text {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::invalid(Rule::Argument, "a message needs a `text`"));
        }
        let units = units(text);
        if units > Self::UNITS_MAX {
            let message =
                format!("`text` has {units} UTF-16 code units; LINE takes at most {}", Self::UNITS_MAX);
            return Err(Error::invalid(Rule::TextLength, message));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The length as LINE counts it: UTF-16 code units.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Where the first bubble of this text ends, in bytes.
fn cut(text: &str) -> usize {
    let total = units(text);
    if total <= BUBBLE_UNITS_MAX {
        return text.len();
    }
    // A cut before this many units would need one bubble more than the length alone does.
    let spare = total - (total.div_ceil(BUBBLE_UNITS_MAX) - 1) * BUBBLE_UNITS_MAX;
    last_fitting(text.split_word_bound_indices(), spare)
        .or_else(|| last_fitting(text.grapheme_indices(true), 1))
        .or_else(|| last_fitting(characters(text), 1))
        .expect("one character has at most two code units")
}

/// The end of the last piece that still fits into a bubble, when at least `least` units lie before it.
fn last_fitting<'a>(pieces: impl Iterator<Item = (usize, &'a str)>, least: usize) -> Option<usize> {
    let mut taken = 0;
    let mut end = None;
    for (start, piece) in pieces {
        taken += units(piece);
        if taken > BUBBLE_UNITS_MAX {
            break;
        }
        if taken >= least {
            end = Some(start + piece.len());
        }
    }
    end
}

fn characters(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.char_indices().map(|(start, character)| (start, &text[start..start + character.len_utf8()]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, lengths: &[usize]) {
        let text: Text = text.parse().unwrap();
        let bubbles = text.bubbles();

        assert_eq!(bubbles.concat(), text.as_str());
        assert_eq!(bubbles.iter().map(|bubble| units(bubble)).collect::<Vec<_>>(), lengths);
    }

    #[test]
    fn a_text_of_one_bubble_is_left_whole() {
        check("hi", &[2]);
        check(&"a".repeat(5_000), &[5_000]);
        check(&"😀".repeat(2_500), &[5_000]);
    }

    #[test]
    fn a_surrogate_pair_is_never_torn() {
        check(&format!("a{}", "😀".repeat(2_500)), &[4_999, 2]);
    }

    #[test]
    fn a_cut_falls_behind_a_word() {
        check(&format!("{} {}", "a".repeat(4_000), "b".repeat(2_000)), &[4_001, 2_000]);
    }

    #[test]
    fn a_word_is_cut_where_a_further_bubble_would_be_the_price() {
        check(&format!("{} {}", "a".repeat(10), "b".repeat(9_989)), &[5_000, 5_000]);
    }

    #[test]
    fn a_family_stays_together() {
        let family = "👨‍👩‍👧‍👦";

        check(&format!("{}{family}{family}", "a".repeat(4_990)), &[4_990, 22]);
    }

    #[test]
    fn a_grapheme_longer_than_a_bubble_is_cut_all_the_same() {
        check(&format!("e{}", "\u{301}".repeat(6_000)), &[5_000, 1_001]);
    }

    #[test]
    fn a_full_text_takes_five_bubbles_and_one_unit_more_is_refused() {
        check(&"a".repeat(25_000), &[5_000; 5]);

        let error = "a".repeat(25_001).parse::<Text>().unwrap_err();

        assert!(matches!(error, Error::Invalid { rule: Rule::TextLength, .. }));
        assert!("".parse::<Text>().is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn bubbles_are_the_text_and_each_fits(words in prop::collection::vec("[a-z ]{0,200}|[😀é漢👨‍👩‍👧]{0,200}", 1..60)) {
            let joined = words.concat();
            prop_assume!(!joined.is_empty() && units(&joined) <= Text::UNITS_MAX);
            let text: Text = joined.parse().unwrap();

            let bubbles = text.bubbles();

            prop_assert_eq!(bubbles.concat(), text.as_str());
            prop_assert!(bubbles.iter().all(|bubble| (1..=BUBBLE_UNITS_MAX).contains(&units(bubble))));
        }
    }
}
