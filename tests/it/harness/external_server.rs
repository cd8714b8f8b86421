//! A web server that belongs to somebody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A server that answers requests with bytes, ends the connection after each, and remembers the requests.
pub struct Somebody {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Somebody {
    /// A server on a port of its own that answers always the same. It ends with the test process.
    pub fn start(answer: &[u8]) -> Self {
        let answer = answer.to_vec();
        Self::answering(move |_| answer.clone())
    }

    /// A server that answers each request as it is told; it is given all of them so far, the last one included.
    pub fn answering(answer: impl Fn(&[String]) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut request = [0; 4_096];
                let length = connection.read(&mut request).unwrap();
                let mut seen = seen.lock().unwrap();
                seen.push(String::from_utf8_lossy(&request[..length]).into_owned());
                // Whoever asked may have gone away.
                connection.write_all(&answer(&seen)).ok();
            }
        });
        Self { url, requests }
    }

    /// A server with this file.
    pub fn with_file(bytes: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        Self::start(&[head.as_bytes(), bytes].concat())
    }

    /// What was asked, oldest first.
    pub fn heads(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}
