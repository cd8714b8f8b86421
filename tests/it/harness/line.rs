//! LINE's side: the sandbox on a free port, in a thread of the test.

use std::net::TcpListener;

use actix_web::rt::System;
use kaiwa::sandbox;
use kaiwa::sandbox::options::Options;
use kaiwa::sandbox::people::Friendship;
use kaiwa::sandbox::platform::Platform;

/// A running sandbox. It ends with the test process.
pub struct Line {
    /// Direct access to its state.
    pub platform: Platform,
    /// Its base URL.
    pub url: String,
}

impl Line {
    /// A new platform without users.
    pub fn start() -> Self {
        Self::start_with(Options::generate())
    }

    /// A new platform with these options.
    pub fn start_with(options: Options) -> Self {
        let platform = Platform::new(options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = platform.clone();
        std::thread::spawn(move || {
            System::new().block_on(async { sandbox::serve(served, listener).unwrap().await })
        });
        Self { platform, url }
    }
    /// Adds a friend of the account and returns their id.
    pub fn friend(&self, name: &str) -> String {
        self.platform.with(|state| {
            let user = state.people_mut().user_named(name);
            user.friendship = Friendship::Friend;
            user.id.clone()
        })
    }
}
