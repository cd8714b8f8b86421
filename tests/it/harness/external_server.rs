//! A third-party web server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A server that responds with raw bytes, closes the connection after each request, and records the requests.
pub struct ExternalServer {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ExternalServer {
    /// A server on a free port that always returns the same response. It ends with the test process.
    pub fn start(response: &[u8]) -> Self {
        let response = response.to_vec();
        Self::responding(move |_| response.clone())
    }

    /// A server that computes each response from all requests so far, including the current one.
    pub fn responding(response: impl Fn(&[String]) -> Vec<u8> + Send + 'static) -> Self {
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
                // The client may have disconnected.
                connection.write_all(&response(&seen)).ok();
            }
        });
        Self { url, requests }
    }

    /// A server that returns this file.
    pub fn with_file(bytes: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
        Self::start(&[head.as_bytes(), bytes].concat())
    }

    /// The heads of all requests, oldest first.
    pub fn heads(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}
