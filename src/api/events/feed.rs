//! The live feed: a customer's events as server-sent events (WHATWG HTML, 9.2).
//!
//! A feed holds nothing but its cursor. It reads committed rows, and reads more only when the client has taken
//! what it was sent.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt::Write as _;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderName};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::Stream;
use futures_util::stream::{self, unfold};
use tokio::time::{Instant, sleep_until};

use crate::api::request::caller::Caller;
use crate::api::request::query;
use crate::contract::views::{EventView, ResetView, event_type};
use crate::error::{Error, InvalidRule, Result};
use crate::model::id::{ConversationId, CustomerId};
use crate::model::webhooks::event::{EventKind, EventRow};
use crate::runtime::app::App;
use crate::runtime::feeds::FeedPermit;
use crate::runtime::grant::Grant;
use crate::runtime::wakers::Stop;
use crate::store::engine::listeners::EventListener;
use crate::store::events::{self, EventCursor, FeedStart, ReadProgress};

/// The header with which a client resumes where it stopped.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Disables buffering in proxies that would otherwise hold back a partial response (nginx).
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// How long a client waits before it reconnects.
const RECONNECT_MILLISECONDS: u32 = 1_000;

/// The events that a caller asks for.
struct FeedQuery {
    customer: CustomerId,
    grant: Grant,
    conversation: Option<ConversationId>,
    kinds: Vec<EventKind>,
    start: FeedStart,
}

/// An open feed.
struct Feed {
    app: web::Data<App>,
    query: FeedQuery,
    cursor: EventCursor,
    listener: EventListener,
    end: Stop,
    _permit: FeedPermit,
    /// Sent first, before any event.
    preamble: Option<String>,
    /// The last id the client was sent, with which it would reconnect.
    last_id: i64,
    /// When the last chunk was handed out.
    last_chunk_at: Option<Instant>,
}

/// Streams a customer's events from now on, or from where the client stopped.
pub async fn read(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse> {
    let query = FeedQuery::of(&request, &app).await?;
    let permit = app.shared.feeds.acquire(query.customer)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "text/event-stream")).insert_header(UNBUFFERED);
    if request.method() == Method::HEAD {
        return Ok(response.streaming(stream::empty::<Result<Bytes, Infallible>>()));
    }
    let feed = Feed::open(app, query, permit)?;
    Ok(response.streaming(feed.chunks()))
}

impl FeedQuery {
    async fn of(request: &HttpRequest, app: &App) -> Result<Self> {
        let now = app.shared.clock.now();
        let (customer, grant) = match query::parameter(request, "ticket") {
            // HEAD does not consume the ticket.
            Some(ticket) if request.method() == Method::HEAD => app.shared.tickets.peek(&ticket, now)?,
            Some(ticket) => app.shared.tickets.redeem(&ticket, now)?,
            None => Caller::extract(request).await.map(|caller| (caller.customer, caller.grant))?,
        };
        query::check_names(request)?;
        let conversation = query::parameter(request, "conversation_id").map(|id| id.parse()).transpose()?;
        let kinds =
            query::parameter(request, "type").map_or(Ok(EventKind::ALL.to_vec()), |types| kinds(&types))?;
        Ok(Self { customer, grant, conversation, kinds, start: start(request) })
    }

    fn open(&self, app: &App, start: FeedStart) -> Result<Option<EventCursor>> {
        let of = (self.customer, self.conversation);
        app.reader.read(|connection| events::open(connection, of, self.kinds.clone(), start))
    }
}

/// Where the client stopped. The header takes precedence over the parameter, because a browser that reconnects
/// repeats the original address.
fn start(request: &HttpRequest) -> FeedStart {
    let header =
        request.headers().get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes().trim_ascii()));
    let parameter = || query::parameter(request, "last_event_id");
    // A client that has received no event yet has an empty id (WHATWG HTML, 9.2.3).
    let given = |id: &Cow<'_, str>| !id.is_empty();
    let Some(id) = header.filter(given).or_else(|| parameter().filter(given)) else {
        return FeedStart::Now;
    };
    // Anything that is not a number is an id this server never issued.
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    let sequence = id.parse().ok().filter(|_| is_number);
    FeedStart::After(sequence.unwrap_or(i64::MAX))
}

fn kinds(types: &str) -> Result<Vec<EventKind>> {
    let kind = |word: &str| {
        let kind = EventKind::ALL.into_iter().find(|kind| event_type(*kind) == word);
        let names = EventKind::ALL.map(event_type).join(", ");
        kind.ok_or_else(|| Error::invalid(InvalidRule::Argument, format!("`type` is a list of: {names}")))
    };
    types.split(',').map(kind).collect()
}

impl Feed {
    fn open(app: web::Data<App>, query: FeedQuery, permit: FeedPermit) -> Result<Self> {
        let (cursor, reset) = match query.open(&app, query.start)? {
            Some(cursor) => (cursor, String::new()),
            None => reset(&app, &query)?,
        };
        let listener = app.shared.store.listen(&cursor);
        let (end, last_id) = (app.shared.end.stop(), cursor.after());
        let preamble = Some(format!("retry: {RECONNECT_MILLISECONDS}\nid: {last_id}\n\n{reset}"));
        Ok(Self {
            app,
            query,
            cursor,
            listener,
            end,
            _permit: permit,
            preamble,
            last_id,
            last_chunk_at: None,
        })
    }

    fn chunks(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut feed| async move {
            let chunk = feed.chunk().await?;
            feed.last_chunk_at = Some(Instant::now());
            Some((Ok(Bytes::from(chunk)), feed))
        })
    }

    /// The next chunk; `None` at the end of the feed. It is polled when the client has taken all but a few
    /// kilobytes of the previous one.
    async fn chunk(&mut self) -> Option<String> {
        if self.last_chunk_at.is_some_and(|at| at.elapsed() > self.app.shared.config.limits.stall_timeout) {
            log::info!("closing a feed: its client reads too slowly");
            return None;
        }
        if let Some(preamble) = self.preamble.take() {
            return Some(preamble);
        }
        let heartbeat = Instant::now() + self.app.shared.config.limits.feed_heartbeat;
        let (clock, grant) = (&self.app.shared.clock.clone(), self.query.grant);
        loop {
            if !grant.holds(clock.now()) {
                return None;
            }
            let chunk =
                self.read().inspect_err(|error| log::error!("closing a feed: {}", error.chain())).ok()?;
            if !chunk.is_empty() {
                return Some(chunk);
            }
            tokio::select! {
                () = self.listener.notified() => {}
                () = sleep_until(heartbeat) => return Some(self.heartbeat()),
                () = self.end.requested() => return None,
                () = grant.ended(clock) => return None,
            }
        }
    }

    /// The next events, up to one chunk; empty when there are none.
    fn read(&mut self) -> Result<String> {
        loop {
            let (mut chunk, cursor) = (String::new(), &mut self.cursor);
            let write = |event: &EventRow<'_>| write_event(&mut chunk, event);
            let progress = self.app.reader.read(|connection| events::next(connection, cursor, write))?;
            if progress == ReadProgress::Lost {
                let (cursor, reset) = reset(&self.app, &self.query)?;
                self.last_id = cursor.after();
                self.cursor = cursor;
                return Ok(reset);
            }
            if !chunk.is_empty() {
                self.last_id = self.cursor.after();
            }
            if !chunk.is_empty() || progress == ReadProgress::End {
                return Ok(chunk);
            }
        }
    }

    /// A comment, with the id of the last event that was filtered out, so that the client resumes after it.
    fn heartbeat(&mut self) -> String {
        let after = self.cursor.after();
        let id = if after == self.last_id { String::new() } else { format!("id: {after}\n") };
        self.last_id = after;
        format!(": still here\n{id}\n")
    }
}

/// A cursor that starts now, and the `reset` event that reports a gap to the client.
fn reset(app: &App, query: &FeedQuery) -> Result<(EventCursor, String)> {
    let cursor = query.open(app, FeedStart::Now)?;
    let cursor = cursor.ok_or_else(|| Error::internal("there is no newest event"))?;
    let view = serde_json::to_string(&ResetView::new(app.shared.clock.now())).map_err(Error::internal)?;
    let reset = format!("id: {}\nevent: {}\ndata: {view}\n\n", cursor.after(), ResetView::TYPE);
    Ok((cursor, reset))
}

/// Appends an event in the server-sent events format.
///
/// Compact JSON contains no raw line break (inside strings they are `\n`), so an event is one line of data.
pub fn write_event(chunk: &mut String, event: &EventRow<'_>) {
    let view = serde_json::to_string(&EventView::from(event)).expect("views are always JSON");
    let (sequence, name) = (event.sequence, event_type(event.kind));
    write!(chunk, "id: {sequence}\nevent: {name}\ndata: {view}\n\n")
        .expect("writing to a String cannot fail");
}
