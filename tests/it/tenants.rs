//! A customer sees what is theirs; what belongs to another does not exist.

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::json;

use crate::harness::answer::Answer;
use crate::harness::server::TestServer;

const UNKNOWN: &str = "5a6d0b9e-0000-4000-8000-00000000000f";

#[actix_web::test]
async fn another_customers_things_answer_exactly_as_unknown_ids_do() {
    let server = TestServer::start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let message = server.say(&conversation, "private").await["id"].as_str().unwrap().to_owned();
    let account = server.account.to_string();
    let stranger = CustomerId::new(Timestamp::now());
    let ask = async |method: Method, path: &str, body: &str| {
        let request = server.request_of(stranger, method, path).insert_header(("X-Request-Id", "same"));
        Answer::to(request.content_type("application/json"), body.to_owned()).await
    };
    let calls = [
        (Method::GET, "/v1.0/conversations/CONVERSATION", ""),
        (Method::PUT, "/v1.0/conversations/CONVERSATION", r#"{"name":"mine"}"#),
        (Method::GET, "/v1.0/conversations/CONVERSATION/messages", ""),
        (Method::POST, "/v1.0/conversations/CONVERSATION/messages", r#"{"text":"hi"}"#),
        (Method::GET, "/v1.0/conversations/CONVERSATION/messages/MESSAGE", ""),
        (Method::POST, "/v1.0/conversations/CONVERSATION/messages/MESSAGE/retry", "{}"),
        (Method::POST, "/v1.0/conversations/CONVERSATION/read", ""),
        (Method::POST, "/v1.0/conversations/CONVERSATION/typing", ""),
        (Method::GET, "/v1.0/events?conversation_id=CONVERSATION", ""),
        (Method::GET, "/v1.0/conversation_accounts/ACCOUNT/quota", ""),
        (Method::GET, "/v1.0/events?conversation_id=CONVERSATION", ""),
        (Method::GET, "/v1.0/conversation_accounts/ACCOUNT", ""),
        (Method::PUT, "/v1.0/conversation_accounts/ACCOUNT", r#"{"name":"mine"}"#),
        (Method::DELETE, "/v1.0/conversation_accounts/ACCOUNT", ""),
    ];

    for (method, path, body) in calls {
        let fill = |conversation: &str, message: &str, account: &str| {
            path.replace("CONVERSATION", conversation).replace("MESSAGE", message).replace("ACCOUNT", account)
        };
        let foreign = ask(method.clone(), &fill(&conversation, &message, &account), body).await;
        let unknown = ask(method.clone(), &fill(UNKNOWN, UNKNOWN, UNKNOWN), body).await;

        assert_eq!(foreign.status, 404, "{method} {path}");
        assert_eq!(foreign.text, unknown.text, "{method} {path}");
    }
    let lists = ["/v1.0/conversations", "/v1.0/conversation_accounts"];
    for list in lists {
        assert_eq!(ask(Method::GET, list, "").await.text, r#"{"result":[],"next_page_token":""}"#);
    }
    assert_eq!(server.messages(&conversation).await.len(), 2, "nothing was changed");
    assert_eq!(server.executed(&server.user("Alice")), ["private"]);
}

#[actix_web::test]
async fn a_message_is_found_only_in_its_own_conversation() {
    let server = TestServer::start();
    let alice = server.conversation_with(&server.user("Alice")).await;
    let bob = server.conversation_with(&server.user("Bob")).await;
    let id = server.say(&alice, "to Alice").await["id"].as_str().unwrap().to_owned();

    let elsewhere = server.get(&format!("/v1.0/conversations/{bob}/messages/{id}")).await;

    assert_eq!((elsewhere.status, elsewhere.reason().as_str()), (404, "MESSAGE_NOT_FOUND"));
    assert_eq!(
        server.get(&format!("/v1.0/conversations/{alice}/messages/{id}")).await.json()["text"],
        "to Alice"
    );
}

#[actix_web::test]
async fn two_accounts_with_the_same_user_are_two_conversations() {
    let server = TestServer::start();
    let user = server.user("Alice");
    server.conversation_with(&user).await;
    let stranger = CustomerId::new(Timestamp::now());
    let channel = server.line.platform.channel();
    let body = json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
    let request = server.request_of(stranger, Method::POST, "/v1.0/conversation_accounts");
    let account = Answer::to(request.content_type("application/json"), body.to_string()).await.json();
    let path = account["webhook_uri"].as_str().unwrap().to_owned();
    server.line.platform.set_webhook(Some(path));

    kaiwa::sandbox::control::client::say(&server.line.url, "Alice", "to the second account").await.unwrap();

    let request = server.request_of(stranger, Method::GET, "/v1.0/conversations");
    let theirs = Answer::to(request, "").await.json();
    assert_eq!(theirs["result"].as_array().unwrap().len(), 1);
    assert_eq!(theirs["result"][0]["reference_id"], user);
    assert_eq!(server.get("/v1.0/conversations").await.json()["result"].as_array().unwrap().len(), 1);
}
