//! Two channel secrets during a rotation, and fetched tokens that are valid for minutes.

use std::time::Duration;

use awc::http::Method;
use kaiwa::line::signature;
use kaiwa::model::secret::Secret;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::harness::{eventually, eventually_is};

const PATH: &str = "/v1.0/conversation_accounts";
const ISSUE: &str = "/oauth2/v3/token";
const PUSH: &str = "/v2/bot/message/push";

/// A server whose account fetches its tokens.
fn with_channel_id() -> TestServer {
    TestServer::start_on(|line, config| {
        let account = &mut config.accounts[0];
        account.token = Secret::new("");
        account.channel_id = Some(line.platform.channel().id);
    })
}

fn requests(server: &TestServer, path: &str) -> usize {
    server.line.platform.requests().iter().filter(|request| request.path == path).count()
}

/// The status of a webhook that is signed with this secret.
async fn signed_with(server: &TestServer, secret: &str) -> u16 {
    let body = json!({ "destination": "U", "events": [text_event(&server.user("Alice"), "hi")] }).to_string();
    let signature = signature::sign(&Secret::new(secret), body.as_bytes());
    let request = server.anonymous(Method::POST, &server.webhook_path());
    Response::to(request.insert_header((signature::HEADER, signature)), body).await.status
}

#[actix_web::test]
async fn webhooks_signed_with_either_secret_are_accepted_during_a_rotation() {
    let server = TestServer::start();
    let account = format!("{PATH}/{}", server.account);
    let old = server.line.platform.channel().secret;
    let shown = async |body: Value| server.put(&account, &body).await.json()["has_secret_next"].clone();

    assert_eq!(signed_with(&server, "the-next").await, 401);
    assert_eq!(shown(json!({ "secret_next": "the-next" })).await, json!(true));
    assert_eq!(shown(json!({ "name": "kept" })).await, json!(true));
    assert_eq!(signed_with(&server, "the-next").await, 200);
    assert_eq!(signed_with(&server, old.expose()).await, 200);
    assert_eq!(shown(json!({ "secret": "the-next", "secret_next": null })).await, json!(false));
    assert_eq!(signed_with(&server, "the-next").await, 200);
    assert_eq!(signed_with(&server, old.expose()).await, 401);
    assert!(!server.get(&account).await.text.contains("the-next"));
    assert_eq!(server.put(&account, &json!({ "secret_next": "" })).await.status, 400);
}

#[actix_web::test]
async fn an_account_with_a_channel_id_fetches_its_token_and_renews_it_early() {
    let server = with_channel_id();
    let user = server.user("Alice");

    let conversation = server.conversation_with(&user).await;
    let sent = server.say(&conversation, "hi").await;

    assert_eq!(sent["status"], "sent");
    let account = server.get(&format!("{PATH}/{}", server.account)).await.json();
    assert_eq!(account["channel_id"], server.line.platform.channel().id);
    eventually(|| requests(&server, ISSUE) == 1).await;
    server.advance(Duration::from_mins(9));
    server.say(&conversation, "not yet").await;
    assert_eq!(requests(&server, ISSUE), 1);
    server.advance(Duration::from_mins(2));
    eventually(|| requests(&server, ISSUE) == 2).await;
    assert_eq!(server.say(&conversation, "goes on").await["status"], "sent");
    let refused = server.line.platform.requests().iter().filter(|one| one.status == Some(401)).count();
    assert_eq!(refused, 0, "nothing was asked before there was a token");
}

#[actix_web::test]
async fn a_token_that_expires_early_is_renewed_once_and_the_same_bytes_go_out_under_the_same_key() {
    let server = with_channel_id();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.say(&conversation, "before").await;
    let pushes_before = requests(&server, PUSH);
    let issued_before = requests(&server, ISSUE);
    server.line.platform.with(|state| state.stateless_tokens.expire());

    let sent = server.say(&conversation, "after").await;

    assert_eq!(sent["status"], "sent");
    let all = server.line.platform.requests();
    let pushes: Vec<_> = all.iter().filter(|request| request.path == PUSH).skip(pushes_before).collect();
    assert_eq!((pushes[0].status, pushes[1].status), (Some(401), Some(200)));
    assert_eq!((pushes.len(), &pushes[0].body), (2, &pushes[1].body));
    assert_eq!(pushes[0].retry_key, pushes[1].retry_key);
    assert_eq!(requests(&server, ISSUE), issued_before + 1);
    assert_eq!(server.executed(&user), ["before", "after"]);
}

#[actix_web::test]
async fn without_a_token_line_is_asked_for_nothing_but_a_token() {
    for fault in ["status", "cut", "garbage", "reset"] {
        let server = TestServer::start_on(|line, config| {
            let account = &mut config.accounts[0];
            account.token = Secret::new("");
            account.channel_id = Some(line.platform.channel().id);
            let faults = json!([{ "kind": fault, "status": 500, "path": ISSUE, "count": 1 }]);
            line.platform.set_faults(serde_json::from_value(faults).unwrap());
        });

        let conversation = server.conversation_with(&server.user("Alice")).await;
        let sent = server.say(&conversation, "hi").await;

        let one = format!("/v1.0/conversations/{conversation}/messages/{}", sent["id"].as_str().unwrap());
        server.advance(Duration::from_mins(1));
        eventually_is(json!("sent"), async || server.get(&one).await.json()["status"].clone()).await;
        let refused = server.line.platform.requests().iter().filter(|one| one.status == Some(401)).count();
        assert_eq!(refused, 0, "{fault}");
    }
}

#[actix_web::test]
async fn many_chats_that_hit_a_refused_token_fetch_one_new_token() {
    let server = with_channel_id();
    let mut conversations = Vec::new();
    for number in 0..8 {
        let user = server.user(&format!("user {number}"));
        conversations.push(server.conversation_with(&user).await);
    }
    server.say(&conversations[0], "before").await;
    let issued_before = requests(&server, ISSUE);
    server.line.platform.with(|state| state.stateless_tokens.expire());

    let sent = conversations.iter().map(|conversation| server.say(conversation, "at once"));
    let sent = futures_util::future::join_all(sent).await;

    assert!(sent.iter().all(|message| message["status"] == "sent"), "{sent:?}");
    assert_eq!(requests(&server, ISSUE), issued_before + 1);
}

#[actix_web::test]
async fn an_account_whose_secret_line_rejects_is_suspended_until_it_has_the_right_one() {
    let server = with_channel_id();
    let account = format!("{PATH}/{}", server.account);
    let right = server.line.platform.channel().secret;
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    let wrong = server.put(&account, &json!({ "secret": "wrong" })).await.json();

    let sent = server.say(&conversation, "patience").await;

    assert_eq!(wrong["line"]["status"], "refused");
    assert_eq!(sent["status"], "sending");
    assert_eq!(server.get(&account).await.json()["suspended"]["reason"], "token");
    let mended = server.put(&account, &json!({ "secret": right.expose() })).await.json();
    assert_eq!((&mended["line"]["status"], &mended["suspended"]), (&json!("good"), &Value::Null));
    let one = format!("/v1.0/conversations/{conversation}/messages/{}", sent["id"].as_str().unwrap());
    eventually_is(json!("sent"), async || server.get(&one).await.json()["status"].clone()).await;
}

#[actix_web::test]
async fn an_account_has_either_a_token_or_a_channel_id() {
    let server = TestServer::start();
    let channel = server.line.platform.channel();
    let body = json!({ "type": "line", "secret": channel.secret.expose(), "channel_id": channel.id });
    let mut both = body.clone();
    both["token"] = json!("token");

    let created = server.post(PATH, &body).await.json();

    assert_eq!(server.post(PATH, &both).await.reason(), "INVALID_ARGUMENT");
    assert_eq!((&created["line"]["status"], &created["channel_id"]), (&json!("good"), &json!(channel.id)));
    let one = format!("{PATH}/{}", created["id"].as_str().unwrap());
    let changed = server.put(&one, &json!({ "token": channel.token.expose() })).await.json();
    assert_eq!((&changed["line"]["status"], &changed["channel_id"]), (&json!("good"), &Value::Null));
}
