//! The bytes of an uploaded file: the body as it is, or the file in a form (RFC 7578), as `curl -F`, browsers and many
//! libraries send it.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, ContentDisposition, HeaderMap, HeaderName,
    HeaderValue,
};
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::api::request::body;
use crate::error::{Error, InvalidRule, Result};

/// The name under which a part is the file though it has no name of a file, when no other part has one.
const FILE: &str = "file";

/// How a part is said to be written (RFC 2045), and in which coding it is (RFC 9110), with what means that it is as it is.
const CODINGS: [(HeaderName, &[&str]); 2] = [
    (HeaderName::from_static("content-transfer-encoding"), &["", "7bit", "8bit", "binary"]),
    (CONTENT_ENCODING, &["", "identity"]),
];

/// How `"`, CR and LF are written in the names of forms ("Multipart form data" in the HTML standard).
const ESCAPES: [(&str, &str); 3] = [("%22", "\""), ("%0D", "\r"), ("%0A", "\n")];

/// Parts of a form that are not the file; they are not looked at.
const OTHER_PARTS_MAX: usize = 32;

/// Their bytes in all, and those that a form needs around its parts.
pub const OTHER_BYTES_MAX: usize = 64 * 1_024;

/// A file on its way here.
pub struct FileBody {
    source: UploadSource,
    /// How long it may take, as it is told.
    seconds: u64,
    /// What the form says that its name is.
    pub filename: Option<String>,
    /// What the sender says that it is, without parameters.
    pub content_type: String,
}

enum UploadSource {
    Whole(Payload),
    Form(Box<Form>),
}

/// A form that is being read.
struct Form {
    parts: Multipart,
    /// What is told next of its file.
    begun: Bytes,
    /// What is still to be read of it; nothing once it was read to its end.
    file: Option<Field>,
    others: usize,
    other_bytes: usize,
}

/// The file of a form.
struct FilePart {
    /// What was read of it.
    begun: Bytes,
    rest: Option<Field>,
    name: Option<String>,
    content_type: String,
}

/// What the head of a part says that it is.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    /// A file of this name.
    Named(String),
    /// A file without a name, or an input for one that nobody has filled.
    Unnamed,
    /// A field with the name of a file.
    Field,
    Other,
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
        Self { source: UploadSource::Whole(payload), seconds, filename: None, content_type: String::new() }
    }

    async fn in_form(request: &HttpRequest, payload: Payload, seconds: u64) -> Result<Self> {
        let parts = Multipart::new(&head_of_parts(request), payload);
        let mut form = Form { parts, begun: Bytes::new(), file: None, others: 0, other_bytes: 0 };
        let file = form.find(seconds).await?.ok_or_else(|| {
            let expected =
                "the form has no file: send it as a part with a name of a file (curl: `-F file=@menu.png`)";
            Error::invalid(InvalidRule::Argument, expected)
        })?;
        let FilePart { begun, rest, name, content_type } = file;
        (form.begun, form.file) = (begun, rest);
        Ok(Self { source: UploadSource::Form(Box::new(form)), seconds, filename: name, content_type })
    }

    /// The next piece of the file; nothing at its end, once the form has ended too. `Invalid` when it has another file.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match &mut self.source {
            UploadSource::Whole(payload) => {
                payload.next().await.transpose().map_err(|error| body::failure(&error, self.seconds))
            }
            UploadSource::Form(form) => form.next(self.seconds).await,
        }
    }
}

impl Form {
    async fn next(&mut self, seconds: u64) -> Result<Option<Bytes>> {
        if !self.begun.is_empty() {
            return Ok(Some(std::mem::take(&mut self.begun)));
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        if let Some(piece) = file.next().await {
            return piece.map(Some).map_err(|error| failure(&error, seconds));
        }
        self.file = None;
        while let Some(mut part) = self.next_part(seconds).await? {
            let is_file = match role(&part) {
                Role::Named(_) => true,
                Role::Unnamed => !begin(&mut part, seconds).await?.0.is_empty(),
                Role::Field | Role::Other => {
                    self.pass_over(part, seconds).await?;
                    false
                }
            };
            if is_file {
                let expected = "the form has several files: send each with a request of its own";
                return Err(Error::invalid(InvalidRule::Argument, expected));
            }
        }
        Ok(None)
    }

    /// The file: the first part with a name of a file, or else the first that may be one without. The others before it are passed
    /// over, as much as a form may have of them.
    async fn find(&mut self, seconds: u64) -> Result<Option<FilePart>> {
        let mut unnamed = None;
        while let Some(mut part) = self.next_part(seconds).await? {
            match role(&part) {
                Role::Named(name) => {
                    let file = FilePart::new(&part, Some(name))?;
                    return Ok(Some(FilePart { rest: Some(part), ..file }));
                }
                Role::Unnamed | Role::Field if unnamed.is_none() => {
                    let (begun, has_ended) = begin(&mut part, seconds).await?;
                    let file = FilePart { begun, ..FilePart::new(&part, None)? };
                    if !has_ended {
                        return Ok(Some(FilePart { rest: Some(part), ..file }));
                    }
                    unnamed = Some(file).filter(|file| !file.begun.is_empty());
                }
                _ => self.pass_over(part, seconds).await?,
            }
        }
        Ok(unnamed)
    }

    /// The next part, as long as a form may have more.
    async fn next_part(&mut self, seconds: u64) -> Result<Option<Field>> {
        let part = self.parts.next().await.transpose().map_err(|error| failure(&error, seconds))?;
        self.others += usize::from(part.is_some());
        if self.others > OTHER_PARTS_MAX + 1 {
            let message = format!("the form has more than {OTHER_PARTS_MAX} parts beside its file");
            return Err(Error::invalid(InvalidRule::Argument, message));
        }
        Ok(part)
    }

    async fn pass_over(&mut self, mut part: Field, seconds: u64) -> Result<()> {
        while let Some(piece) = part.next().await {
            self.other_bytes += piece.map_err(|error| failure(&error, seconds))?.len();
            if self.other_bytes > OTHER_BYTES_MAX {
                return Err(Error::TooLarge { limit_bytes: OTHER_BYTES_MAX });
            }
        }
        Ok(())
    }
}

impl FilePart {
    /// A file of which nothing was read. `UnsupportedMediaType` for one that is written otherwise than it is.
    fn new(part: &Field, name: Option<String>) -> Result<Self> {
        for (header, plain) in CODINGS {
            let mut codings = part.headers().get_all(header).map(|value| value.as_bytes().trim_ascii());
            if codings.any(|coding| !plain.iter().any(|plain| coding.eq_ignore_ascii_case(plain.as_bytes())))
            {
                return Err(Error::UnsupportedMediaType(
                    "the file in the form is encoded: send its bytes as they are, without `Content-Transfer-Encoding` and \
                     `Content-Encoding` (curl: without `encoder=`)",
                ));
            }
        }
        let content_type = part.content_type().map_or_else(String::new, |kind| kind.essence_str().to_owned());
        Ok(Self { begun: Bytes::new(), rest: None, name, content_type })
    }
}

/// The head that lets all parts through, also one whose own head is odd: [`role`] judges those.
fn head_of_parts(request: &HttpRequest) -> HeaderMap {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split_once(';').map_or_else(
        || "multipart/mixed".to_owned(),
        |(_, parameters)| format!("multipart/mixed;{parameters}"),
    );
    HeaderValue::try_from(kind).map(|kind| (CONTENT_TYPE, kind)).into_iter().collect()
}

/// The beginning of a part, and whether that is all of it.
async fn begin(part: &mut Field, seconds: u64) -> Result<(Bytes, bool)> {
    let mut begun = BytesMut::new();
    while begun.len() <= OTHER_BYTES_MAX {
        let Some(piece) = part.next().await else { return Ok((begun.freeze(), true)) };
        begun.extend_from_slice(&piece.map_err(|error| failure(&error, seconds))?);
    }
    Ok((begun.freeze(), false))
}

/// What the head of a part says that it is. What is no UTF-8 in a name is read as well as it can be.
fn role(part: &Field) -> Role {
    let head = part.headers().get(CONTENT_DISPOSITION);
    let head = head.and_then(|head| HeaderValue::try_from(&*String::from_utf8_lossy(head.as_bytes())).ok());
    let Some(head) = head.and_then(|head| ContentDisposition::from_raw(&head).ok()) else {
        return Role::Other;
    };
    let extended = head.get_filename_ext();
    let extended = extended.and_then(|name| String::from_utf8(name.value.clone()).ok());
    let plain = head.get_filename().map(|name| {
        ESCAPES.iter().fold(name.to_owned(), |name, (escape, meant)| name.replace(escape, meant))
    });
    match extended.or(plain) {
        Some(name) if !name.is_empty() => Role::Named(name),
        Some(_) => Role::Unnamed,
        None if head.get_name() == Some(FILE) => Role::Field,
        None => Role::Other,
    }
}

fn failure(error: &MultipartError, seconds: u64) -> Error {
    match error {
        MultipartError::Payload(error) => body::failure(error, seconds),
        other => Error::invalid(InvalidRule::Argument, format!("the form cannot be read: {other}")),
    }
}

/// What the body is said to be, without parameters and in small letters.
pub fn essence(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
