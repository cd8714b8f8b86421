//! Closes a connection without a response, as happens on networks.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, rt};

use crate::net::listening::LineEndStream;

/// A second handle to the socket of a request.
#[derive(Debug)]
struct Socket(TcpStream);

/// Stores a handle to a new connection, so that a request on it can close it later.
pub fn remember(connection: &LineEndStream<rt::net::TcpStream>, extensions: &mut Extensions) {
    if let Ok(handle) = connection.stream().as_fd().try_clone_to_owned() {
        extensions.insert(Socket(TcpStream::from(handle)));
    }
}

/// Closes the connection of this request; any later response is lost.
pub fn hang_up(request: &HttpRequest) {
    let socket = request.conn_data::<Socket>();
    if let Some(Err(error)) = socket.map(|socket| socket.0.shutdown(Shutdown::Both)) {
        log::debug!("sandbox: the connection was already closed: {error}");
    }
}
