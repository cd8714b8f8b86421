//! Stopping a server: accepted requests get responses, and no connection breaks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::command::program::{Serving, kaiwa};
use crate::harness::server::text_event;
use crate::server::supervised::{Held, Seen, webhook};

/// Concurrent callers.
const CALLERS: usize = 4;

/// Longer than any single step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn event() -> String {
    json!({ "destination": "U0", "events": [text_event("U1", "hello")] }).to_string()
}

/// A persistent connection.
struct KeptAlive(TcpStream);

impl KeptAlive {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).unwrap();
    }

    /// The head of the next response, which has no body.
    fn head(&mut self) -> String {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            assert_eq!(
                self.0.read(&mut byte).unwrap(),
                1,
                "it ended after {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    }

    #[track_caller]
    fn assert_last_response(&mut self) {
        let head = self.head();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(self.0.read(&mut [0]).unwrap(), 0, "nothing follows");
    }
}

#[test]
fn a_stop_breaks_no_connection_while_a_service_manager_holds_the_socket() {
    let (held, seen) = (Held::new(), Seen::default());
    let mut serving = held.start();

    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| seen.call(held.address()));
        }
        for _ in 0..3 {
            seen.wait_for_more();
            serving.signal("-TERM");
            assert_eq!(serving.child.wait().unwrap().code(), Some(0));
            serving = held.start();
        }
        seen.wait_for_more();
        seen.done.store(true, Ordering::Relaxed);
    });

    assert_eq!((seen.refused.into_inner(), seen.broken.into_inner()), (0, 0));
}

#[test]
fn a_stop_serves_every_connection_made_to_the_servers_own_socket() {
    let folder = Held::new().folder;
    let mut serving = Serving::start(kaiwa(folder.path(), &["serve", "--config", "kaiwa.toml"]));
    let address = serving.url.strip_prefix("http://").unwrap().parse().unwrap();
    let seen = Seen::default();

    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while seen.refused.load(Ordering::Relaxed) == 0 {
                    let is_taken = seen.deliver(address, &event()) == Some(200);
                    seen.answered.fetch_add(usize::from(is_taken), Ordering::Relaxed);
                }
            });
        }
        seen.wait_for_more();
        serving.signal("-TERM");
    });

    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert_eq!(seen.broken.into_inner(), 0);
}

#[test]
fn a_request_in_flight_at_a_stop_gets_a_response_that_closes_the_connection() {
    let held = Held::new();
    let mut serving = held.start();
    let address = held.address();
    let (mut idle, mut fresh, mut half) =
        (KeptAlive::to(address), KeptAlive::to(address), KeptAlive::to(address));
    idle.send(&webhook(address, &event(), "keep-alive"));
    assert!(!idle.head().contains("connection: close"));
    let request = webhook(address, &event(), "keep-alive");
    let (begin, rest) = request.split_at(request.len() / 2);
    half.send(begin);

    serving.signal("-TERM");
    idle.send(&webhook(address, &event(), "keep-alive"));
    fresh.send(&webhook(address, &event(), "keep-alive"));
    half.send(rest);

    for connection in [&mut idle, &mut fresh, &mut half] {
        connection.assert_last_response();
    }
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_idle_connection_does_not_delay_the_stop() {
    let held = Held::new();
    let mut serving = held.start();
    let (mut used, mut unused) = (KeptAlive::to(held.address()), KeptAlive::to(held.address()));
    used.send(&webhook(held.address(), &event(), "keep-alive"));
    used.head();

    serving.signal("-TERM");

    assert_eq!(serving.child.wait().unwrap().code(), Some(0), "long before the connections time out");
    assert_eq!((used.0.read(&mut [0]).unwrap(), unused.0.read(&mut [0]).unwrap()), (0, 0));
}
