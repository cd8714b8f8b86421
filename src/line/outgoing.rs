//! LINE's message objects from what a caller wants to send, and the way back: which property came from which.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::line::mentions;
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{FieldRule, ObjectRule, check, optional, required};
use crate::model::chats::mention::Mention;
use crate::model::chats::outgoing::Outgoing;
use crate::model::chats::text::Text;

/// Our name of a property and LINE's, where a dot leads into an object. LINE is not told what has no name there.
type BubbleFields = &'static [(&'static str, &'static str)];

/// One message object, and where its properties come from.
#[derive(Debug, Clone)]
pub struct Bubble {
    object: Map<String, Value>,
    origin: String,
    fields: BubbleFields,
}

/// The kinds of media, named alike here and there, but for the file: LINE has none, so it becomes a text with a link.
const KINDS: [(&str, BubbleFields); 9] = [
    ("image", &[("uri", "originalContentUrl"), ("preview_uri", "previewImageUrl"), FILENAME]),
    ("video", &[("uri", "originalContentUrl"), ("preview_uri", "previewImageUrl"), DURATION, FILENAME]),
    ("audio", &[("uri", "originalContentUrl"), ("duration_ms", "duration"), FILENAME]),
    ("file", &[("uri", "text"), FILENAME]),
    ("location", &[TITLE, ("address", "address"), ("latitude", "latitude"), ("longitude", "longitude")]),
    ("sticker", &[("package_id", "packageId"), ("sticker_id", "stickerId")]),
    ("template", &[ALTERNATIVE, ("contents", "template")]),
    ("imagemap", IMAGEMAP),
    ("flex", &[ALTERNATIVE, ("contents", "contents")]),
];

/// LINE wants a preview of every picture; whether it is small enough to be its own only the caller knows.
const OWN_PREVIEW: BubbleFields = &[("uri", "originalContentUrl"), ("uri", "previewImageUrl")];
const FILENAME: (&str, &str) = ("filename", "");
const DURATION: (&str, &str) = ("duration_ms", "");
const TITLE: (&str, &str) = ("title", "title");
const ALTERNATIVE: (&str, &str) = ("alt_text", "altText");
/// An imagemap has its contents beside the alternative text, not in an object of their own.
const IMAGEMAP: BubbleFields = &[
    ALTERNATIVE,
    ("contents.baseUrl", "baseUrl"),
    ("contents.baseSize", "baseSize"),
    ("contents.actions", "actions"),
    ("contents.video", "video"),
];
const TEXT: BubbleFields = &[("text", "text")];
const MENTIONING: BubbleFields = &[("text", "text"), ("mentions", "substitution")];
const SENDER: BubbleFields = &[("name", "name"), ("icon_uri", "iconUrl")];
/// What does not belong to a media but to the whole message.
const WHOLE: BubbleFields = &[
    ("quick_replies", "quickReply.items"),
    ("quote", "quoteToken"),
    ("sender.icon_uri", "sender.iconUrl"),
    ("sender", "sender"),
];

/// The kinds of message objects that can quote.
const QUOTING: [&str; 3] = ["text", "textV2", "sticker"];

/// What LINE cannot check because it is not told, or told in other words.
static OURS: ObjectRule = ObjectRule::Object(&[
    optional("filename", ObjectRule::Text(Units, 0, 255)),
    optional("duration_ms", ObjectRule::Integer(1, i64::MAX)),
]);
static LINK: ObjectRule = ObjectRule::Object(&[URI]);
const URI: FieldRule = required("uri", ObjectRule::Url);

/// The message objects in order, with all that is wrong before LINE's rules are asked.
pub fn bubbles(outgoing: &Outgoing, problems: &mut Problems) -> Vec<Bubble> {
    let mut bubbles = match &outgoing.text {
        Some(text) => texts(text, &outgoing.mentions, problems),
        None => Vec::new(),
    };
    if outgoing.text.is_none() && !outgoing.mentions.is_empty() {
        report(problems, &Path::Name(&Path::Root, "mentions"), "only a text can mention somebody");
    }
    let path = Path::Name(&Path::Root, "medias");
    for (index, media) in outgoing.medias.iter().enumerate() {
        bubbles.extend(of_media(media, &Path::Index(&path, index), problems));
    }
    if let Some(sender) = outgoing.sender.as_ref().and_then(|sender| sender_of(sender, problems)) {
        for bubble in &mut bubbles {
            bubble.set("sender", sender.clone());
        }
    }
    if let Some(token) = &outgoing.quote_token {
        quote(&mut bubbles, token, problems);
    }
    if let (Some(last), false) = (bubbles.last_mut(), outgoing.quick_replies.is_empty()) {
        last.set("quickReply", json!({ "items": outgoing.quick_replies }));
    }
    bubbles
}

/// A text that mentions nobody is of LINE's older type, which has no placeholders.
fn texts(text: &Text, mentions: &[Mention], problems: &mut Problems) -> Vec<Bubble> {
    let placed = mentions::placed(text.as_str(), mentions, problems);
    let whole: Vec<Range<usize>> = placed.iter().map(|(bytes, _)| bytes.clone()).collect();
    let bubble = |part: Range<usize>| {
        if whole.iter().all(|bytes| bytes.end <= part.start || part.end <= bytes.start) {
            return Bubble::of_text(&text.as_str()[part]);
        }
        let (written, substitution) = mentions::substituted(text.as_str(), part, &placed);
        let mut bubble = Bubble::new("textV2", String::new(), MENTIONING);
        bubble.set("text", written.into());
        bubble.set("substitution", substitution);
        bubble
    };
    let parts = text.bubbles_around(&whole).into_iter().scan(0, |end, part| {
        let start = *end;
        *end += part.len();
        Some(start..*end)
    });
    parts.map(bubble).collect()
}

/// What is said where LINE has no message for a file: its name, if it has one, and where it is.
pub fn link_text(filename: &str, uri: &str) -> String {
    if filename.is_empty() { uri.to_owned() } else { format!("{filename}\n{uri}") }
}

/// The caller's name of a property of a request that carries these objects.
pub fn property(bubbles: &[Bubble], lines: &str) -> String {
    let place = lines.strip_prefix("messages[").and_then(|rest| rest.split_once(']'));
    let found = place.and_then(|(index, rest)| {
        let bubble = bubbles.get(index.parse::<usize>().ok()?)?;
        Some(bubble.property(rest.strip_prefix('.').unwrap_or(rest)))
    });
    found.unwrap_or_else(|| lines.to_owned())
}

impl Bubble {
    /// The message object as LINE takes it.
    pub fn object(&self) -> Value {
        Value::Object(self.object.clone())
    }

    fn new(kind: &str, origin: String, fields: BubbleFields) -> Self {
        let mut bubble = Self { object: Map::new(), origin, fields };
        bubble.set("type", kind.into());
        bubble
    }

    fn of_text(text: &str) -> Self {
        let mut bubble = Self::new("text", String::new(), TEXT);
        bubble.set("text", text.into());
        bubble
    }

    fn set(&mut self, name: &str, value: Value) {
        self.object.insert(name.to_owned(), value);
    }

    fn kind(&self) -> &str {
        self.object["type"].as_str().unwrap_or_default()
    }

    fn property(&self, lines: &str) -> String {
        if let Some(ours) = renamed(lines, WHOLE) {
            return ours;
        }
        let ours = renamed(lines, self.fields).unwrap_or_else(|| lines.to_owned());
        match (self.origin.as_str(), ours.as_str()) {
            ("", _) => ours,
            (origin, "") => origin.to_owned(),
            (origin, _) => format!("{origin}.{ours}"),
        }
    }
}

/// The property in our words, when one of these fields leads to it.
fn renamed(lines: &str, fields: BubbleFields) -> Option<String> {
    fields.iter().filter(|(_, name)| !name.is_empty()).find_map(|(ours, name)| {
        let rest = lines.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{ours}{rest}"))
    })
}

fn of_media(media: &Value, path: &Path<'_>, problems: &mut Problems) -> Option<Bubble> {
    let Some(media) = media.as_object() else {
        report(problems, path, "must be an object");
        return None;
    };
    let kind = media.get("type").and_then(Value::as_str);
    let Some((kind, fields)) = KINDS.iter().find(|(name, _)| Some(*name) == kind) else {
        let names = KINDS.map(|(name, _)| name).join(", ");
        let message = format!("must be one of the following values: [{names}]");
        report(problems, &Path::Name(path, "type"), message);
        return None;
    };
    refuse_unknown(media, fields, path, problems);
    check_ours(media, path, problems);
    if *kind == "file" {
        return Some(of_file(media, path, problems));
    }
    let is_own_preview = *kind == "image" && at(media, "preview_uri").is_none();
    let fields = if is_own_preview { OWN_PREVIEW } else { fields };
    let mut bubble = Bubble::new(kind, path.to_string(), fields);
    for (ours, lines) in fields.iter().filter(|(_, lines)| !lines.is_empty()) {
        if let Some(value) = at(media, ours) {
            bubble.set(lines, value.clone());
        }
    }
    Some(bubble)
}

fn of_file(media: &Map<String, Value>, path: &Path<'_>, problems: &mut Problems) -> Bubble {
    let uri = at(media, "uri").cloned().unwrap_or_default();
    check(&LINK, &json!({ "uri": uri }), path, problems);
    let filename = at(media, "filename").and_then(Value::as_str).unwrap_or_default();
    let mut bubble = Bubble::new("text", path.to_string(), &[("uri", "text")]);
    // A missing link was reported in our words, so LINE's rules are not asked about an empty text.
    let text =
        uri.as_str().filter(|uri| !uri.is_empty()).map_or("-".to_owned(), |uri| link_text(filename, uri));
    bubble.set("text", text.into());
    bubble
}

/// The value of a property, by our name of it; `null` is none.
fn at<'a>(media: &'a Map<String, Value>, ours: &str) -> Option<&'a Value> {
    let (first, rest) = ours.split_once('.').map_or((ours, None), |(first, rest)| (first, Some(rest)));
    let value = media.get(first)?;
    rest.map_or(Some(value), |rest| value.get(rest)).filter(|value| !value.is_null())
}

fn check_ours(media: &Map<String, Value>, path: &Path<'_>, problems: &mut Problems) {
    let ours = ["filename", "duration_ms"].into_iter();
    let values: Map<String, Value> =
        ours.filter_map(|name| Some((name.to_owned(), at(media, name)?.clone()))).collect();
    check(&OURS, &values.into(), path, problems);
}

fn refuse_unknown(
    media: &Map<String, Value>,
    fields: BubbleFields,
    path: &Path<'_>,
    problems: &mut Problems,
) {
    for name in media.keys().filter(|name| *name != "type") {
        let path = Path::Name(path, name);
        if fields.iter().any(|(ours, _)| ours == name) {
            continue;
        }
        let inner = |ours: &'static str| ours.strip_prefix(name.as_str())?.strip_prefix('.');
        let inner: Vec<&str> = fields.iter().filter_map(|(ours, _)| inner(ours)).collect();
        if inner.is_empty() {
            report(problems, &path, "unknown property");
        }
        let values = media[name].as_object().into_iter().flatten();
        for (name, _) in values.filter(|(name, _)| !inner.is_empty() && !inner.contains(&name.as_str())) {
            report(problems, &Path::Name(&path, name), "unknown property");
        }
    }
}

fn sender_of(sender: &Value, problems: &mut Problems) -> Option<Value> {
    let path = Path::Name(&Path::Root, "sender");
    let Some(sender) = sender.as_object() else {
        report(problems, &path, "must be an object");
        return None;
    };
    refuse_unknown(sender, SENDER, &path, problems);
    let named =
        SENDER.iter().filter_map(|(ours, lines)| Some(((*lines).to_owned(), at(sender, ours)?.clone())));
    Some(Value::Object(named.collect()))
}

/// The first object that can quote does.
fn quote(bubbles: &mut [Bubble], token: &str, problems: &mut Problems) {
    if let Some(bubble) = bubbles.iter_mut().find(|bubble| QUOTING.contains(&bubble.kind())) {
        return bubble.set("quoteToken", token.into());
    }
    let path = Path::Name(&Path::Root, "quote");
    report(problems, &path, "only a text or a sticker can quote a message");
}
