//! A phone that loads the media of messages as LINE's apps do: without redirects and cookies, chunk by chunk.

pub mod media;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use url::Url;

use crate::model::files::content::{HEAD_BYTES, sniff};
use crate::net::header::CONTENT_TYPE;
use crate::net::{self, Request, Response, Settings};
use crate::sandbox::phone::media::{Format, Link, permitted};

/// Timeout for loading one URL.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout for opening a chat; the rest is loaded the next time.
const OPEN_TIMEOUT: Duration = Duration::from_mins(2);
/// How many URLs of a chat are loaded concurrently.
const CONCURRENCY: usize = 4;
/// How many URLs all phones of a thread load concurrently.
const CONNECTIONS_MAX: usize = 100;
const USER_AGENT: &str = "kaiwa-sandbox-phone";

/// The result of loading a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaView {
    /// The message with the URL.
    pub message_id: String,
    /// The property of the message.
    pub property: String,
    /// The address.
    pub url: String,
    /// The HTTP status; `None` without a response.
    pub status: Option<u16>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The number of bytes loaded, or announced if that exceeds the limit.
    pub size: u64,
    /// Why the phone does not show the file; `None` if it does.
    pub problem: Option<String>,
}

/// A client that behaves like a phone; each thread has one.
#[derive(Clone)]
pub struct Phone {
    http: net::Client,
}

impl Default for Phone {
    /// A phone that trusts the public certificate authorities.
    fn default() -> Self {
        Self { http: net::Client::new(Settings::new(CONNECT_TIMEOUT, CONNECTIONS_MAX)) }
    }
}

impl Phone {
    /// Loads these URLs in any order, or as many of them as time allows.
    pub async fn load(&self, links: Vec<Link>, outside: bool) -> Vec<MediaView> {
        let views = stream::iter(links).map(|link| self.view(link, outside)).buffer_unordered(CONCURRENCY);
        views.take_until(tokio::time::sleep(OPEN_TIMEOUT)).collect().await
    }

    async fn view(&self, link: Link, outside: bool) -> MediaView {
        let (url, format) = (permitted(&link, outside), link.format);
        let mut view = MediaView::unloaded(link);
        let outcome = match url {
            Ok(url) => {
                let loading = tokio::time::timeout(TIMEOUT, self.fetch(&url, format, &mut view)).await;
                loading.unwrap_or_else(|_| Err(format!("not loaded within {} seconds", TIMEOUT.as_secs())))
            }
            Err(problem) => Err(problem),
        };
        view.problem = outcome.err();
        view
    }

    async fn fetch(&self, url: &Url, format: &Format, view: &mut MediaView) -> Result<(), String> {
        let request = Request::new().uri(url.as_str()).header("user-agent", USER_AGENT);
        let sent = self.http.send(request, "", TIMEOUT).await;
        let mut response = sent.map_err(|failure| format!("it cannot be reached: {failure}"))?;
        check_head(&response, format, view)?;
        let mut head_bytes = Vec::new();
        let partial = |failure: net::RequestFailure| format!("only a part of it arrived: {failure}");
        while let Some(piece) = response.next().await.map_err(partial)? {
            view.size += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            check_size(view.size, format)?;
            head_bytes.extend(piece.iter().take(HEAD_BYTES - head_bytes.len()));
        }
        let found = sniff(&head_bytes);
        if format.sniffed_types.contains(&found) {
            Ok(())
        } else {
            Err(format!("its content is {found} and not {}", format.name))
        }
    }
}

impl MediaView {
    /// Whether this link was loaded successfully.
    pub fn is_shown_for(&self, link: &Link) -> bool {
        self.problem.is_none() && self.property == link.property && self.url == link.url
    }

    fn unloaded(link: Link) -> Self {
        let Link { message_id, property, url, format: _ } = link;
        Self { message_id, property, url, status: None, content_type: None, size: 0, problem: None }
    }
}

/// Records the head of the response; fails if LINE would not read on.
fn check_head(response: &Response, format: &Format, view: &mut MediaView) -> Result<(), String> {
    let status = response.status();
    view.status = Some(status);
    view.content_type = response.header(CONTENT_TYPE).map(str::to_owned);
    match status {
        200 => {}
        300..400 => return Err("LINE follows no redirects".to_owned()),
        _ => return Err(format!("the status is {status} and not 200")),
    }
    let content_type = view.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    if !format.content_types.contains(&content_type.trim().to_ascii_lowercase().as_str()) {
        return Err(format!("its content type is not that of {}", format.name));
    }
    let length = response.length().unwrap_or_default();
    check_size(length, format).inspect_err(|_| view.size = length)
}

fn check_size(size: u64, format: &Format) -> Result<(), String> {
    if size <= format.bytes_max {
        return Ok(());
    }
    Err(format!("it is larger than {} bytes", format.bytes_max))
}
