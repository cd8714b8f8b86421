//! Backups that are made by themselves, on a thread of their own.
//!
//! What was made is read off the folder of backups, so a new start goes on where the last one ended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::metrics::Backups;
use crate::model::clock::Clock;
use crate::model::timestamp::Timestamp;
use crate::runtime::heartbeats::Heartbeat;
use crate::runtime::wakers::Stop;
use crate::store::backup::rotation::BackupRotation;
use crate::store::backup::{self, BackupSummary};
use crate::store::files::hashing::Cancel;
use crate::store::files::media_store::MediaStore;
use crate::worker::PAUSE_MAX;

/// The pause after a backup that failed, or less if backups are made more often.
const PAUSE_AFTER_FAILED_BACKUP: Duration = Duration::from_mins(10);

/// The worker for backups.
#[derive(Debug, Clone)]
pub struct BackupWorker {
    database: PathBuf,
    folder: MediaStore,
    /// None when no directory is configured: then there is nothing to do.
    rotation: Option<BackupRotation>,
    every: Duration,
    keep: usize,
    metrics: Backups,
}

impl BackupWorker {
    /// A worker that follows the settings.
    pub fn new(config: &Config, folder: &MediaStore, metrics: Backups) -> Result<Self> {
        let rotation = config.backup.directory.as_deref().map(BackupRotation::open).transpose()?;
        let (database, folder) = (config.database_path(), folder.clone());
        Ok(Self { database, folder, rotation, every: config.backup.every, keep: config.backup.keep, metrics })
    }

    /// Makes a backup if one is due, and removes those that are too many then, as far as that can be done. Waits for the disk.
    pub fn step(&self, now: Timestamp, cancel: &Cancel) -> Result<Option<BackupSummary>> {
        let Some(rotation) = self.rotation.as_ref().filter(|_| self.is_due(now)) else { return Ok(None) };
        let (file, began) = (rotation.path(now), Instant::now());
        let summary = backup::write(&self.database, &self.folder, &file, now, cancel)?;
        let BackupSummary { size, media_files, media_lost, .. } = summary;
        self.metrics.made(now.as_seconds(), size, began.elapsed());
        log::info!("backup: {} has {size} bytes and {media_files} files", file.display());
        if media_lost > 0 {
            log::error!("backup: {media_lost} files that the database promises are not on disk");
        }
        self.tidy(rotation, now);
        Ok(Some(summary))
    }

    /// Removes what is too much beside the backup that was made. What stays is found again at the next one.
    fn tidy(&self, rotation: &BackupRotation, made: Timestamp) {
        let keep = self.keep;
        match rotation.retain_newest(keep, made) {
            Ok(surplus) => {
                for (path, removed) in surplus {
                    let path = path.display();
                    match removed {
                        Ok(()) => log::info!("backup: {path} was removed: {keep} newer ones are kept"),
                        Err(error) => log::error!("backup: {path} is too much and was not removed: {error}"),
                    }
                }
            }
            Err(error) => log::error!("backup: older ones were not looked for: {}", error.chain()),
        }
    }

    /// Makes backups until it is stopped. One that is being made then is given up.
    pub async fn run(self, clock: Clock, heartbeat: Heartbeat, mut stop: Stop) {
        let mut not_before = clock.now();
        if let Some(last) = self.last(not_before) {
            self.metrics.found(last.as_seconds());
        }
        loop {
            heartbeat.beat();
            if clock.now() >= not_before
                && self.is_due(clock.now())
                && let Err(error) = self.attempt(clock.now(), &heartbeat, &mut stop).await
            {
                self.metrics.failed();
                log::error!("backup: none was made: {}", error.chain());
                not_before = clock.now().after(PAUSE_AFTER_FAILED_BACKUP.min(self.every));
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE_MAX) => {}
                () = stop.requested() => return,
            }
        }
    }

    /// One step on a thread for such work, with signs of life meanwhile.
    async fn attempt(&self, now: Timestamp, heartbeat: &Heartbeat, stop: &mut Stop) -> Result<()> {
        let (worker, cancel) = (self.clone(), Cancel::default());
        let requested = cancel.clone();
        let mut making = tokio::task::spawn_blocking(move || worker.step(now, &requested));
        loop {
            tokio::select! {
                made = &mut making => return made.map_err(Error::internal)?.map(drop),
                () = tokio::time::sleep(PAUSE_MAX) => heartbeat.beat(),
                () = stop.requested() => {
                    cancel.request();
                    // It ends within moments. That it was given up is no failure.
                    drop(making.await);
                    return Ok(());
                }
            }
        }
    }

    /// Whether the last one is old enough.
    fn is_due(&self, now: Timestamp) -> bool {
        self.rotation.is_some() && self.last(now).is_none_or(|last| last.after(self.every) <= now)
    }

    /// The time of the last one. What seems to be newer than now was made by a clock that was ahead.
    fn last(&self, now: Timestamp) -> Option<Timestamp> {
        // A folder that cannot be read is found out by the attempt, which tells.
        self.rotation.as_ref()?.times().ok()?.into_iter().rev().find(|time| *time <= now)
    }
}
