//! The one error of the program, named by what the caller can do about it.

use std::fmt;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not happen.
///
/// `api::error` turns it into HTTP and `command` into an exit code; nothing else does either.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request says something that cannot be; the text tells what was expected instead.
    #[error("{message}")]
    Invalid {
        /// Which rule was broken.
        rule: InvalidRule,
        /// What was expected, for a person.
        message: String,
    },
    /// Properties of the request break LINE's rules, so LINE would refuse what becomes of it.
    #[error("LINE would refuse this: {}", words(.0))]
    InvalidProperties(Vec<InvalidProperty>),
    /// No credentials were given.
    #[error(
        "a token is required: send `Authorization: Bearer`, the query parameter `token` or the cookie `token`"
    )]
    NoCredentials,
    /// Credentials were given and are wrong, malformed or expired.
    #[error("{0}")]
    BadCredentials(&'static str),
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or it belongs to somebody else: the answer is the same.
    #[error("no such {0}")]
    NotFound(Resource),
    /// There is such a thing, and what is asked of it is not here (yet); the text says why.
    #[error("{1}")]
    NotHere(Resource, String),
    /// The path exists, the method does not; the text lists the methods that do.
    #[error("this path takes {allow}")]
    MethodNotAllowed {
        /// The methods that exist, as the `Allow` header writes them.
        allow: String,
    },
    /// The thing is in a state in which this cannot be done.
    #[error("{0}")]
    Conflict(String),
    /// Another request with the same idempotency key is being answered.
    #[error("a request with this `Idempotency-Key` is being answered; repeat it later")]
    KeyInUse,
    /// The idempotency key belongs to another request.
    #[error("this `Idempotency-Key` came with another request before; use a new one")]
    KeyReused,
    /// The file has no such part.
    #[error("this file has {size} bytes")]
    NoSuchRange {
        /// How many bytes it has.
        size: u64,
    },
    /// The caller takes more than its share; trying again after a while is right.
    #[error("{message}")]
    TooMany {
        /// Whose share of what is used up.
        message: String,
        /// After how long it is worth another try.
        wait: std::time::Duration,
    },
    /// The body did not arrive in time.
    #[error("the request did not arrive within {seconds} seconds")]
    TooSlow {
        /// The time that a request may take to arrive.
        seconds: u64,
    },
    /// The body is larger than this path takes.
    #[error("the body may have at most {limit_bytes} bytes")]
    TooLarge {
        /// The largest body that is taken.
        limit_bytes: usize,
    },
    /// A file is larger than LINE or the customer's share takes.
    #[error("{0}")]
    FileTooLarge(String),
    /// The body is of a kind or encoding that is not taken.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// LINE answered, and said no.
    #[error("LINE refused: {message}")]
    LineRefused {
        /// LINE's HTTP status.
        status: u16,
        /// LINE's own words, shortened.
        message: String,
        /// The id of the LINE account that it concerns, where several are asked about.
        account: Option<String>,
    },
    /// LINE did not answer, or not in a way that can be understood.
    #[error("LINE is not available: {0}")]
    LineUnavailable(String),
    /// The server cannot do this now; trying again later is right.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration or the data on disk cannot be used; a person has to change something.
    #[error("{0}")]
    Unusable(String),
    /// Our fault. The cause is logged and never shown.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A property of a request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InvalidProperty {
    /// Where it stands in the request, like `medias[0].title`.
    pub property: String,
    /// What is wrong with it, as LINE says it.
    pub message: String,
}

/// The rules that a request can break, each with its own reason in the HTTP contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidRule {
    /// The body is not JSON, or not the JSON that this path takes.
    JsonBody,
    /// An identifier in the path is not a UUID.
    Id,
    /// A value is outside what its field allows.
    Argument,
    /// A page token is not a time as this server writes them.
    PageToken,
    /// A text is longer than LINE takes in one request.
    TextLength,
    /// A reference type other than `line`.
    ReferenceType,
    /// The caller has no LINE account to work with.
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
    /// Something that a customer is told.
    WebhookDelivery,
    /// A path of the HTTP interface.
    Route,
}

impl InvalidProperty {
    /// This is wrong with that property.
    pub fn new(property: impl Into<String>, message: impl Into<String>) -> Self {
        Self { property: property.into(), message: message.into() }
    }
}

impl Error {
    /// A broken rule, with what was expected.
    pub fn invalid(rule: InvalidRule, message: impl Into<String>) -> Self {
        Self::Invalid { rule, message: message.into() }
    }

    /// A failure that nobody outside can do anything about.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// Whether the same may succeed a little later without anybody changing anything.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TooMany { .. } | Self::LineUnavailable(_))
    }

    /// The same refusal of LINE, with the account that it concerns.
    pub fn of_account(self, id: impl fmt::Display) -> Self {
        match self {
            Self::LineRefused { status, message, .. } => {
                Self::LineRefused { status, message, account: Some(id.to_string()) }
            }
            other => other,
        }
    }

    /// This failure and all of its causes on one line, for the log.
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

/// The first of them for a person, and how many there are.
fn words(properties: &[InvalidProperty]) -> String {
    let Some(first) = properties.first() else { return String::new() };
    let others = match properties.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    format!("`{}` {}{others}", first.property, first.message)
}
