//! Reading JSON that others wrote: what is wrong with it costs only itself. Requests to our own API are read strictly.
//!
//! What `serde_json` takes is read by it alone. What it refuses is mended and given to it once more: half a surrogate
//! pair and bytes that are no UTF-8 become U+FFFD, control characters within a text stay, what is no number, or one that no
//! number can hold, becomes `null`, and so does what is nested too deeply.

use std::fmt::Write;

use serde_json::Value;

/// Lists and objects within each other that are read; `serde_json` takes 127.
const DEPTH_MAX: usize = 100;

/// The bytes of `\u0000`.
const ESCAPE_BYTES: usize = 6;

/// The value that this JSON is. Fails only for what is no JSON at all.
pub fn value(json: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(json).or_else(|_| serde_json::from_str(&mended(&text(json))))
}

/// JSON as text that says the same. A byte that is no UTF-8 becomes an escape that tells which it was, such as `\udcff`,
/// and is half a surrogate pair for whoever reads it.
pub fn text(json: &[u8]) -> String {
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    let mut text = String::with_capacity(json.len());
    let (mut is_within, mut is_escaped) = (false, false);
    for chunk in json.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_within && character < ' ' {
                escape(&mut text, u16::from(u8::try_from(character).unwrap_or_default()));
            } else {
                text.push(character);
            }
            (is_within, is_escaped) = match character {
                '"' if !is_escaped => (!is_within, false),
                '\\' if is_within => (true, !is_escaped),
                _ => (is_within, false),
            };
        }
        for byte in chunk.invalid() {
            escape(&mut text, 0xdc00 + u16::from(*byte));
        }
    }
    text
}

/// A text that is not empty.
pub fn string(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// A whole number, also one that is written with a point or an exponent.
pub fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    })
}

/// A whole number of this type.
pub fn count<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    integer(value).and_then(|number| T::try_from(number).ok())
}

/// An id, which LINE writes as a text and its documentation in one place as a number.
pub fn id(value: &Value) -> Option<String> {
    string(value).map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
}

fn escape(text: &mut String, unit: u16) {
    write!(text, "\\u{unit:04x}").expect("a text takes every text");
}

/// The same JSON without what no reader could take.
fn mended(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let (mut rest, mut depth) = (json, 0_usize);
    while !rest.is_empty() {
        let (token, tail) = rest.split_at(token_bytes(rest));
        rest = tail;
        if matches!(token, "[" | "{") {
            depth += 1;
        }
        match token {
            "[" | "{" if depth == DEPTH_MAX + 1 => mended.push_str("null"),
            _ if depth > DEPTH_MAX => {}
            _ if token.starts_with('"') => mend_text(token, &mut mended),
            _ if is_odd_number(token) => mended.push_str("null"),
            _ => mended.push_str(token),
        }
        if matches!(token, "]" | "}") {
            depth = depth.saturating_sub(1);
        }
    }
    mended
}

/// How long the first token is: a text with its quotes, a sign, or a word or number.
fn token_bytes(json: &str) -> usize {
    let Some(text) = json.strip_prefix('"') else {
        let sign = |character: char| character == '"' || is_sign(character);
        return json.find(sign).unwrap_or(json.len()).max(1);
    };
    let mut is_escaped = false;
    let end = text.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 2)
}

fn is_odd_number(token: &str) -> bool {
    let is_number = token.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    is_number && serde_json::from_str::<Value>(token).is_err()
}

fn is_sign(character: char) -> bool {
    "[]{},:".contains(character) || character.is_ascii_whitespace()
}

fn mend_text(token: &str, mended: &mut String) {
    let mut rest = token;
    while let Some(start) = rest.find('\\') {
        mended.push_str(&rest[..start]);
        rest = mend_escape(&rest[start..], mended);
    }
    mended.push_str(rest);
}

/// Mends the escape with which this begins, and returns what follows it.
fn mend_escape<'a>(escape: &'a str, mended: &mut String) -> &'a str {
    let second = || unit(&escape[ESCAPE_BYTES..]);
    let length = match unit(escape) {
        Some(0xd800..=0xdbff) if matches!(second(), Some(0xdc00..=0xdfff)) => 2 * ESCAPE_BYTES,
        Some(0xdc80..=0xdcff) => return mend_bytes(escape, mended),
        Some(0xd800..=0xdfff) => {
            mended.push(char::REPLACEMENT_CHARACTER);
            return &escape[ESCAPE_BYTES..];
        }
        Some(_) => ESCAPE_BYTES,
        None if escape[1..].starts_with(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']) => 2,
        None => {
            mended.push(char::REPLACEMENT_CHARACTER);
            return &escape[1..];
        }
    };
    mended.push_str(&escape[..length]);
    &escape[length..]
}

/// Escapes of [`text`]: as many characters as the bytes would be.
fn mend_bytes<'a>(mut escapes: &'a str, mended: &mut String) -> &'a str {
    let mut bytes = Vec::new();
    while let Some(byte) = unit(escapes).and_then(|unit| u8::try_from(unit.checked_sub(0xdc00)?).ok()) {
        bytes.push(byte);
        escapes = &escapes[ESCAPE_BYTES..];
    }
    let characters = String::from_utf8_lossy(&bytes).chars().count();
    mended.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, characters));
    escapes
}

/// The UTF-16 code unit of the escape with which this begins.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(json: impl AsRef<[u8]>, expected: &Value) {
        let json = json.as_ref();

        assert_eq!(&value(json).unwrap(), expected, "{}", String::from_utf8_lossy(json));
        assert_eq!(&value(text(json).as_bytes()).unwrap(), expected, "as text: {}", text(json));
    }

    #[test]
    fn half_a_surrogate_pair_costs_that_character_wherever_it_stands() {
        for (escapes, expected) in [
            (r"\ud83d", "�"),
            (r"\uDE00", "�"),
            (r"\ude00\ud83d", "��"),
            (r"\ud83d\ud83d\ude00", "�😀"),
            (r"\ud83dx\ude00", "�x�"),
            (r"\ud83d\n\u0041", "�\nA"),
            (r"\ud83d\ude00", "😀"),
            (r"\\ud83d", r"\ud83d"),
            (r"\\\ud83d", "\\�"),
            (r"\\\\ud83d", r"\\ud83d"),
            (r#"\ud83d\"\ude00"#, "�\"�"),
            (r"\u0000\ud83d", "\0�"),
            (r"\ud83d漢\udfff", "�漢�"),
        ] {
            check(
                format!(r#"{{"see {escapes} you":["{escapes}",1]}}"#),
                &json!({ format!("see {expected} you"): [expected, 1] }),
            );
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_cost_one_character_each_and_are_kept() {
        for (bytes, expected, kept) in [
            (b"\xff".as_slice(), "�", r"\udcff"),
            (b"\xf0\x9f\x98", "�", r"\udcf0\udc9f\udc98"),
            (b"\xf0\x9f\x98\x80", "😀", "😀"),
            (b"\x80\x81", "��", r"\udc80\udc81"),
            (b"\xed\xa0\xbd", "���", r"\udced\udca0\udcbd"),
            (b"\xc3(", "�(", r"\udcc3("),
        ] {
            let json = [b"{\"a", bytes, b"z\":\"".as_slice(), bytes, b"\"}"].concat();

            check(&json, &json!({ format!("a{expected}z"): expected }));
            assert_eq!(text(&json), format!(r#"{{"a{kept}z":"{kept}"}}"#));
        }
    }

    #[test]
    fn control_characters_within_a_text_stay() {
        check("{\n\"a\0\":\t\"b\n\\\"\u{1f}\"\r\n}", &json!({ "a\0": "b\n\"\u{1f}" }));
        check("\u{feff}[1]", &json!([1]));
    }

    #[test]
    fn an_escape_that_is_none_costs_its_sign() {
        check(
            r#"["\q","\u12","\u12g4","\u+123","\u漢"]"#,
            &json!(["�q", "�u12", "�u12g4", "�u+123", "�u漢"]),
        );
    }

    #[test]
    fn what_no_number_can_hold_is_none() {
        check(
            r#"{"a":1e400,"b":-1E+999,"c":[1e400],"d":"1e400","e":1}"#,
            &json!({ "a": null, "b": null, "c": [null], "d": "1e400", "e": 1 }),
        );
        check("[01,+1,.5,-,1.,2]", &json!([null, null, null, null, null, 2]));
    }

    #[test]
    fn what_is_nested_too_deeply_is_none() {
        let (open, close) = ("[{\"a\":".repeat(50_000), "}]".repeat(50_000));
        let read = value(format!(r#"{{"deep":{open}"]"{close},"beside":"}}{{"}}"#).as_bytes()).unwrap();

        assert_eq!(read["beside"], "}{");
        assert!(read["deep"][0]["a"][0]["a"].is_array());
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for json in
            ["", "{", "[1", "\"", "{\"a\":}", "[1]x", "[1]]", "{\"a\" 1}", "\"\\", "\\ud83d", "<html>", "nul"]
        {
            assert!(value(json.as_bytes()).is_err(), "{json} was read");
        }
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (number, expected) in [
            (json!(1), Some(1)),
            (json!(-1.0), Some(-1)),
            (json!(1.655e12), Some(1_655_000_000_000)),
            (json!(1.5), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!("1"), None),
            (json!(null), None),
        ] {
            assert_eq!(integer(&number), expected, "{number}");
        }
        assert_eq!((count::<u32>(&json!(-1)), count::<u32>(&json!(7.0))), (None, Some(7)));
        assert_eq!(id(&json!(7)).as_deref(), Some("7"));
        assert_eq!((id(&json!("")), id(&json!(null)), id(&json!(-1))), (None, None, None));
    }

    proptest! {
        #[test]
        fn what_is_good_json_is_left_as_it_is(words in "[\\\\\"a-c\u{0}-\u{20}é漢😀]{0,20}", number: f64, depth in 0_usize..80) {
            let mut good = json!({ words.clone(): [words, number, true, null] });
            for _ in 0..depth {
                good = json!([good]);
            }
            let written = good.to_string();

            prop_assert_eq!(&mended(&written), &written);
            prop_assert_eq!(text(written.as_bytes()), written.as_str());
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), signs in "[\\[\\]{}\",:\\\\ud83dDCe0-9.tn ]{0,60}") {
            for bytes in [bytes.as_slice(), signs.as_bytes(), &[signs.as_bytes(), &bytes].concat()] {
                drop(value(bytes));
            }
        }
    }
}
