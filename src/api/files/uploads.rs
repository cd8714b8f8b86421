//! Files that customers upload to send them: streamed to disk, judged by their bytes, within LINE's limits.

use std::borrow::Cow;
use std::io;

use actix_web::web::{Bytes, BytesMut, Data, Payload, block};
use actix_web::{HttpRequest, HttpResponse};
use tokio::sync::Semaphore;

use crate::api::request::caller::Caller;
use crate::api::request::file_body::{FileBody, OTHER_BYTES_MAX};
use crate::api::request::idempotency_key::IdempotencyKey;
use crate::api::request::{body, body_timeout, capacity, query};
use crate::error::{Error, InvalidRule, Resource, Result};
use crate::line::webhook::received_message;
use crate::model::created::Created;
use crate::model::files::content;
use crate::model::files::media::{Media, MediaType, Upload};
use crate::model::id::{CustomerId, MediaId};
use crate::runtime::app::App;
use crate::store::accounts::customers;
use crate::store::files::media_store::{CompleteFile, MediaStore, PartialFile, Variant};
use crate::store::files::previews::{self, PREVIEW_BYTES_MAX};
use crate::store::files::uploads;
use crate::store::outbox::idempotency;

/// As many bytes are collected before they are written.
const CHUNK_BYTES: usize = 256 * 1_024;

/// LINE's limits ("Message objects"), and ours for what LINE has no message for.
const IMAGE_BYTES_MAX: u64 = 10_000_000;
const FILM_BYTES_MAX: u64 = 200_000_000;
const FILE_BYTES_MAX: u64 = 200_000_000;

/// Decoding takes much memory: one picture at a time.
static PREVIEW_PERMIT: Semaphore = Semaphore::const_new(1);

/// What the caller says that it is.
#[derive(Clone)]
struct UploadClaim(String);

/// A file on its way to disk.
struct Arriving {
    partial: PartialFile,
    claim: UploadClaim,
    size: u64,
}

/// Takes a file: its bytes are the body, or a part of a form.
pub async fn create(
    caller: Caller,
    request: HttpRequest,
    payload: Payload,
    (app, once): (Data<App>, IdempotencyKey),
) -> Result<HttpResponse> {
    let announced = u64::try_from(body::announced_bytes(&request)).unwrap_or(u64::MAX);
    if announced > FILM_BYTES_MAX.max(FILE_BYTES_MAX) + OTHER_BYTES_MAX as u64 {
        return Err(too_large(MediaType::File));
    }
    capacity::require_disk(&app)?;
    let body = FileBody::open(&request, payload.into_inner(), body_timeout::UPLOAD.as_secs()).await?;
    let named = query::parameter(&request, "filename").filter(|name| !name.is_empty());
    let filename = named.map(Cow::into_owned).or_else(|| body.filename.clone()).unwrap_or_default();
    let (id, filename) = (MediaId::random(), received_message::filename(&filename));
    let files = app.shared.folder.clone();
    let begun = files.clone();
    let partial = blocking(move || begun.begin(id, Variant::Whole)).await?;
    let (stored, kind, content_type) = receive(Arriving::new(partial, &body), body).await?;
    let upload = Upload { id, kind, filename, content_type: content_type.to_owned(), size: stored.size };
    let noted = match make_preview(&files, &upload).await {
        Ok(()) => note(&app, caller, &upload, (stored.sha256, once)).await,
        failed => failed,
    };
    if let Err(error) = noted {
        if let Err(left) = blocking(move || files.remove(id)).await {
            log::warn!("an upload that was not taken is left on disk until the next sweep: {}", left.chain());
        }
        return Err(error);
    }
    Ok(HttpResponse::Ok().json(Media::from_upload(&upload)))
}

/// The answer that shows an upload.
pub fn show(app: &App, customer: CustomerId, id: MediaId) -> Result<HttpResponse> {
    let upload = app.reader.read(|connection| uploads::get(connection, customer, id))?;
    let upload = upload.ok_or(Error::NotFound(Resource::Media))?;
    Ok(HttpResponse::Ok().json(Media::from_upload(&upload)))
}

impl Arriving {
    fn new(partial: PartialFile, body: &FileBody) -> Self {
        Self { partial, claim: UploadClaim(body.content_type.clone()), size: 0 }
    }

    /// Writes a piece, unless what arrived so far is not what it is said to be, or too much.
    async fn write(mut self, bytes: Bytes) -> Result<Self> {
        self.size += u64::try_from(bytes.len()).map_err(Error::internal)?;
        let mut partial = self.partial;
        self.partial = blocking(move || partial.write(&bytes).map(|()| partial)).await?;
        let (kind, _) = self.claim.judge(self.partial.content_type())?;
        if self.size > bytes_max(kind) { Err(too_large(kind)) } else { Ok(self) }
    }
}

impl UploadClaim {
    /// What LINE makes of the file, and its type.
    fn judge(&self, found: &'static str) -> Result<(MediaType, &'static str)> {
        let kind = content::kind(found);
        match (self.0.split('/').next().unwrap_or_default(), kind) {
            ("image", MediaType::Image) | ("audio", MediaType::Audio) | ("video", MediaType::Video) => {
                Ok((kind, found))
            }
            // A sound may lie in the container of a film.
            ("audio", MediaType::Video) => Ok((MediaType::Audio, "audio/mp4")),
            ("image", _) => Err(Error::UnsupportedMediaType("LINE takes pictures as JPEG or PNG only")),
            ("audio", _) => Err(Error::UnsupportedMediaType("LINE takes sounds as M4A or MP3 only")),
            ("video", _) => Err(Error::UnsupportedMediaType("LINE takes films as MP4 only")),
            _ => Ok((kind, found)),
        }
    }
}

/// The whole file on disk, with what it is.
async fn receive(
    mut arriving: Arriving,
    mut body: FileBody,
) -> Result<(CompleteFile, MediaType, &'static str)> {
    let mut collected = BytesMut::new();
    while let Some(part) = body.next().await? {
        collected.extend_from_slice(&part);
        if collected.len() >= CHUNK_BYTES {
            arriving = arriving.write(collected.split().freeze()).await?;
        }
    }
    arriving = arriving.write(collected.freeze()).await?;
    if arriving.size == 0 {
        return Err(Error::invalid(InvalidRule::Argument, "the file is empty"));
    }
    let Arriving { partial, claim, .. } = arriving;
    let stored = blocking(move || partial.finish()).await?;
    let (kind, content_type) = claim.judge(stored.content_type)?;
    Ok((stored, kind, content_type))
}

/// A picture that is too large to be its own preview gets a small one, if it can be decoded.
async fn make_preview(files: &MediaStore, upload: &Upload) -> Result<()> {
    if upload.kind != MediaType::Image || upload.size <= PREVIEW_BYTES_MAX {
        return Ok(());
    }
    let _turn = PREVIEW_PERMIT.acquire().await.map_err(Error::internal)?;
    let (files, id) = (files.clone(), upload.id);
    blocking(move || {
        let Some(preview) = previews::preview(&files.path(id, Variant::Whole)) else { return Ok(()) };
        let mut partial = files.begin(id, Variant::Preview)?;
        partial.write(&preview)?;
        partial.finish().map(drop)
    })
    .await
}

async fn note(
    app: &App,
    caller: Caller,
    upload: &Upload,
    (sha256, once): ([u8; 32], IdempotencyKey),
) -> Result<()> {
    let (Caller { customer, profile, .. }, upload) = (caller, upload.clone());
    once.note_body_hash(sha256);
    let claim = once.claim();
    let bytes_max = app.shared.config.limits.media_customer_bytes;
    let add = app.shared.store.write(app.shared.clock.now(), move |tx| {
        customers::introduce(tx, customer, &profile)?;
        uploads::add(tx, customer, &upload, sha256, bytes_max)?;
        idempotency::note(tx, claim.as_ref(), Created::Media(upload.id))
    });
    add.await
}

fn bytes_max(kind: MediaType) -> u64 {
    match kind {
        MediaType::Image => IMAGE_BYTES_MAX,
        MediaType::Video | MediaType::Audio => FILM_BYTES_MAX,
        _ => FILE_BYTES_MAX,
    }
}

fn too_large(kind: MediaType) -> Error {
    let what = match kind {
        MediaType::Image => "a picture",
        MediaType::Video => "a film",
        MediaType::Audio => "a sound",
        _ => "a file",
    };
    Error::FileTooLarge(format!("{what} may have at most {} bytes", bytes_max(kind)))
}

/// Waits for the disk elsewhere. A full disk is no fault of ours.
async fn blocking<T: Send + 'static>(
    operation: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = block(operation).await.map_err(Error::internal)?;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::Unavailable("there is no room on the disk".to_owned())
        }
        _ => Error::internal(error),
    })
}
