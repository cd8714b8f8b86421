//! Reply tokens: each can be used once, shortly after its event.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::timestamp::Timestamp;

/// Maximum age of a token's event, redelivered or not.
const EVENT_AGE_MAX: Duration = Duration::from_mins(20);

/// All tokens that may still be usable.
#[derive(Debug)]
pub struct ReplyTokens {
    tokens: HashMap<String, IssuedToken>,
    order: VecDeque<(Timestamp, String)>,
    lifetime: Duration,
}

#[derive(Debug)]
struct IssuedToken {
    chat: String,
    event_at: Timestamp,
    delivered_at: Timestamp,
}

impl ReplyTokens {
    /// Tokens with this lifetime after a delivery.
    pub fn new(lifetime: Duration) -> Self {
        Self { tokens: HashMap::new(), order: VecDeque::new(), lifetime }
    }

    /// Sets the lifetime after a delivery.
    pub fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// The lifetime after a delivery.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Issues a token for an event of this chat.
    pub fn issue(&mut self, token: &str, chat: &str, now: Timestamp) {
        self.remove_expired(now);
        let issued = IssuedToken { chat: chat.to_owned(), event_at: now, delivered_at: now };
        self.tokens.insert(token.to_owned(), issued);
        self.order.push_back((now, token.to_owned()));
    }

    /// Restarts the lifetime of a token whose event is redelivered, unless it was used.
    pub fn renew(&mut self, token: &str, now: Timestamp) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.delivered_at = now;
        }
    }

    /// The chat in which this token can be used now.
    pub fn chat(&self, token: &str, now: Timestamp) -> Option<&str> {
        let token = self.tokens.get(token)?;
        let is_valid =
            now.since(token.delivered_at) <= self.lifetime && now.since(token.event_at) <= EVENT_AGE_MAX;
        is_valid.then_some(token.chat.as_str())
    }

    /// Uses up a token.
    pub fn consume(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    fn remove_expired(&mut self, now: Timestamp) {
        let old = |issued_at: Timestamp| now.since(issued_at) > EVENT_AGE_MAX;
        while let Some((_, token)) = self.order.pop_front_if(|(issued_at, _)| old(*issued_at)) {
            self.tokens.remove(&token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);
    const LIFETIME: Duration = Duration::from_mins(1);

    fn tokens() -> ReplyTokens {
        let mut tokens = ReplyTokens::new(LIFETIME);
        tokens.issue("token", "U1", NOW);
        tokens
    }

    #[test]
    fn a_token_is_used_once() {
        let mut tokens = tokens();

        assert_eq!(tokens.chat("token", NOW), Some("U1"));
        tokens.consume("token");

        assert_eq!(tokens.chat("token", NOW), None);
        assert_eq!(tokens.chat("another", NOW), None);
    }

    #[test]
    fn a_token_lives_for_a_minute() {
        let tokens = tokens();

        assert_eq!(tokens.chat("token", NOW.after(LIFETIME)), Some("U1"));
        assert_eq!(tokens.chat("token", NOW.after(LIFETIME).next()), None);
    }

    #[test]
    fn redelivery_restarts_a_tokens_lifetime_until_twenty_minutes_after_its_event() {
        let mut tokens = tokens();

        tokens.renew("token", NOW.after(EVENT_AGE_MAX));

        assert_eq!(tokens.chat("token", NOW.after(EVENT_AGE_MAX)), Some("U1"));
        assert_eq!(tokens.chat("token", NOW.after(EVENT_AGE_MAX).next()), None);
    }

    #[test]
    fn a_used_token_stays_used_when_its_event_is_redelivered() {
        let mut tokens = tokens();

        tokens.consume("token");
        tokens.renew("token", NOW);

        assert_eq!(tokens.chat("token", NOW), None);
    }

    #[test]
    fn expired_tokens_are_removed() {
        let mut tokens = tokens();

        tokens.issue("later", "U1", NOW.after(EVENT_AGE_MAX).next());

        assert_eq!(tokens.tokens.len(), 1);
    }
}
