//! Random strings and numbers: unguessable identifiers, ULIDs, and a reproducible generator.

use data_encoding::HEXLOWER;

use crate::model::timestamp::Timestamp;

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// This many random bytes.
pub fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes");
    bytes
}

/// Random bytes as lowercase hexadecimal digits, two for each byte.
pub fn hexadecimal<const LENGTH: usize>() -> String {
    HEXLOWER.encode(&bytes::<LENGTH>())
}

/// A ULID: 26 characters that sort by creation time.
pub fn ulid(now: Timestamp, random: [u8; 10]) -> String {
    let milliseconds = u128::try_from(now.as_milliseconds()).unwrap_or(0);
    let value = random.iter().fold(milliseconds, |value, byte| value << 8 | u128::from(*byte));
    let digit = |position: u32| usize::try_from(value >> (5 * position) & 31).expect("five bits fit");
    (0..26).rev().map(|position| char::from(CROCKFORD[digit(position)])).collect()
}

/// Marsaglia's xorshift: the same seed gives the same numbers.
#[derive(Debug)]
pub struct Generator(u64);

impl Generator {
    /// A generator with this seed.
    pub const fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(if seed == 0 { 1 } else { seed })
    }

    /// Whether an event of this probability (0 to 1) occurs in this draw.
    pub fn occurs(&mut self, probability: f64) -> bool {
        f64::from(self.next()) < probability * f64::from(u32::MAX) || probability >= 1.0
    }

    /// A random index of a list of this length; `None` for an empty list.
    pub fn position(&mut self, length: usize) -> Option<usize> {
        usize::try_from(self.next()).ok()?.checked_rem(length)
    }

    /// Shuffles the entries (Fisher-Yates).
    pub fn shuffle<T>(&mut self, entries: &mut [T]) {
        for end in (1..entries.len()).rev() {
            entries.swap(end, self.position(end + 1).unwrap_or(end));
        }
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 32).expect("the upper half fits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ulid_is_a_time_and_random_bits_in_base_32() {
        let time = Timestamp::from_milliseconds(1_469_918_176_385);

        assert_eq!(&ulid(time, [0; 10]), "01ARYZ6S410000000000000000");
        assert_eq!(&ulid(time, [255; 10]), "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
        assert!(ulid(time, [255; 10]) < ulid(Timestamp::from_milliseconds(1_469_918_176_386), [0; 10]));
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draws = |seed| {
            let mut generator = Generator::new(seed);
            (0..1_000).map(|_| generator.occurs(0.3)).collect::<Vec<bool>>()
        };

        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        assert!((200..400).contains(&draws(7).iter().filter(|drawn| **drawn).count()));
    }

    #[test]
    fn probability_one_always_occurs_and_zero_never() {
        let mut generator = Generator::new(0);

        assert!((0..1_000).all(|_| generator.occurs(1.0)));
        assert!((0..1_000).all(|_| !generator.occurs(0.0)));
    }
}
