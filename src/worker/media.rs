//! Fetching the files that people sent, and removing those that they took back.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinHandle;

use crate::config::section::LimitSettings;
use crate::error::{Error, Result};
use crate::line::content::ContentPart;
use crate::metrics::Fetches;
use crate::model::clock::Clock;
use crate::model::files::fetch::{FetchError, MediaTask};
use crate::model::files::media::MediaType;
use crate::model::timestamp::Timestamp;
use crate::net::Response;
use crate::net::outbound_client::OutboundClient;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::tokens::{NO_TOKEN, Tokens};
use crate::runtime::wakers::{Stop, Waker};
use crate::store::Store;
use crate::store::chats::fetch_jobs::{self, FetchJob};
use crate::store::engine::transaction::Transaction;
use crate::store::files::media_store::{CompleteFile, MediaStore, Variant};
use crate::store::files::uploads;
use crate::store::reader::Reader;
use crate::worker::download::{self, DownloadLimit};
use crate::worker::{PAUSE_AFTER_FAILURE, pause};

/// Files that are removed at once.
const REMOVALS: usize = 4;

/// Files that are fetched from LINE at once.
pub const FROM_LINE: usize = 4;

/// Files that are fetched at once from addresses that somebody else chose.
pub const FROM_ELSEWHERE: usize = 4;

/// The longest that one file may take; the lease is longer.
const ATTEMPT_MAX: Duration = Duration::from_mins(15);

/// How often a preview is asked for that is not ready or breaks off.
const PREVIEW_ATTEMPTS_MAX: u32 = 3;

/// The longest that a preview may take, all attempts together.
const PREVIEW_MAX: Duration = Duration::from_secs(30);

/// The largest preview that is kept.
const PREVIEW_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The largest picture of a person or a group that is kept.
const PICTURE_BYTES_MAX: u64 = 1024 * 1024;

/// How often uploads that nobody sent and files without a row are looked for.
const SWEEP_PAUSE: Duration = Duration::from_hours(1);

/// Files that are looked up in one read or written in one transaction.
const SWEEP_PART: usize = 1_000;

/// A file without a row stays for so long: its row may be about to be written.
const ORPHAN_AGE: Duration = Duration::from_hours(1);

/// The two clients and what they may bring.
#[derive(Clone)]
pub struct MediaSources {
    /// Speaks to LINE, with the tokens of the accounts.
    pub tokens: Tokens,
    /// Speaks to addresses that somebody else chose.
    pub outbound: OutboundClient,
    /// The largest file, in bytes.
    pub file_bytes: u64,
    /// The most bytes of one customer's files.
    pub customer_bytes: u64,
    /// How long an upload waits to be sent.
    pub upload_ttl: Duration,
    /// Counts what came of it.
    pub counted: Fetches,
}

/// The worker for files.
#[derive(Clone)]
pub struct MediaWorker {
    store: Store,
    reader: Rc<Reader>,
    folder: MediaStore,
    sources: MediaSources,
}

/// How many more files may be under way. Each errand has places of its own, so that a slow host delays no file from LINE, and
/// neither of them the removal of what was taken back.
#[derive(Clone, Copy)]
struct Permits {
    places: [(MediaTask, usize); 3],
}

/// When uploads that nobody sent and files without a row were looked for last, and the task that does it.
#[derive(Default)]
struct Sweeper {
    began: Option<Timestamp>,
    task: Option<JoinHandle<()>>,
}

impl MediaSources {
    /// These clients, with the configured limits.
    pub fn new(tokens: Tokens, outbound: OutboundClient, limits: &LimitSettings, counted: Fetches) -> Self {
        let (file_bytes, customer_bytes) = (limits.media_bytes, limits.media_customer_bytes);
        Self { tokens, outbound, file_bytes, customer_bytes, upload_ttl: limits.upload_ttl, counted }
    }
}

impl MediaWorker {
    /// A worker that brings files from these sources into this folder.
    pub fn new(store: Store, folder: MediaStore, sources: MediaSources) -> Result<Self> {
        let reader = Rc::new(store.reader()?);
        Ok(Self { store, reader, folder, sources })
    }

    /// Fetches and removes until it is stopped. What is under way then is begun again at the next start.
    pub async fn run(self, clock: Clock, waker: Waker, heartbeat: Heartbeat, mut stop: Stop) {
        let mut in_flight = FuturesUnordered::new();
        let mut room = Permits::new();
        let mut sweeper = Sweeper::default();
        loop {
            heartbeat.beat();
            sweeper.sweep(&self, clock.now());
            let pause = match self.claim(&clock, room).await {
                Ok(due) => {
                    in_flight.extend(due.into_iter().map(|fetch| {
                        room.take(fetch.task);
                        self.work(fetch, &clock)
                    }));
                    self.pause(&clock, room)
                }
                Err(error) => {
                    report(&error);
                    PAUSE_AFTER_FAILURE
                }
            };
            tokio::select! {
                Some(task) = in_flight.next() => room.give_back(task),
                () = waker.woken() => {}
                () = tokio::time::sleep(pause) => {}
                () = stop.requested() => return,
            }
        }
    }

    async fn claim(&self, clock: &Clock, room: Permits) -> Result<Vec<FetchJob>> {
        let claim = move |tx: &Transaction<'_>| {
            room.free().map(|(task, places)| fetch_jobs::claim(tx, task, places)).collect()
        };
        let due: Vec<Vec<FetchJob>> = self.store.write(clock.now(), claim).await?;
        Ok(due.into_iter().flatten().collect())
    }

    fn pause(&self, clock: &Clock, room: Permits) -> Duration {
        let next: Result<Vec<_>> = self
            .reader
            .read(|connection| room.free().map(|(task, _)| fetch_jobs::next_due(connection, task)).collect());
        next.map_or_else(
            |error| {
                report(&error);
                PAUSE_AFTER_FAILURE
            },
            |next| pause(next.into_iter().flatten().min(), clock.now()),
        )
    }

    /// Does what is due for one file, and says whose place it has had.
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

    /// Brings the file to disk, and its preview if there is one.
    async fn fetch(&self, fetch: &FetchJob) -> Result<(CompleteFile, bool), FetchError> {
        let limit = self.limit(fetch)?;
        let response = self.open(fetch).await?;
        let partial = download::begin(&self.folder, fetch.id, Variant::Whole).await?;
        // From here on a withdrawal removes the draft; before, it left nothing to remove.
        let is_wanted = self.reader.read(|connection| fetch_jobs::is_wanted(connection, fetch));
        if !is_wanted.map_err(|error| FetchError::NotYet(error.chain()))? {
            return Err(FetchError::Final("unsent".to_owned()));
        }
        let stored = download::store(partial, response, &limit).await?;
        let preview = tokio::time::timeout(PREVIEW_MAX, self.preview(fetch)).await;
        Ok((stored, preview.is_ok_and(|preview| preview.is_ok())))
    }

    /// How much may come: what a file may have, and what the customer has room for.
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

    /// Asks for the file where it is. The token goes to LINE and to nobody else.
    async fn open(&self, fetch: &FetchJob) -> Result<Response, FetchError> {
        if let Some(url) = &fetch.url {
            return self.sources.outbound.content(url).await;
        }
        self.ask_line(fetch, ContentPart::Whole).await
    }

    /// Asks LINE, once more with a new token when it refuses the one that the account had.
    async fn ask_line(&self, fetch: &FetchJob, part: ContentPart) -> Result<Response, FetchError> {
        let none = |reason: &str| FetchError::Final(reason.to_owned());
        let (account, token) = fetch.access.as_ref().ok_or_else(|| none("the LINE account was removed"))?;
        let id = fetch.message_id.as_ref().ok_or_else(|| none("LINE gave no id that could be asked for"))?;
        let line = self.sources.tokens.line();
        let refused = if token.is_empty() {
            NO_TOKEN.to_owned()
        } else {
            match line.content(token, id, part).await {
                Err(FetchError::Token(reason)) => reason,
                answer => return answer,
            }
        };
        match self.sources.tokens.renewed(*account, token).await {
            Ok(Some(token)) => line.content(&token, id, part).await,
            Ok(None) | Err(_) => Err(FetchError::Token(refused)),
        }
    }

    /// Brings the small picture of a picture or film to disk, in a few attempts. The file does without one.
    async fn preview(&self, fetch: &FetchJob) -> Result<(), FetchError> {
        let mut attempts = 1;
        loop {
            let brought = self.fetch_preview(fetch).await;
            match &brought {
                Err(error @ FetchError::NotYet(_)) if attempts < PREVIEW_ATTEMPTS_MAX => {
                    tokio::time::sleep(error.pause(attempts, Duration::ZERO).unwrap_or_default()).await;
                    attempts += 1;
                }
                _ => return brought,
            }
        }
    }

    /// Asks for the small picture: LINE, or the address where it is.
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

    /// Shows the file, or removes it when its message was withdrawn meanwhile.
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

    /// Lets uploads expire, and removes files that no row knows: a crash between a file and its row leaves one.
    async fn sweep(&self, now: Timestamp) -> Result<()> {
        let after = self.sources.upload_ttl;
        while self.store.write(now, move |tx| uploads::expire(tx, after, SWEEP_PART)).await? == SWEEP_PART {}
        let folder = self.folder.clone();
        let list = tokio::task::spawn_blocking(move || folder.older_than(now.before(ORPHAN_AGE)));
        let ids = list.await.map_err(Error::internal)?.map_err(Error::internal)?;
        for part in ids.chunks(SWEEP_PART) {
            let part = part.to_vec();
            for id in self.store.read(move |connection| fetch_jobs::orphans(connection, &part)).await? {
                download::remove(&self.folder, id).await?;
            }
        }
        Ok(())
    }
}

impl Permits {
    fn new() -> Self {
        let places = [
            (MediaTask::Remove, REMOVALS),
            (MediaTask::FetchFromLine, FROM_LINE),
            (MediaTask::FetchFromElsewhere, FROM_ELSEWHERE),
        ];
        Self { places }
    }

    /// The errands that have places left, and how many.
    fn free(&self) -> impl Iterator<Item = (MediaTask, usize)> {
        self.places.iter().copied().filter(|(_, places)| *places > 0)
    }

    fn take(&mut self, task: MediaTask) {
        *self.of(task) -= 1;
    }

    fn give_back(&mut self, task: MediaTask) {
        *self.of(task) += 1;
    }

    fn of(&mut self, task: MediaTask) -> &mut usize {
        let of = self.places.iter_mut().find(|(each, _)| *each == task);
        &mut of.expect("all errands have places").1
    }
}

impl Sweeper {
    /// Begins to sweep on a task of its own, when it is time and the last one has ended: it may take long, and delays no file.
    fn sweep(&mut self, worker: &MediaWorker, now: Timestamp) {
        let is_due = self.began.is_none_or(|began| now.since(began) >= SWEEP_PAUSE);
        if !is_due || self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let worker = worker.clone();
        self.began = Some(now);
        self.task = Some(rt::spawn(async move {
            worker.sweep(now).await.unwrap_or_else(|error| report(&error));
        }));
    }
}

/// The next start sweeps again.
impl Drop for Sweeper {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn report(error: &Error) {
    log::error!("media: {}", error.chain());
}
