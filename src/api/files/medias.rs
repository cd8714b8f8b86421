//! Serves files in chunks, with headers that let a browser do nothing but show them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};

use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use data_encoding::HEXLOWER;
use futures_util::stream::{self, Stream};

use crate::api::files::range::{Selection, select};
use crate::api::request::caller::Caller;
use crate::error::{Error, Resource, Result};
use crate::model::files::content::{self, HEAD_BYTES};
use crate::model::files::media::StoredFile;
use crate::model::id::MediaId;
use crate::runtime::app::App;
use crate::store::files::media_store::Variant;
use crate::store::files::medias;

/// Bytes per read.
const CHUNK_BYTES: u64 = 64 * 1024;

/// A file to serve.
struct Served {
    file: File,
    name: String,
    content_type: String,
    etag: String,
    size: u64,
}

/// A file on disk, and the content type found from its first bytes.
struct Opened {
    file: File,
    size: u64,
    content_type: &'static str,
}

/// A file.
pub async fn get(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let stored = stored(&app, &caller, &id)?;
    serve(&app, &request, stored, Variant::Whole).await
}

/// The preview of a file.
pub async fn preview(
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let stored = stored(&app, &caller, &id)?;
    serve(&app, &request, stored, Variant::Preview).await
}

/// The caller's file with this id.
fn stored(app: &App, caller: &Caller, id: &str) -> Result<StoredFile> {
    let id: MediaId = id.parse()?;
    app.reader.read(|connection| medias::get(connection, caller.customer, id))
}

/// Serves the requested range of a file or of its preview.
pub async fn serve(
    app: &App,
    request: &HttpRequest,
    stored: StoredFile,
    kind: Variant,
) -> Result<HttpResponse> {
    let StoredFile { id, filename, content_type, sha256, .. } = stored;
    let Opened { file, size, content_type: found } = open(app, id, kind).await?;
    let digest = HEXLOWER.encode(&sha256);
    let served = match kind {
        Variant::Preview => {
            let name = format!("{id}-preview.{}", content::ending(found));
            let (content_type, etag) = (found.to_owned(), format!("\"{digest}-preview\""));
            Served { file, name, content_type, etag, size }
        }
        Variant::Whole => {
            let name = if filename.is_empty() {
                format!("{id}.{}", content::ending(&content_type))
            } else {
                filename
            };
            Served { file, name, content_type, etag: format!("\"{digest}\""), size }
        }
    };
    respond(request, served)
}

async fn open(app: &App, id: MediaId, kind: Variant) -> Result<Opened> {
    let media_store = app.shared.media_store.clone();
    let look = move || {
        let mut file = media_store.read(id, kind)?;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        Ok::<_, std::io::Error>(Opened {
            size: file.metadata()?.len(),
            content_type: content::sniff(&head),
            file,
        })
    };
    let opened = web::block(look).await.map_err(Error::internal)?;
    opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound if kind == Variant::Preview => {
            Error::NotHere(Resource::Media, "there is no preview of this media".to_owned())
        }
        // The message was unsent in the meantime.
        ErrorKind::NotFound => Error::NotFound(Resource::Media),
        _ => Error::internal(error),
    })
}

fn respond(request: &HttpRequest, served: Served) -> Result<HttpResponse> {
    let (start, length, mut response) = match select(request.headers(), &served.etag, served.size) {
        Selection::Whole => (0, served.size, HttpResponse::Ok()),
        Selection::Part { start, length } => {
            let mut response = HttpResponse::PartialContent();
            let range = format!("bytes {start}-{}/{}", start + length - 1, served.size);
            response.insert_header((CONTENT_RANGE, range));
            (start, length, response)
        }
        Selection::Unchanged => {
            return Ok(HttpResponse::NotModified().insert_header((ETAG, served.etag)).finish());
        }
        Selection::Unsatisfiable => return Err(Error::NoSuchRange { size: served.size }),
    };
    protect(&mut response, &served);
    Ok(response.body(SizedStream::new(length, chunks(served.file, start, length))))
}

/// Sets the headers that keep a browser from running anything in a file.
fn protect(response: &mut HttpResponseBuilder, served: &Served) {
    let shown = if content::is_inline(&served.content_type) { "inline" } else { "attachment" };
    response
        .insert_header((CONTENT_TYPE, served.content_type.as_str()))
        .insert_header((ETAG, served.etag.as_str()))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((CONTENT_DISPOSITION, disposition(shown, &served.name)));
}

/// `length` bytes from `start` on, read as the client takes them.
fn chunks(file: File, start: u64, length: u64) -> impl Stream<Item = Result<Bytes>> + 'static {
    stream::try_unfold((file, start, length), |(mut file, start, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = move || {
            let mut chunk = Vec::new();
            file.seek(SeekFrom::Start(start))?;
            file.by_ref().take(left.min(CHUNK_BYTES)).read_to_end(&mut chunk)?;
            Ok::<_, std::io::Error>((chunk, file))
        };
        let (chunk, file) = web::block(read).await.map_err(Error::internal)?.map_err(Error::internal)?;
        let taken = u64::try_from(chunk.len()).map_err(Error::internal)?;
        if taken == 0 {
            return Err(Error::internal("a file is shorter than its recorded size"));
        }
        Ok(Some((Bytes::from(chunk), (file, start + taken, left - taken))))
    })
}

/// `Content-Disposition` with the name in both forms (RFC 6266, RFC 8187): plain ASCII for old clients, and the
/// whole name without characters that could mislead a reader.
pub fn disposition(shown: &str, name: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || " ._-()".contains(character);
    let fallback: String =
        name.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.chars().filter(|character| !is_misleading(*character)).collect::<String>().bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    format!("{shown}; filename=\"{fallback}\"; filename*=UTF-8''{encoded}")
}

/// Control characters, path separators and marks that change the direction of writing: with them "gpj.exe"
/// could be displayed as "exe.jpg".
fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '/' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_neither_breaks_the_header_nor_misleads() {
        for (name, expected) in [
            ("a.jpg", "inline; filename=\"a.jpg\"; filename*=UTF-8''a.jpg"),
            ("領.pdf", "inline; filename=\"_.pdf\"; filename*=UTF-8''%E9%A0%98.pdf"),
            ("a\"; x=\"b", "inline; filename=\"a__ x__b\"; filename*=UTF-8''a%22%3B%20x%3D%22b"),
            ("a\r\nb: c", "inline; filename=\"a__b_ c\"; filename*=UTF-8''ab%3A%20c"),
            ("../../x", "inline; filename=\".._.._x\"; filename*=UTF-8''....x"),
            ("a\u{202e}gpj.exe", "inline; filename=\"a_gpj.exe\"; filename*=UTF-8''agpj.exe"),
        ] {
            assert_eq!(disposition("inline", name), expected, "{name:?}");
        }
    }
}
