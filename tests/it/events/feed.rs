//! The live feed: readers get each of their events once and in order, even after they were away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::feed::{Event, Feed};
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event, token_of};
use crate::harness::{PATIENCE, eventually};

const CREATED: &str = "conversation_message_created";
const UPDATED: &str = "conversation_message_updated";

/// Frequent enough for a test to wait for.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Each event has its own sequence number, so the ids are strictly increasing.
#[track_caller]
fn assert_in_order(events: &[Event]) {
    assert!(events.is_sorted_by(|earlier, later| earlier.id < later.id), "{events:?}");
}

fn texts(events: &[Event]) -> Vec<&str> {
    events.iter().filter(|event| event.kind == CREATED).map(Event::text).collect()
}

async fn refused(server: &TestServer, query: &str) -> (u16, String) {
    let response = server.get(&format!("/v1.0/events{query}")).await;
    (response.status, response.reason())
}

fn with_heartbeats() -> TestServer {
    TestServer::start_with(|config| config.limits.feed_heartbeat = HEARTBEAT)
}

async fn write(server: &TestServer, user: &str, text: &str) {
    assert_eq!(server.webhook(&[text_event(user, text)]).await.status, 200);
}

async fn ticket(server: &TestServer) -> Value {
    let response = server.post("/v1.0/events/tickets", &json!({})).await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

#[actix_web::test]
async fn events_arrive_in_order_as_the_api_shows_them() {
    let server = TestServer::start();
    let mut feed = Feed::open(&server, "").await;

    let conversation = server.conversation_with(&server.user("Alice")).await;
    let named = |event: &Event| event.body["data"]["participants"][1]["target_name"] == "Alice";
    let first = feed.until(named).await;
    let sent = server.say(&conversation, "a text\nof two lines").await;
    let sent_events = feed.take(2).await;
    let path = format!("/v1.0/conversations/{conversation}");
    server.put(&path, &json!({ "name": "renamed" })).await;
    let renamed = feed.next().await;

    let kinds: Vec<_> = first.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["conversation_created", CREATED, "conversation_updated"]);
    assert_eq!(first[1].body["data"]["status"], "received");
    assert_eq!(
        (sent_events[0].kind.as_str(), &sent_events[0].body["data"]["status"]),
        (CREATED, &json!("sending"))
    );
    assert_eq!((sent_events[1].kind.as_str(), &sent_events[1].body["data"]), (UPDATED, &sent));
    assert_eq!(renamed.body["data"], server.get(&path).await.json());
    assert_eq!(renamed.body["type"], "conversation_updated");
    assert_eq!(renamed.body["timestamp"], renamed.body["data"]["tm_update"]);
    let keys: Vec<_> = renamed.body.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 3, "{keys:?}");
    assert_in_order(&[first, sent_events, vec![renamed]].concat());
}

#[actix_web::test]
async fn a_returning_reader_misses_nothing_and_sees_nothing_twice_even_across_a_restart() {
    let mut server = TestServer::start();
    let user = server.user("Alice");
    let mut feed = Feed::open(&server, "").await;
    write(&server, &user, "before").await;
    feed.until(|event| event.text() == "before").await;
    let last_id = feed.last_id;
    drop(feed);

    write(&server, &user, "while away").await;
    server.restart();
    write(&server, &user, "after the restart").await;
    let header = server.request(Method::GET, "/v1.0/events?last_event_id=0");
    let mut by_header = Feed::of(header.insert_header(("Last-Event-ID", last_id.to_string()))).await;
    let mut by_query = Feed::open(&server, &format!("?last_event_id={last_id}")).await;

    let last = |event: &Event| event.text() == "after the restart";
    let missed = by_header.until(last).await;
    assert_eq!(by_query.until(last).await, missed);
    assert_eq!(texts(&missed), ["while away", "after the restart"]);
    assert!(missed[0].id > last_id);
    assert_in_order(&missed);
    write(&server, &user, "live").await;
    assert_eq!(by_header.next().await.text(), "live", "nothing twice");
}

#[actix_web::test]
async fn a_new_reader_starts_with_new_events_and_resumes_after_them() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.say(&conversation, "earlier").await;

    let feed = Feed::open(&server, "?type=conversation_message_created").await;
    let last_id = feed.last_id;
    drop(feed);
    write(&server, &user, "later").await;
    let mut again = Feed::open(&server, &format!("?type={CREATED}&last_event_id={last_id}")).await;

    assert_eq!(again.next().await.text(), "later", "an id came before any event");
}

#[actix_web::test]
async fn a_reader_can_filter_by_conversation_and_event_type() {
    let server = TestServer::start();
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let (of_alice, _) = (server.conversation_with(&alice).await, server.conversation_with(&bob).await);
    let mut one = Feed::open(&server, &format!("?conversation_id={of_alice}&type={CREATED},{UPDATED}")).await;

    write(&server, &bob, "from Bob").await;
    server.put(&format!("/v1.0/conversations/{of_alice}"), &json!({ "name": "renamed" })).await;
    write(&server, &alice, "from Alice").await;

    let event = one.next().await;
    assert_eq!((event.kind.as_str(), event.text()), (CREATED, "from Alice"));
    assert_eq!(
        refused(&server, "?type=conversation_message_createt").await,
        (400, "INVALID_ARGUMENT".to_owned())
    );
    assert_eq!(refused(&server, "?type=").await, (400, "INVALID_ARGUMENT".to_owned()));
    assert_eq!(refused(&server, "?conversation_id=7").await, (400, "INVALID_ID".to_owned()));
    let unknown = "?conversation_id=5a6d0b9e-0000-4000-8000-00000000000f";
    assert_eq!(refused(&server, unknown).await, (404, "CONVERSATION_NOT_FOUND".to_owned()));
}

#[actix_web::test]
async fn a_customer_sees_no_events_of_another_customer() {
    let server = with_heartbeats();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let stranger = CustomerId::new(Timestamp::now());
    let ask = async |method: Method, path: &str, body: &str| {
        let request = server.request_of(stranger, method, path).content_type("application/json");
        Response::to(request, body.to_owned()).await
    };
    assert_eq!(ask(Method::GET, "/v1.0/events", "").await.reason(), "CUSTOMER_NOT_FOUND");
    let account =
        json!({ "type": "line", "name": "theirs", "secret": "their-secret", "token": "their-token" });
    let made = ask(Method::POST, "/v1.0/conversation_accounts", &account.to_string()).await;
    assert_eq!(made.status, 200, "{made:?}");

    let mut theirs = Feed::of(server.request_of(stranger, Method::GET, "/v1.0/events?last_event_id=0")).await;
    let mut ours = Feed::open(&server, "").await;
    write(&server, &user, "private").await;

    assert_eq!(ours.next().await.text(), "private");
    let foreign = ask(Method::GET, &format!("/v1.0/events?conversation_id={conversation}"), "").await;
    assert_eq!((foreign.status, foreign.reason().as_str()), (404, "CONVERSATION_NOT_FOUND"));
    let sign_of_life = theirs.block().await.unwrap();
    assert_eq!(sign_of_life, ": still here", "no event, and no id of anybody else's");
}

#[actix_web::test]
async fn an_idle_feed_sends_heartbeats_with_its_position() {
    let server = with_heartbeats();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let began = Instant::now();
    let mut feed = Feed::open(&server, "?type=conversation_created").await;
    let first_id = feed.last_id;
    server.say(&conversation, "of no interest").await;

    let mut sign_of_life = feed.block().await.unwrap();
    while sign_of_life == ": still here" {
        sign_of_life = feed.block().await.unwrap();
    }

    assert!(began.elapsed() >= HEARTBEAT, "{:?}", began.elapsed());
    assert!(sign_of_life.starts_with(": still here\nid: "), "{sign_of_life}");
    assert!(feed.last_id > first_id, "who comes back need not skip that again");
}

#[actix_web::test]
async fn a_ticket_opens_one_feed_of_its_customer_within_a_minute() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let (first, late) = (ticket(&server).await, ticket(&server).await);
    let path = |ticket: &Value| format!("/v1.0/events?ticket={}", ticket["ticket"].as_str().unwrap());
    let knock = async |path: &str| Response::to(server.anonymous(Method::GET, path), "").await;

    let mut feed = Feed::of(server.anonymous(Method::GET, &path(&first))).await;
    write(&server, &user, "hello").await;
    feed.until(|event| event.text() == "hello").await;

    let life: Timestamp = first["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((55..=60).contains(&life.since(server.clock.now()).as_secs()), "{first}");
    let again = knock(&path(&first)).await;
    assert_eq!((again.status, again.reason().as_str()), (401, "INVALID_CREDENTIALS"), "once");
    server.advance(Duration::from_secs(61));
    assert_eq!(knock(&path(&late)).await.reason(), "INVALID_CREDENTIALS");
    assert_eq!(knock("/v1.0/events?ticket=").await.reason(), "INVALID_CREDENTIALS");
    assert_eq!(knock("/v1.0/events").await.reason(), "AUTHENTICATION_REQUIRED");
    let elsewhere =
        format!("/v1.0/conversations?ticket={}", ticket(&server).await["ticket"].as_str().unwrap());
    assert_eq!(knock(&elsewhere).await.reason(), "AUTHENTICATION_REQUIRED", "for nothing else");
}

#[actix_web::test]
async fn a_reader_that_was_away_too_long_is_reset_and_continues() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let mut feed = Feed::open(&server, "?last_event_id=0").await;
    let old = feed.take(2).await;
    feed.until(|event| event.body["data"]["participants"][1]["target_name"] == "Alice").await;

    server.advance(Duration::from_hours(7 * 24 + 1));
    let is_gone = async |id: i64| Feed::open(&server, &format!("?last_event_id={id}")).await.last_id != id;
    let limit = Instant::now() + PATIENCE;
    while !is_gone(old[0].id).await {
        assert!(Instant::now() < limit, "old events are pruned");
    }
    let mut behind = Feed::open(&server, &format!("?last_event_id={}", old[0].id)).await;
    let mut ahead = Feed::open(&server, "?last_event_id=1000000").await;
    server.say(&conversation, "new").await;

    for feed in [&mut behind, &mut ahead] {
        let (reset, next) = (feed.next().await, feed.next().await);
        assert_eq!((reset.kind.as_str(), &reset.body["type"]), ("reset", &json!("reset")));
        assert_eq!(reset.body["data"], Value::Null);
        assert_eq!((next.kind.as_str(), next.text()), (CREATED, "new"));
    }
    let newest = server.get(&format!("/v1.0/conversations/{conversation}")).await;
    assert_eq!(newest.status, 200, "only the events are gone");
}

#[actix_web::test]
async fn an_open_feed_survives_pruning() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let mut feed = Feed::open(&server, "").await;
    write(&server, &user, "old").await;
    feed.until(|event| event.body["data"]["participants"][1]["target_name"] == "Alice").await;

    server.advance(Duration::from_hours(7 * 24 + 1));
    let gone = async |query: &str| Feed::open(&server, query).await.last_id != 0;
    while !gone("?last_event_id=0").await {}
    write(&server, &user, "new").await;

    let next = feed.next().await;
    assert_eq!((next.kind.as_str(), next.text()), (CREATED, "new"), "no reset: nothing was missed");
}

#[actix_web::test]
async fn a_reader_that_reads_nothing_is_disconnected_and_others_are_not() {
    let server = TestServer::start_with(|config| config.limits.stall_timeout = Duration::from_secs(1));
    let user = server.user("Alice");
    let mut lively = Feed::open(&server, "").await;
    let mut lazy = TcpStream::connect(server.address).unwrap();
    let token = token_of(server.customer);
    write!(lazy, "GET /v1.0/events HTTP/1.1\r\nHost: kaiwa\r\nAuthorization: Bearer {token}\r\n\r\n")
        .unwrap();
    eventually(|| server.shared().feeds.count() == 2).await;

    let long = "x".repeat(400_000);
    for number in 0..40 {
        let text = format!("{number} {long}");
        write(&server, &user, &text).await;
        lively.until(|event| event.text() == text).await;
    }

    eventually(|| server.shared().feeds.count() == 1).await;
    let mut taken = Vec::new();
    let ended = lazy.read_to_end(&mut taken);
    assert!(taken.len() < 12_000_000, "{} bytes were buffered for it; {ended:?}", taken.len());
    write(&server, &user, "afterwards").await;
    assert_eq!(lively.next().await.text(), "afterwards");
}

#[actix_web::test]
async fn a_stopping_server_does_not_wait_for_readers() {
    let mut server = TestServer::start_with(|config| config.limits.shutdown_timeout = Duration::from_mins(1));
    let mut feed = Feed::open(&server, "").await;
    let began = Instant::now();

    server.stop();

    assert_eq!(feed.block().await, None, "the feed ends");
    drop(server);
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_customer_has_a_limited_number_of_feeds() {
    let server = TestServer::start_with(|config| {
        config.limits.feeds = 3;
        config.limits.customer_feeds = 2;
    });
    let first = Feed::open(&server, "").await;
    let _second = Feed::open(&server, "").await;

    let third = server.get("/v1.0/events").await;
    assert_eq!((third.status, third.reason().as_str()), (429, "RATE_LIMIT_EXCEEDED"));
    assert_eq!(third.header("retry-after"), "10");
    drop(first);

    // A closed connection is noticed at the next write.
    write(&server, &server.user("Alice"), "hello").await;
    eventually(|| server.shared().feeds.count() == 1).await;
    Feed::open(&server, "").await;
}

#[actix_web::test]
async fn the_content_of_an_unsent_message_is_no_longer_in_the_feed() {
    let server = TestServer::start();
    let user = server.user("Alice");
    let event = text_event(&user, "a secret");
    server.webhook(std::slice::from_ref(&event)).await;
    let unsend = json!({
        "type": "unsend", "mode": "active", "timestamp": Timestamp::now().as_milliseconds(),
        "webhookEventId": "01HUNSEND0000000000000000A", "deliveryContext": { "isRedelivery": false },
        "source": { "type": "user", "userId": user }, "unsend": { "messageId": event["message"]["id"] },
    });
    server.webhook(&[unsend]).await;

    let mut feed = Feed::open(&server, &format!("?last_event_id=0&type={CREATED},{UPDATED}")).await;
    let updates = feed.take(2).await;

    assert_eq!(updates.iter().map(Event::text).collect::<Vec<_>>(), ["", ""]);
    assert_eq!(updates[0].body["data"], updates[1].body["data"], "both show its current state");
    assert_ne!(updates[0].body["data"]["tm_delete"], "9999-01-01 00:00:00.000000");
}
