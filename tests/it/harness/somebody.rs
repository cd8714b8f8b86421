//! A web server that belongs to somebody else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A server that answers every request with the same bytes and remembers the heads.
pub struct Somebody {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Somebody {
    /// A server on a port of its own. It ends with the test process.
    pub fn start(answer: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&heads), answer.to_vec());
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut head = [0; 4_096];
                let length = connection.read(&mut head).unwrap();
                seen.lock().unwrap().push(String::from_utf8_lossy(&head[..length]).into_owned());
                // Whoever asked may have gone away.
                connection.write_all(&answer).ok();
            }
        });
        Self { url, heads }
    }

    /// A server with this file.
    pub fn with_file(bytes: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        Self::start(&[head.as_bytes(), bytes].concat())
    }

    /// What was asked, oldest first.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}
