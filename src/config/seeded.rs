//! Deliberate faults, with which a test shows that it detects them. They exist only in builds with the feature
//! `seeded-bugs`.

use std::time::Duration;

/// A fault, selected by the environment variable `SEEDED_BUG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeededBug {
    /// `new-retry-keys`: each attempt uses a new retry key, so that LINE may send a message twice.
    NewRetryKeys,
    /// `answer-before-commit`: callers get the response a moment before the commit.
    AnswerBeforeCommit,
    /// `sent-before-sending`: a message is reported as sent a moment before it is, whatever LINE responds.
    SentBeforeSending,
    /// `normal-synchronous`: commits reach the disk at the next checkpoint, not immediately.
    NormalSynchronous,
}

impl SeededBug {
    /// How much too early something is reported.
    pub const MOMENT: Duration = Duration::from_millis(20);

    /// Whether this build has this fault and it is selected.
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
