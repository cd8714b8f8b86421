//! A customer's program: an HTTP server that records its calls and responds as a test wants.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::contract;

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method, path and version.
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// The response to a call: bytes, or `None` to close the connection.
type Response = Arc<dyn Fn(&Call) -> Option<String> + Send + Sync>;

/// A running receiver. It ends with the test process.
pub struct Receiver {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    response: Arc<Mutex<Response>>,
}

impl Receiver {
    /// A receiver that accepts everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            url: format!("http://{}/events", listener.local_addr().unwrap()),
            calls: Arc::default(),
            response: Arc::new(Mutex::new(Arc::new(|_| Some(status(204))))),
        };
        let (calls, response) = (Arc::clone(&receiver.calls), Arc::clone(&receiver.response));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (calls, response) = (Arc::clone(&calls), Arc::clone(&response));
                std::thread::spawn(move || serve(&mut connection.unwrap(), &calls, &response));
            }
        });
        receiver
    }

    /// Sets the response to all further calls.
    pub fn respond(&self, response: impl Fn(&Call) -> Option<String> + Send + Sync + 'static) {
        *self.response.lock().unwrap() = Arc::new(response);
    }

    /// Stops responding to calls.
    pub fn hang(&self) {
        self.respond(|_| {
            std::thread::park();
            None
        });
    }

    /// Responds to all further calls with this status.
    pub fn answer_all(&self, code: u16) {
        self.respond(move |_| Some(status(code)));
    }

    /// All calls so far, in order of arrival, each checked against the document.
    pub fn calls(&self) -> Vec<Call> {
        let calls = self.calls.lock().unwrap().clone();
        for call in &calls {
            contract::check_event(&call.json()).unwrap();
        }
        calls
    }

    /// The texts of the received message events.
    pub fn texts(&self) -> Vec<String> {
        let created = |call: &Call| call.json()["type"] == "conversation_message_created";
        let text = |call: &Call| call.json()["data"]["text"].as_str().unwrap().to_owned();
        self.calls().iter().filter(|call| created(call)).map(text).collect()
    }
}

impl Call {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Whether one of the signatures is that of these bytes with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let signed =
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let tags = self.header("webhook-signature").split(' ').filter_map(|one| one.strip_prefix("v1,"));
        tags.map(|tag| STANDARD.decode(tag).unwrap())
            .any(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok())
    }
}

/// A response with this status and no body.
pub fn status(code: u16) -> String {
    with_header(code, "x-nothing: 1")
}

/// A response with this status and header.
pub fn with_header(code: u16, header: &str) -> String {
    format!("HTTP/1.1 {code} X\r\n{header}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn serve(connection: &mut TcpStream, calls: &Mutex<Vec<Call>>, response: &Mutex<Response>) {
    let call = read(&mut BufReader::new(&mut *connection));
    calls.lock().unwrap().push(call.clone());
    let response = Arc::clone(&response.lock().unwrap());
    let response = response(&call);
    // A server stopped during a call reads no response.
    response.map(|response| connection.write_all(response.as_bytes()).ok());
}

fn read(connection: &mut impl BufRead) -> Call {
    let mut head = || {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let line = head();
    let mut headers = HashMap::new();
    while let Some((name, value)) = head().split_once(": ") {
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    Call { line, headers, body: String::from_utf8(body).unwrap() }
}
