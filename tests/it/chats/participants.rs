//! Participants of a conversation: names and pictures, fetched once and refreshed when they are old.

use std::time::Duration;

use kaiwa::sandbox::people::Friendship;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::external_server::ExternalServer;
use crate::harness::server::{TestServer, text_event};
use crate::harness::{eventually, eventually_is};
use crate::media::{download, names as files};

/// Longer than the time for which names and pictures are considered fresh.
const OLD: Duration = Duration::from_hours(25);

/// The beginning of a PNG.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

/// A server that may fetch pictures from this machine.
fn server() -> TestServer {
    TestServer::start_with(|config| config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()])
}

/// All participants in the chat of this user or group except the account.
async fn participants(server: &TestServer, chat: &str) -> Vec<Value> {
    let list = server.get("/v1.0/conversations").await.json();
    let found = list["result"].as_array().unwrap().iter().find(|one| one["reference_id"] == chat).unwrap();
    found["participants"].as_array().unwrap()[1..].to_vec()
}

async fn name(server: &TestServer, chat: &str) -> Value {
    participants(server, chat).await[0]["target_name"].clone()
}

/// The address of the picture of the chat itself.
async fn picture(server: &TestServer, chat: &str) -> Value {
    participants(server, chat).await[0]["picture_uri"].clone()
}

async fn writes(server: &TestServer, user: &str) {
    assert_eq!(server.webhook(&[text_event(user, "hi")]).await.status, 200);
}

/// The number of requests to LINE for the profile of a user.
fn asked(server: &TestServer, user: &str) -> usize {
    let path = format!("/v2/bot/profile/{user}");
    server.line.platform.requests().iter().filter(|request| request.path == path).count()
}

/// Changes the name of a user; no event is sent.
fn rename(server: &TestServer, user: &str, name: &str) {
    let named = name.to_owned();
    server.line.platform.with(|state| state.people_mut().user_mut(user).unwrap().name = named);
}

/// Changes the picture of a user; no event is sent.
fn set_picture(server: &TestServer, user: &str, url: Option<String>) {
    server.line.platform.with(|state| state.people_mut().user_mut(user).unwrap().picture_url = url);
}

/// Waits until the name worker has asked for a user who has just appeared, so that it has seen everything before.
async fn all_are_asked_for(server: &TestServer, newcomer: &str) {
    let user = server.user(newcomer);
    writes(server, &user).await;
    eventually_is(json!(newcomer), async || name(server, &user).await).await;
}

#[actix_web::test]
async fn a_name_is_fetched_once_and_refreshed_by_the_first_event_after_a_day() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = format!("/v1.0/conversations/{}", server.conversation_with(&alice).await);
    eventually_is(json!("Alice"), async || name(&server, &alice).await).await;
    let first = server.get(&conversation).await.json();

    rename(&server, &alice, "Alicia");
    server.advance(Duration::from_hours(23));
    for _ in 0..20 {
        writes(&server, &alice).await;
    }
    all_are_asked_for(&server, "Bob").await;
    assert_eq!(asked(&server, &alice), 1, "it is fresh");
    server.advance(OLD);
    all_are_asked_for(&server, "Carol").await;
    assert_eq!(asked(&server, &alice), 1, "her chat is quiet");

    for _ in 0..20 {
        writes(&server, &alice).await;
    }
    eventually_is(json!("Alicia"), async || name(&server, &alice).await).await;
    assert_eq!(asked(&server, &alice), 2);
    assert_ne!(server.get(&conversation).await.json()["tm_update"], first["tm_update"]);
}

#[actix_web::test]
async fn an_event_timed_before_the_name_was_fetched_does_not_fetch_it_again() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    writes(&server, &alice).await;
    eventually_is(json!("Alice"), async || name(&server, &alice).await).await;
    let later = "UPDATE participants SET named_at = named_at + 1000000";
    Connection::open(server.database()).unwrap().execute(later, []).unwrap();

    writes(&server, &alice).await;
    all_are_asked_for(&server, "Bob").await;

    assert_eq!(asked(&server, &alice), 1);
}

#[actix_web::test]
async fn a_name_that_line_no_longer_returns_stays_and_costs_one_call_a_day() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    writes(&server, &alice).await;
    eventually_is(json!("Alice"), async || name(&server, &alice).await).await;
    server.line.platform.with(|state| {
        state.people_mut().user_mut(&alice).unwrap().friendship = Friendship::Blocked;
    });

    server.advance(OLD);
    writes(&server, &alice).await;
    eventually_is(2, async || asked(&server, &alice)).await;
    server.advance(Duration::from_hours(23));
    writes(&server, &alice).await;
    server.advance(OLD);
    all_are_asked_for(&server, "Bob").await;

    assert_eq!((asked(&server, &alice), name(&server, &alice).await), (2, json!("Alice")));
}

#[actix_web::test]
async fn a_profile_picture_is_fetched_without_a_token_and_served_by_us() {
    let server = server();
    let cdn = ExternalServer::with_file(PNG);
    let alice = server.user("Alice");
    set_picture(&server, &alice, Some(format!("{}/alice", cdn.url)));
    writes(&server, &alice).await;
    eventually_is(true, async || picture(&server, &alice).await.is_string()).await;

    let list = server.get("/v1.0/conversations").await.text;
    let uri = picture(&server, &alice).await.as_str().unwrap().to_owned();
    let served = download(&server, &uri, &[]).await;

    assert!(
        list.contains(&format!(
            r#""target_name":"Alice","name":"","detail":"","picture_uri":"{uri}"}}],"tm_create""#
        )),
        "{list}"
    );
    assert!(!list.contains(&cdn.url), "the address of the picture is not exposed");
    assert_eq!((served.header("content-type"), served.body.as_slice()), ("image/png", PNG));
    assert_eq!(cdn.heads().len(), 1);
    assert!(!cdn.heads()[0].to_lowercase().contains("authorization"), "{:?}", cdn.heads());
    server.advance(OLD);
    writes(&server, &alice).await;
    eventually_is(2, async || asked(&server, &alice)).await;
    all_are_asked_for(&server, "Bob").await;
    assert_eq!(
        (picture(&server, &alice).await, cdn.heads().len()),
        (json!(uri), 1),
        "it is the same picture"
    );
}

#[actix_web::test]
async fn a_profile_picture_that_could_not_be_fetched_is_retried_with_the_name() {
    let server = server();
    let gone = ExternalServer::start(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let alice = server.user("Alice");
    set_picture(&server, &alice, Some(gone.url.clone()));
    writes(&server, &alice).await;
    eventually(|| gone.heads().len() == 1).await;
    eventually(|| server.value::<i64>("SELECT count(*) FROM medias WHERE status = 'gone'") == 1).await;

    server.advance(OLD);
    writes(&server, &alice).await;

    eventually(|| gone.heads().len() == 2).await;
    assert_eq!(picture(&server, &alice).await, Value::Null);
}

#[actix_web::test]
async fn a_new_profile_picture_replaces_and_removes_the_old_one() {
    let server = server();
    let (first, second) =
        (ExternalServer::with_file(PNG), ExternalServer::with_file(&[PNG, b"second"].concat()));
    let alice = server.user("Alice");
    set_picture(&server, &alice, Some(first.url.clone()));
    writes(&server, &alice).await;
    eventually_is(true, async || picture(&server, &alice).await.is_string()).await;
    let old = picture(&server, &alice).await.as_str().unwrap().to_owned();

    set_picture(&server, &alice, Some(second.url.clone()));
    server.advance(OLD);
    writes(&server, &alice).await;
    eventually_is(true, async || picture(&server, &alice).await.as_str().is_some_and(|uri| uri != old)).await;
    eventually_is(1, async || files(&server).len()).await;
    assert_eq!(server.get(&old).await.status, 404);

    set_picture(&server, &alice, None);
    server.advance(OLD);
    writes(&server, &alice).await;
    eventually_is(Value::Null, async || picture(&server, &alice).await).await;
    eventually_is(0, async || files(&server).len()).await;
}

#[actix_web::test]
async fn groups_and_members_have_pictures_and_a_leaving_member_takes_theirs_along() {
    let server = server();
    let cdn = ExternalServer::with_file(PNG);
    let brown = server.user("Brown");
    let group = server.group("Friends", &[&brown]);
    set_picture(&server, &brown, Some(format!("{}/brown", cdn.url)));
    server.line.platform.with(|state| {
        state.people_mut().group_mut(&group).unwrap().picture_url = Some(format!("{}/group", cdn.url));
    });
    let mut message = text_event(&brown, "hello");
    message["source"] = json!({ "type": "group", "groupId": group, "userId": brown });
    let mut leaves = text_event(&brown, "");
    leaves["type"] = json!("memberLeft");
    leaves["source"] = json!({ "type": "group", "groupId": group });
    leaves["left"] = json!({ "members": [{ "type": "user", "userId": brown }] });

    server.webhook(&[message]).await;
    let shown = async || participants(&server, &group).await;
    eventually_is(2, async || shown().await.iter().filter(|one| one["picture_uri"].is_string()).count())
        .await;
    server.webhook(&[leaves]).await;

    assert_eq!(shown().await.len(), 1);
    eventually_is(1, async || files(&server).len()).await;
}

#[actix_web::test]
async fn a_profile_picture_that_is_not_a_small_image_or_is_in_our_network_is_not_shown() {
    let large = ExternalServer::with_file(&[PNG, &vec![0; 1 << 20]].concat());
    let page = ExternalServer::with_file(b"<html><script>alert(1)</script></html>");
    let open = server();
    let closed = TestServer::start();
    let inside = ExternalServer::with_file(PNG);

    for (server, host, requests) in [(&open, &large, 1), (&open, &page, 1), (&closed, &inside, 0)] {
        let user = server.user(&host.url);
        set_picture(server, &user, Some(host.url.clone()));
        writes(server, &user).await;
        eventually_is(json!(host.url), async || name(server, &user).await).await;
        server.advance(Duration::from_secs(1));
        eventually_is(requests, async || host.heads().len()).await;
        let bare =
            json!([{ "type": "line", "target": user, "target_name": host.url, "name": "", "detail": "" }]);
        assert_eq!(json!(participants(server, &user).await), bare);
    }
    eventually_is(0, async || files(&open).len() + files(&closed).len()).await;
    assert_eq!(inside.heads(), [""; 0]);
}
