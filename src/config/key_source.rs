//! The source of the keys that seal the secrets in the database.

use std::path::PathBuf;

use crate::model::secret::Secret;

/// The source of the sealing keys. The first key seals new values; the others remain valid during a rotation.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The configuration: one or several keys, separated by white space.
    Given(Secret),
    /// This file, created with a new key together with the database. Used when no key is configured.
    File(PathBuf),
}
