//! The program under a service manager: socket activation, watchdog notifications and health checks.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kaiwa::line::signature;
use kaiwa::model::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::program::{Serving, check_refused, kaiwa, succeed};
use crate::harness::PATIENCE;
use crate::harness::server::text_event;

const CUSTOMER: &str = "5e4a0680-804e-11ec-8477-2fea5968d85b";
const ACCOUNT: &str = "d9d32881-12fd-4b19-a6b2-6d5ffb6acd76";
const SECRET: &str = "channel-secret";

/// Concurrent callers.
const CALLERS: usize = 4;

/// The number of responses required between two stops of the server.
const RESPONSES_BETWEEN_STOPS: usize = 25;

/// A folder with settings, and a socket that stays open while successive servers listen on it.
pub struct Held {
    pub folder: TempDir,
    socket: TcpListener,
}

impl Held {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = format!(
            "[[customers]]\nid = \"{CUSTOMER}\"\n[[accounts]]\nid = \"{ACCOUNT}\"\ncustomer = \"{CUSTOMER}\"\n\
             secret = \"{SECRET}\"\ntoken = \"t\"\n[line]\napi_base = \"http://127.0.0.1:9\"\n"
        );
        std::fs::write(folder.path().join("kaiwa.toml"), settings).unwrap();
        Self { folder, socket: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub fn start(&self) -> Serving {
        let socket = OwnedFd::from(self.socket.try_clone().unwrap());
        Serving::start(handed(self.folder.path(), socket.into(), 1))
    }
}

/// A server that gets descriptors from 3 on, as systemd passes them.
fn handed(folder: &Path, socket: Stdio, count: usize) -> Command {
    const HAND_OVER: &str = r#"exec 3<&0 0</dev/null; export LISTEN_PID=$$; exec "$0" "$@""#;
    let program = kaiwa(folder, &["serve", "--config", "kaiwa.toml"]);
    let mut command = Command::new("sh");
    command.args(["-c", HAND_OVER]).arg(program.get_program()).args(program.get_args()).current_dir(folder);
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("LISTEN_FDS", count.to_string()).stdin(socket);
    command
}

/// What LINE's side observed.
#[derive(Default)]
pub struct Seen {
    pub done: AtomicBool,
    pub answered: AtomicUsize,
    pub refused: AtomicUsize,
    /// Connections that ended without a response.
    pub broken: AtomicUsize,
}

impl Seen {
    /// Sends one event after the other, each until it gets 200, and counts them.
    pub fn call(&self, address: SocketAddr) {
        while !self.done.load(Ordering::Relaxed) {
            let body = json!({ "destination": "U0", "events": [text_event("U1", "hello")] }).to_string();
            let limit = Instant::now() + PATIENCE;
            while self.deliver(address, &body) != Some(200) {
                assert!(Instant::now() < limit, "no response");
            }
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The status, or `None` without a response.
    pub fn deliver(&self, address: SocketAddr, body: &str) -> Option<u16> {
        let Ok(stream) = TcpStream::connect(address) else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let status = ask(stream, body);
        self.broken.fetch_add(usize::from(status.is_none()), Ordering::Relaxed);
        status
    }

    pub fn wait_for_more(&self) {
        let (goal, limit) =
            (self.answered.load(Ordering::Relaxed) + RESPONSES_BETWEEN_STOPS, Instant::now() + PATIENCE);
        while self.answered.load(Ordering::Relaxed) < goal {
            assert!(Instant::now() < limit, "too few responses");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A signed webhook.
pub fn webhook(address: SocketAddr, body: &str, connection: &str) -> String {
    let signature = signature::sign(&Secret::new(SECRET), body.as_bytes());
    let length = body.len();
    format!(
        "POST /v1.0/conversation/accounts/{ACCOUNT} HTTP/1.1\r\nhost: {address}\r\nconnection: {connection}\r\n\
         x-line-signature: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// The status returned for a webhook on a new connection.
fn ask(mut stream: TcpStream, body: &str) -> Option<u16> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut response = String::new();
    stream.write_all(webhook(stream.peer_addr().ok()?, body, "close").as_bytes()).ok()?;
    stream.read_to_string(&mut response).ok()?;
    response.get(9..12)?.parse().ok()
}

#[test]
fn a_held_socket_refuses_nobody_while_the_server_is_killed_and_restarted() {
    let held = Held::new();
    let seen = Seen::default();
    let mut serving = held.start();

    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| seen.call(held.address()));
        }
        for signal in ["-KILL", "-TERM", "-KILL", "-TERM"] {
            seen.wait_for_more();
            serving.signal(signal);
            serving.child.wait().unwrap();
            serving = held.start();
        }
        seen.wait_for_more();
        seen.done.store(true, Ordering::Relaxed);
    });
    serving.signal("-TERM");
    serving.child.wait().unwrap();

    assert_eq!(seen.refused.into_inner(), 0);
    let database = rusqlite::Connection::open(held.folder.path().join("kaiwa-data/kaiwa.db")).unwrap();
    let stored: rusqlite::Result<i64> =
        database.query_row("SELECT count(*) FROM messages", [], |row| row.get(0));
    assert_eq!(
        usize::try_from(stored.unwrap()).unwrap(),
        seen.answered.into_inner(),
        "each acknowledged event, once"
    );
}

#[test]
fn exactly_one_listening_socket_must_be_passed() {
    let held = Held::new();
    let folder = held.folder.path();
    let socket = OwnedFd::from(held.socket.try_clone().unwrap());

    check_refused(handed(folder, socket.into(), 2), 78, "2 sockets");
    check_refused(handed(folder, Stdio::null(), 1), 78, "the socket passed by the service manager");
}

/// The service manager's notification socket.
struct Manager(UnixDatagram);

impl Manager {
    fn of(folder: &Path) -> Self {
        let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn receive(&self) -> String {
        let mut words = [0; 64];
        let length = self.0.recv(&mut words).unwrap();
        String::from_utf8_lossy(&words[..length]).into_owned()
    }
}

#[test]
fn the_service_manager_is_notified_when_the_server_is_ready_alive_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::of(folder.path());
    let mut command = kaiwa(folder.path(), &["serve"]);
    command.env("NOTIFY_SOCKET", "notify").env("WATCHDOG_USEC", "100000");
    let mut serving = Serving::start(command);

    let first: Vec<_> = (0..4).map(|_| manager.receive()).collect();
    serving.signal("-TERM");
    let last = std::iter::repeat_with(|| manager.receive()).find(|word| word != "WATCHDOG=1");

    assert_eq!(first, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!(last.unwrap(), "STOPPING=1");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_watchdog_of_another_process_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let manager = Manager::of(folder.path());
    let mut command = kaiwa(folder.path(), &["serve"]);
    command.env("NOTIFY_SOCKET", "notify").env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let mut serving = Serving::start(command);

    let first = manager.receive();
    serving.signal("-TERM");
    serving.child.wait().unwrap();

    assert_eq!([first, manager.receive()], ["READY=1", "STOPPING=1"], "and nothing in between");
}

#[test]
fn the_healthcheck_exits_with_0_while_the_server_is_ready_and_with_1_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(kaiwa(folder.path(), &["serve"]));
    let address = serving.url.strip_prefix("http://").unwrap().to_owned();
    let ask = |arguments: &[&str]| {
        let mut command = kaiwa(folder.path(), &[&["healthcheck"], arguments].concat());
        command.env("KAIWA_LISTEN", &address);
        command
    };

    let plain = ask(&[]).output().unwrap();
    let json = ask(&["--json"]).output().unwrap();
    serving.signal("-TERM");
    serving.child.wait().unwrap();

    assert_eq!((plain.status.code(), plain.stdout.as_slice()), (Some(0), b"ready\n".as_slice()));
    let response: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json.status.code(), &response["checks"]["storage"]), (Some(0), &json!("ok")));
    check_refused(ask(&[]), 1, "does not respond");
    assert!(succeed(folder.path(), &["help", "healthcheck"]).contains("--config"));
}
