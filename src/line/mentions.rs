//! Mentions in texts: as LINE's webhooks describe them, and as LINE accepts them in `textV2` message objects.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::line::lenient;
use crate::line::validation::problems::{Path, Problems, report};
use crate::model::chats::chat::LineId;
use crate::model::chats::mention::{Mention, MentionKind};

/// Maximum length of an outgoing mention, in UTF-16 code units: it is a name, not a text of its own.
const LENGTH_MAX: u32 = 1_000;

/// LINE's maximum number of mentions in one text.
const MENTIONS_MAX: usize = 20;

/// A mention and the byte range of the text that it replaces.
pub type Placed<'a> = (Range<usize>, &'a Mention);

/// The mentions of a received message object; those without a position are left out.
pub fn received(mention: &Value) -> Vec<Mention> {
    mention["mentionees"].as_array().into_iter().flatten().filter_map(mentionee).collect()
}

fn mentionee(value: &Value) -> Option<Mention> {
    let kind = match value["type"].as_str() {
        Some("all") => MentionKind::All,
        Some("user") | None => MentionKind::User,
        Some(_) => return None,
    };
    Some(Mention {
        index: lenient::count(&value["index"])?,
        length: lenient::count(&value["length"])?,
        kind,
        participant: value["userId"].as_str().and_then(LineId::parse).map(|id| id.as_str().to_owned()),
        is_self: value["isSelf"] == true,
    })
}

/// The byte ranges of the mentions of an outgoing text, in order. A mention at an invalid position or of an
/// invalid user is reported as a problem.
pub fn placed<'a>(text: &str, mentions: &'a [Mention], problems: &mut Problems) -> Vec<Placed<'a>> {
    let path = Path::Name(&Path::Root, "mentions");
    if mentions.len() > MENTIONS_MAX {
        report(problems, &path, format!("Size must be between 0 and {MENTIONS_MAX}"));
    }
    let mut placed: Vec<Placed<'a>> = Vec::new();
    for (number, mention) in mentions.iter().enumerate() {
        let path = Path::Index(&path, number);
        let names_nobody = mention.participant.as_deref().and_then(LineId::parse).is_none();
        if mention.kind == MentionKind::User && names_nobody {
            report(problems, &Path::Name(&path, "participant"), "must be LINE's id of a user");
            continue;
        }
        match bytes(text, mention) {
            None => report(problems, &path, "must begin and end between two characters of the text"),
            Some(bytes)
                if placed.iter().any(|(other, _)| bytes.start < other.end && other.start < bytes.end) =>
            {
                report(problems, &path, "must not overlap another one");
            }
            Some(bytes) => placed.push((bytes, mention)),
        }
    }
    placed.sort_by_key(|(bytes, _)| bytes.start);
    placed
}

/// The text and the `substitution` of a `textV2` message object for this part of a text.
pub fn substituted(text: &str, part: Range<usize>, placed: &[Placed<'_>]) -> (String, Value) {
    let (mut written, mut substitution) = (String::new(), Map::new());
    let mut start = part.start;
    let within = placed.iter().filter(|(bytes, _)| part.start <= bytes.start && bytes.end <= part.end);
    for (number, (bytes, mention)) in within.enumerate() {
        let name = format!("m{number}");
        written.push_str(&escaped(&text[start..bytes.start]));
        written.extend(["{", name.as_str(), "}"]);
        let mentionee = match mention.kind {
            MentionKind::All => json!({ "type": "all" }),
            MentionKind::User => json!({ "type": "user", "userId": mention.participant }),
        };
        substitution.insert(name, json!({ "type": "mention", "mentionee": mentionee }));
        start = bytes.end;
    }
    written.push_str(&escaped(&text[start..part.end]));
    (written, substitution.into())
}

/// Doubles braces, since a single one would start a placeholder.
fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn bytes(text: &str, mention: &Mention) -> Option<Range<usize>> {
    let fits = (1..=LENGTH_MAX).contains(&mention.length);
    let end = mention.index.checked_add(mention.length).filter(|_| fits)?;
    Some(byte_at(text, mention.index)?..byte_at(text, end)?)
}

/// The byte offset of this UTF-16 code unit, if a character starts or the text ends there.
fn byte_at(text: &str, unit: u32) -> Option<usize> {
    let mut units = 0;
    for (byte, character) in text.char_indices() {
        if units >= unit {
            return (units == unit).then_some(byte);
        }
        units += if character.len_utf16() == 2 { 2 } else { 1 };
    }
    (units == unit).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(index: u32, length: u32, participant: Option<&str>) -> Mention {
        let kind = if participant.is_some() { MentionKind::User } else { MentionKind::All };
        Mention { index, length, kind, participant: participant.map(str::to_owned), is_self: false }
    }

    #[test]
    fn an_unreadable_mention_is_left_out_alone() {
        let incoming = json!({ "mentionees": [
            { "index": 0, "length": 4, "type": "all" },
            { "index": 5, "length": 4, "type": "user", "userId": "U1", "isSelf": true },
            { "index": 9.0, "length": 1, "type": null, "userId": "../v2", "isSelf": "yes" },
            { "index": null, "length": 4, "type": "user" }, { "index": 1, "length": -1 }, { "index": 0, "length": 1, "type": "team" }, 7, null,
        ] });

        let read = received(&incoming);

        let expected = json!([
            { "index": 0, "length": 4, "kind": "all", "participant": null, "is_self": false },
            { "index": 5, "length": 4, "kind": "user", "participant": "U1", "is_self": true },
            { "index": 9, "length": 1, "kind": "user", "participant": null, "is_self": false },
        ]);
        assert_eq!(json!(read), expected);
        for odd in [json!(null), json!([]), json!({ "mentionees": {} })] {
            assert_eq!(received(&odd), []);
        }
    }

    #[test]
    fn a_mention_replaces_its_code_units_and_braces_are_doubled() {
        let text = "😀 {@A} 漢@B!";
        let mentions = [mention(9, 2, Some("U2")), mention(4, 2, Some("U1")), mention(11, 1, None)];
        let mut problems = Problems::new();

        let placed = placed(text, &mentions, &mut problems);
        let (written, substitution) = substituted(text, 0..text.len(), &placed);

        assert_eq!(problems, []);
        assert_eq!(written, "😀 {{{m0}}} 漢{m1}{m2}");
        assert_eq!(
            substitution["m0"],
            json!({ "type": "mention", "mentionee": { "type": "user", "userId": "U1" } })
        );
        assert_eq!(substitution["m1"]["mentionee"]["userId"], "U2");
        assert_eq!(substitution["m2"], json!({ "type": "mention", "mentionee": { "type": "all" } }));
    }

    #[test]
    fn a_mention_with_an_invalid_range_or_user_is_reported_by_its_property() {
        for (mentions, property) in [
            (vec![mention(1, 1, Some("U1"))], "mentions[0]"),
            (vec![mention(0, 0, Some("U1"))], "mentions[0]"),
            (vec![mention(2, 9, Some("U1"))], "mentions[0]"),
            (vec![mention(u32::MAX, 1, Some("U1"))], "mentions[0]"),
            (vec![mention(0, 2, Some("U1")), mention(0, 3, Some("U2"))], "mentions[1]"),
            (vec![mention(0, 2, Some("U 1"))], "mentions[0].participant"),
        ] {
            let mut problems = Problems::new();

            placed("😀 hi", &mentions, &mut problems);

            let found: Vec<&str> = problems.iter().map(|problem| problem.property.as_str()).collect();
            assert_eq!(found, [property], "{mentions:?}");
        }
    }
}
