//! An end for connections whose client takes nothing of what it is sent.

use std::any::Any;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;

/// What is done with each new connection: the kernel ends it when what was sent is not taken for this long, be it that
/// nobody is there any more or that nobody reads (`TCP_USER_TIMEOUT`; Linux counts a window that stays closed too).
pub fn limit(time: Duration) -> impl Fn(&dyn Any, &mut Extensions) + Clone + Send + 'static {
    move |connection, _| {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        if let Err(error) = SockRef::from(stream).set_tcp_user_timeout(Some(time)) {
            log::warn!("a connection has no limit for a client that does not read: {error}");
        }
    }
}
