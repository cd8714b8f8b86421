//! Downloads one file to disk in chunks: a file of any size takes little memory.

use std::io;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::files::fetch::{FetchError, is_whole};
use crate::model::id::MediaId;
use crate::net::Response;
use crate::store::files::media_store::{CompleteFile, MediaStore, PartialFile, Variant};

/// How many bytes are buffered before a write: a hop to another thread costs more than a small write.
const BUFFER_BYTES: usize = 256 * 1024;

/// The longest silence within a body.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a download accepts.
#[derive(Debug, Clone)]
pub struct DownloadLimit {
    /// The most bytes.
    pub bytes: u64,
    /// The error for more bytes than that.
    pub past: FetchError,
    /// Whether the file must be an image.
    pub only_pictures: bool,
    /// The size that the message announced.
    pub announced: Option<u64>,
}

/// Creates a partial file on disk.
pub async fn begin(folder: &MediaStore, id: MediaId, kind: Variant) -> Result<PartialFile, FetchError> {
    let folder = folder.clone();
    on_disk(move || folder.begin(id, kind)).await
}

/// Writes the body to disk, and gives the file its name once it is complete. A failure leaves nothing behind.
pub async fn store(
    partial: PartialFile,
    mut response: Response,
    limit: &DownloadLimit,
) -> Result<CompleteFile, FetchError> {
    if response.length().is_some_and(|length| length > limit.bytes) {
        discard(partial).await;
        return Err(limit.past.clone());
    }
    let (partial, ended) = receive(partial, &mut response, limit).await;
    let Some(partial) = partial else { return Err(ended.err().unwrap_or_else(lost)) };
    let size = partial.size();
    match ended {
        Ok(()) if !is_whole(size, limit.announced, response.ends_by_closing()) => {
            discard(partial).await;
            Err(FetchError::NotYet(format!("perhaps half an answer: {size} bytes")))
        }
        Ok(()) if limit.only_pictures && !partial.content_type().starts_with("image/") => {
            discard(partial).await;
            Err(FetchError::Final("it is no picture".to_owned()))
        }
        Ok(()) => on_disk(move || partial.finish()).await,
        Err(error) => {
            discard(partial).await;
            Err(error)
        }
    }
}

/// Writes until the end of the body or an error. The partial file is gone when the disk has failed.
async fn receive(
    mut partial: PartialFile,
    response: &mut Response,
    limit: &DownloadLimit,
) -> (Option<PartialFile>, Result<(), FetchError>) {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    loop {
        let chunk = match tokio::time::timeout(SILENCE_MAX, response.next()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(failure)) => return (Some(partial), not_yet(failure.message)),
            Err(_) => return (Some(partial), not_yet("half an answer: no more bytes came".to_owned())),
        };
        let is_end = chunk.is_none();
        buffer.extend_from_slice(&chunk.unwrap_or_default());
        let waiting = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        if partial.size().saturating_add(waiting) > limit.bytes {
            return (Some(partial), Err(limit.past.clone()));
        }
        if is_end || buffer.len() >= BUFFER_BYTES {
            match write(partial, buffer).await {
                Ok(written) => (partial, buffer) = written,
                Err(error) => return (None, Err(error)),
            }
        }
        if is_end {
            return (Some(partial), Ok(()));
        }
    }
}

async fn write(mut partial: PartialFile, mut buffer: Vec<u8>) -> Result<(PartialFile, Vec<u8>), FetchError> {
    on_disk(move || match partial.write(&buffer) {
        Ok(()) => {
            buffer.clear();
            Ok((partial, buffer))
        }
        Err(error) => Err(error),
    })
    .await
}

async fn discard(partial: PartialFile) {
    let removed = on_disk(move || {
        drop(partial);
        Ok(())
    });
    if let Err(error) = removed.await {
        log::warn!("media: a partial file was not removed: {error}");
    }
}

/// Runs blocking disk work on a thread for it. A failed disk may be repaired, so that error is not final.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FetchError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| lost())?;
    done.map_err(|error| FetchError::NotYet(format!("the disk did not take it: {error}")))
}

/// Removes all files of a media.
pub async fn remove(folder: &MediaStore, id: MediaId) -> Result<()> {
    let folder = folder.clone();
    let removed = tokio::task::spawn_blocking(move || folder.remove(id)).await.map_err(Error::internal)?;
    removed.map_err(Error::internal)
}

fn not_yet(reason: String) -> Result<(), FetchError> {
    Err(FetchError::NotYet(reason))
}

fn lost() -> FetchError {
    FetchError::NotYet("writing it to disk failed".to_owned())
}
