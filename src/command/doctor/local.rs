//! Checks on this machine: keys, files, disk, database.

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

/// Less free space than this is soon used up by the write-ahead log and a few files.
const FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;

/// A running server resets its log at 128 MiB; a larger one means that some reader keeps an old snapshot open
/// for long.
const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The permissions of others: neither the owner nor the group.
const OTHERS: u32 = 0o007;

/// Runs all checks; before the first start, those that are possible.
pub fn check(config: &Config, file: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![jwt_key(config, file), public_url(config), sqlite()];
    findings.extend(file.map(configuration));
    findings.extend(config.secret_files().into_iter().map(secret_file));
    let directory = &config.data_directory;
    let gone = gone(config);
    if !directory.exists() {
        findings.extend(gone);
        let message = format!("{} does not exist yet; the first start creates it", directory.display());
        findings.push(Finding::ok("data directory", message));
        return findings;
    }
    let database = config.database_path();
    findings.push(Finding::of("file system", file_system(directory), "check the data directory"));
    findings.push(Finding::of("disk", disk(&database), "check the data directory"));
    findings.push(Finding::of("data directory", modes(directory), "check the data directory"));
    findings.push(Finding::of("files", files(directory), "check the data directory"));
    findings.push(key_location(config));
    if let Some(gone) = gone {
        findings.push(gone);
    } else if lost::require(&database).is_ok() {
        let remedy = "do not start the server on it before reading docs/BACKUP.md";
        let checked = verify::diagnostics::database(&database, Timestamp::now())
            .map(|()| Finding::ok("database", "it is intact"));
        findings.push(Finding::of("database", checked, remedy));
        findings.push(key(config));
        findings.push(log(&database));
    } else {
        findings.push(Finding::ok("database", "it does not exist yet; the first start creates it"));
    }
    findings
}

/// Reports a database that existed and is gone; then no other check of it makes sense.
fn gone(config: &Config) -> Option<Finding> {
    let remedy = "mount the disk or restore the file; `kaiwa migrate --new` deliberately creates a new one";
    match remains::find(config) {
        Ok(None) => None,
        Ok(Some(remains)) => {
            let message = format!("it is gone, although there was one: {}", remains.describe());
            Some(Finding::fail("database", message, remedy))
        }
        Err(error) => Some(Finding::fail("database", error.chain(), "check the data directory")),
    }
}

fn jwt_key(config: &Config, file: Option<&Path>) -> Finding {
    let long = settings::jwt_key(config, file).map(|_| Finding::ok("auth.jwt_key", "it is long enough"));
    Finding::of("auth.jwt_key", long, "without it no token can be issued")
}

fn public_url(config: &Config) -> Finding {
    match &config.public_url {
        Some(url) if url.scheme() == "https" => Finding::ok("public_url", url.as_str()),
        Some(url) => Finding::warn("public_url", url.as_str(), "LINE sends webhooks only to https"),
        None => Finding::warn("public_url", "it is not set", "LINE needs it to know where to send webhooks"),
    }
}

fn sqlite() -> Finding {
    // SQLite is built in, and opening a database fails with a version older than 3.51.3.
    Finding::ok("SQLite", schema::sqlite_version())
}

fn file_system(directory: &Path) -> Result<Finding> {
    Ok(match verify::diagnostics::network(directory)? {
        None => Finding::ok("file system", "it is on this machine"),
        Some(kind) => Finding::fail(
            "file system",
            format!("{} is on {kind}", directory.display()),
            "the database needs locks and syncs that network file systems do not guarantee: use a local disk",
        ),
    })
}

fn disk(database: &Path) -> Result<Finding> {
    let free = health::free_bytes(database)?;
    let message = format!("{} are free", words::size(free));
    let finding = if free < FREE_BYTES_MIN {
        Finding::warn("disk", message, "free some space: when the disk is full, nothing can be stored")
    } else {
        Finding::ok("disk", message)
    };
    Ok(finding.with_bytes(free))
}

fn modes(directory: &Path) -> Result<Finding> {
    if verify::diagnostics::open_to_others(directory)? == 0 {
        return Ok(Finding::ok("data directory", "only its owner has access"));
    }
    let message = format!("users other than the owner have access to {}", directory.display());
    Ok(Finding::fail("data directory", message, format!("chmod 700 {}", directory.display())))
}

fn files(directory: &Path) -> Result<Finding> {
    let open = verify::diagnostics::open_entries(directory)?;
    let Some(first) = open.first() else {
        return Ok(Finding::ok("files", "only their owner has access"));
    };
    let message = format!(
        "accessible to others in the data directory: {}, such as {}",
        words::counted_list(&open, "file"),
        first.display()
    );
    Ok(Finding::fail("files", message, format!("chmod -R go= {}", directory.display())))
}

/// The group may read it, such as that of the user who runs the server.
fn configuration(file: &Path) -> Finding {
    let message = format!("everyone on this machine can read {}", file.display());
    let found = verify::diagnostics::open_to_others(file).map(|mode| match mode & OTHERS {
        0 => Finding::ok("configuration", format!("{} is valid", file.display())),
        _ => Finding::warn(
            "configuration",
            message,
            format!("chmod o= {}, if it contains a secret", file.display()),
        ),
    });
    Finding::of("configuration", found, "check the file")
}

fn secret_file(file: &Path) -> Finding {
    let message = format!("everyone on this machine can read {}", file.display());
    let found = verify::diagnostics::open_to_others(file).map(|mode| match mode & OTHERS {
        0 => Finding::ok("secret file", format!("{} is not readable by everyone", file.display())),
        _ => Finding::fail("secret file", message, format!("chmod o= {}", file.display())),
    });
    Finding::of("secret file", found, "check the file")
}

fn key_location(config: &Config) -> Finding {
    match config.key_source() {
        KeySource::Given(_) => Finding::ok("storage.secret_key", "it comes from the configuration"),
        KeySource::File(path) => Finding::warn(
            "storage.secret_key",
            format!("the sealing key is stored with the data, in {}", path.display()),
            "a copy of the directory contains both: set storage.secret_key or storage.secret_key_file, and keep a copy of the key",
        ),
    }
}

fn key(config: &Config) -> Finding {
    let opened = Reader::open(&config.database_path(), &config.key_source());
    Finding::of(
        "secrets",
        opened.map(|_| Finding::ok("secrets", "the sealing key is right")),
        "see docs/SECRETS.md",
    )
}

fn log(database: &Path) -> Finding {
    let bytes = verify::diagnostics::log_bytes(database);
    let message = words::size(bytes);
    let finding = if bytes > LOG_BYTES_MAX {
        Finding::warn(
            "write-ahead log",
            message,
            "find out which program has been reading the database for so long",
        )
    } else {
        Finding::ok("write-ahead log", message)
    };
    finding.with_bytes(bytes)
}
