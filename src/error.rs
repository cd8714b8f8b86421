//! The program's error type. Variants are named by what the caller can do about them.

use std::fmt;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation failed.
///
/// Only `api::error` turns it into HTTP, and only `command` into an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is invalid; the text says what was expected.
    #[error("{message}")]
    Invalid {
        /// Which rule was broken.
        rule: InvalidRule,
        /// What was expected, for a person.
        message: String,
    },
    /// Properties of the request break LINE's rules, so LINE would refuse the message.
    #[error("LINE would refuse this: {}", summary(.0))]
    InvalidProperties(Vec<InvalidProperty>),
    /// No credentials were given.
    #[error(
        "a token is required: send `Authorization: Bearer`, the query parameter `token` or the cookie `token`"
    )]
    NoCredentials,
    /// The credentials are wrong, malformed or expired.
    #[error("{0}")]
    BadCredentials(&'static str),
    /// The caller is authenticated but may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// It does not exist or belongs to another customer; the response is the same.
    #[error("no such {0}")]
    NotFound(Resource),
    /// It exists, but what is requested of it is not available (yet); the text says why.
    #[error("{1}")]
    NotHere(Resource, String),
    /// The path exists, but not this method; the text lists those that do.
    #[error("this path supports {allow}")]
    MethodNotAllowed {
        /// The methods that exist, as the `Allow` header writes them.
        allow: String,
    },
    /// Its state does not allow this.
    #[error("{0}")]
    Conflict(String),
    /// Another request with the same idempotency key is in progress.
    #[error("a request with this `Idempotency-Key` is in progress; retry later")]
    KeyInUse,
    /// The idempotency key belongs to a different request.
    #[error("this `Idempotency-Key` was used with a different request; use a new one")]
    KeyReused,
    /// The requested range lies outside the file.
    #[error("this file has {size} bytes")]
    NoSuchRange {
        /// The size of the file in bytes.
        size: u64,
    },
    /// The caller exceeds its share; a retry after a while is right.
    #[error("{message}")]
    TooMany {
        /// Which share is used up.
        message: String,
        /// How long to wait before a retry.
        wait: std::time::Duration,
    },
    /// The body did not arrive in time.
    #[error("the request did not arrive within {seconds} seconds")]
    TooSlow {
        /// The timeout of a request.
        seconds: u64,
    },
    /// The body is larger than this path accepts.
    #[error("the body may have at most {limit_bytes} bytes")]
    TooLarge {
        /// The largest accepted body.
        limit_bytes: usize,
    },
    /// A file is larger than LINE or the customer's share allows.
    #[error("{0}")]
    FileTooLarge(String),
    /// The type or encoding of the body is not supported.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// LINE responded with a refusal.
    #[error("LINE refused: {message}")]
    LineRefused {
        /// LINE's HTTP status.
        status: u16,
        /// LINE's own message, shortened.
        message: String,
        /// The id of the LINE account concerned, where a request involves several.
        account: Option<String>,
    },
    /// LINE did not respond, or not intelligibly.
    #[error("LINE is not available: {0}")]
    LineUnavailable(String),
    /// The server cannot do this now; a later retry is right.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration or the data on disk cannot be used; someone has to change something.
    #[error("{0}")]
    Unusable(String),
    /// A fault of the server. The cause is logged and never shown.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A property of a request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvalidProperty {
    /// Its path in the request, like `medias[0].title`.
    pub property: String,
    /// What is wrong with it, in LINE's wording.
    pub message: String,
}

/// The rules that a request can break, each with its own reason in the HTTP contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRule {
    /// The body is not JSON, or not of the shape that this path accepts.
    JsonBody,
    /// An identifier in the path is not a UUID.
    Id,
    /// A value is outside what its field allows.
    Argument,
    /// A page token was not issued by this server.
    PageToken,
    /// A text is longer than LINE allows in one request.
    TextLength,
    /// A reference type other than `line`.
    ReferenceType,
    /// The caller has no LINE account.
    LineAccount,
}

/// The things that can be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A conversation.
    Conversation,
    /// A message.
    Message,
    /// A LINE account.
    Account,
    /// A customer.
    Customer,
    /// A file.
    Media,
    /// A webhook delivery.
    WebhookDelivery,
    /// A path of the HTTP API.
    Route,
}

impl InvalidProperty {
    /// A property and what is wrong with it.
    pub fn new(property: impl Into<String>, message: impl Into<String>) -> Self {
        Self { property: property.into(), message: message.into() }
    }
}

impl Error {
    /// A broken rule, with what was expected.
    pub fn invalid(rule: InvalidRule, message: impl Into<String>) -> Self {
        Self::Invalid { rule, message: message.into() }
    }

    /// A fault of the server, with its cause.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// Whether a retry a little later may succeed without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooMany { .. } | Self::LineUnavailable(_))
    }

    /// Adds the account concerned to a refusal by LINE.
    pub fn of_account(self, id: impl fmt::Display) -> Self {
        match self {
            Self::LineRefused { status, message, .. } => {
                Self::LineRefused { status, message, account: Some(id.to_string()) }
            }
            other => other,
        }
    }

    /// This error and all its causes on one line, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Account => "account",
            Self::Customer => "customer",
            Self::Media => "media",
            Self::WebhookDelivery => "webhook delivery",
            Self::Route => "path",
        })
    }
}

/// Describes the first property and counts the others.
fn summary(properties: &[InvalidProperty]) -> String {
    let Some(first) = properties.first() else { return String::new() };
    let others = match properties.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    format!("`{}` {}{others}", first.property, first.message)
}
