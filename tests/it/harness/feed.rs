//! A client of the live feed.

use std::pin::Pin;

use actix_web::web::Bytes;
use awc::error::PayloadError;
use awc::http::Method;
use futures_util::{Stream, StreamExt};
use serde_json::Value;

use crate::harness::server::TestServer;
use crate::harness::{PATIENCE, contract};

/// An open feed.
pub struct Feed {
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>,
    unread: String,
    /// The id with which a browser would reconnect.
    pub last_id: i64,
}

/// An event in the feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: i64,
    pub kind: String,
    pub body: Value,
}

impl Feed {
    /// Opens the feed of the server's customer and reads its start; `query` follows the path.
    pub async fn open(server: &TestServer, query: &str) -> Self {
        Self::of(server.request(Method::GET, &format!("/v1.0/events{query}"))).await
    }

    /// Opens the feed of this request and reads its start.
    pub async fn of(request: awc::ClientRequest) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let mut feed = Self { stream: Box::pin(response), unread: String::new(), last_id: -1 };
        let greeting = feed.block().await.unwrap();
        assert!(greeting.starts_with("retry: 1000\nid: "), "{greeting}");
        feed
    }

    /// The text up to the next empty line; `None` at the end of the feed.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                let id = block.lines().find_map(|line| line.strip_prefix("id: "));
                self.last_id = id.map_or(self.last_id, |id| id.parse().unwrap());
                return Some(block);
            }
            let piece = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("nothing came");
            self.unread.push_str(std::str::from_utf8(&piece?.ok()?).unwrap());
        }
    }

    /// The next event.
    pub async fn next(&mut self) -> Event {
        loop {
            let block = self.block().await.expect("the feed continues");
            let field = |name: &str| {
                let lines: Vec<_> = block.lines().filter_map(|line| line.strip_prefix(name)).collect();
                assert!(lines.len() <= 1, "one line of each field: {block}");
                lines.first().map(|line| (*line).to_owned())
            };
            if let Some(body) = field("data: ") {
                let body: Value = serde_json::from_str(&body).unwrap();
                contract::check_event(&body).unwrap();
                return Event { id: self.last_id, kind: field("event: ").unwrap(), body };
            }
        }
    }

    /// The next `count` events.
    pub async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await);
        }
        events
    }

    /// The events up to and including the first for which this holds.
    pub async fn until(&mut self, is_last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await;
            events.push(event.clone());
            if is_last(&event) {
                return events;
            }
        }
    }
}

impl Event {
    /// The text of the message that the event shows; empty for a conversation.
    pub fn text(&self) -> &str {
        self.body["data"]["text"].as_str().unwrap_or_default()
    }
}
