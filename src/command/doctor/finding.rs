//! What a check has found.

use std::fmt;

use serde::Serialize;

use crate::error::Result;

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
}

impl Finding {
    /// All is well.
    pub fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Ok, message: message.into(), remedy: None }
    }

    /// A person should look at it.
    pub fn warn(check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warn, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    /// It has to be put right.
    pub fn fail(check: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Fail, remedy: Some(remedy.into()), ..Self::ok(check, message) }
    }

    /// The finding of a check that could not be made is that it failed.
    pub fn of(check: &str, outcome: Result<Self>, remedy: &str) -> Self {
        outcome.unwrap_or_else(|error| Self::fail(check, error.chain(), remedy))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        write!(formatter, "{level:4}  {}: {}", self.check, self.message)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(formatter, "; {remedy}"))
    }
}
