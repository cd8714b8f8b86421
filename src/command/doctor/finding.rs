//! The results of checks.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};

/// The remedy when storage fails, whatever the check.
const STORAGE: &str = "check the disk first: is it full, broken or read-only? Then run the doctor again";

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// All is well.
    Ok,
    /// It works but deserves attention.
    Warn,
    /// It does not work, or data will be lost.
    Fail,
    /// It could not be checked, for a reason that another finding states.
    Skipped,
}

/// The result of one check. It contains no secrets.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The subject of the check.
    pub check: String,
    /// The severity of a finding.
    pub level: Level,
    message: String,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// The exact size that the message mentions.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Ok, message: message.into(), remedy: None, bytes: None }
    }

    /// A finding that deserves attention.
    pub fn warn(check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    /// A finding that must be fixed.
    pub fn fail(check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    /// A check that was skipped, with the reason in short.
    pub fn skipped(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Skipped, ..Self::ok(check, message) }
    }

    /// Downgrades a failure to a warning while something else has to be done first.
    pub fn not_yet(self, remedy: impl Into<String>) -> Self {
        match self.level {
            Level::Fail => Self { level: Level::Warn, remedy: Some(remedy.into()), ..self },
            _ => self,
        }
    }

    /// Adds the size that the message mentions.
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// The outcome of a check; one that could not be made is a failure.
    pub fn of(check: &str, outcome: Result<Self>, remedy: &str) -> Self {
        outcome.unwrap_or_else(|error| Self::failed(check, &error, remedy))
    }

    /// A check that could not be made, for this reason. If storage is unavailable, the remedy is to fix that.
    pub fn failed(check: &str, error: &Error, remedy: &str) -> Self {
        let remedy = if matches!(error, Error::Unavailable(_)) { STORAGE } else { remedy };
        Self::fail(check, error.chain(), remedy)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
            Level::Skipped => "skipped",
        };
        write!(formatter, "{level:4}  {}: {}", self.check, self.message)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(formatter, "; {remedy}"))
    }
}
