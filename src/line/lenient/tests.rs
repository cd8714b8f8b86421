//! Malformed JSON and what is parsed from it.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::line::webhook;
use crate::model::chats::inbound::InboundChange;

#[track_caller]
fn check(json: impl AsRef<[u8]>, expected: &Value) {
    let json = json.as_ref();

    assert_eq!(&value(json).unwrap(), expected, "{}", String::from_utf8_lossy(json));
    assert_eq!(&value(text(json).as_bytes()).unwrap(), expected, "as text: {}", text(json));
}

#[test]
fn half_a_surrogate_pair_becomes_a_replacement_character() {
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
fn invalid_utf_8_becomes_replacement_characters_and_its_bytes_are_preserved() {
    for (bytes, expected, preserved) in [
        (b"\xff".as_slice(), "�", r"\udcff"),
        (b"\xf0\x9f\x98", "�", r"\udcf0\udc9f\udc98"),
        (b"\xf0\x9f\x98\x80", "😀", "😀"),
        (b"\x80\x81", "��", r"\udc80\udc81"),
        (b"\xed\xa0\xbd", "���", r"\udced\udca0\udcbd"),
        (b"\xc3(", "�(", r"\udcc3("),
    ] {
        let json = [b"{\"a", bytes, b"z\":\"".as_slice(), bytes, b"\"}"].concat();

        check(&json, &json!({ format!("a{expected}z"): expected }));
        assert_eq!(text(&json), format!(r#"{{"a{preserved}z":"{preserved}"}}"#));
    }
}

#[test]
fn control_characters_within_a_string_stay() {
    check("{\n\"a\0\":\t\"b\n\\\"\u{1f}\"\r\n}", &json!({ "a\0": "b\n\"\u{1f}" }));
    check("\u{feff}[1]", &json!([1]));
}

#[test]
fn an_invalid_escape_loses_only_its_backslash() {
    check(
        r#"["\q","\u12","\u12g4","\u+123","\u漢","\\\q"]"#,
        &json!(["�q", "�u12", "�u12g4", "�u+123", "�u漢", "\\�q"]),
    );
    check("[\"\\\n\",\"\\é\"]", &json!(["�\n", "�é"]));
    assert_eq!(text(br#"["\q\u12"]"#), r#"["\udc5cq\udc5cu12"]"#);
}

#[test]
fn half_a_pair_beside_an_invalid_byte_never_forms_another_character() {
    let parts: [(&[u8], &str); 12] = [
        (br"\ud83d", "H"),
        (br"\uDBFF", "H"),
        (br"\ude00", "L"),
        (br"\udcff", "L"),
        (b"\xff", "�"),
        (b"\xfe", "�"),
        (b"\xf0\x9f", "�"),
        (br"\q", "�q"),
        (br"\u1", "�u1"),
        (b"a", "a"),
        (br"\\\\", "\\\\"),
        (br"\n", "\n"),
    ];
    let threes = (0..parts.len().pow(3)).map(|number| [1, 12, 144].map(|unit| parts[number / unit % 12]));
    for [first, second, third] in threes {
        let json = [b"[\"", first.0, second.0, third.0, b"\"]"].concat();
        // A high surrogate followed by a low one is a whole pair; a byte in between belongs to neither.
        let halves = [first.1, second.1, third.1].concat();
        let expected = halves.replace("HL", "W").replace(['H', 'L'], "�");
        let read = value(&json).unwrap()[0].as_str().unwrap().to_owned();
        let whole = |character: char| if u32::from(character) > 0xffff { 'W' } else { character };

        assert_eq!(read.chars().map(whole).collect::<String>(), expected, "{}", json.escape_ascii());
        assert_eq!(value(text(&json).as_bytes()).unwrap()[0], read, "{}", json.escape_ascii());
        assert_eq!(text(text(&json).as_bytes()), text(&json), "{}", json.escape_ascii());
    }
}

#[test]
fn an_invalid_byte_is_distinguished_from_half_a_pair() {
    let preserved: Vec<_> = [
        br#"["\ud83d\udcff"]"#.as_slice(),
        b"[\"\\ud83d\xff\"]",
        br#"["\ud83d\udc5cq"]"#,
        br#"["\ud83d\q"]"#,
    ]
    .map(text)
    .into();

    assert_eq!(preserved[1], r#"["\udc5c\udc75\udc64\udc38\udc33\udc64\udcff"]"#);
    assert!(preserved[0] != preserved[1] && preserved[2] != preserved[3], "{preserved:?}");
}

#[test]
fn a_number_out_of_range_is_null() {
    check(
        r#"{"a":1e400,"b":-1E+999,"c":[1e400],"d":"1e400","e":1}"#,
        &json!({ "a": null, "b": null, "c": [null], "d": "1e400", "e": 1 }),
    );
}

#[test]
fn an_invalid_number_is_null_and_its_bytes_are_preserved() {
    for number in [
        "01",
        "-01",
        "00",
        "+1",
        ".5",
        "-.5",
        "1.",
        "1.e2",
        "1e",
        "-",
        "0x1f",
        "1_000",
        "1é",
        "NaN",
        "nan",
        "-nan",
        "Infinity",
        "-Infinity",
        "+Infinity",
        "inf",
    ] {
        check(
            format!(r#"{{"a":{number},"b":[{number} ,{number}],"c":"{number}","d":2}}"#),
            &json!({ "a": null, "b": [null, null], "c": number, "d": 2 }),
        );
        let text = text(format!("[{number}]").as_bytes());
        let bytes = number.bytes().fold(String::new(), |text, byte| format!(r"{text}\udc{byte:02x}"));
        assert_eq!(text, format!(r#"["\udc00{bytes}"]"#));
    }
    check(r#"["\udc00","\udc00a","\udc00\udd00","a\udc00\udc30"]"#, &json!(["�", "�a", "��", "a��"]));
}

#[test]
fn events_that_differ_in_an_invalid_number_are_distinct_and_reparse_the_same() {
    let events =
        br#"{"events":[{"type":"follow","a":01},{"type":"follow","a":+1},{"type":"follow","a":01}]}"#;

    let events = webhook::parse(events).unwrap().events;

    assert!(events[0].id != events[1].id && events[0].id == events[2].id);
    for event in events {
        assert!(event.body.contains(r#""a":"\udc00\udc"#), "{}", event.body);
        assert_eq!(
            (webhook::event::parse_event(&event.body), &event.change),
            (event.clone(), &InboundChange::Follow)
        );
    }
}

#[test]
fn what_is_nested_too_deeply_is_null() {
    let (open, close) = ("[{\"a\":".repeat(50_000), "}]".repeat(50_000));
    let read = value(format!(r#"{{"deep":{open}"]"{close},"beside":"}}{{"}}"#).as_bytes()).unwrap();

    assert_eq!(read["beside"], "}{");
    assert!(read["deep"][0]["a"][0]["a"].is_array());
}

#[test]
fn what_is_not_json_is_rejected() {
    for json in [
        "",
        "{",
        "[1",
        "\"",
        "{\"a\":}",
        "[1]x",
        "[1]]",
        "{\"a\" 1}",
        "\"\\",
        "\\ud83d",
        "<html>",
        "nul",
        "[01",
        "{\"a\":1.",
        "[NaN",
        "[1 2]",
        "[01 02]",
        "[01]]",
        "[undefined]",
        "[Na]",
        "{\"a\":NaN",
    ] {
        assert!(value(json.as_bytes()).is_err(), "{json} was accepted");
    }
}

#[test]
fn integers_are_read_in_any_notation() {
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
}

#[test]
fn what_cannot_be_an_id_of_lines_is_none() {
    assert_eq!((id(&json!(7)).as_deref(), id(&json!("01FZ-a")).as_deref()), (Some("7"), Some("01FZ-a")));
    for odd in [
        r#""""#,
        "null",
        "-1",
        "1.5",
        r#"" ""#,
        r#""1 2""#,
        r#""A\ud83d""#,
        r#""A\q""#,
        r#""\u0000""#,
        r#""é""#,
    ] {
        assert_eq!(id(&value(odd.as_bytes()).unwrap()), None, "{odd}");
    }
}

proptest! {
    #[test]
    fn valid_json_is_left_unchanged(words in "[\\\\\"a-c\u{0}-\u{20}é漢😀]{0,20}", number: f64, depth in 0_usize..80) {
        let mut good = json!({ words.clone(): [words, number, true, null] });
        for _ in 0..depth {
            good = json!([good]);
        }
        let written = good.to_string();

        prop_assert_eq!(&repaired(&written), &written);
        prop_assert_eq!(text(written.as_bytes()), written.as_str());
    }

    #[test]
    fn any_input_is_parsed_or_rejected_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), signs in "[\\[\\]{}\",:\\\\ud83dDCe0-9.+tnNaI -]{0,60}") {
        for bytes in [bytes.as_slice(), signs.as_bytes(), &[signs.as_bytes(), &bytes].concat()] {
            drop(value(bytes));
        }
    }
}
