//! Reading files of any size: their length and SHA-256 are taken on the way, and whoever waits can ask for an end.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use crate::model::progress;

/// Asks a backup that is being made to end. Copies are the same request.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    requested: Arc<AtomicBool>,
}

/// Takes the hash and the length of what is read through it.
pub struct Hashing<R> {
    inner: R,
    digest: Context,
    size: u64,
    cancel: Cancel,
}

impl Cancel {
    /// Asks.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }
}

impl<R: Read> Hashing<R> {
    /// Reads from `inner` until that is cancelled.
    pub fn new(inner: R, cancel: &Cancel) -> Self {
        Self { inner, digest: Context::new(&SHA256), size: 0, cancel: cancel.clone() }
    }

    /// How many bytes were read, and their SHA-256 in hexadecimal digits.
    pub fn finish(self) -> (u64, String) {
        (self.size, HEXLOWER.encode(self.digest.finish().as_ref()))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_requested() {
            return Err(io::Error::other("the backup is not wanted any more"));
        }
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        let bytes = u64::try_from(count).map_err(io::Error::other)?;
        self.size += bytes;
        progress::advance(bytes);
        Ok(count)
    }
}
