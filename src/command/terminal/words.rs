//! Formats figures for people. Programs get exact ones with `--json`.

use indicatif::HumanBytes;

use crate::model::timestamp::Timestamp;

/// A count with its noun, in singular or plural.
pub fn counted(count: u64, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {word}{end}")
}

/// The length of a list with its noun.
pub fn counted_list<T>(list: &[T], word: &str) -> String {
    counted(u64::try_from(list.len()).unwrap_or(u64::MAX), word)
}

/// A size such as `1.25 GiB`.
pub fn size(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A time, rounded down to seconds.
pub fn time(time: Timestamp) -> String {
    let text = time.to_string();
    let seconds = text.split_once('.').map_or(text.as_str(), |(seconds, _)| seconds);
    format!("{seconds} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_right_number() {
        let counts = [0, 1, 2, 21].map(|count| counted(count, "file"));

        assert_eq!(counts, ["0 files", "1 file", "2 files", "21 files"]);
    }

    #[test]
    fn sizes_and_times_are_rounded_for_people() {
        assert_eq!([0, 1023, 1_572_864].map(size), ["0 B", "1023 B", "1.50 MiB"]);
        let moment = Timestamp::from_microseconds(1_700_000_000_123_456);
        assert_eq!(time(moment), "2023-11-14 22:13:20 UTC");
    }
}
