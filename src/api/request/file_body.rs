//! The bytes of an uploaded file: the body itself, or the file part of a form (RFC 7578), as `curl -F`,
//! browsers and many libraries send it.

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

/// The field name of a part that counts as the file although it has no file name, when no other part has one.
const FILE: &str = "file";

/// The headers that state the encoding (RFC 2045) and coding (RFC 9110) of a part, and the values that mean
/// none.
const CODINGS: [(HeaderName, &[&str]); 2] = [
    (HeaderName::from_static("content-transfer-encoding"), &["", "7bit", "8bit", "binary"]),
    (CONTENT_ENCODING, &["", "identity"]),
];

/// How names in forms escape `"`, CR and LF ("Multipart form data" in the HTML standard).
const ESCAPES: [(&str, &str); 3] = [("%22", "\""), ("%0D", "\r"), ("%0A", "\n")];

/// The most parts of a form besides the file; their content is ignored.
const OTHER_PARTS_MAX: usize = 32;

/// The most bytes in those parts, and the allowance for the form around its parts.
pub const OTHER_BYTES_MAX: usize = 64 * 1_024;

/// A file being received.
pub struct FileBody {
    source: UploadSource,
    /// The timeout, for error messages.
    seconds: u64,
    /// The file name in the form.
    pub filename: Option<String>,
    /// The content type that the sender claims, without parameters.
    pub content_type: String,
}

enum UploadSource {
    Whole(Payload),
    Form(Box<Form>),
}

/// A form being read.
struct Form {
    parts: Multipart,
    /// Bytes of the file that were read already, returned next.
    start: Bytes,
    /// The unread rest of the file; `None` once it was read to its end.
    file: Option<Field>,
    others: usize,
    other_bytes: usize,
}

/// The file of a form.
struct FilePart {
    /// The bytes read so far.
    start: Bytes,
    rest: Option<Field>,
    name: Option<String>,
    content_type: String,
}

/// What a part is, judging by its headers.
#[derive(Debug, PartialEq, Eq)]
enum Role {
    /// A file with this name.
    Named(String),
    /// A file without a name, or a file input that was left empty.
    Unnamed,
    /// A field named `file`, without a file name.
    Field,
    Other,
}

impl FileBody {
    /// Opens the file in the body of this request, which must arrive within `seconds`.
    ///
    /// `UnsupportedMediaType` for a body that cannot be a plain file, `Invalid` for a form without one.
    pub async fn open(request: &HttpRequest, payload: Payload, seconds: u64) -> Result<Self> {
        let content_type = essence(request);
        match content_type.as_str() {
            "multipart/form-data" => Self::in_form(request, payload, seconds).await,
            "application/x-www-form-urlencoded" => Err(Error::UnsupportedMediaType(
                "a form of this type cannot contain a file: send `multipart/form-data` (curl: `-F file=@menu.png`), or the file \
                 itself as `application/octet-stream`",
            )),
            other if other.starts_with("multipart/") => Err(Error::UnsupportedMediaType(
                "the only multipart type supported is `multipart/form-data`; or send the file itself as \
                 `application/octet-stream`",
            )),
            _ => Ok(Self { content_type, ..Self::whole(payload, seconds) }),
        }
    }

    /// The whole body as the file, whatever its type.
    pub fn whole(payload: Payload, seconds: u64) -> Self {
        Self { source: UploadSource::Whole(payload), seconds, filename: None, content_type: String::new() }
    }

    async fn in_form(request: &HttpRequest, payload: Payload, seconds: u64) -> Result<Self> {
        let parts = Multipart::new(&head_of_parts(request), payload);
        let mut form = Form { parts, start: Bytes::new(), file: None, others: 0, other_bytes: 0 };
        let file = form.find(seconds).await?.ok_or_else(|| {
            let expected =
                "the form has no file: send it as a part with a file name (curl: `-F file=@menu.png`)";
            Error::invalid(InvalidRule::Argument, expected)
        })?;
        let FilePart { start, rest, name, content_type } = file;
        (form.start, form.file) = (start, rest);
        Ok(Self { source: UploadSource::Form(Box::new(form)), seconds, filename: name, content_type })
    }

    /// The next chunk of the file; `None` at its end, once the form has ended too. `Invalid` when the form
    /// contains another file.
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
        if !self.start.is_empty() {
            return Ok(Some(std::mem::take(&mut self.start)));
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        if let Some(chunk) = file.next().await {
            return chunk.map(Some).map_err(|error| failure(&error, seconds));
        }
        self.file = None;
        while let Some(mut part) = self.next_part(seconds).await? {
            let is_file = match role(&part) {
                Role::Named(_) => true,
                Role::Unnamed => !read_start(&mut part, seconds).await?.0.is_empty(),
                Role::Field | Role::Other => {
                    self.skip(part, seconds).await?;
                    false
                }
            };
            if is_file {
                let expected = "the form has several files: send each in a request of its own";
                return Err(Error::invalid(InvalidRule::Argument, expected));
            }
        }
        Ok(None)
    }

    /// Finds the file: the first part with a file name, or else the first that can be a file without one.
    /// Earlier parts are skipped, within the limits for other parts.
    async fn find(&mut self, seconds: u64) -> Result<Option<FilePart>> {
        let mut unnamed = None;
        while let Some(mut part) = self.next_part(seconds).await? {
            match role(&part) {
                Role::Named(name) => {
                    let file = FilePart::new(&part, Some(name))?;
                    return Ok(Some(FilePart { rest: Some(part), ..file }));
                }
                Role::Unnamed | Role::Field if unnamed.is_none() => {
                    let (start, has_ended) = read_start(&mut part, seconds).await?;
                    let file = FilePart { start, ..FilePart::new(&part, None)? };
                    if !has_ended {
                        return Ok(Some(FilePart { rest: Some(part), ..file }));
                    }
                    unnamed = Some(file).filter(|file| !file.start.is_empty());
                }
                _ => self.skip(part, seconds).await?,
            }
        }
        Ok(unnamed)
    }

    /// The next part. `Invalid` when the form has too many.
    async fn next_part(&mut self, seconds: u64) -> Result<Option<Field>> {
        let part = self.parts.next().await.transpose().map_err(|error| failure(&error, seconds))?;
        self.others += usize::from(part.is_some());
        if self.others > OTHER_PARTS_MAX + 1 {
            let message = format!("the form has more than {OTHER_PARTS_MAX} parts besides its file");
            return Err(Error::invalid(InvalidRule::Argument, message));
        }
        Ok(part)
    }

    async fn skip(&mut self, mut part: Field, seconds: u64) -> Result<()> {
        while let Some(chunk) = part.next().await {
            self.other_bytes += chunk.map_err(|error| failure(&error, seconds))?.len();
            if self.other_bytes > OTHER_BYTES_MAX {
                return Err(Error::TooLarge { limit_bytes: OTHER_BYTES_MAX });
            }
        }
        Ok(())
    }
}

impl FilePart {
    /// A file of which nothing has been read. `UnsupportedMediaType` when it is encoded.
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
        Ok(Self { start: Bytes::new(), rest: None, name, content_type })
    }
}

/// The headers under which the parser accepts every part, even one with malformed headers: [`role`] judges
/// those.
fn head_of_parts(request: &HttpRequest) -> HeaderMap {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split_once(';').map_or_else(
        || "multipart/mixed".to_owned(),
        |(_, parameters)| format!("multipart/mixed;{parameters}"),
    );
    HeaderValue::try_from(kind).map(|kind| (CONTENT_TYPE, kind)).into_iter().collect()
}

/// Reads the start of a part; true when that is all of it.
async fn read_start(part: &mut Field, seconds: u64) -> Result<(Bytes, bool)> {
    let mut start = BytesMut::new();
    while start.len() <= OTHER_BYTES_MAX {
        let Some(chunk) = part.next().await else { return Ok((start.freeze(), true)) };
        start.extend_from_slice(&chunk.map_err(|error| failure(&error, seconds))?);
    }
    Ok((start.freeze(), false))
}

/// The role of a part, judging by its headers. Invalid UTF-8 in a name is decoded lossily.
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

/// The content type of the body, in lowercase without parameters.
pub fn essence(request: &HttpRequest) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
