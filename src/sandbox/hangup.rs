//! Closing a connection without an answer, as networks do.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, rt};

/// A second handle to the connection of a request.
#[derive(Debug)]
struct Line(TcpStream);

/// Remembers a new connection, so that a request on it can hang up later.
pub fn remember(connection: &dyn Any, extensions: &mut Extensions) {
    let stream = connection.downcast_ref::<rt::net::TcpStream>();
    let handle = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok());
    if let Some(handle) = handle {
        extensions.insert(Line(TcpStream::from(handle)));
    }
}

/// Closes the connection of this request; whatever is answered afterwards goes nowhere.
pub fn hang_up(request: &HttpRequest) {
    let line = request.conn_data::<Line>();
    if let Some(Err(error)) = line.map(|line| line.0.shutdown(Shutdown::Both)) {
        log::debug!("sandbox: the connection was closed already: {error}");
    }
}
