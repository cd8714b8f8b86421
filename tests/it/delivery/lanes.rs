//! Which delivery is claimed next, and what delays no other.

use std::time::Duration;

use awc::http::Method;
use kaiwa::config::key_source::KeySource;
use kaiwa::line::signature;
use kaiwa::model::capacity::Capacity;
use kaiwa::model::delivery::Policy;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::sandbox::records::RequestRecord;
use kaiwa::store::Store;
use kaiwa::store::dispatch;
use kaiwa::store::outbox::lanes::LineOutbox;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};

const PUSH: &str = "/v2/bot/message/push";

/// Sends without waiting for LINE.
async fn post(server: &TestServer, conversation: &str, text: &str) -> String {
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let request = server.request(Method::POST, &path).insert_header(("Prefer", "respond-async"));
    let response =
        Response::to(request.content_type("application/json"), json!({ "text": text }).to_string());
    response.await.json()["id"].as_str().unwrap().to_owned()
}

async fn message(server: &TestServer, conversation: &str, id: &str) -> Value {
    server.get(&format!("/v1.0/conversations/{conversation}/messages/{id}")).await.json()
}

async fn is_sent(server: &TestServer, conversation: &str, id: &str) {
    eventually_is(json!("sent"), async || message(server, conversation, id).await["status"].clone()).await;
}

/// Another account, to which these users have written.
async fn another_account(server: &TestServer, users: usize) {
    let channel = server.line.platform.channel();
    let body = json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
    let account = server.post("/v1.0/conversation_accounts", &body).await.json();
    let events: Vec<_> = (0..users).map(|user| text_event(&format!("U{user:032x}"), "hello")).collect();
    let body = json!({ "destination": server.line.platform.bot().user_id, "events": events }).to_string();
    let request = server
        .anonymous(Method::POST, &format!("/v1.0/conversation/accounts/{}", account["id"].as_str().unwrap()));
    let signature = signature::sign(&channel.secret, body.as_bytes());
    assert_eq!(Response::to(request.insert_header((signature::HEADER, signature)), body).await.status, 200);
}

#[actix_web::test]
async fn hanging_chats_of_five_accounts_leave_three_quarters_of_the_slots_to_the_sixth() {
    const QUEUE: usize = 16;
    let mut server = TestServer::start();
    for _ in 0..6 {
        another_account(&server, 40).await;
    }
    server.halt();
    let connection = Connection::open(server.database()).unwrap();
    let healthy = "(SELECT max(key) FROM accounts)";
    connection
        .execute_batch(&format!(
            "INSERT INTO lanes (conversation, account, due_at, slow)
             SELECT key, account, 0, account <> {healthy} FROM conversations;
             INSERT INTO deliveries (conversation, message_stamp, body, retry_key, created_at)
             SELECT conversation, tm_create, x'7b7d', randomblob(16), 0 FROM messages;"
        ))
        .unwrap();
    drop(connection);

    let key = KeySource::File(server.folder().join("secret.key"));
    let store = Store::open(&server.database(), &key, QUEUE).unwrap();
    let policy = Policy {
        backoff_first: Duration::from_secs(1),
        backoff_max: Duration::from_mins(5),
        give_up_after: Duration::from_hours(23),
    };
    // As the worker does: repeatedly, while there is something to claim.
    let (mut taken, mut slow) = (0, 0);
    loop {
        let room = Capacity::left(40, taken, slow);
        let claim =
            store.write(Timestamp::now(), move |tx| dispatch::claim(tx, &LineOutbox { policy }, room));
        let claims = claim.await.unwrap().claims;
        if claims.is_empty() {
            break;
        }
        taken += claims.len();
        slow += claims.iter().filter(|claim| claim.slow).count();
    }

    assert_eq!((slow, taken), (10, 40));
}

#[actix_web::test]
async fn the_probe_of_a_suspended_account_comes_from_a_chat_that_can_be_written_to() {
    let server = TestServer::start();
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let of_alice = server.conversation_with(&alice).await;
    let of_bob = server.conversation_with(&bob).await;
    server.set_faults(&json!([{ "kind": "status", "status": 403, "count": 2, "path": "/v2/bot/message/" }]));
    let first = post(&server, &of_alice, "first").await;
    eventually_is(1, async || {
        server.value::<i64>("SELECT count(*) FROM accounts WHERE suspended_until IS NOT NULL")
    })
    .await;
    let second = post(&server, &of_bob, "second").await;
    let mut standby = text_event(&alice, "to the other system");
    standby["mode"] = json!("standby");
    server.webhook(&[standby]).await;
    server.set_faults(&json!([]));

    server.advance(Duration::from_hours(1));

    is_sent(&server, &of_bob, &second).await;
    assert_eq!(message(&server, &of_alice, &first).await["status"], "sending");
    assert_eq!(server.executed(&bob), ["second"]);
}

#[actix_web::test]
async fn an_outcome_that_cannot_be_recorded_is_unclear_and_delays_no_other_chat() {
    let server = TestServer::start();
    let (alice, bob) = (server.user("Alice"), server.user("Bob"));
    let of_alice = server.conversation_with(&alice).await;
    let of_bob = server.conversation_with(&bob).await;
    let connection = Connection::open(server.database()).unwrap();
    let refusal = "CREATE TRIGGER odd BEFORE UPDATE ON deliveries
                   WHEN NEW.state = 'accepted' AND NEW.conversation = (SELECT min(key) FROM conversations)
                   BEGIN SELECT RAISE(ABORT, 'odd'); END";
    connection.execute_batch(refusal).unwrap();

    let push = post(&server, &of_alice, "a push").await;
    eventually_is(1, async || {
        server.value::<i64>("SELECT count(*) FROM deliveries WHERE state = 'queued' AND ambiguous")
    })
    .await;
    let other = post(&server, &of_bob, "another").await;
    is_sent(&server, &of_bob, &other).await;

    connection.execute_batch("DROP TRIGGER odd").unwrap();
    server.advance(Duration::from_hours(1));
    is_sent(&server, &of_alice, &push).await;
    assert_eq!(server.executed(&alice), ["a push"]);
    let pushes = server.line.platform.requests().into_iter().filter(|request| request.path == PUSH);
    let pushes: Vec<_> =
        pushes.filter(|push| String::from_utf8_lossy(&push.body).contains("a push")).collect();
    assert!(pushes.len() > 1);
    let is_first =
        |push: &RequestRecord| (&push.retry_key, &push.body) == (&pushes[0].retry_key, &pushes[0].body);
    assert!(pushes.iter().all(is_first), "{pushes:?}");
}
