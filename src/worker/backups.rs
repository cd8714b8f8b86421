//! Makes scheduled backups, on a thread of their own.
//!
//! The schedule continues from the backups in the folder, so a restart goes on where the last run ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::metrics::Backups;
use crate::model::timestamp::Timestamp;
use crate::store::backup::rotation::BackupRotation;
use crate::store::backup::{self, BackupSummary};
use crate::store::files::hashing::Cancel;
use crate::store::files::media_store::MediaStore;
use crate::worker::{PAUSE_MAX, Worker, WorkerContext};

/// The pause after a failed backup, or less if backups are made more often.
const PAUSE_AFTER_FAILED_BACKUP: Duration = Duration::from_mins(10);

/// The worker for backups.
#[derive(Debug, Clone)]
pub struct BackupWorker {
    database: PathBuf,
    folder: MediaStore,
    /// `None` when no directory is configured: then there is nothing to do.
    rotation: Option<BackupRotation>,
    every: Duration,
    keep: usize,
    metrics: Backups,
    /// When the next attempt may begin; `None` before the first round.
    not_before: Option<Timestamp>,
}

impl BackupWorker {
    /// A worker that follows the settings.
    pub fn new(config: &Config, folder: &MediaStore, metrics: Backups) -> Result<Self> {
        let rotation = config.backup.directory.as_deref().map(BackupRotation::open).transpose()?;
        let (database, folder) = (config.database_path(), folder.clone());
        let (every, keep) = (config.backup.every, config.backup.keep);
        Ok(Self { database, folder, rotation, every, keep, metrics, not_before: None })
    }

    /// Makes a backup if one is due, then removes surplus ones as far as possible. Waits for the disk.
    pub fn step(&self, now: Timestamp, cancel: &Cancel) -> Result<Option<BackupSummary>> {
        let Some(rotation) = self.rotation.as_ref().filter(|_| self.is_due(now)) else { return Ok(None) };
        let (file, began) = (rotation.path(now), Instant::now());
        let summary = backup::write(&self.database, &self.folder, &file, now, cancel)?;
        let BackupSummary { size, media_files, media_lost, .. } = summary;
        self.metrics.made(now.as_seconds(), size, began.elapsed());
        log::info!("backup: {} has {size} bytes and {media_files} files", file.display());
        if media_lost > 0 {
            log::error!("backup: {media_lost} files that the database has as stored are not on disk");
        }
        self.tidy(rotation, now);
        Ok(Some(summary))
    }

    /// Removes surplus backups after one was made. The next backup tries again to remove what stays.
    fn tidy(&self, rotation: &BackupRotation, made: Timestamp) {
        let keep = self.keep;
        match rotation.retain_newest(keep, made) {
            Ok(surplus) => {
                for (path, removed) in surplus {
                    let path = path.display();
                    match removed {
                        Ok(()) => log::info!("backup: {path} was removed: {keep} newer ones are kept"),
                        Err(error) => {
                            log::error!("backup: {path} is surplus and could not be removed: {error}");
                        }
                    }
                }
            }
            Err(error) => log::error!("backup: surplus ones could not be listed: {}", error.chain()),
        }
    }

    /// One step on a thread for blocking work, with heartbeats meanwhile. A stop cancels it.
    async fn attempt(&self, now: Timestamp, context: &mut WorkerContext) -> Result<()> {
        let (worker, cancel) = (self.clone(), Cancel::default());
        let requested = cancel.clone();
        let mut making = tokio::task::spawn_blocking(move || worker.step(now, &requested));
        loop {
            tokio::select! {
                made = &mut making => return made.map_err(Error::internal)?.map(drop),
                () = tokio::time::sleep(PAUSE_MAX) => context.heartbeat.beat(),
                () = context.stop.requested() => {
                    cancel.request();
                    // It ends within moments. A cancelled backup is no failure.
                    drop(making.await);
                    return Ok(());
                }
            }
        }
    }

    /// Whether the last backup is old enough.
    fn is_due(&self, now: Timestamp) -> bool {
        self.rotation.is_some() && self.last(now).is_none_or(|last| last.after(self.every) <= now)
    }

    /// The time of the last backup. One that seems newer than now was made by a clock that was ahead.
    fn last(&self, now: Timestamp) -> Option<Timestamp> {
        // A folder that cannot be read fails the attempt, which reports it.
        self.rotation.as_ref()?.times().ok()?.into_iter().rev().find(|time| *time <= now)
    }
}

impl Worker for BackupWorker {
    const NAME: &'static str = "backup";

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        let now = context.clock.now();
        if self.not_before.is_none()
            && let Some(last) = self.last(now)
        {
            self.metrics.found(last.as_seconds());
        }
        let not_before = *self.not_before.get_or_insert(now);
        if now >= not_before
            && self.is_due(now)
            && let Err(error) = self.attempt(now, context).await
        {
            self.metrics.failed();
            self.not_before = Some(context.clock.now().after(PAUSE_AFTER_FAILED_BACKUP.min(self.every)));
            return Err(error);
        }
        Ok(PAUSE_MAX)
    }
}
