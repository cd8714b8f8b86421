//! Faults that are built in on purpose, so that a test can show that it sees them. A program without the feature
//! `seeded-bugs` has none of them.

use std::time::Duration;

/// A fault, which the environment variable `SEEDED_BUG` chooses by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeededBug {
    /// `new-retry-keys`: each attempt takes a key of its own, so that LINE may execute a message twice.
    NewRetryKeys,
    /// `answer-before-commit`: callers are told that something is stored a moment before it is.
    AnswerBeforeCommit,
    /// `sent-before-sending`: a message is said to be sent a moment before it is, and whatever LINE says.
    SentBeforeSending,
    /// `normal-synchronous`: commits reach the disk with the next checkpoint, not at once.
    NormalSynchronous,
}

impl SeededBug {
    /// How much too early something is said.
    pub const MOMENT: Duration = Duration::from_millis(20);

    /// Whether this program has this fault.
    pub fn is_built_in(self) -> bool {
        cfg!(feature = "seeded-bugs")
            && std::env::var_os("SEEDED_BUG").is_some_and(|name| name == self.name())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::NewRetryKeys => "new-retry-keys",
            Self::AnswerBeforeCommit => "answer-before-commit",
            Self::SentBeforeSending => "sent-before-sending",
            Self::NormalSynchronous => "normal-synchronous",
        }
    }
}
