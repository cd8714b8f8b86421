//! A phone that loads what it is shown, as LINE's apps do: without redirects, without cookies, piece by piece.

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

/// An address has to be loaded within so long.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What is not loaded by then is left for the next time.
const OPENING_MAX: Duration = Duration::from_mins(2);
/// So many addresses are loaded at once.
const AT_ONCE: usize = 4;
/// So many addresses are loaded at once by all phones of a thread.
const CONNECTIONS_MAX: usize = 100;
const USER_AGENT: &str = "kaiwa-sandbox-phone";

/// What the phone saw at an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewedMessage {
    /// The message that named it.
    pub message_id: String,
    /// Where it stands in the message.
    pub property: String,
    /// The address.
    pub url: String,
    /// The HTTP status; nothing without an answer.
    pub status: Option<u16>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// How many bytes were loaded, or announced where that was too much.
    pub size: u64,
    /// Why the phone does not show it; nothing when it does.
    pub problem: Option<String>,
}

/// A client with a phone's habits; there is one on each thread.
#[derive(Clone)]
pub struct Phone {
    http: net::Client,
}

impl Default for Phone {
    /// A phone that trusts the certificate authorities of the web.
    fn default() -> Self {
        Self { http: net::Client::new(Settings::new(CONNECT_TIMEOUT, CONNECTIONS_MAX)) }
    }
}

impl Phone {
    /// Loads these addresses, in no particular order, or as many of them as there is time for.
    pub async fn load(&self, links: Vec<Link>, outside: bool) -> Vec<ViewedMessage> {
        let looks = stream::iter(links).map(|link| self.look(link, outside)).buffer_unordered(AT_ONCE);
        looks.take_until(tokio::time::sleep(OPENING_MAX)).collect().await
    }

    async fn look(&self, link: Link, outside: bool) -> ViewedMessage {
        let (url, format) = (permitted(&link, outside), link.format);
        let mut seen = ViewedMessage::nothing_of(link);
        let outcome = match url {
            Ok(url) => {
                let loading = tokio::time::timeout(TIMEOUT, self.fetch(&url, format, &mut seen)).await;
                loading.unwrap_or_else(|_| Err(format!("not loaded within {} seconds", TIMEOUT.as_secs())))
            }
            Err(problem) => Err(problem),
        };
        seen.problem = outcome.err();
        seen
    }

    async fn fetch(&self, url: &Url, format: &Format, seen: &mut ViewedMessage) -> Result<(), String> {
        let request = Request::new().uri(url.as_str()).header("user-agent", USER_AGENT);
        let sent = self.http.send(request, "", TIMEOUT).await;
        let mut response = sent.map_err(|failure| format!("it cannot be reached: {failure}"))?;
        head(&response, format, seen)?;
        let mut beginning = Vec::new();
        let partial = |failure: net::RequestFailure| format!("only a part of it came: {failure}");
        while let Some(piece) = response.next().await.map_err(partial)? {
            seen.size += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            fits(seen.size, format)?;
            beginning.extend(piece.iter().take(HEAD_BYTES - beginning.len()));
        }
        let found = sniff(&beginning);
        if format.found.contains(&found) {
            Ok(())
        } else {
            Err(format!("by its bytes it is {found} and not {}", format.name))
        }
    }
}

impl ViewedMessage {
    /// Whether this link was loaded and is shown.
    pub fn is_shown_for(&self, link: &Link) -> bool {
        self.problem.is_none() && self.property == link.property && self.url == link.url
    }

    fn nothing_of(link: Link) -> Self {
        let Link { message_id, property, url, format: _ } = link;
        Self { message_id, property, url, status: None, content_type: None, size: 0, problem: None }
    }
}

/// Notes what the head of the answer says; fails if LINE would not read on.
fn head(response: &Response, format: &Format, seen: &mut ViewedMessage) -> Result<(), String> {
    let status = response.status();
    seen.status = Some(status);
    seen.content_type = response.header(CONTENT_TYPE).map(str::to_owned);
    match status {
        200 => {}
        300..400 => return Err("LINE follows no redirects".to_owned()),
        _ => return Err(format!("the status is {status} and not 200")),
    }
    let announced = seen.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    if !format.announced.contains(&announced.trim().to_ascii_lowercase().as_str()) {
        return Err(format!("its content type is not that of {}", format.name));
    }
    let length = response.length().unwrap_or_default();
    fits(length, format).inspect_err(|_| seen.size = length)
}

fn fits(size: u64, format: &Format) -> Result<(), String> {
    if size <= format.bytes_max {
        return Ok(());
    }
    Err(format!("it is larger than {} bytes", format.bytes_max))
}
