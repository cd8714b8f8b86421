//! The live feed: a customer's events as they happen, as server-sent events (WHATWG HTML, 9.2).
//!
//! A feed keeps nothing but how far it has come. It reads rows once they are committed, and hands on no more before the
//! client has taken what it was given.

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

/// The header with which a client takes up where it ended.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Proxies that would wait for more before they pass on what there is (nginx) are told not to.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// After how long a client that lost its connection comes back.
const RECONNECT_MILLISECONDS: u32 = 1_000;

/// Which events a caller wants.
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
    reading: EventCursor,
    listener: EventListener,
    end: Stop,
    _place: FeedPermit,
    /// What the client gets first.
    greeting: Option<String>,
    /// The id that the client would come back with.
    known: i64,
    /// When the client was given the last piece.
    given: Option<Instant>,
}

/// A customer's events, from now on or from where the client ended.
pub async fn read(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse> {
    let query = FeedQuery::of(&request, &app).await?;
    let place = app.shared.feeds.acquire(query.customer)?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "text/event-stream")).insert_header(UNBUFFERED);
    if request.method() == Method::HEAD {
        return Ok(answer.streaming(stream::empty::<Result<Bytes, Infallible>>()));
    }
    let feed = Feed::open(app, query, place)?;
    Ok(answer.streaming(feed.pieces()))
}

impl FeedQuery {
    async fn of(request: &HttpRequest, app: &App) -> Result<Self> {
        let now = app.shared.clock.now();
        let (customer, grant) = match query::parameter(request, "ticket") {
            // Who only looks uses nothing up.
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

/// Where the client ended. The header goes before the parameter, because a browser that comes back repeats the address
/// as it was at first.
fn start(request: &HttpRequest) -> FeedStart {
    let header =
        request.headers().get(LAST_EVENT_ID).map(|id| String::from_utf8_lossy(id.as_bytes().trim_ascii()));
    let parameter = || query::parameter(request, "last_event_id");
    // Who has heard nothing yet has an empty id (WHATWG HTML, 9.2.3).
    let given = |id: &Cow<'_, str>| !id.is_empty();
    let Some(id) = header.filter(given).or_else(|| parameter().filter(given)) else {
        return FeedStart::Now;
    };
    // Whatever else it is, it is an id that this server never gave.
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
    fn open(app: web::Data<App>, query: FeedQuery, place: FeedPermit) -> Result<Self> {
        let (reading, greeting) = match query.open(&app, query.start)? {
            Some(reading) => (reading, String::new()),
            None => reset(&app, &query)?,
        };
        let listener = app.shared.store.listen(&reading);
        let (end, known) = (app.shared.end.stop(), reading.after());
        let greeting = Some(format!("retry: {RECONNECT_MILLISECONDS}\nid: {known}\n\n{greeting}"));
        Ok(Self { app, query, reading, listener, end, _place: place, greeting, known, given: None })
    }

    fn pieces(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold(self, |mut feed| async move {
            let piece = feed.piece().await?;
            feed.given = Some(Instant::now());
            Some((Ok(Bytes::from(piece)), feed))
        })
    }

    /// What the client gets next; `None` at the end of the feed. It is asked for when the client has taken what it was
    /// given before, all but a few kilobytes.
    async fn piece(&mut self) -> Option<String> {
        if self.given.is_some_and(|given| given.elapsed() > self.app.shared.config.limits.stall_timeout) {
            log::info!("a feed is ended, because its client reads too slowly");
            return None;
        }
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let heartbeat = Instant::now() + self.app.shared.config.limits.feed_heartbeat;
        let (clock, grant) = (&self.app.shared.clock.clone(), self.query.grant);
        loop {
            if !grant.holds(clock.now()) {
                return None;
            }
            let piece =
                self.read().inspect_err(|error| log::error!("a feed is ended: {}", error.chain())).ok()?;
            if !piece.is_empty() {
                return Some(piece);
            }
            tokio::select! {
                () = self.listener.notified() => {}
                () = sleep_until(heartbeat) => return Some(self.heartbeat()),
                () = self.end.requested() => return None,
                () = grant.ended(clock) => return None,
            }
        }
    }

    /// The events that have happened since, as far as they make one piece; nothing when there are none.
    fn read(&mut self) -> Result<String> {
        loop {
            let (mut piece, reading) = (String::new(), &mut self.reading);
            let visit = |event: &EventRow<'_>| write_event(&mut piece, event);
            let progress = self.app.reader.read(|connection| events::next(connection, reading, visit))?;
            if progress == ReadProgress::Lost {
                let (reading, reset) = reset(&self.app, &self.query)?;
                self.known = reading.after();
                self.reading = reading;
                return Ok(reset);
            }
            if !piece.is_empty() {
                self.known = self.reading.after();
            }
            if !piece.is_empty() || progress == ReadProgress::End {
                return Ok(piece);
            }
        }
    }

    /// A comment, and the id of what the client would not have wanted, so that it comes back behind that.
    fn heartbeat(&mut self) -> String {
        let after = self.reading.after();
        let id = if after == self.known { String::new() } else { format!("id: {after}\n") };
        self.known = after;
        format!(": still here\n{id}\n")
    }
}

/// A reading from now on, and what tells the client that it missed something.
fn reset(app: &App, query: &FeedQuery) -> Result<(EventCursor, String)> {
    let reading = query.open(app, FeedStart::Now)?;
    let reading = reading.ok_or_else(|| Error::internal("there is no newest event"))?;
    let view = serde_json::to_string(&ResetView::new(app.shared.clock.now())).map_err(Error::internal)?;
    let reset = format!("id: {}\nevent: {}\ndata: {view}\n\n", reading.after(), ResetView::TYPE);
    Ok((reading, reset))
}

/// Adds an event as a client of server-sent events reads it.
///
/// JSON has no line break outside of its texts, and writes those inside as `\n`: an event is one line of data.
pub fn write_event(piece: &mut String, event: &EventRow<'_>) {
    let view = serde_json::to_string(&EventView::from(event)).expect("views are always JSON");
    let (sequence, name) = (event.sequence, event_type(event.kind));
    write!(piece, "id: {sequence}\nevent: {name}\ndata: {view}\n\n").expect("a text takes every text");
}
