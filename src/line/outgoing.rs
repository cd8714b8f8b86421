//! Builds LINE's message objects from an outgoing message, and maps properties of LINE's objects back to the
//! caller's.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::line::mentions;
use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{FieldRule, ObjectRule, check, optional, required};
use crate::model::chats::mention::Mention;
use crate::model::chats::outgoing::Outgoing;
use crate::model::chats::text::Text;

/// Pairs of our property name and LINE's; a dot leads into an object. An empty name means that LINE has no
/// such property.
type BubbleFields = &'static [(&'static str, &'static str)];

/// One of LINE's message objects, and the properties of the caller that it comes from.
#[derive(Debug, Clone)]
pub struct Bubble {
    object: Map<String, Value>,
    origin: String,
    fields: BubbleFields,
}

/// The kinds of media, which have the same names as LINE's. LINE has no outgoing file, so that becomes a text
/// with a link.
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

/// LINE requires a preview for every image; only the caller knows whether the image is small enough to be its
/// own.
const OWN_PREVIEW: BubbleFields = &[("uri", "originalContentUrl"), ("uri", "previewImageUrl")];
const FILENAME: (&str, &str) = ("filename", "");
const DURATION: (&str, &str) = ("duration_ms", "");
const TITLE: (&str, &str) = ("title", "title");
const ALTERNATIVE: (&str, &str) = ("alt_text", "altText");
/// An imagemap has its contents beside `altText`, not in an object of their own.
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
/// Properties of the whole message rather than of one media.
const WHOLE_MESSAGE: BubbleFields = &[
    ("quick_replies", "quickReply.items"),
    ("quote", "quoteToken"),
    ("sender.icon_uri", "sender.iconUrl"),
    ("sender", "sender"),
];

/// The kinds of message objects that can quote a message.
const QUOTING: [&str; 3] = ["text", "textV2", "sticker"];

/// Rules for properties that LINE does not get, or gets under another name.
static OWN_RULES: ObjectRule = ObjectRule::Object(&[
    optional("filename", ObjectRule::Text(Units, 0, 255)),
    optional("duration_ms", ObjectRule::Integer(1, i64::MAX)),
]);
static LINK: ObjectRule = ObjectRule::Object(&[URI]);
const URI: FieldRule = required("uri", ObjectRule::Url);

/// The message objects in order. Reports what is wrong before LINE's own rules are checked.
pub fn bubbles(outgoing: &Outgoing, problems: &mut Problems) -> Vec<Bubble> {
    let mut bubbles = match &outgoing.text {
        Some(text) => texts(text, &outgoing.mentions, problems),
        None => Vec::new(),
    };
    if outgoing.text.is_none() && !outgoing.mentions.is_empty() {
        report(problems, &Path::Name(&Path::Root, "mentions"), "only a text can have mentions");
    }
    let path = Path::Name(&Path::Root, "medias");
    for (index, media) in outgoing.medias.iter().enumerate() {
        bubbles.extend(media_bubble(media, &Path::Index(&path, index), problems));
    }
    if let Some(sender) = outgoing.sender.as_ref().and_then(|sender| line_sender(sender, problems)) {
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

/// A text without mentions uses LINE's older type `text`, which has no placeholders.
fn texts(text: &Text, mentions: &[Mention], problems: &mut Problems) -> Vec<Bubble> {
    let placed = mentions::placed(text.as_str(), mentions, problems);
    let mention_ranges: Vec<Range<usize>> = placed.iter().map(|(bytes, _)| bytes.clone()).collect();
    let bubble = |part: Range<usize>| {
        if mention_ranges.iter().all(|bytes| bytes.end <= part.start || part.end <= bytes.start) {
            return Bubble::text(&text.as_str()[part]);
        }
        let (written, substitution) = mentions::substituted(text.as_str(), part, &placed);
        let mut bubble = Bubble::new("textV2", String::new(), MENTIONING);
        bubble.set("text", written.into());
        bubble.set("substitution", substitution);
        bubble
    };
    let parts = text.bubbles_around(&mention_ranges).into_iter().scan(0, |end, part| {
        let start = *end;
        *end += part.len();
        Some(start..*end)
    });
    parts.map(bubble).collect()
}

/// The text that stands in for a file, which LINE cannot send: its name, if it has one, and its link.
pub fn link_text(filename: &str, uri: &str) -> String {
    if filename.is_empty() { uri.to_owned() } else { format!("{filename}\n{uri}") }
}

/// The caller's name of a property of a request that carries these objects.
pub fn property(bubbles: &[Bubble], line_name: &str) -> String {
    let position = line_name.strip_prefix("messages[").and_then(|rest| rest.split_once(']'));
    let found = position.and_then(|(index, rest)| {
        let bubble = bubbles.get(index.parse::<usize>().ok()?)?;
        Some(bubble.property(rest.strip_prefix('.').unwrap_or(rest)))
    });
    found.unwrap_or_else(|| line_name.to_owned())
}

impl Bubble {
    /// LINE's message object.
    pub fn object(&self) -> Value {
        Value::Object(self.object.clone())
    }

    fn new(kind: &str, origin: String, fields: BubbleFields) -> Self {
        let mut bubble = Self { object: Map::new(), origin, fields };
        bubble.set("type", kind.into());
        bubble
    }

    fn text(text: &str) -> Self {
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

    fn property(&self, line_name: &str) -> String {
        if let Some(our_name) = renamed(line_name, WHOLE_MESSAGE) {
            return our_name;
        }
        let our_name = renamed(line_name, self.fields).unwrap_or_else(|| line_name.to_owned());
        match (self.origin.as_str(), our_name.as_str()) {
            ("", _) => our_name,
            (origin, "") => origin.to_owned(),
            (origin, _) => format!("{origin}.{our_name}"),
        }
    }
}

/// Our name of LINE's property, if one of these fields maps to it.
fn renamed(line_name: &str, fields: BubbleFields) -> Option<String> {
    fields.iter().filter(|(_, name)| !name.is_empty()).find_map(|(our_name, name)| {
        let rest = line_name.strip_prefix(name)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{our_name}{rest}"))
    })
}

fn media_bubble(media: &Value, path: &Path<'_>, problems: &mut Problems) -> Option<Bubble> {
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
    report_unknown(media, fields, path, problems);
    check_own_rules(media, path, problems);
    if *kind == "file" {
        return Some(file_bubble(media, path, problems));
    }
    let is_own_preview = *kind == "image" && value_at(media, "preview_uri").is_none();
    let fields = if is_own_preview { OWN_PREVIEW } else { fields };
    let mut bubble = Bubble::new(kind, path.to_string(), fields);
    for (our_name, line_name) in fields.iter().filter(|(_, line_name)| !line_name.is_empty()) {
        if let Some(value) = value_at(media, our_name) {
            bubble.set(line_name, value.clone());
        }
    }
    Some(bubble)
}

fn file_bubble(media: &Map<String, Value>, path: &Path<'_>, problems: &mut Problems) -> Bubble {
    let uri = value_at(media, "uri").cloned().unwrap_or_default();
    check(&LINK, &json!({ "uri": uri }), path, problems);
    let filename = value_at(media, "filename").and_then(Value::as_str).unwrap_or_default();
    let mut bubble = Bubble::new("text", path.to_string(), &[("uri", "text")]);
    // A missing link is already reported, so LINE's rules must not complain about an empty text as well.
    let text =
        uri.as_str().filter(|uri| !uri.is_empty()).map_or("-".to_owned(), |uri| link_text(filename, uri));
    bubble.set("text", text.into());
    bubble
}

/// The value of a property by our name of it; `null` counts as missing.
fn value_at<'a>(media: &'a Map<String, Value>, our_name: &str) -> Option<&'a Value> {
    let (first, rest) =
        our_name.split_once('.').map_or((our_name, None), |(first, rest)| (first, Some(rest)));
    let value = media.get(first)?;
    rest.map_or(Some(value), |rest| value.get(rest)).filter(|value| !value.is_null())
}

fn check_own_rules(media: &Map<String, Value>, path: &Path<'_>, problems: &mut Problems) {
    let our_name = ["filename", "duration_ms"].into_iter();
    let values: Map<String, Value> =
        our_name.filter_map(|name| Some((name.to_owned(), value_at(media, name)?.clone()))).collect();
    check(&OWN_RULES, &values.into(), path, problems);
}

fn report_unknown(
    media: &Map<String, Value>,
    fields: BubbleFields,
    path: &Path<'_>,
    problems: &mut Problems,
) {
    for name in media.keys().filter(|name| *name != "type") {
        let path = Path::Name(path, name);
        if fields.iter().any(|(our_name, _)| our_name == name) {
            continue;
        }
        let inner = |our_name: &'static str| our_name.strip_prefix(name.as_str())?.strip_prefix('.');
        let inner: Vec<&str> = fields.iter().filter_map(|(our_name, _)| inner(our_name)).collect();
        if inner.is_empty() {
            report(problems, &path, "unknown property");
        }
        let values = media[name].as_object().into_iter().flatten();
        for (name, _) in values.filter(|(name, _)| !inner.is_empty() && !inner.contains(&name.as_str())) {
            report(problems, &Path::Name(&path, name), "unknown property");
        }
    }
}

fn line_sender(sender: &Value, problems: &mut Problems) -> Option<Value> {
    let path = Path::Name(&Path::Root, "sender");
    let Some(sender) = sender.as_object() else {
        report(problems, &path, "must be an object");
        return None;
    };
    report_unknown(sender, SENDER, &path, problems);
    let named = SENDER.iter().filter_map(|(our_name, line_name)| {
        Some(((*line_name).to_owned(), value_at(sender, our_name)?.clone()))
    });
    Some(Value::Object(named.collect()))
}

/// Sets the quote token on the first object that can quote.
fn quote(bubbles: &mut [Bubble], token: &str, problems: &mut Problems) {
    if let Some(bubble) = bubbles.iter_mut().find(|bubble| QUOTING.contains(&bubble.kind())) {
        return bubble.set("quoteToken", token.into());
    }
    let path = Path::Name(&Path::Root, "quote");
    report(problems, &path, "only a text or a sticker can quote a message");
}
