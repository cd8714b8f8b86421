//! Removes uploads that were never sent, and files on disk that have no row.

use std::time::Duration;

use actix_web::rt;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store::Store;
use crate::store::chats::fetch_jobs;
use crate::store::files::media_store::MediaStore;
use crate::store::files::uploads;
use crate::worker::download;

/// The pause between the beginnings of two sweeps.
const SWEEP_PAUSE: Duration = Duration::from_hours(1);

/// Files that one read looks up or one transaction writes.
const BATCH: usize = 1_000;

/// A file without a row stays for this long: its row may be about to be written.
const ORPHAN_AGE: Duration = Duration::from_hours(1);

/// Sweeps once an hour, on a task of its own.
pub struct Sweeper {
    sweep: Sweep,
    began: Option<Timestamp>,
    task: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Sweep {
    store: Store,
    folder: MediaStore,
    upload_ttl: Duration,
}

impl Sweeper {
    /// A sweeper that has not swept yet.
    pub fn new(store: Store, folder: MediaStore, upload_ttl: Duration) -> Self {
        Self { sweep: Sweep { store, folder, upload_ttl }, began: None, task: None }
    }

    /// Begins a sweep if it is time and the last one has ended. It may take long, and delays no file.
    pub fn sweep(&mut self, now: Timestamp) {
        let is_due = self.began.is_none_or(|began| now.since(began) >= SWEEP_PAUSE);
        if !is_due || self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let sweep = self.sweep.clone();
        self.began = Some(now);
        self.task = Some(rt::spawn(async move {
            if let Err(error) = sweep.run(now).await {
                log::error!("media: {}", error.chain());
            }
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

impl Sweep {
    /// Expires uploads, and removes files without a row: a crash between a file and its row leaves one.
    async fn run(&self, now: Timestamp) -> Result<()> {
        let after = self.upload_ttl;
        while self.store.write(now, move |tx| uploads::expire(tx, after, BATCH)).await? == BATCH {}
        let folder = self.folder.clone();
        let list = tokio::task::spawn_blocking(move || folder.older_than(now.before(ORPHAN_AGE)));
        let ids = list.await.map_err(Error::internal)?.map_err(Error::internal)?;
        for batch in ids.chunks(BATCH) {
            let batch = batch.to_vec();
            for id in self.store.read(move |connection| fetch_jobs::orphans(connection, &batch)).await? {
                download::remove(&self.folder, id).await?;
            }
        }
        Ok(())
    }
}
