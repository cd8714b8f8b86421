//! A reader that computes length and SHA-256 of what passes through it, and stops on request.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use crate::model::progress;

/// Request to cancel a backup. Clones share the same request.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    requested: Arc<AtomicBool>,
}

/// Computes the length and the SHA-256 of everything read through it.
pub struct Hashing<R> {
    inner: R,
    digest: Context,
    size: u64,
    cancel: Cancel,
}

impl Cancel {
    /// Requests cancellation.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether cancellation was requested.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }
}

impl<R: Read> Hashing<R> {
    /// Reads from `inner` until `cancel` is requested.
    pub fn new(inner: R, cancel: &Cancel) -> Self {
        Self { inner, digest: Context::new(&SHA256), size: 0, cancel: cancel.clone() }
    }

    /// The number of bytes read, and their SHA-256 in hexadecimal.
    pub fn finish(self) -> (u64, String) {
        (self.size, HEXLOWER.encode(self.digest.finish().as_ref()))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_requested() {
            return Err(io::Error::other("the backup was cancelled"));
        }
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        let bytes = u64::try_from(count).map_err(io::Error::other)?;
        self.size += bytes;
        progress::advance(bytes);
        Ok(count)
    }
}
