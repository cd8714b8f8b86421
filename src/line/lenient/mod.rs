//! Reading JSON that others wrote: what is wrong with it costs only itself. Requests to our own API are read strictly.
//!
//! What `serde_json` takes is read by it alone. What it refuses is mended and given to it once more: half a surrogate
//! pair and bytes that are no UTF-8 become U+FFFD, control characters within a text stay, what is no number, or one that no
//! number can hold, becomes `null`, and so does what is nested too deeply.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use serde::de::IgnoredAny;
use serde_json::Value;

/// Lists and objects within each other that are read; `serde_json` takes 127.
const DEPTH_MAX: usize = 100;

/// The bytes of `\u0000`.
const ESCAPE_BYTES: usize = 6;

/// The code unit that stands for a byte is this and the byte: half a surrogate pair.
const BYTE: u16 = 0xdc00;

/// How the text begins that stands for a number that is none; its bytes follow, each as an escape.
const NO_NUMBER: &str = "\"\\udc00";

/// The value that this JSON is. Fails only for what is no JSON at all.
pub fn value(json: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(json).or_else(|_| serde_json::from_str(&mended(&text(json))))
}

/// JSON as text that says the same, in which every escape is one. What is none in the texts of it, a byte that is no UTF-8 or the
/// sign of an escape that is none, becomes an escape that tells the byte, such as `\udcff` or `\udc5c`, and is half a surrogate pair
/// for whoever reads it. Half a pair before it is written in the same way, so that the two never make a whole one. A number that is
/// none, such as `01` or `NaN`, becomes a text that tells its bytes behind `\udc00`, and is nothing for whoever reads it.
pub fn text(json: &[u8]) -> String {
    let (escaped, mut text) = (escaped(json), String::new());
    let mut rest = escaped.as_str();
    while !rest.is_empty() {
        let (token, tail) = rest.split_at(token_bytes(rest));
        rest = tail;
        if is_like_number(token) && serde_json::from_str::<IgnoredAny>(token).is_err() {
            text.push_str(NO_NUMBER);
            token.bytes().for_each(|byte| escape_byte(&mut text, byte));
            text.push('"');
        } else {
            text.push_str(token);
        }
    }
    text
}

/// The JSON as text, in which every escape is one.
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
                    let is_kept;
                    (length, is_kept) = escapes(rest, chunk.invalid());
                    if is_kept {
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

/// How long the escape is with which this begins; one that is none has nothing but its sign.
fn escape_bytes(escape: &str) -> usize {
    match unit(escape) {
        Some(_) => ESCAPE_BYTES,
        None if escape[1..].starts_with(['"', '\\', '/', 'b', 'f', 'n', 'r', 't']) => 2,
        None => 1,
    }
}

/// How long the escapes are with which this begins, and whether they can stand before what follows: `invalid` behind the end of the
/// text. First halves of pairs are taken together, however many there are.
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

/// An id, which LINE writes as a text and its documentation in one place as a number. What no id of LINE's can be is none: two
/// that differ only in what cannot be read would be one.
pub fn id(value: &Value) -> Option<String> {
    let is_id = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let text = string(value).filter(is_id).map(str::to_owned);
    text.or_else(|| value.as_u64().map(|number| number.to_string()))
}

fn escape(text: &mut String, unit: u16) {
    write!(text, "\\u{unit:04x}").expect("a text takes every text");
}

fn escape_byte(text: &mut String, byte: u8) {
    escape(text, BYTE + u16::from(byte));
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
            _ if is_no_number(token) => mended.push_str("null"),
            _ if token.starts_with('"') => mend_text(token, &mut mended),
            _ if is_like_number(token) && serde_json::from_str::<Value>(token).is_err() => {
                mended.push_str("null");
            }
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

/// Whether this was written to be a number, as some writers of JSON do it.
fn is_like_number(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first))
        || ["nan", "inf", "infinity"].iter().any(|word| token.eq_ignore_ascii_case(word))
}

/// Whether this is what [`text`] writes for a number that is none.
fn is_no_number(token: &str) -> bool {
    let bytes = token.strip_prefix(NO_NUMBER).and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let is_byte = |at| unit(&bytes[at..]).is_some_and(|unit| (BYTE..BYTE + 0x100).contains(&unit));
    !bytes.is_empty() && bytes.is_ascii() && (0..bytes.len()).step_by(ESCAPE_BYTES).all(is_byte)
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
    let length = match unit(escape) {
        Some(0xd800..=0xdbff) if matches!(unit(&escape[ESCAPE_BYTES..]), Some(0xdc00..=0xdfff)) => {
            2 * ESCAPE_BYTES
        }
        Some(0xdc00..=0xdcff) => return mend_bytes(escape, mended),
        Some(0xd800..=0xdfff) => {
            mended.push(char::REPLACEMENT_CHARACTER);
            return &escape[ESCAPE_BYTES..];
        }
        _ => escape_bytes(escape),
    };
    mended.push_str(&escape[..length]);
    &escape[length..]
}

/// Escapes of [`text`]: as many characters as the bytes would be, of which an escape is one.
fn mend_bytes<'a>(mut escapes: &'a str, mended: &mut String) -> &'a str {
    let mut bytes = Vec::new();
    while let Some(byte) = unit(escapes).and_then(|unit| u8::try_from(unit.checked_sub(BYTE)?).ok()) {
        bytes.push(byte);
        escapes = &escapes[ESCAPE_BYTES..];
    }
    let bytes = String::from_utf8_lossy(&bytes);
    let mut rest = &*bytes;
    while let Some(character) = rest.chars().next() {
        mended.push(char::REPLACEMENT_CHARACTER);
        rest = &rest[unit(rest).map_or(character.len_utf8(), |_| ESCAPE_BYTES)..];
    }
    escapes
}

/// The UTF-16 code unit of the escape with which this begins.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}
