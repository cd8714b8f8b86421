//! The memory of `X-Line-Retry-Key`: a request with an accepted key is executed once within 24 hours.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use uuid::Uuid;

use crate::model::timestamp::Timestamp;

/// A key is remembered for so long after the first request that carried it.
const LIFE: Duration = Duration::from_hours(24);
/// At most so many keys are remembered.
const KEYS_MAX: usize = 1_000_000;

/// What LINE tells of a message that it took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentMessage {
    /// The id of the message.
    pub id: String,
    /// With which the message can be quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote_token: Option<String>,
}

/// What the first execution answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedRequest {
    /// The id of the request that was executed.
    pub request_id: String,
    /// What it sent; nothing for endpoints that do not tell.
    pub sent_messages: Vec<SentMessage>,
}

/// All keys that are remembered.
#[derive(Debug, Default)]
pub struct RetryKeys {
    keys: HashMap<Uuid, Use>,
    order: VecDeque<(Timestamp, Uuid)>,
}

#[derive(Debug)]
struct Use {
    first_at: Timestamp,
    request: Vec<u8>,
    accepted: Option<AcceptedRequest>,
}

impl RetryKeys {
    /// Notes that a request carries this key; tells whether it is the same request as the first with this key.
    pub fn note(&mut self, key: Uuid, path: &str, body: &[u8], now: Timestamp) -> bool {
        self.forget(now);
        let request = fingerprint(path, body);
        if let Some(known) = self.keys.get(&key) {
            return known.request == request;
        }
        self.keys.insert(key, Use { first_at: now, request, accepted: None });
        self.order.push_back((now, key));
        true
    }

    /// What was answered when this key was accepted.
    pub fn accepted(&self, key: Uuid, now: Timestamp) -> Option<&AcceptedRequest> {
        let known = self.keys.get(&key)?;
        known.accepted.as_ref().filter(|_| now.since(known.first_at) < LIFE)
    }

    /// Remembers that the request with this key was executed.
    pub fn accept(&mut self, key: Uuid, accepted: AcceptedRequest) {
        if let Some(known) = self.keys.get_mut(&key) {
            known.accepted = Some(accepted);
        }
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((first_at, key)) = self.order.front() {
            if now.since(*first_at) < LIFE && self.order.len() < KEYS_MAX {
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
    fn an_accepted_key_is_remembered_for_24_hours_from_its_first_request() {
        let mut keys = RetryKeys::default();
        let key = Uuid::new_v4();

        keys.note(key, "/push", b"{}", NOW);
        assert_eq!(keys.accepted(key, NOW), None);
        keys.accept(key, accepted());

        assert_eq!(
            keys.accepted(key, NOW.after(LIFE.saturating_sub(Duration::from_millis(1)))),
            Some(&accepted())
        );
        assert_eq!(keys.accepted(key, NOW.after(LIFE)), None);
    }

    #[test]
    fn after_24_hours_the_key_is_a_new_one() {
        let mut keys = RetryKeys::default();
        let key = Uuid::new_v4();
        keys.note(key, "/push", b"{}", NOW);
        keys.accept(key, accepted());

        assert!(keys.note(key, "/push", b"other", NOW.after(LIFE)));

        assert_eq!(keys.accepted(key, NOW.after(LIFE)), None);
    }

    #[test]
    fn another_body_or_path_under_the_same_key_is_noticed() {
        let mut keys = RetryKeys::default();
        let key = Uuid::new_v4();

        assert!(keys.note(key, "/push", b"{}", NOW));
        assert!(keys.note(key, "/push", b"{}", NOW));
        assert!(!keys.note(key, "/push", b"{ }", NOW));
        assert!(!keys.note(key, "/multicast", b"{}", NOW));
        assert!(keys.note(Uuid::new_v4(), "/push", b"{ }", NOW));
    }
}
