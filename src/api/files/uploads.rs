//! Uploads by customers: streamed to disk, typed by their content, limited as LINE's messages are.

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

/// How many bytes are buffered before they are written.
const CHUNK_BYTES: usize = 256 * 1_024;

/// LINE's limits ("Message objects"), and our own for files, which LINE has no message for.
const IMAGE_BYTES_MAX: u64 = 10_000_000;
const VIDEO_BYTES_MAX: u64 = 200_000_000;
const FILE_BYTES_MAX: u64 = 200_000_000;

/// Decoding takes much memory: one image at a time.
static PREVIEW_PERMIT: Semaphore = Semaphore::const_new(1);

/// The content type that the caller claims.
#[derive(Clone)]
struct UploadClaim(String);

/// A file being received and written to disk.
struct IncomingFile {
    partial: PartialFile,
    claim: UploadClaim,
    size: u64,
}

/// Receives a file: the whole body, or one part of a form.
pub async fn create(
    caller: Caller,
    request: HttpRequest,
    payload: Payload,
    (app, key): (Data<App>, IdempotencyKey),
) -> Result<HttpResponse> {
    let announced = u64::try_from(body::announced_bytes(&request)).unwrap_or(u64::MAX);
    if announced > VIDEO_BYTES_MAX.max(FILE_BYTES_MAX) + OTHER_BYTES_MAX as u64 {
        return Err(too_large(MediaType::File));
    }
    capacity::require_disk(&app)?;
    let body = FileBody::open(&request, payload.into_inner(), body_timeout::UPLOAD.as_secs()).await?;
    let named = query::parameter(&request, "filename").filter(|name| !name.is_empty());
    let filename = named.map(Cow::into_owned).or_else(|| body.filename.clone()).unwrap_or_default();
    let (id, filename) = (MediaId::random(), received_message::filename(&filename));
    let files = app.shared.media_store.clone();
    let store = files.clone();
    let partial = blocking(move || store.begin(id, Variant::Whole)).await?;
    let (stored, kind, content_type) = receive(IncomingFile::new(partial, &body), body).await?;
    let upload = Upload { id, kind, filename, content_type: content_type.to_owned(), size: stored.size };
    let noted = match make_preview(&files, &upload).await {
        Ok(()) => note(&app, caller, &upload, (stored.sha256, key)).await,
        failed => failed,
    };
    if let Err(error) = noted {
        if let Err(left) = blocking(move || files.remove(id)).await {
            log::warn!("a rejected upload stays on disk until the next sweep: {}", left.chain());
        }
        return Err(error);
    }
    Ok(HttpResponse::Ok().json(Media::from_upload(&upload)))
}

/// The response that contains an upload.
pub fn show(app: &App, customer: CustomerId, id: MediaId) -> Result<HttpResponse> {
    let upload = app.reader.read(|connection| uploads::get(connection, customer, id))?;
    let upload = upload.ok_or(Error::NotFound(Resource::Media))?;
    Ok(HttpResponse::Ok().json(Media::from_upload(&upload)))
}

impl IncomingFile {
    fn new(partial: PartialFile, body: &FileBody) -> Self {
        Self { partial, claim: UploadClaim(body.content_type.clone()), size: 0 }
    }

    /// Writes a chunk. An error when the content contradicts the claimed type or exceeds its size limit.
    async fn write(mut self, bytes: Bytes) -> Result<Self> {
        self.size += u64::try_from(bytes.len()).map_err(Error::internal)?;
        let mut partial = self.partial;
        self.partial = blocking(move || partial.write(&bytes).map(|()| partial)).await?;
        let (kind, _) = self.claim.judge(self.partial.content_type())?;
        if self.size > bytes_max(kind) { Err(too_large(kind)) } else { Ok(self) }
    }
}

impl UploadClaim {
    /// The media type as which LINE shows the file, and its content type.
    fn judge(&self, found: &'static str) -> Result<(MediaType, &'static str)> {
        let kind = content::kind(found);
        match (self.0.split('/').next().unwrap_or_default(), kind) {
            ("image", MediaType::Image) | ("audio", MediaType::Audio) | ("video", MediaType::Video) => {
                Ok((kind, found))
            }
            // Audio may be in a video container.
            ("audio", MediaType::Video) => Ok((MediaType::Audio, "audio/mp4")),
            ("image", _) => Err(Error::UnsupportedMediaType("LINE takes images as JPEG or PNG only")),
            ("audio", _) => Err(Error::UnsupportedMediaType("LINE takes audio as M4A or MP3 only")),
            ("video", _) => Err(Error::UnsupportedMediaType("LINE takes video as MP4 only")),
            _ => Ok((kind, found)),
        }
    }
}

/// Receives the whole file to disk, and returns it with its types.
async fn receive(
    mut incoming: IncomingFile,
    mut body: FileBody,
) -> Result<(CompleteFile, MediaType, &'static str)> {
    let mut collected = BytesMut::new();
    while let Some(part) = body.next().await? {
        collected.extend_from_slice(&part);
        if collected.len() >= CHUNK_BYTES {
            incoming = incoming.write(collected.split().freeze()).await?;
        }
    }
    incoming = incoming.write(collected.freeze()).await?;
    if incoming.size == 0 {
        return Err(Error::invalid(InvalidRule::Argument, "the file is empty"));
    }
    let IncomingFile { partial, claim, .. } = incoming;
    let stored = blocking(move || partial.finish()).await?;
    let (kind, content_type) = claim.judge(stored.content_type)?;
    Ok((stored, kind, content_type))
}

/// Makes a preview of an image that is too large to be its own, if it can be decoded.
async fn make_preview(files: &MediaStore, upload: &Upload) -> Result<()> {
    if upload.kind != MediaType::Image || upload.size <= PREVIEW_BYTES_MAX {
        return Ok(());
    }
    let _permit = PREVIEW_PERMIT.acquire().await.map_err(Error::internal)?;
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
    (sha256, key): ([u8; 32], IdempotencyKey),
) -> Result<()> {
    let (Caller { customer, profile, .. }, upload) = (caller, upload.clone());
    key.note_body_hash(sha256);
    let claim = key.claim();
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
        MediaType::Video | MediaType::Audio => VIDEO_BYTES_MAX,
        _ => FILE_BYTES_MAX,
    }
}

fn too_large(kind: MediaType) -> Error {
    let what = match kind {
        MediaType::Image => "an image",
        MediaType::Video => "a video",
        MediaType::Audio => "an audio file",
        _ => "a file",
    };
    Error::FileTooLarge(format!("{what} may have at most {} bytes", bytes_max(kind)))
}

/// Runs a disk operation on the blocking pool. A full disk becomes `Unavailable`.
async fn blocking<T: Send + 'static>(
    operation: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = block(operation).await.map_err(Error::internal)?;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::Unavailable("the disk is full".to_owned())
        }
        _ => Error::internal(error),
    })
}
