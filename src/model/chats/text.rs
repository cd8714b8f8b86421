//! The text of an outgoing message, and how it is split into bubbles.

use std::ops::Range;
use std::str::FromStr;

use unicode_segmentation::UnicodeSegmentation;

use crate::error::{Error, InvalidRule};

/// Maximum length of a bubble in LINE: 5,000 UTF-16 code units ("Text character count" in LINE's
/// documentation).
pub const BUBBLE_UNITS_MAX: usize = 5_000;

/// How much twenty mentions of one unit each may grow when they are replaced by placeholders such as `{m19}`.
const PLACEHOLDERS_UNITS_MAX: usize = 100;

/// LINE's maximum number of message objects per request ("Send push message").
pub const BUBBLES_PER_REQUEST_MAX: usize = 5;

/// An outgoing text of 1 to [`Text::UNITS_MAX`] UTF-16 code units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// As much as LINE accepts in one request: five bubbles.
    pub const UNITS_MAX: usize = BUBBLE_UNITS_MAX * BUBBLES_PER_REQUEST_MAX;

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits the text into as few bubbles as possible, in order; concatenated they are the text.
    ///
    /// None of them is blank, which LINE would refuse, unless every way of splitting this text has a blank
    /// one. A bubble ends after a word if that needs no further bubble, otherwise between two graphemes, and
    /// inside a grapheme only if the grapheme alone is longer than a bubble.
    pub fn bubbles(&self) -> Vec<&str> {
        split(&self.0, &[], (units, BUBBLE_UNITS_MAX))
    }

    /// Like [`Self::bubbles`], but never splits these parts, which must be in order and far shorter than a
    /// bubble. Reserves space for the placeholders that replace them, and for the second brace that LINE then
    /// requires for every brace.
    pub fn bubbles_around(&self, unsplit: &[Range<usize>]) -> Vec<&str> {
        if unsplit.is_empty() {
            return self.bubbles();
        }
        let with_doubled_braces = |text: &str| units(text) + text.matches(['{', '}']).count();
        split(&self.0, unsplit, (with_doubled_braces, BUBBLE_UNITS_MAX - PLACEHOLDERS_UNITS_MAX))
    }
}

impl FromStr for Text {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::invalid(InvalidRule::Argument, "a message needs a `text`"));
        }
        let units = units(text);
        if units > Self::UNITS_MAX {
            let message =
                format!("`text` has {units} UTF-16 code units; LINE takes at most {}", Self::UNITS_MAX);
            return Err(Error::invalid(InvalidRule::TextLength, message));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The length as LINE counts it, in UTF-16 code units.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The measure of a bubble's length, and its maximum.
type LengthLimit = (fn(&str) -> usize, usize);

/// Splits the text into bubbles within the limit, none of which ends within these parts.
fn split<'text>(text: &'text str, unsplit: &[Range<usize>], limit: LengthLimit) -> Vec<&'text str> {
    let (length, length_max) = limit;
    if length(text) <= length_max {
        return vec![text];
    }
    let mut atoms = Atoms::new(text, unsplit, limit);
    let shortest = atoms.bubbles(usize::MAX);
    if !shortest.iter().any(|bubble| is_blank(bubble)) {
        return shortest;
    }
    atoms.require_more_than_blanks();
    // One more bubble is better than one that LINE refuses, as long as all of them fit into a request.
    let filled = atoms.bubbles(shortest.len().max(BUBBLES_PER_REQUEST_MAX));
    if filled.is_empty() { shortest } else { filled }
}

/// Whether nothing of the text is visible: only whitespace and invisible characters.
fn is_blank(text: &str) -> bool {
    text.chars().all(|character| character.is_whitespace() || is_invisible(character))
}

/// The characters that Unicode ignores by default in display (UAX 44, `Default_Ignorable_Code_Point`),
/// control characters, and the empty Braille pattern, which has no dots.
const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text as a list of atoms, which are not split: parts that stay whole, graphemes, and the characters of a
/// grapheme that is longer than a bubble. A boundary is identified by the number of atoms before it.
struct Atoms<'text> {
    /// The atoms in order.
    list: Vec<&'text str>,
    text: &'text str,
    /// For each boundary its byte offset in the text.
    positions: Vec<usize>,
    /// For each boundary whether a word ends there.
    is_word_end: Vec<bool>,
    /// For each boundary the first and the last boundary at which a bubble that starts there may end.
    ends: Vec<(usize, usize)>,
}

/// For each boundary the last one up to it from which the text can be split into a given number of bubbles.
type Starts = Vec<Option<usize>>;

impl<'text> Atoms<'text> {
    fn new(text: &'text str, unsplit: &[Range<usize>], limit: LengthLimit) -> Self {
        let mut list = Vec::new();
        let mut start = 0;
        for part in unsplit {
            list.extend(atoms(&text[start..part.start], limit));
            list.push(&text[part.clone()]);
            start = part.end;
        }
        list.extend(atoms(&text[start..], limit));
        let mut positions = vec![0];
        positions.extend(list.iter().scan(0, |end, atom| {
            *end += atom.len();
            Some(*end)
        }));
        let words: Vec<usize> = text.split_word_bound_indices().map(|(start, _)| start).collect();
        let is_word_end = positions.iter().map(|position| words.binary_search(position).is_ok()).collect();
        let ends = ends(&list, limit);
        Self { list, text, positions, is_word_end, ends }
    }

    /// Requires every bubble to contain something visible.
    fn require_more_than_blanks(&mut self) {
        let mut first_filled = self.list.len();
        for (start, atom) in self.list.iter().enumerate().rev() {
            if !is_blank(atom) {
                first_filled = start;
            }
            self.ends[start].0 = first_filled + 1;
        }
    }

    /// Splits the text into as few bubbles as possible, each as long as possible; empty if it needs more than
    /// `at_most`.
    fn bubbles(&self, at_most: usize) -> Vec<&'text str> {
        let mut starts = vec![self.last_start()];
        while starts[starts.len() - 1][0].is_none() {
            if starts.len() > at_most.min(self.list.len()) {
                return Vec::new();
            }
            starts.push(self.earlier_starts(&starts[starts.len() - 1]));
        }
        let mut start = 0;
        let bubble = |following: &Starts| {
            let end = self.end(start, following);
            let bubble = &self.text[self.positions[start]..self.positions[end]];
            start = end;
            bubble
        };
        starts.iter().rev().skip(1).map(bubble).collect()
    }

    /// From the end of the text, zero bubbles are needed.
    fn last_start(&self) -> Starts {
        let end = self.list.len();
        (0..=end).map(|boundary| (boundary == end).then_some(end)).collect()
    }

    /// The starts for one more bubble.
    fn earlier_starts(&self, following: &Starts) -> Starts {
        let mut latest = None;
        let starts = self.ends.iter().enumerate().map(|(start, (first, last))| {
            if following[*last].is_some_and(|end| end >= *first) {
                latest = Some(start);
            }
            latest
        });
        starts.collect()
    }

    /// Where a bubble ends so that the rest can follow: after a word if possible.
    fn end(&self, start: usize, following: &Starts) -> usize {
        let (first, last) = self.ends[start];
        let candidates = std::iter::successors(following[last], |end| following[end.checked_sub(1)?]);
        let mut after_words = candidates.take_while(|end| *end >= first).filter(|end| self.is_word_end[*end]);
        after_words.next().or(following[last]).expect("a bubble can begin here")
    }
}

/// The graphemes of a text, and the characters of those that are too long.
fn atoms(text: &str, (length, length_max): LengthLimit) -> impl Iterator<Item = &str> {
    text.graphemes(true).flat_map(move |grapheme| {
        if length(grapheme) > length_max { characters(grapheme).collect() } else { vec![grapheme] }
    })
}

/// For each boundary the first and the last one at which a bubble within the limit may end.
fn ends(atoms: &[&str], (length, length_max): LengthLimit) -> Vec<(usize, usize)> {
    let (mut last, mut taken) = (0, 0);
    let mut ends = Vec::with_capacity(atoms.len() + 1);
    for (start, atom) in atoms.iter().enumerate() {
        while let Some(next) = atoms.get(last).filter(|next| taken + length(next) <= length_max) {
            taken += length(next);
            last += 1;
        }
        ends.push((start + 1, last));
        taken -= length(atom);
    }
    // No bubble starts at the end.
    ends.push((usize::MAX, atoms.len()));
    ends
}

fn characters(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(start, character)| &text[start..start + character.len_utf8()])
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
    fn a_text_of_one_bubble_is_not_split() {
        check("hi", &[2]);
        check(&"a".repeat(5_000), &[5_000]);
        check(&"😀".repeat(2_500), &[5_000]);
    }

    #[test]
    fn a_surrogate_pair_is_never_split() {
        check(&format!("a{}", "😀".repeat(2_500)), &[4_999, 2]);
    }

    #[test]
    fn a_bubble_ends_after_a_word() {
        check(&format!("{} {}", "a".repeat(4_000), "b".repeat(2_000)), &[4_001, 2_000]);
    }

    #[test]
    fn a_word_is_split_if_a_further_bubble_would_be_needed_otherwise() {
        check(&format!("{} {}", "a".repeat(10), "b".repeat(9_989)), &[5_000, 5_000]);
    }

    #[test]
    fn an_unsplittable_part_is_not_split() {
        let text: Text = format!("{} @Alice Smith {}", "a".repeat(4_893), "{".repeat(2_000)).parse().unwrap();

        let bubbles = text.bubbles_around(std::slice::from_ref(&(4_894..4_906)));

        assert_eq!(bubbles.iter().map(|bubble| bubble.len()).collect::<Vec<_>>(), [4_894, 2_013]);
    }

    #[test]
    fn a_grapheme_is_not_split() {
        let family = "👨‍👩‍👧‍👦";

        check(&format!("{}{family}{family}", "a".repeat(4_990)), &[4_990, 22]);
    }

    #[test]
    fn a_grapheme_longer_than_a_bubble_is_split() {
        check(&format!("e{}", "\u{301}".repeat(6_000)), &[5_000, 1_001]);
    }

    #[test]
    fn a_text_of_maximum_length_needs_five_bubbles_and_a_longer_one_is_refused() {
        check(&"a".repeat(25_000), &[5_000; 5]);

        let error = "a".repeat(25_001).parse::<Text>().unwrap_err();

        assert!(matches!(error, Error::Invalid { rule: InvalidRule::TextLength, .. }));
        assert!("".parse::<Text>().is_err());
    }

    #[test]
    fn no_bubble_is_blank_if_another_split_avoids_it() {
        check(&format!("{} ", "a".repeat(5_000)), &[4_999, 2]);
        check(&format!("{} b{}", "a".repeat(4_000), " \n\u{3000}".repeat(1_000)), &[4_001, 3_001]);
        check(&format!("{}{}b", "a".repeat(4_000), " ".repeat(8_000)), &[3_999, 5_000, 3_002]);
        let hopeless = format!("{}{}", "a".repeat(4_999), " ".repeat(5_000));
        check(&hopeless, &[4_999, 5_000]);
    }

    #[test]
    fn invisible_characters_alone_make_a_bubble_blank() {
        for invisible in
            "\u{ad}\u{200b}\u{200f}\u{180e}\u{2060}\u{2800}\u{3164}\u{feff}\u{ffa0}\u{1}\u{85}".chars()
        {
            check(&format!("{}{invisible}", "a".repeat(5_000)), &[4_999, 2]);
        }
        check(&format!("{} \u{200b}\u{a0}", "a".repeat(5_000)), &[4_999, 4]);
    }

    /// Whether a text of one-unit characters can be split so that no bubble is blank, by brute force.
    fn can_be_filled(text: &str, length_max: usize, count: usize) -> bool {
        let mut heads = (1..=length_max.min(text.len())).filter(|end| !is_blank(&text[..*end]));
        text.is_empty() || count > 0 && heads.any(|end| can_be_filled(&text[end..], length_max, count - 1))
    }

    proptest! {
        #[test]
        fn a_bubble_is_blank_only_if_every_split_has_a_blank_one(text in "[ab \\n]{1,16}", length_max in 2_usize..6) {
            let bubbles = split(&text, &[], (units, length_max));
            let shortest = text.len().div_ceil(length_max);

            prop_assert_eq!(bubbles.concat(), text.as_str());
            prop_assert!(bubbles.iter().all(|bubble| (1..=length_max).contains(&bubble.len())));
            let is_filled = !bubbles.iter().any(|bubble| is_blank(bubble));
            let limit = shortest.max(BUBBLES_PER_REQUEST_MAX);
            prop_assert_eq!(is_filled, can_be_filled(&text, length_max, limit));
            let fewest = (shortest..=limit).find(|count| can_be_filled(&text, length_max, *count));
            prop_assert_eq!(bubbles.len(), fewest.unwrap_or(shortest));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn bubbles_concatenate_to_the_text_and_each_is_within_the_limit(words in prop::collection::vec("[a-z ]{0,200}|[😀é漢👨‍👩‍👧]{0,200}", 1..60)) {
            let joined = words.concat();
            prop_assume!(!joined.is_empty() && units(&joined) <= Text::UNITS_MAX);
            let text: Text = joined.parse().unwrap();

            let bubbles = text.bubbles();

            prop_assert_eq!(bubbles.concat(), text.as_str());
            prop_assert!(bubbles.iter().all(|bubble| (1..=BUBBLE_UNITS_MAX).contains(&units(bubble))));
        }
    }
}
