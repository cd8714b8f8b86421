//! Secrets in files of their own.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::model::secret::Secret;

/// Larger than any key or token; a larger file must have been configured by mistake.
const SECRET_FILE_BYTES_MAX: usize = 64 * 1024;

/// Reads each configured secret file into its secret.
pub fn read_all(config: &mut Config) -> Result<()> {
    if let Some(path) = &config.auth.jwt_key_file {
        config.auth.jwt_key = Some(read("auth.jwt_key_file", path)?);
    }
    if let Some(path) = &config.storage.secret_key_file {
        config.storage.secret_key = Some(read("storage.secret_key_file", path)?);
    }
    for account in &mut config.accounts {
        if let Some(path) = &account.secret_file {
            account.secret = read("accounts.secret_file", path)?;
        }
        if let Some(path) = &account.secret_next_file {
            account.secret_next = Some(read("accounts.secret_next_file", path)?);
        }
        if let Some(path) = &account.token_file {
            account.token = read("accounts.token_file", path)?;
        }
    }
    Ok(())
}

/// The files that contain only a secret.
pub fn all(config: &Config) -> Vec<&Path> {
    let own = [&config.auth.jwt_key_file, &config.storage.secret_key_file, &config.tls.key_file];
    let accounts = config.accounts.iter();
    let accounts = accounts.flat_map(|one| [&one.secret_file, &one.secret_next_file, &one.token_file]);
    own.into_iter().chain(accounts).filter_map(|file| file.as_deref()).collect()
}

fn read(key: &str, path: &Path) -> Result<Secret> {
    let unusable = |fault: &str| Error::Unusable(format!("{key}: {} {fault}", path.display()));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(SECRET_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    if bytes.len() > SECRET_FILE_BYTES_MAX {
        return Err(unusable(&format!("has more than {SECRET_FILE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    // Editors and `echo` end a file with a line break, which is not part of the secret.
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        return Err(unusable("is empty"));
    }
    Ok(Secret::new(secret))
}
