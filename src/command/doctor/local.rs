//! What can be seen on this machine: keys, files, disk, database.

use std::path::Path;

use crate::command::doctor::finding::Finding;
use crate::command::settings;
use crate::command::terminal::words;
use crate::config::Config;
use crate::config::key_source::KeySource;
use crate::error::Result;
use crate::model::timestamp::Timestamp;
use crate::store::backup::remains;
use crate::store::engine::location::lost;
use crate::store::engine::{health, schema};
use crate::store::reader::Reader;
use crate::store::verify;

/// Less room than this is soon used up by a log and a few files.
const FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;

/// A log of a running server is reset at 128 MiB; a longer one says that something reads an old state for long.
const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The permissions of those who are neither the owner nor of the group.
const EVERYBODY: u32 = 0o007;

/// Looks at everything; before the first start at what there is.
pub fn look(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![jwt_key(config, file), public_url(config), sqlite()];
    findings.extend(file.map(configuration));
    findings.extend(config.secret_files().into_iter().map(secret_file));
    let folder = &config.data_directory;
    let gone = gone(config);
    if !folder.exists() {
        findings.extend(gone);
        let message = format!("{} is not there yet; it is made at the first start", folder.display());
        findings.push(Finding::ok("data directory", message));
        return findings;
    }
    let database = config.database_path();
    findings.push(Finding::of("file system", file_system(folder), "look at the data directory"));
    findings.push(Finding::of("disk", disk(&database), "look at the data directory"));
    findings.push(Finding::of("data directory", modes(folder), "look at the data directory"));
    findings.push(Finding::of("files", files(folder), "look at the data directory"));
    findings.push(key_location(config));
    if let Some(gone) = gone {
        findings.push(gone);
    } else if lost::require(&database).is_ok() {
        let remedy = "do not start the server on it before you have read docs/BACKUP.md";
        let checked = verify::diagnostics::database(&database, Timestamp::now())
            .map(|()| Finding::ok("database", "it is whole"));
        findings.push(Finding::of("database", checked, remedy));
        findings.push(key(config));
        findings.push(log(&database));
    } else {
        findings.push(Finding::ok("database", "it is not there yet; it is made at the first start"));
    }
    findings
}

/// What is left of a database that is gone. Without a database nothing else can be said of it.
fn gone(config: &Config) -> Option<Finding> {
    let remedy = "mount the disk or put the file back; `kaiwa migrate --new` begins a new one on purpose";
    match remains::find(config) {
        Ok(None) => None,
        Ok(Some(remains)) => {
            let message = format!("it is gone, and there has been one: {}", remains.describe());
            Some(Finding::fail("database", message, remedy))
        }
        Err(error) => Some(Finding::fail("database", error.chain(), "look at the data directory")),
    }
}

fn jwt_key(config: &Config, file: Option<&Path>) -> Finding {
    let long = settings::jwt_key(config, file).map(|_| Finding::ok("auth.jwt_key", "it is long enough"));
    Finding::of("auth.jwt_key", long, "nobody could have a token")
}

fn public_url(config: &Config) -> Finding {
    match &config.public_url {
        Some(url) if url.scheme() == "https" => Finding::ok("public_url", url.as_str()),
        Some(url) => Finding::warn("public_url", url.as_str(), "LINE sends webhooks to https only"),
        None => Finding::warn(
            "public_url",
            "it is not set",
            "without it LINE cannot be told where to send webhooks",
        ),
    }
}

fn sqlite() -> Finding {
    // An older one than 3.51.3 is refused whenever a database is opened; it is built in.
    Finding::ok("SQLite", schema::sqlite_version())
}

fn file_system(folder: &Path) -> Result<Finding> {
    Ok(match verify::diagnostics::network(folder)? {
        None => Finding::ok("file system", "it is on this machine"),
        Some(kind) => Finding::fail(
            "file system",
            format!("{} is on {kind}", folder.display()),
            "the database needs locks and syncs that a network does not keep: use a disk of this machine",
        ),
    })
}

fn disk(database: &Path) -> Result<Finding> {
    let free = health::free_bytes(database)?;
    let message = format!("there is room for {}", words::size(free));
    let finding = if free < FREE_BYTES_MIN {
        Finding::warn("disk", message, "make room: when it is full, nothing is taken in")
    } else {
        Finding::ok("disk", message)
    };
    Ok(finding.with_bytes(free))
}

fn modes(folder: &Path) -> Result<Finding> {
    if verify::diagnostics::open_to_others(folder)? == 0 {
        return Ok(Finding::ok("data directory", "it is for its owner alone"));
    }
    let message = format!("others than the owner may look into {}", folder.display());
    Ok(Finding::fail("data directory", message, format!("chmod 700 {}", folder.display())))
}

fn files(folder: &Path) -> Result<Finding> {
    let open = verify::diagnostics::open_entries(folder)?;
    let Some(first) = open.first() else {
        return Ok(Finding::ok("files", "they are for their owner alone"));
    };
    let message = format!(
        "open to others in the data directory: {}, {} first",
        words::counted_list(&open, "file"),
        first.display()
    );
    Ok(Finding::fail("files", message, format!("chmod -R go= {}", folder.display())))
}

/// A group may read it, such as that of the user who runs the server.
fn configuration(file: &Path) -> Finding {
    let message = format!("everybody on this machine may read {}", file.display());
    let found = verify::diagnostics::open_to_others(file).map(|mode| match mode & EVERYBODY {
        0 => Finding::ok("configuration", format!("{} can be used", file.display())),
        _ => Finding::warn(
            "configuration",
            message,
            format!("chmod o= {}, if a secret is in it", file.display()),
        ),
    });
    Finding::of("configuration", found, "look at the file")
}

fn secret_file(file: &Path) -> Finding {
    let message = format!("everybody on this machine may read {}", file.display());
    let found = verify::diagnostics::open_to_others(file).map(|mode| match mode & EVERYBODY {
        0 => Finding::ok("file of a secret", format!("{} is not for everybody", file.display())),
        _ => Finding::fail("file of a secret", message, format!("chmod o= {}", file.display())),
    });
    Finding::of("file of a secret", found, "look at the file")
}

fn key_location(config: &Config) -> Finding {
    match config.key_source() {
        KeySource::Given(_) => Finding::ok("storage.secret_key", "it comes from the configuration"),
        KeySource::File(path) => Finding::warn(
            "storage.secret_key",
            format!("the sealing key lies beside the data, in {}", path.display()),
            "whoever copies the folder has both: set storage.secret_key or storage.secret_key_file, and keep a copy",
        ),
    }
}

fn key(config: &Config) -> Finding {
    let opened = Reader::open(&config.database_path(), &config.key_source());
    Finding::of(
        "secrets",
        opened.map(|_| Finding::ok("secrets", "their key is the right one")),
        "see docs/SECRETS.md",
    )
}

fn log(database: &Path) -> Finding {
    let bytes = verify::diagnostics::log_bytes(database);
    let message = words::size(bytes);
    let finding = if bytes > LOG_BYTES_MAX {
        Finding::warn("log of the database", message, "find out which program reads the database for so long")
    } else {
        Finding::ok("log of the database", message)
    };
    finding.with_bytes(bytes)
}
