//! What a handler has to know of the `Idempotency-Key` of its request: it notes the claim in the transaction of what it creates.

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

/// The longest key.
pub const KEY_BYTES_MAX: usize = 255;

/// What a handler has to know of the key of its request, if it has one.
#[derive(Clone, Default)]
pub struct IdempotencyKey {
    request: Option<Rc<Keyed>>,
}

/// A request with a key.
pub struct Keyed {
    /// Whose key it is.
    pub customer: CustomerId,
    /// The hash of the key.
    pub name: Hash,
    /// Of method, path and query.
    pub target: Hash,
    /// Of the body, once it was read.
    pub body: Cell<Hash>,
    /// What the server's threads share.
    pub shared: Arc<Shared>,
}

impl IdempotencyKey {
    /// Of a request with this key.
    pub fn with(keyed: Rc<Keyed>) -> Self {
        Self { request: Some(keyed) }
    }

    /// What is known of the key of this request.
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// The body is this, as far as it was read as a whole.
    pub fn note_body(&self, body: &[u8]) {
        if let Some(request) = &self.request {
            request.body.set(hash(body));
        }
    }

    /// The body has this SHA-256.
    pub fn note_body_hash(&self, body: Hash) {
        if let Some(request) = &self.request {
            request.body.set(body);
        }
    }

    /// What is to be noted in the transaction of what is created; nothing without a key.
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
    /// What tells this request from another one with the same key.
    pub fn fingerprint(&self, body: Hash) -> Hash {
        hash(&[self.target, body].concat())
    }
}

/// Whether this can be a key: 1 to 255 printable ASCII characters.
pub fn is_key(key: &[u8]) -> bool {
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// SHA-256.
pub fn hash(bytes: &[u8]) -> Hash {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
