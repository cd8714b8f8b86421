//! Channel access tokens with a lifetime of 15 minutes, which cannot be revoked.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::timestamp::Timestamp;
use crate::sandbox::records::random;

/// Lifetime of a token.
pub const LIFETIME: Duration = Duration::from_mins(15);
/// Maximum number of tokens stored.
const TOKENS_MAX: usize = 10_000;

/// All tokens that have not expired.
#[derive(Debug, Default)]
pub struct AccessTokens {
    tokens: VecDeque<(Timestamp, String)>,
}

impl AccessTokens {
    /// Issues a new token.
    pub fn issue(&mut self, now: Timestamp) -> String {
        self.evict(now);
        let token = random::hexadecimal::<64>();
        self.tokens.push_back((now, token.clone()));
        token
    }

    /// Whether this token was issued and has not expired.
    pub fn is_valid(&self, token: &str, now: Timestamp) -> bool {
        self.tokens.iter().any(|(issued_at, known)| known == token && now.since(*issued_at) < LIFETIME)
    }

    /// Expires all tokens at once.
    pub fn expire(&mut self) {
        self.tokens.clear();
    }

    fn evict(&mut self, now: Timestamp) {
        while self.tokens.len() >= TOKENS_MAX
            || self.tokens.front().is_some_and(|(issued_at, _)| now.since(*issued_at) >= LIFETIME)
        {
            self.tokens.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_for_fifteen_minutes() {
        let now = Timestamp::from_milliseconds(1_700_000_000_000);
        let mut tokens = AccessTokens::default();

        let token = tokens.issue(now);

        assert!(tokens.is_valid(&token, now.after(LIFETIME.saturating_sub(Duration::from_millis(1)))));
        assert!(!tokens.is_valid(&token, now.after(LIFETIME)));
        assert!(!tokens.is_valid("another", now));
    }
}
