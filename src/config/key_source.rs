//! Where the keys are with which the secrets in the database are sealed.

use std::path::PathBuf;

use crate::model::secret::Secret;

/// Where the sealing keys are. The first one is for what is sealed next, the others are still known during a rotation.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// In the configuration: one or several, with white space in between.
    Given(Secret),
    /// In this file, which is made with a new key when a database is made. Nobody configured anything.
    File(PathBuf),
}
