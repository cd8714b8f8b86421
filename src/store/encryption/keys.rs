//! Sealing keys: from the configuration, or from a file beside the database.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;

use crate::config::key_source::KeySource;
use crate::error::{Error, Result};
use crate::files;
use crate::store::encryption::seal::SealingKey;
use crate::store::engine::failure;

/// Maximum size of a key file in bytes; a larger file is something else.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// A key with its hexadecimal digits, for writing it to a file.
pub struct ListedKey {
    /// The key.
    pub key: SealingKey,
    digits: String,
}

/// All available keys in order; none if the key file does not exist.
pub fn read(source: &KeySource) -> Result<Vec<ListedKey>> {
    match source {
        KeySource::Given(text) => parse(text.expose(), "storage.secret_key"),
        KeySource::File(path) => match read_file(path) {
            Ok(text) => parse(&text, &path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::Unusable(format!("cannot read {}: {error}", path.display()))),
        },
    }
}

/// The first available key, for a database that has none yet. If there is none, a new one is created and synced to disk.
pub fn first(source: &KeySource) -> Result<SealingKey> {
    let keys = read(source)?;
    match (keys.into_iter().next(), source) {
        (Some(first), _) => Ok(first.key),
        (None, KeySource::File(path)) => {
            let made = make()?;
            write(path, &[&made])?;
            log::info!(
                "storage: secrets are sealed with the new key in {}: keep a copy of it",
                path.display()
            );
            Ok(made.key)
        }
        (None, KeySource::Given(_)) => Err(no_key("storage.secret_key")),
    }
}

/// The key that replaces `current` in a rotation. A key file of ours contains both from now on.
///
/// `Unusable` when the first key of the configuration is still the current one.
pub fn successor(source: &KeySource, current: &str) -> Result<SealingKey> {
    let mut listed = read(source)?;
    match source {
        KeySource::Given(_) => {
            let first = listed.into_iter().next().filter(|first| first.key.id() != current);
            first.map(|first| first.key).ok_or_else(|| {
                Error::Unusable(
                    "the first key of storage.secret_key is in use: put the new one before it, then rotate again"
                        .to_owned(),
                )
            })
        }
        KeySource::File(path) => {
            // An interrupted rotation has left its new key in the first place.
            let begun = listed.first().is_some_and(|first| first.key.id() != current);
            let new = if begun { listed.remove(0) } else { make()? };
            let old = listed.iter().filter(|known| known.key.id() == current);
            write(path, &std::iter::once(&new).chain(old).collect::<Vec<_>>())?;
            Ok(new.key)
        }
    }
}

/// Removes all keys but this one from a key file of ours. Keys in the configuration are left to the operator.
pub fn retain_only(source: &KeySource, id: &str) -> Result<()> {
    let KeySource::File(path) = source else { return Ok(()) };
    let listed = read(source)?;
    write(path, &listed.iter().filter(|known| known.key.id() == id).collect::<Vec<_>>())
}

fn parse(text: &str, place: &str) -> Result<Vec<ListedKey>> {
    let listed = |digits: &str| {
        let key = SealingKey::parse(digits).ok_or_else(|| no_key(place))?;
        Ok(ListedKey { key, digits: digits.to_owned() })
    };
    let keys = text.split_whitespace().map(listed).collect::<Result<Vec<_>>>()?;
    if keys.is_empty() { Err(no_key(place)) } else { Ok(keys) }
}

fn no_key(place: &str) -> Error {
    Error::Unusable(format!(
        "{place} must contain keys of 64 hexadecimal digits, as `openssl rand -hex 32` generates them"
    ))
}

fn make() -> Result<ListedKey> {
    let mut bytes = [0; SealingKey::BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::internal("the system provides no random bytes"))?;
    Ok(ListedKey { key: SealingKey::new(&bytes), digits: HEXLOWER.encode(&bytes) })
}

/// A random secret text.
pub fn random_text() -> Result<String> {
    make().map(|made| made.digits)
}

fn read_file(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Replaces the key file atomically, with its old permissions: after a crash it is either the old or the new one.
fn write(path: &Path, keys: &[&ListedKey]) -> Result<()> {
    let text: String = keys.iter().flat_map(|key| [key.digits.as_str(), "\n"]).collect();
    let written = files::replace(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| failure::on_disk("write", path, &error))
}
