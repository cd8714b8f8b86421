//! Files that were sent, for LINE and its users: no token, because the address is the secret.
//!
//! LINE's apps fetch them whenever somebody opens the chat, so the addresses never expire.

use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::{Data, Path, block};
use actix_web::{HttpRequest, HttpResponse};

use crate::api::app::App;
use crate::api::medias;
use crate::error::{Error, Resource, Result};
use crate::model::id::MediaId;
use crate::model::media::{MediaType, Upload};
use crate::store::folder::Kind;
use crate::store::uploads;

/// A file that was sent.
pub async fn whole(
    place: Path<(String, String)>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let upload = sent(&app, &place.0)?;
    serve(&app, &request, &upload, Kind::Whole).await
}

/// The small picture of a picture that was sent.
pub async fn preview(
    place: Path<(String, String)>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let upload = sent(&app, &place.0)?;
    serve(&app, &request, &upload, Kind::Preview).await
}

/// What is no id answers as what is unknown: nobody learns anything by guessing.
fn sent(app: &App, id: &str) -> Result<Upload> {
    let missing = Error::NotFound(Resource::Media);
    let Ok(id) = id.parse::<MediaId>() else { return Err(missing) };
    app.reader.read(|connection| uploads::sent(connection, id))?.ok_or(missing)
}

async fn serve(app: &App, request: &HttpRequest, upload: &Upload, part: Kind) -> Result<HttpResponse> {
    let (folder, id) = (app.shared.folder.clone(), upload.id);
    let opened = block(move || {
        let file = folder.read(id, part)?;
        Ok::<_, std::io::Error>((file.metadata()?.len(), file))
    });
    let (size, file) =
        opened.await.map_err(Error::internal)?.map_err(|_| Error::NotFound(Resource::Media))?;
    let content_type = if part == Kind::Preview { "image/jpeg" } else { &upload.content_type };
    let is_shown = upload.kind != MediaType::File;
    let asked = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
    let range = asked.and_then(|asked| range(asked, size));
    let mut response = if range.is_some() { HttpResponse::PartialContent() } else { HttpResponse::Ok() };
    let (start, length) = range.unwrap_or((0, size));
    if range.is_some() {
        let last = start + length - 1;
        response.insert_header((CONTENT_RANGE, format!("bytes {start}-{last}/{size}")));
    }
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((ACCEPT_RANGES, "bytes"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
        .insert_header((CONTENT_DISPOSITION, if is_shown { "inline" } else { "attachment" }));
    Ok(response.body(SizedStream::new(length, medias::chunks(file, start, length))))
}

/// The start and the length of one range of bytes (RFC 9110, section 14). What is none, or several, means the whole
/// file, as the standard lets a server do.
fn range(asked: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(start), Some(last)) => (start, last.saturating_add(1).min(size)),
        (Some(start), None) if last.is_empty() => (start, size),
        (None, Some(suffix)) if first.is_empty() => (size.saturating_sub(suffix), size),
        _ => return None,
    };
    (start < end).then(|| (start, end - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_within_the_file_is_a_part_and_everything_else_the_whole() {
        for (asked, expected) in [
            ("bytes=0-0", Some((0, 1))),
            ("bytes=2-", Some((2, 8))),
            ("bytes=2-99", Some((2, 8))),
            ("bytes=-3", Some((7, 3))),
            ("bytes=-99", Some((0, 10))),
            ("bytes=10-", None),
            ("bytes=5-4", None),
            ("bytes=-0", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("lines=1-2", None),
            ("bytes=18446744073709551615-18446744073709551615", None),
        ] {
            assert_eq!(range(asked, 10), expected, "{asked}");
        }
    }
}
