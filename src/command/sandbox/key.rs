//! The sandbox's own key for tokens: made once, kept for its owner alone.

use std::io::Write;
use std::path::Path;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;

use crate::error::{Error, Result};
use crate::files;
use crate::model::secret::Secret;

/// As many random bytes as HMAC-SHA256 has.
const KEY_BYTES: usize = 32;

/// The key that this file keeps; a new one when there is no file.
pub fn load_or_make(path: &Path) -> Result<Secret> {
    if path.exists() {
        let text = std::fs::read_to_string(path).map_err(|error| unusable(path, &error))?;
        let broken =
            || Error::Unusable(format!("{} is broken: remove it, a new one is made", path.display()));
        return Secret::credential(text.trim()).ok_or_else(broken);
    }
    let mut bytes = [0; KEY_BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::Unusable("the system gives no random bytes".to_owned()))?;
    let key = HEXLOWER.encode(&bytes);
    write_private(path, &key)?;
    Ok(Secret::new(key))
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    files::replace(path, |file| writeln!(file, "{text}")).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::Unusable(format!("{}: {error}", path.display()))
}
