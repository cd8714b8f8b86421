//! Closing a connection without an answer, as networks do.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, rt};

use crate::net::listening::LineEndStream;

/// A second handle to the connection of a request.
#[derive(Debug)]
struct Socket(TcpStream);

/// Remembers a new connection, so that a request on it can hang up later.
pub fn remember(connection: &LineEndStream<rt::net::TcpStream>, extensions: &mut Extensions) {
    if let Ok(handle) = connection.stream().as_fd().try_clone_to_owned() {
        extensions.insert(Socket(TcpStream::from(handle)));
    }
}

/// Closes the connection of this request; whatever is answered afterwards goes nowhere.
pub fn hang_up(request: &HttpRequest) {
    let line = request.conn_data::<Socket>();
    if let Some(Err(error)) = line.map(|line| line.0.shutdown(Shutdown::Both)) {
        log::debug!("sandbox: the connection was closed already: {error}");
    }
}
