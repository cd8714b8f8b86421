//! Lenient parsing of JSON from other parties: a defect affects only the value it is in. Requests to our own
//! API are parsed strictly.
//!
//! What `serde_json` accepts is parsed by it alone. What it rejects is repaired and parsed once more: half a
//! surrogate pair and invalid UTF-8 become U+FFFD, control characters within strings stay, and an invalid
//! number, one out of range, or anything nested too deeply becomes `null`.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::de::IgnoredAny;
use serde_json::Value;

/// Maximum nesting depth; `serde_json` accepts 127.
const DEPTH_MAX: usize = 100;

/// Length of `\u0000` in bytes.
const ESCAPE_BYTES: usize = 6;

/// Base of the code units that encode bytes: byte `b` becomes `BYTE_BASE + b`, half of a surrogate pair.
const BYTE_BASE: u16 = 0xdc00;

/// Start of the string that replaces an invalid number; its bytes follow, each as an escape.
const INVALID_NUMBER: &str = "\"\\udc00";

/// Parses JSON, repairing it if necessary. Fails only if it is not JSON at all.
pub fn value(json: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(json).or_else(|_| serde_json::from_str(&repaired(&text(json))))
}

/// Converts JSON to equivalent text in which every escape is valid. Within strings, an invalid byte, or the
/// backslash of an invalid escape, becomes an escape that encodes the byte, such as `\udcff` or `\udc5c`;
/// readers see half a surrogate pair. A half pair right before it is encoded the same way, so that the two
/// never form a whole one. An invalid number, such as `01` or `NaN`, becomes a string of its bytes after
/// `\udc00`, which readers see as `null`.
pub fn text(json: &[u8]) -> String {
    let (escaped, mut text) = (escaped(json), String::new());
    let mut rest = escaped.as_str();
    while !rest.is_empty() {
        let (token, tail) = rest.split_at(token_bytes(rest));
        rest = tail;
        if is_like_number(token) && serde_json::from_str::<IgnoredAny>(token).is_err() {
            text.push_str(INVALID_NUMBER);
            token.bytes().for_each(|byte| escape_byte(&mut text, byte));
            text.push('"');
        } else {
            text.push_str(token);
        }
    }
    text
}

/// The JSON as text in which every escape is valid.
fn escaped(json: &[u8]) -> String {
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    let mut text = String::with_capacity(json.len());
    let mut is_within = false;
    for chunk in json.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(character) = rest.chars().next() {
            let mut length = character.len_utf8();
            match character {
                '\\' if is_within => {
                    let stays;
                    (length, stays) = escapes(rest, chunk.invalid());
                    if stays {
                        text.push_str(&rest[..length]);
                    } else {
                        rest[..length].bytes().for_each(|byte| escape_byte(&mut text, byte));
                    }
                }
                ..' ' if is_within => {
                    escape(&mut text, u16::from(u8::try_from(character).unwrap_or_default()));
                }
                _ => text.push(character),
            }
            is_within ^= character == '"';
            rest = &rest[length..];
        }
        chunk.invalid().iter().for_each(|byte| escape_byte(&mut text, *byte));
    }
    text
}

/// The length of the escape at the start of this; an invalid one is only its backslash.
fn escape_bytes(escape: &str) -> usize {
    match unit(escape) {
        Some(_) => ESCAPE_BYTES,
        None if escape[1..].starts_with(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']) => 2,
        None => 1,
    }
}

/// The length of the escapes at the start of this, and whether they can stay as they are before what follows:
/// `invalid` follows the end of the text. Consecutive high surrogates are taken together.
fn escapes(text: &str, invalid: &[u8]) -> (usize, bool) {
    let is_half = |text: &str| matches!(unit(text), Some(0xd800..=0xdbff));
    let mut next = text;
    while is_half(next) {
        next = &next[ESCAPE_BYTES..];
    }
    if next.len() == text.len() {
        let length = escape_bytes(text);
        return (length, length > 1);
    }
    let is_byte_next =
        if next.is_empty() { !invalid.is_empty() } else { next.starts_with('\\') && escape_bytes(next) == 1 };
    (text.len() - next.len(), !is_byte_next)
}

/// A non-empty string.
pub fn string(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// An integer, including one that is written with a decimal point or an exponent.
pub fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    })
}

/// An integer that fits this type.
pub fn count<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    integer(value).and_then(|number| T::try_from(number).ok())
}

/// An id: LINE writes ids as strings, and its documentation in one place as a number. Anything that no id of
/// LINE's can be is `None`, since two ids that differ only in unreadable characters would become equal.
pub fn id(value: &Value) -> Option<String> {
    let is_id = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = string(value).filter(is_id).map(str::to_owned);
    text.or_else(|| value.as_u64().map(|number| number.to_string()))
}

fn escape(text: &mut String, unit: u16) {
    write!(text, "\\u{unit:04x}").expect("writing to a String cannot fail");
}

fn escape_byte(text: &mut String, byte: u8) {
    escape(text, BYTE_BASE + u16::from(byte));
}

/// The same JSON without what `serde_json` rejects.
fn repaired(json: &str) -> String {
    let mut repaired = String::with_capacity(json.len());
    let (mut rest, mut depth) = (json, 0_usize);
    while !rest.is_empty() {
        let (token, tail) = rest.split_at(token_bytes(rest));
        rest = tail;
        if matches!(token, "[" | "{") {
            depth += 1;
        }
        match token {
            "[" | "{" if depth == DEPTH_MAX + 1 => repaired.push_str("null"),
            _ if depth > DEPTH_MAX => {}
            _ if is_invalid_number(token) => repaired.push_str("null"),
            _ if token.starts_with('"') => repair_string(token, &mut repaired),
            _ if is_like_number(token) && serde_json::from_str::<Value>(token).is_err() => {
                repaired.push_str("null");
            }
            _ => repaired.push_str(token),
        }
        if matches!(token, "]" | "}") {
            depth = depth.saturating_sub(1);
        }
    }
    repaired
}

/// The length of the first token: a string with its quotes, a punctuation character, or a word or number.
fn token_bytes(json: &str) -> usize {
    let Some(text) = json.strip_prefix('"') else {
        let sign = |character: char| character == '"' || is_punctuation(character);
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

/// Whether this was meant as a number, as some JSON writers produce it.
fn is_like_number(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        || ["nan", "inf", "infinity"].iter().any(|word| token.eq_ignore_ascii_case(word))
}

/// Whether this is what [`text`] writes for an invalid number.
fn is_invalid_number(token: &str) -> bool {
    let bytes =
        token.strip_prefix(INVALID_NUMBER).and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let is_byte = |at| unit(&bytes[at..]).is_some_and(|unit| (BYTE_BASE..BYTE_BASE + 0x100).contains(&unit));
    !bytes.is_empty() && bytes.is_ascii() && (0..bytes.len()).step_by(ESCAPE_BYTES).all(is_byte)
}

fn is_punctuation(character: char) -> bool {
    "[]{},:".contains(character) || character.is_ascii_whitespace()
}

fn repair_string(token: &str, repaired: &mut String) {
    let mut rest = token;
    while let Some(start) = rest.find('\\') {
        repaired.push_str(&rest[..start]);
        rest = repair_escape(&rest[start..], repaired);
    }
    repaired.push_str(rest);
}

/// Repairs the escape at the start of this and returns the rest.
fn repair_escape<'a>(escape: &'a str, repaired: &mut String) -> &'a str {
    let length = match unit(escape) {
        Some(0xd800..=0xdbff) if matches!(unit(&escape[ESCAPE_BYTES..]), Some(0xdc00..=0xdfff)) => {
            2 * ESCAPE_BYTES
        }
        Some(0xdc00..=0xdcff) => return repair_bytes(escape, repaired),
        Some(0xd800..=0xdfff) => {
            repaired.push(char::REPLACEMENT_CHARACTER);
            return &escape[ESCAPE_BYTES..];
        }
        _ => escape_bytes(escape),
    };
    repaired.push_str(&escape[..length]);
    &escape[length..]
}

/// Replaces escapes written by [`text`] by as many U+FFFD as decoding their bytes gives, one for each valid
/// escape among them.
fn repair_bytes<'a>(mut escapes: &'a str, repaired: &mut String) -> &'a str {
    let mut bytes = Vec::new();
    while let Some(byte) = unit(escapes).and_then(|unit| u8::try_from(unit.checked_sub(BYTE_BASE)?).ok()) {
        bytes.push(byte);
        escapes = &escapes[ESCAPE_BYTES..];
    }
    let bytes = String::from_utf8_lossy(&bytes);
    let mut rest = &*bytes;
    while let Some(character) = rest.chars().next() {
        repaired.push(char::REPLACEMENT_CHARACTER);
        rest = &rest[unit(rest).map_or(character.len_utf8(), |_| ESCAPE_BYTES)..];
    }
    escapes
}

/// The UTF-16 code unit of the escape at the start of this.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}
