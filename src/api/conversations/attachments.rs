//! Uploads among the medias of a message: the addresses that LINE fetches them from, and how the message shows
//! them.

use serde_json::{Map, Value};
use url::Url;

use crate::error::{Error, InvalidProperty, Result};
use crate::line::outgoing::link_text;
use crate::line::validation::links::is_loopback;
use crate::model::files::content;
use crate::model::files::media::{Media, MediaType, PUBLIC_PATH, Upload};
use crate::model::id::{CustomerId, MediaId};
use crate::runtime::app::App;
use crate::store::files::media_store::{MediaStore, Variant};
use crate::store::files::previews::PREVIEW_BYTES_MAX;
use crate::store::files::uploads;

/// The most medias in one message; with a text of full length they take five requests to LINE.
const MEDIAS_MAX: usize = 20;

/// The medias of a message, with an address for each upload.
pub struct Attached {
    /// What is sent to LINE, in the shape of the HTTP contract.
    pub medias: Vec<Value>,
    /// How the message shows those that are uploads.
    pub shown: Vec<Option<Media>>,
    /// The uploads that become public once the message is stored.
    pub uploads: Vec<MediaId>,
}

/// Looks up a customer's uploads.
struct Uploads<'a> {
    app: &'a App,
    customer: CustomerId,
    files: MediaStore,
    found: Vec<MediaId>,
}

/// A media that is being assembled.
struct Attachment {
    fields: Map<String, Value>,
    path: String,
}

/// Replaces upload ids by addresses. `Conflict` when LINE could not reach them.
pub fn attach(medias: Vec<Value>, customer: CustomerId, app: &App) -> Result<Attached> {
    if medias.len() > MEDIAS_MAX {
        return Err(invalid("medias", format!("Size must be between 0 and {MEDIAS_MAX}")));
    }
    let files = app.shared.media_store.clone();
    let mut uploads = Uploads { app, customer, files, found: Vec::new() };
    let (mut for_line, mut shown) = (Vec::new(), Vec::new());
    for (index, media) in medias.into_iter().enumerate() {
        match media {
            Value::Object(fields) if fields.contains_key("id") || fields.contains_key("preview_id") => {
                let attachment = Attachment { fields, path: format!("medias[{index}]") };
                let (media, as_shown) = uploads.attach(attachment)?;
                for_line.push(media);
                shown.push(as_shown);
            }
            other => {
                for_line.push(other);
                shown.push(None);
            }
        }
    }
    Ok(Attached { medias: for_line, shown, uploads: uploads.found })
}

impl Uploads<'_> {
    fn attach(&mut self, mut media: Attachment) -> Result<(Value, Option<Media>)> {
        if let Some(preview) = media.take("preview_id", "preview_uri")? {
            let preview = self.find(&preview, &media.at("preview_id"), MediaType::Image)?;
            let address = self.preview_address(&preview)?;
            media.set("preview_uri", address.ok_or_else(|| too_large(&media.at("preview_id")))?);
        }
        let Some(id) = media.take("id", "uri")? else { return Ok((media.fields.into(), None)) };
        let kind = serde_json::from_value(media.fields.get("type").cloned().unwrap_or_default());
        let upload = self.find(&id, &media.at("id"), kind.unwrap_or(MediaType::File))?;
        let uri = self.address(&upload, "")?;
        if !media.has("preview_uri") {
            match kind_of(&media) {
                Some("image") => {
                    let address = self.preview_address(&upload)?;
                    media.set("preview_uri", address.ok_or_else(|| too_large(&media.at("preview_uri")))?);
                }
                Some("video") => {
                    let expected = "a video needs a preview image: give its `preview_uri`, or the `preview_id` of an upload";
                    return Err(invalid(media.at("preview_uri"), expected));
                }
                _ => {}
            }
        }
        let shown = self.shown(&upload, &media, &uri);
        media.set("uri", uri);
        if !upload.filename.is_empty() {
            media.set("filename", upload.filename.clone());
        }
        Ok((media.fields.into(), Some(shown)))
    }

    /// The upload, which must be of this kind. Any upload can be sent as a file.
    fn find(&mut self, id: &Value, path: &str, kind: MediaType) -> Result<Upload> {
        let unknown = || invalid(path, "is not the id of an uploaded file");
        let id: MediaId = id.as_str().and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
        let found = self.app.reader.read(|connection| uploads::get(connection, self.customer, id))?;
        let upload = found.ok_or_else(unknown)?;
        if kind != MediaType::File && upload.kind != kind {
            return Err(invalid(path, format!("is a file of the type {}", upload.content_type)));
        }
        self.found.push(id);
        Ok(upload)
    }

    /// The address of an image of at most a megabyte; `None` when there is none.
    fn preview_address(&self, upload: &Upload) -> Result<Option<String>> {
        if upload.size <= PREVIEW_BYTES_MAX {
            return self.address(upload, "").map(Some);
        }
        let exists = self.files.path(upload.id, Variant::Preview).exists();
        exists.then(|| self.address(upload, "preview/")).transpose()
    }

    /// The public address of the file, for LINE and its users.
    fn address(&self, upload: &Upload, part: &str) -> Result<String> {
        let shared = &self.app.shared;
        let base = reachable(shared.public_url.as_deref(), &shared.config.line.api_base)?;
        let ending = if part.is_empty() { content::ending(&upload.content_type) } else { "jpg" };
        let address = format!("{base}{PUBLIC_PATH}{}/{part}{}.{ending}", upload.id, name(&upload.filename));
        Url::parse(&address).map(String::from).map_err(Error::internal)
    }

    fn shown(&self, upload: &Upload, media: &Attachment, uri: &str) -> Media {
        let shown = Media::from_upload(upload);
        let has_preview = self.files.path(upload.id, Variant::Preview).exists();
        let is_file = kind_of(media) == Some("file");
        Media {
            r#type: if is_file { MediaType::File } else { upload.kind },
            preview_uri: has_preview.then(|| format!("/v1.0/medias/{}/preview", upload.id)),
            duration_ms: media.fields.get("duration_ms").and_then(Value::as_u64),
            alt_text: is_file.then(|| link_text(&upload.filename, uri)),
            ..shown
        }
    }
}

impl Attachment {
    fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn has(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    fn set(&mut self, name: &str, value: String) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Removes and returns a property. `Invalid` when the alternative property is given too.
    fn take(&mut self, name: &str, other: &str) -> Result<Option<Value>> {
        if !self.has(name) {
            self.fields.remove(name);
            return Ok(None);
        }
        if self.has(other) {
            return Err(invalid(self.at(other), format!("cannot be given together with `{name}`")));
        }
        Ok(self.fields.remove(name))
    }
}

/// The base address from which LINE can fetch files. LINE accepts HTTPS only; a LINE on this machine, such as
/// the sandbox, accepts any scheme.
fn reachable<'a>(base: Option<&'a str>, line: &Url) -> Result<&'a str> {
    let expected = "an upload can be sent only when `public_url` is configured and begins with https://, because LINE \
                    fetches it from there";
    let base = base.filter(|base| base.starts_with("https://") || is_loopback(line));
    base.ok_or_else(|| Error::Conflict(expected.to_owned()))
}

fn kind_of(media: &Attachment) -> Option<&str> {
    media.fields.get("type").and_then(Value::as_str)
}

/// The readable last part of an address; it is for people only.
fn name(filename: &str) -> String {
    let stem = filename.rsplit_once('.').map_or(filename, |(stem, _)| stem);
    let plain =
        stem.chars().filter(|character| character.is_ascii_alphanumeric() || "-_".contains(*character));
    let name: String = plain.take(80).collect();
    if name.is_empty() { "file".to_owned() } else { name }
}

fn too_large(path: &str) -> Error {
    invalid(path, "this image has no preview of at most 1 MB: give its `preview_uri`")
}

fn invalid(property: impl Into<String>, message: impl Into<String>) -> Error {
    Error::InvalidProperties(vec![InvalidProperty::new(property, message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_sent_only_from_addresses_that_line_can_fetch() {
        let check = |base: Option<&str>, line: &str, expected: bool| {
            assert_eq!(reachable(base, &line.parse().unwrap()).is_ok(), expected, "{base:?} {line}");
        };

        check(Some("https://chat.example.com"), "https://api.line.me", true);
        check(Some("http://chat.example.com"), "https://api.line.me", false);
        check(None, "https://api.line.me", false);
        check(Some("http://127.0.0.1:8080"), "http://127.0.0.1:9090", true);
    }

    #[test]
    fn the_name_in_an_address_needs_no_escapes() {
        for (filename, expected) in
            [("a b.png", "ab"), ("領収書.pdf", "file"), ("", "file"), ("../x.y.png", "xy"), ("menu", "menu")]
        {
            assert_eq!(name(filename), expected, "{filename}");
        }
    }
}
