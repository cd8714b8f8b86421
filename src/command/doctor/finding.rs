//! What a check has found.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};

/// What to do when the storage does not work, whatever was looked at.
const STORAGE: &str =
    "look at the disk first: is there room on it, does it work, may it be written? Then look again";

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and a person should look at it.
    Warn,
    /// It does not work, or something will be lost.
    Fail,
    /// It could not be looked at, for a reason that another finding tells.
    Skipped,
}

/// What one check has found. No secret is part of it.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    /// The size that the message tells, exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Ok, message: message.into(), remedy: None, bytes: None }
    }

    /// A person should look at it.
    pub fn warn(check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    /// It has to be put right.
    pub fn fail(check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    /// It could not be looked at: why another finding tells, in short.
    pub fn skipped(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level: Level::Skipped, ..Self::ok(check, message) }
    }

    /// What has to be put right, but not before something else was done: a person should look at it then.
    pub fn not_yet(self, remedy: impl Into<String>) -> Self {
        match self.level {
            Level::Fail => Self { level: Level::Warn, remedy: Some(remedy.into()), ..self },
            _ => self,
        }
    }

    /// The same finding with the size that its message tells.
    pub fn with_bytes(self, bytes: u64) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// The finding of a check that could not be made is that it failed.
    pub fn of(check: &str, outcome: Result<Self>, remedy: &str) -> Self {
        outcome.unwrap_or_else(|error| Self::failed(check, &error, remedy))
    }

    /// The check could not be made, for this reason. Where that is the disk, nothing else is to be put right.
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
