//! The `Idempotency-Key` of a request, as handlers see it: they record its claim in the transaction that
//! creates the object.

use std::cell::Cell;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use aws_lc_rs::digest::{SHA256, digest};

use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::runtime::app::Shared;
use crate::store::outbox::idempotency::IdempotencyClaim;

/// A SHA-256.
pub type Hash = [u8; 32];

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 255;

/// The request's key, if it has one.
#[derive(Clone, Default)]
pub struct IdempotencyKey {
    request: Option<Rc<Keyed>>,
}

/// A request with a key.
pub struct Keyed {
    /// The owner of the key.
    pub customer: CustomerId,
    /// The hash of the key.
    pub name: Hash,
    /// The hash of method, path and query.
    pub target: Hash,
    /// The hash of the body, once it has been read.
    pub body: Cell<Hash>,
    /// The state shared by the server's threads.
    pub shared: Arc<Shared>,
}

impl IdempotencyKey {
    /// The key of a request that has one.
    pub fn with(keyed: Rc<Keyed>) -> Self {
        Self { request: Some(keyed) }
    }

    /// The key of this request, if the middleware has stored one.
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Records the hash of this body, which was read as a whole.
    pub fn note_body(&self, body: &[u8]) {
        if let Some(request) = &self.request {
            request.body.set(hash(body));
        }
    }

    /// Records the SHA-256 of the body.
    pub fn note_body_hash(&self, body: Hash) {
        if let Some(request) = &self.request {
            request.body.set(body);
        }
    }

    /// The claim to record in the transaction that creates the object; `None` without a key.
    pub fn claim(&self) -> Option<IdempotencyClaim> {
        self.request.as_ref().map(|request| IdempotencyClaim {
            customer: request.customer,
            name: request.name,
            request: request.fingerprint(request.body.get()),
            keep: request.shared.config.limits.idempotency_keep,
        })
    }
}

impl FromRequest for IdempotencyKey {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(request)))
    }
}

impl Keyed {
    /// The hash that distinguishes this request from others with the same key.
    pub fn fingerprint(&self, body: Hash) -> Hash {
        hash(&[self.target, body].concat())
    }
}

/// Whether this is a valid key: 1 to 255 printable ASCII characters.
pub fn is_key(key: &[u8]) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// SHA-256.
pub fn hash(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
