//! The bytes of an uploaded file: the body as it is, or the file in a form (RFC 7578), as `curl -F`, browsers and many
//! libraries send it.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use futures_util::StreamExt;

use crate::api::body;
use crate::error::{Error, Result, Rule};

/// The name under which a part is the file though it has no name of a file.
const FILE: &str = "file";

/// Parts of a form that are not the file; they are not looked at.
const OTHER_PARTS_MAX: usize = 32;

/// Their bytes in all, and those that a form needs around its parts.
pub const OTHER_BYTES_MAX: usize = 64 * 1_024;

/// A file on its way here.
pub struct FileBody {
    source: Source,
    /// How long it may take, as it is told.
    seconds: u64,
    /// What the form says that its name is.
    pub filename: Option<String>,
    /// What the sender says that it is, without parameters.
    pub content_type: String,
}

enum Source {
    Whole(Payload),
    Form(Box<Form>),
}

/// A form that is being read. Its file is gone from here once it was read to its end.
struct Form {
    parts: Multipart,
    file: Option<Field>,
    others: usize,
    other_bytes: usize,
}

impl FileBody {
    /// The file in the body of this request, which has to arrive within so many seconds.
    ///
    /// `UnsupportedMediaType` for what can be no file as it is, `Invalid` for a form without one.
    pub async fn open(request: &HttpRequest, payload: Payload, seconds: u64) -> Result<Self> {
        let content_type = essence(request);
        match content_type.as_str() {
            "multipart/form-data" => Self::in_form(request, payload, seconds).await,
            "application/x-www-form-urlencoded" => Err(Error::UnsupportedMediaType(
                "such a form cannot hold a file: send `multipart/form-data` (curl: `-F file=@menu.png`), or the file \
                 itself as `application/octet-stream`",
            )),
            other if other.starts_with("multipart/") => Err(Error::UnsupportedMediaType(
                "of bodies with several parts only `multipart/form-data` is taken: or send the file itself as \
                 `application/octet-stream`",
            )),
            _ => Ok(Self { content_type, ..Self::whole(payload, seconds) }),
        }
    }

    /// The body as it is, whatever it is.
    pub fn whole(payload: Payload, seconds: u64) -> Self {
        Self { source: Source::Whole(payload), seconds, filename: None, content_type: String::new() }
    }

    async fn in_form(request: &HttpRequest, payload: Payload, seconds: u64) -> Result<Self> {
        let parts = Multipart::new(request.headers(), payload);
        let mut form = Form { parts, file: None, others: 0, other_bytes: 0 };
        let file = form.next_file(seconds).await?.ok_or_else(|| {
            let expected =
                "the form has no file: send it as a part with a name of a file (curl: `-F file=@menu.png`)";
            Error::invalid(Rule::Argument, expected)
        })?;
        let name = file.content_disposition().and_then(|disposition| {
            let extended = disposition.get_filename_ext();
            let extended = extended.and_then(|name| String::from_utf8(name.value.clone()).ok());
            extended.or_else(|| disposition.get_filename().map(str::to_owned))
        });
        let content_type = file.content_type().map_or_else(String::new, |kind| kind.essence_str().to_owned());
        form.file = Some(file);
        Ok(Self { source: Source::Form(Box::new(form)), seconds, filename: name, content_type })
    }

    /// The next piece of the file; nothing at its end, once the form has ended too. `Invalid` when it has another file.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match &mut self.source {
            Source::Whole(payload) => {
                payload.next().await.transpose().map_err(|error| body::failure(&error, self.seconds))
            }
            Source::Form(form) => form.next(self.seconds).await,
        }
    }
}

impl Form {
    async fn next(&mut self, seconds: u64) -> Result<Option<Bytes>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        if let Some(piece) = file.next().await {
            return piece.map(Some).map_err(|error| failure(&error, seconds));
        }
        self.file = None;
        if self.next_file(seconds).await?.is_none() {
            return Ok(None);
        }
        Err(Error::invalid(Rule::Argument, "the form has several files: send each with a request of its own"))
    }

    /// The next part that is a file. What comes before is passed over, as much as a form may have of it.
    async fn next_file(&mut self, seconds: u64) -> Result<Option<Field>> {
        while let Some(part) = self.parts.next().await {
            let mut part = part.map_err(|error| failure(&error, seconds))?;
            if is_file(&part) {
                return Ok(Some(part));
            }
            self.others += 1;
            while let Some(piece) = part.next().await {
                self.other_bytes += piece.map_err(|error| failure(&error, seconds))?.len();
                if self.other_bytes > OTHER_BYTES_MAX {
                    return Err(Error::TooLarge { limit_bytes: OTHER_BYTES_MAX });
                }
            }
            if self.others > OTHER_PARTS_MAX {
                let message = format!("the form has more than {OTHER_PARTS_MAX} parts beside its file");
                return Err(Error::invalid(Rule::Argument, message));
            }
        }
        Ok(None)
    }
}

/// Whether a part of a form is a file: it says under which name, or is named so.
fn is_file(part: &Field) -> bool {
    let has_name = part.content_disposition().is_some_and(|disposition| {
        disposition.get_filename().is_some() || disposition.get_filename_ext().is_some()
    });
    has_name || part.name() == Some(FILE)
}

fn failure(error: &MultipartError, seconds: u64) -> Error {
    match error {
        MultipartError::Payload(error) => body::failure(error, seconds),
        other => Error::invalid(Rule::Argument, format!("the form cannot be read: {other}")),
    }
}

/// What the body is said to be, without parameters and in small letters.
pub fn essence(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
