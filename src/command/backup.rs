//! `kaiwa backup`, `kaiwa restore` and `kaiwa verify`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::command::settings::CommonArguments;
use crate::command::terminal::confirmation::Confirmation;
use crate::command::terminal::words::{self, counted};
use crate::command::terminal::{output, progress};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::timestamp::Timestamp;
use crate::store;
use crate::store::backup::restore::{self, Judged};
use crate::store::backup::{self, BackupSummary};
use crate::store::files::hashing::Cancel;
use crate::store::files::media_store::MediaStore;
use crate::store::verify::Findings;

/// Write the database and all files into one file, also while the server runs.
#[derive(Debug, Args)]
pub struct BackupCommand {
    #[command(flatten)]
    settings: CommonArguments,
    /// The file to write; it must not exist.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Restore a data directory from a backup.
#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    settings: CommonArguments,
    /// The backup.
    file: PathBuf,
    /// The data directory to create; it must be empty or missing.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    confirmation: Confirmation,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Check a backup or a data directory for damage, also while the server runs.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    settings: CommonArguments,
    /// A backup, or a data directory.
    path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl BackupCommand {
    /// Runs the command. `Unusable` also when files are missing: then the backup was written without them.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let (now, media_store) = (Timestamp::now(), MediaStore::at(&config.data_directory));
        let (database, cancel) = (config.database_path(), Cancel::default());
        let summary = progress::during("writing the backup", || {
            backup::write(&database, &media_store, &self.file, now, &cancel)
        })?;
        if self.json {
            let mut result = summary_json(&summary);
            result["file"] = json!(self.file.display().to_string());
            result["created_at"] = json!(now.to_string());
            output::json(&result)?;
        } else {
            output::line(&format!("{}: {}", self.file.display(), description(&summary)))?;
        }
        match summary.media_lost {
            0 => Ok(()),
            lost => Err(Error::Unusable(format!(
                "the disk lacks files that the database refers to: {}; the backup was written without them",
                counted(lost, "file")
            ))),
        }
    }
}

impl Restore {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let database_file = self.settings.load_if_valid()?.database_file;
        let question = format!("Restore {} into {}?", self.file.display(), self.data.display());
        self.confirmation.ask(&question)?;
        let now = Timestamp::now();
        let judged =
            progress::during("restoring", || restore::restore(&self.file, &self.data, &database_file, now))?;
        if self.json {
            let mut result = verified_json(&judged);
            result["data"] = json!(self.data.display().to_string());
            return output::json(&result);
        }
        let Judged { created_at, summary, .. } = &judged;
        let time = created_at.parse().map_or_else(|_| created_at.clone(), words::time);
        output::line(&format!("{}: as of {time}, {}", self.data.display(), description(summary)))
    }
}

impl Verify {
    /// Runs the command. `Unusable` when something was found.
    pub fn run(self) -> Result<()> {
        let mut config = self.settings.load_if_valid()?;
        let (findings, mut result) = if self.path.is_dir() {
            config.data_directory.clone_from(&self.path);
            progress::during("checking the data directory", || verify_directory(&config))?
        } else {
            let judged = progress::during("checking the backup", || {
                restore::verify(&self.path, &config.key_source(), Timestamp::now())
            })?;
            let result = verified_json(&judged);
            (judged.findings, result)
        };
        result["path"] = json!(self.path.display().to_string());
        result["findings"] = json!(findings.list());
        if self.json {
            output::json(&result)?;
        } else if findings.is_empty() {
            output::line(&format!("{}: no damage found", self.path.display()))?;
        } else {
            findings.list().iter().try_for_each(|finding| output::line(finding))?;
        }
        match findings.count() {
            0 => Ok(()),
            count => {
                let findings = counted(count, "finding");
                Err(Error::Unusable(format!("{} is damaged: {findings}", self.path.display())))
            }
        }
    }
}

fn verify_directory(config: &Config) -> Result<(Findings, Value)> {
    let (database, mut findings) = (config.database_path(), Findings::default());
    let schema = store::verify::database(&database, &mut findings)?;
    store::verify::rows(&database, Some(&config.key_source()), Timestamp::now(), &mut findings)?;
    let media_files =
        store::verify::files(&database, &MediaStore::at(&config.data_directory), &mut findings)?;
    Ok((findings, json!({ "schema": schema, "media_files": media_files })))
}

fn verified_json(judged: &Judged) -> Value {
    let mut result = summary_json(&judged.summary);
    result["created_at"] = json!(judged.created_at);
    result["kaiwa"] = json!(judged.kaiwa);
    result
}

fn summary_json(summary: &BackupSummary) -> Value {
    let BackupSummary { size, schema, media_files, media_erased, media_lost } = summary;
    json!({
        "size": size, "schema": schema, "media_files": media_files, "media_erased": media_erased,
        "media_lost": media_lost,
    })
}

fn description(summary: &BackupSummary) -> String {
    let BackupSummary { size, schema, media_files, media_lost, .. } = summary;
    let lost = if *media_lost > 0 { format!(", {media_lost} lost") } else { String::new() };
    let (size, files) = (words::size(*size), counted(*media_files, "file"));
    format!("{size}, schema version {schema}, {files}{lost}")
}
