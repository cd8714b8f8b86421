//! The sandbox's own signing key for tokens, generated once and readable by its owner alone.

use std::io::Write;
use std::path::Path;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;

use crate::error::{Error, Result};
use crate::files;
use crate::model::secret::Secret;

/// The length of an HMAC-SHA256.
const KEY_BYTES: usize = 32;

/// Loads the key from this file, or generates one if there is no file.
pub fn load_or_generate(path: &Path) -> Result<Secret> {
    if path.exists() {
        let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        let broken = || {
            Error::Unusable(format!("{} is broken: remove it, and a new one is generated", path.display()))
        };
        return Secret::credential(text.trim()).ok_or_else(broken);
    }
    let mut bytes = [0; KEY_BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::Unusable("the system has no random bytes".to_owned()))?;
    let key = HEXLOWER.encode(&bytes);
    write_private(path, &key)?;
    Ok(Secret::new(key))
}

/// Atomically writes a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    files::replace(path, |file| writeln!(file, "{text}")).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unusable(format!("{}: {error}", path.display()))
}
