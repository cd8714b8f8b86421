//! Fetches the files of received messages, and removes those of unsent ones.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, pending};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::config::section::LimitSettings;
use crate::error::{Error, Result};
use crate::line::content::ContentPart;
use crate::metrics::Fetches;
use crate::model::clock::Clock;
use crate::model::files::fetch::{FetchError, MediaTask};
use crate::model::files::media::MediaType;
use crate::net::Response;
use crate::net::outbound_client::OutboundClient;
use crate::runtime::tokens::{NO_TOKEN, Tokens};
use crate::store::Store;
use crate::store::chats::fetch_jobs::{self, FetchJob};
use crate::store::engine::transaction::Transaction;
use crate::store::files::media_store::{CompleteFile, MediaStore, Variant};
use crate::store::reader::Reader;
use crate::worker::download::{self, DownloadLimit};
use crate::worker::sweeper::Sweeper;
use crate::worker::{Worker, WorkerContext, pause};

/// The most files that are removed at once.
const REMOVALS: usize = 4;

/// The most files that are fetched from LINE at once.
pub const FROM_LINE: usize = 4;

/// The most files that are fetched at once from foreign addresses, which other parties choose.
pub const FROM_ELSEWHERE: usize = 4;

/// The longest time that one file may take; the lease is longer.
const ATTEMPT_MAX: Duration = Duration::from_mins(15);

/// The most attempts at a preview that is not ready or breaks off.
const PREVIEW_ATTEMPTS_MAX: u32 = 3;

/// The longest time for a preview, all attempts together.
const PREVIEW_MAX: Duration = Duration::from_secs(30);

/// The largest preview that is kept.
const PREVIEW_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The largest profile or group picture that is kept.
const PICTURE_BYTES_MAX: u64 = 1024 * 1024;

/// The two clients that files come through, and their limits.
#[derive(Clone)]
pub struct MediaSources {
    /// Calls LINE with the accounts' tokens.
    pub tokens: Tokens,
    /// Calls foreign addresses.
    pub outbound: OutboundClient,
    /// The largest file, in bytes.
    pub file_bytes: u64,
    /// The most bytes of all files of one customer.
    pub customer_bytes: u64,
    /// How long an upload is kept before it is sent.
    pub upload_ttl: Duration,
    /// Counts outcomes.
    pub counted: Fetches,
}

/// The media worker.
pub struct MediaWorker {
    files: MediaFiles,
    in_flight: FuturesUnordered<LocalBoxFuture<'static, MediaTask>>,
    permits: Permits,
    sweeper: Sweeper,
}

/// Carries out one task for one file.
#[derive(Clone)]
struct MediaFiles {
    store: Store,
    reader: Rc<Reader>,
    folder: MediaStore,
    sources: MediaSources,
}

/// How many more tasks may begin. Each kind has permits of its own, so that a slow foreign host delays no file from LINE, and
/// neither delays the removal of unsent files.
#[derive(Clone, Copy)]
struct Permits {
    left: [(MediaTask, usize); 3],
}

impl MediaSources {
    /// These clients, with the configured limits.
    pub fn new(tokens: Tokens, outbound: OutboundClient, limits: &LimitSettings, counted: Fetches) -> Self {
        let (file_bytes, customer_bytes) = (limits.media_bytes, limits.media_customer_bytes);
        Self { tokens, outbound, file_bytes, customer_bytes, upload_ttl: limits.upload_ttl, counted }
    }
}

impl MediaWorker {
    /// A worker that stores files from these sources in this folder.
    pub fn new(store: Store, folder: MediaStore, sources: MediaSources) -> Result<Self> {
        let reader = Rc::new(store.reader()?);
        let sweeper = Sweeper::new(store.clone(), folder.clone(), sources.upload_ttl);
        let files = MediaFiles { store, reader, folder, sources };
        Ok(Self { files, in_flight: FuturesUnordered::new(), permits: Permits::new(), sweeper })
    }

    async fn claim(&self, clock: &Clock) -> Result<Vec<FetchJob>> {
        let permits = self.permits;
        let claim = move |tx: &Transaction<'_>| {
            permits.free().map(|(task, count)| fetch_jobs::claim(tx, task, count)).collect()
        };
        let due: Vec<Vec<FetchJob>> = self.files.store.write(clock.now(), claim).await?;
        Ok(due.into_iter().flatten().collect())
    }

    fn begin(&mut self, job: FetchJob, clock: &Clock) {
        self.permits.take(job.task);
        let (files, clock) = (self.files.clone(), clock.clone());
        self.in_flight.push(async move { files.work(job, &clock).await }.boxed_local());
    }

    fn pause(&self, clock: &Clock) -> Result<Duration> {
        let next: Vec<_> = self.files.reader.read(|connection| {
            self.permits.free().map(|(task, _)| fetch_jobs::next_due(connection, task)).collect()
        })?;
        Ok(pause(next.into_iter().flatten().min(), clock.now()))
    }
}

/// A stop drops what is in flight: the next start begins it again.
impl Worker for MediaWorker {
    const NAME: &'static str = "media";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        self.sweeper.sweep(context.clock.now());
        for job in self.claim(&context.clock).await? {
            self.begin(job, &context.clock);
        }
        self.pause(&context.clock)
    }

    async fn ended(&mut self) {
        match self.in_flight.next().await {
            Some(task) => self.permits.give_back(task),
            None => pending().await,
        }
    }
}

impl MediaFiles {
    /// Carries out a task, and returns its kind, whose permit is free again.
    async fn work(&self, fetch: FetchJob, clock: &Clock) -> MediaTask {
        let task = fetch.task;
        let done = if task == MediaTask::Remove {
            self.remove(fetch, clock).await
        } else {
            self.fetch_and_record(fetch, clock).await
        };
        done.unwrap_or_else(|error| report(&error));
        task
    }

    async fn remove(&self, fetch: FetchJob, clock: &Clock) -> Result<()> {
        download::remove(&self.folder, fetch.id).await?;
        self.store.write(clock.now(), move |tx| fetch_jobs::removed(tx, &fetch)).await
    }

    async fn fetch_and_record(&self, fetch: FetchJob, clock: &Clock) -> Result<()> {
        let attempt = tokio::time::timeout(ATTEMPT_MAX, self.fetch(&fetch)).await;
        match attempt.unwrap_or_else(|_| Err(FetchError::NotYet("it took too long".to_owned()))) {
            Ok((stored, has_preview)) => self.record(fetch, stored, has_preview, clock).await,
            Err(error) => self.put_off(fetch, &error, clock).await,
        }
    }

    /// Stores the file on disk, and its preview if there is one.
    async fn fetch(&self, fetch: &FetchJob) -> Result<(CompleteFile, bool), FetchError> {
        let limit = self.limit(fetch)?;
        let response = self.open(fetch).await?;
        let partial = download::begin(&self.folder, fetch.id, Variant::Whole).await?;
        // From here on an unsend removes the partial file; before, there was none to remove.
        let is_wanted = self.reader.read(|connection| fetch_jobs::is_wanted(connection, fetch));
        if !is_wanted.map_err(|error| FetchError::NotYet(error.chain()))? {
            return Err(FetchError::Final("unsent".to_owned()));
        }
        let stored = download::store(partial, response, &limit).await?;
        let preview = tokio::time::timeout(PREVIEW_MAX, self.preview(fetch)).await;
        Ok((stored, preview.is_ok_and(|preview| preview.is_ok())))
    }

    /// How many bytes the file may have: its own limit, and what is left of the customer's.
    fn limit(&self, fetch: &FetchJob) -> Result<DownloadLimit, FetchError> {
        let used = self.reader.read(|connection| fetch_jobs::used_bytes(connection, fetch));
        let used = used.map_err(|error| FetchError::NotYet(error.chain()))?;
        let MediaSources { mut file_bytes, customer_bytes, .. } = self.sources;
        let (only_pictures, announced) = (fetch.is_picture, fetch.announced);
        if only_pictures {
            file_bytes = file_bytes.min(PICTURE_BYTES_MAX);
        }
        let room = customer_bytes.saturating_sub(used);
        if room < file_bytes {
            let no_room = format!("the customer's files may have {customer_bytes} bytes and have {used}");
            return if room == 0 {
                Err(FetchError::NoRoom(no_room))
            } else {
                Ok(DownloadLimit { bytes: room, past: FetchError::NoRoom(no_room), only_pictures, announced })
            };
        }
        let too_large = format!("it has more than {file_bytes} bytes");
        Ok(DownloadLimit { bytes: file_bytes, past: FetchError::Final(too_large), only_pictures, announced })
    }

    /// Requests the file from its source. Only LINE ever gets the token.
    async fn open(&self, fetch: &FetchJob) -> Result<Response, FetchError> {
        if let Some(url) = &fetch.url {
            return self.sources.outbound.content(url).await;
        }
        self.ask_line(fetch, ContentPart::Original).await
    }

    /// Requests content from LINE, and once more with a new token when LINE refuses the account's.
    async fn ask_line(&self, fetch: &FetchJob, part: ContentPart) -> Result<Response, FetchError> {
        let none = |reason: &str| FetchError::Final(reason.to_owned());
        let (account, token) = fetch.access.as_ref().ok_or_else(|| none("the LINE account was removed"))?;
        let id = fetch.message_id.as_ref().ok_or_else(|| none("LINE sent no usable message id"))?;
        let line = self.sources.tokens.line();
        let refused = if token.is_empty() {
            NO_TOKEN.to_owned()
        } else {
            match line.content(token, id, part).await {
                Err(FetchError::Token(reason)) => reason,
                answer => return answer,
            }
        };
        match self.sources.tokens.renew(*account, token).await {
            Ok(Some(token)) => line.content(&token, id, part).await,
            Ok(None) | Err(_) => Err(FetchError::Token(refused)),
        }
    }

    /// Stores the preview of an image or video on disk, in a few attempts. The file can do without one.
    async fn preview(&self, fetch: &FetchJob) -> Result<(), FetchError> {
        let mut attempts = 1;
        loop {
            let stored = self.fetch_preview(fetch).await;
            match &stored {
                Err(error @ FetchError::NotYet(_)) if attempts < PREVIEW_ATTEMPTS_MAX => {
                    tokio::time::sleep(error.pause(attempts, Duration::ZERO).unwrap_or_default()).await;
                    attempts += 1;
                }
                _ => return stored,
            }
        }
    }

    /// Requests the preview, from LINE or from its foreign address.
    async fn fetch_preview(&self, fetch: &FetchJob) -> Result<(), FetchError> {
        let none = FetchError::Final("there is no preview".to_owned());
        if !matches!(fetch.kind, MediaType::Image | MediaType::Video) {
            return Err(none);
        }
        let response = match (&fetch.url, &fetch.preview_url) {
            (None, _) => self.ask_line(fetch, ContentPart::Preview).await?,
            (Some(_), Some(url)) => self.sources.outbound.content(url).await?,
            (Some(_), None) => return Err(none),
        };
        let partial = download::begin(&self.folder, fetch.id, Variant::Preview).await?;
        let limit =
            DownloadLimit { bytes: PREVIEW_BYTES_MAX, past: none, only_pictures: true, announced: None };
        download::store(partial, response, &limit).await.map(drop)
    }

    /// Marks the file as stored, or removes it when its message was unsent meanwhile.
    async fn record(
        &self,
        fetch: FetchJob,
        stored: CompleteFile,
        has_preview: bool,
        clock: &Clock,
    ) -> Result<()> {
        let id = fetch.id;
        let store =
            self.store.write(clock.now(), move |tx| fetch_jobs::store(tx, &fetch, &stored, has_preview));
        if store.await? {
            self.sources.counted.add("stored");
            return Ok(());
        }
        self.sources.counted.add("unsent");
        download::remove(&self.folder, id).await
    }

    async fn put_off(&self, fetch: FetchJob, error: &FetchError, clock: &Clock) -> Result<()> {
        let (now, reason) = (clock.now(), error.to_string());
        let pause = error.pause(fetch.attempts, now.since(fetch.since));
        self.sources.counted.add(if pause.is_some() { "postponed" } else { "given_up" });
        log::warn!("media: {} was not fetched, attempt {}: {reason}", fetch.id, fetch.attempts);
        self.store
            .write(now, move |tx| match pause {
                Some(pause) => fetch_jobs::postpone(tx, &fetch, now.after(pause), &reason),
                None => fetch_jobs::give_up(tx, &fetch, &reason),
            })
            .await
    }
}

impl Permits {
    fn new() -> Self {
        let left = [
            (MediaTask::Remove, REMOVALS),
            (MediaTask::FetchFromLine, FROM_LINE),
            (MediaTask::FetchFromElsewhere, FROM_ELSEWHERE),
        ];
        Self { left }
    }

    /// The kinds of tasks that may begin, and how many of each.
    fn free(&self) -> impl Iterator<Item = (MediaTask, usize)> {
        self.left.iter().copied().filter(|(_, count)| *count > 0)
    }

    fn take(&mut self, task: MediaTask) {
        *self.of(task) -= 1;
    }

    fn give_back(&mut self, task: MediaTask) {
        *self.of(task) += 1;
    }

    fn of(&mut self, task: MediaTask) -> &mut usize {
        let of = self.left.iter_mut().find(|(kind, _)| *kind == task);
        &mut of.expect("every kind of task has permits").1
    }
}

fn report(error: &Error) {
    log::error!("media: {}", error.chain());
}
