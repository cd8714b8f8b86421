//! The retry keys (`X-Line-Retry-Key`) of requests: a request with an accepted key is executed once within 24
//! hours.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use uuid::Uuid;

use crate::model::timestamp::Timestamp;

/// How long a key is stored after the first request with it.
const LIFETIME: Duration = Duration::from_hours(24);
/// Maximum number of keys stored.
const KEYS_MAX: usize = 1_000_000;

/// LINE's description of a message that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// The id of the message.
    pub id: String,
    /// The token for quoting the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_token: Option<String>,
}

/// The response to the request that was executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRequest {
    /// The id of the request that was executed.
    pub request_id: String,
    /// The messages that it sent; empty for endpoints that do not return them.
    pub sent_messages: Vec<SentMessage>,
}

/// All stored keys.
#[derive(Debug, Default)]
pub struct RetryKeys {
    keys: HashMap<Uuid, KeyUse>,
    order: VecDeque<(Timestamp, Uuid)>,
}

#[derive(Debug)]
struct KeyUse {
    first_at: Timestamp,
    request: Vec<u8>,
    accepted: Option<AcceptedRequest>,
}

impl RetryKeys {
    /// Records the use of a key; returns whether the request is the same as the first with this key.
    pub fn note(&mut self, key: Uuid, path: &str, body: &[u8], now: Timestamp) -> bool {
        self.evict(now);
        let request = fingerprint(path, body);
        if let Some(known) = self.keys.get(&key) {
            return known.request == request;
        }
        self.keys.insert(key, KeyUse { first_at: now, request, accepted: None });
        self.order.push_back((now, key));
        true
    }

    /// The response to the accepted request with this key.
    pub fn accepted(&self, key: Uuid, now: Timestamp) -> Option<&AcceptedRequest> {
        let known = self.keys.get(&key)?;
        known.accepted.as_ref().filter(|_| now.since(known.first_at) < LIFETIME)
    }

    /// Records that the request with this key was executed.
    pub fn accept(&mut self, key: Uuid, accepted: AcceptedRequest) {
        if let Some(known) = self.keys.get_mut(&key) {
            known.accepted = Some(accepted);
        }
    }

    fn evict(&mut self, now: Timestamp) {
        while let Some((first_at, key)) = self.order.front() {
            if now.since(*first_at) < LIFETIME && self.order.len() < KEYS_MAX {
                break;
            }
            self.keys.remove(key);
            self.order.pop_front();
        }
    }
}

fn fingerprint(path: &str, body: &[u8]) -> Vec<u8> {
    digest(&SHA256, &[path.as_bytes(), b"\n", body].concat()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);

    fn accepted() -> AcceptedRequest {
        AcceptedRequest { request_id: "request".to_owned(), sent_messages: Vec::new() }
    }

    #[test]
    fn an_accepted_key_is_stored_for_24_hours_from_its_first_request() {
        let mut keys = RetryKeys::default();
        let key = Uuid::new_v4();

        keys.note(key, "/push", b"{}", NOW);
        assert_eq!(keys.accepted(key, NOW), None);
        keys.accept(key, accepted());

        assert_eq!(
            keys.accepted(key, NOW.after(LIFETIME.saturating_sub(Duration::from_millis(1)))),
            Some(&accepted())
        );
        assert_eq!(keys.accepted(key, NOW.after(LIFETIME)), None);
    }

    #[test]
    fn after_24_hours_the_key_is_a_new_one() {
        let mut keys = RetryKeys::default();
        let key = Uuid::new_v4();
        keys.note(key, "/push", b"{}", NOW);
        keys.accept(key, accepted());

        assert!(keys.note(key, "/push", b"other", NOW.after(LIFETIME)));

        assert_eq!(keys.accepted(key, NOW.after(LIFETIME)), None);
    }

    #[test]
    fn another_body_or_path_with_the_same_key_is_detected() {
        let mut keys = RetryKeys::default();
        let key = Uuid::new_v4();

        assert!(keys.note(key, "/push", b"{}", NOW));
        assert!(keys.note(key, "/push", b"{}", NOW));
        assert!(!keys.note(key, "/push", b"{ }", NOW));
        assert!(!keys.note(key, "/multicast", b"{}", NOW));
        assert!(keys.note(Uuid::new_v4(), "/push", b"{ }", NOW));
    }
}
