//! A customer sees only their own data; that of another customer does not exist for them.

use std::collections::{BTreeMap, BTreeSet};

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::contract;
use crate::harness::response::Response;
use crate::harness::server::TestServer;

const UNKNOWN: &str = "5a6d0b9e-0000-4000-8000-00000000000f";

#[actix_web::test]
async fn ids_of_another_customer_respond_exactly_like_unknown_ids() {
    let server = TestServer::start();
    let things = things_of(&server).await;
    let stranger = CustomerId::new(Timestamp::now());
    let before =
        (server.get("/v1.0/conversations").await.text, server.get("/v1.0/conversation_accounts").await.text);
    let mut tried = BTreeSet::new();

    for Asking { operation, method, path, body } in askings() {
        let ask = async |fill: &dyn Fn(&str) -> String| {
            let request = server.request_of(stranger, method.clone(), &fill(&path));
            let request = request.insert_header(("X-Request-Id", "same")).content_type("application/json");
            Response::to(request, body.clone()).await
        };
        let foreign =
            ask(&|path| things.iter().fold(path.to_owned(), |path, (name, id)| path.replace(name, id))).await;
        let unknown =
            ask(&|path| things.keys().fold(path.to_owned(), |path, name| path.replace(name, UNKNOWN))).await;

        assert_eq!((foreign.status, &foreign.text), (unknown.status, &unknown.text), "{operation}");
        assert_eq!(foreign.status, 404, "{operation}: {foreign:?}");
        tried.insert(operation);
    }

    assert!(tried.len() >= 18, "every operation that takes an id: {tried:?}");
    for list in ["/v1.0/conversations", "/v1.0/conversation_accounts", "/v1.0/webhook_deliveries"] {
        let response = Response::to(server.request_of(stranger, Method::GET, list), "").await;
        assert_eq!(response.text, r#"{"result":[],"next_page_token":""}"#);
    }
    let after =
        (server.get("/v1.0/conversations").await.text, server.get("/v1.0/conversation_accounts").await.text);
    assert_eq!(after, before, "nothing was changed");
    assert_eq!(server.executed(&server.user("Alice")), ["private"]);
}

/// A request that names a resource by its id.
struct Asking {
    operation: String,
    method: Method,
    path: String,
    body: String,
}

/// Every operation of the document that takes an id and a token, once for each id in its query. Each id is replaced
/// by the name of its parameter.
fn askings() -> Vec<Asking> {
    let mut askings = Vec::new();
    for (path, method, operation) in contract::operations() {
        if operation["security"] == json!([]) || operation["security"][0].get("line_signature").is_some() {
            continue;
        }
        let asking = |path: String| Asking {
            operation: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            path,
            body: contract::example(operation),
        };
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let (mut named, mut narrowed) = (path.to_owned(), Vec::new());
        for parameter in parameters {
            let (place, described) = contract::resolve("", parameter).unwrap();
            let name = described["name"].as_str().unwrap();
            match described["in"].as_str().unwrap() {
                "path" => named = named.replace(&format!("{{{name}}}"), place.rsplit('/').next().unwrap()),
                "query" if described["schema"]["$ref"] == "#/components/schemas/Id" => narrowed.push(name),
                _ => {}
            }
        }
        assert!(narrowed.iter().all(|name| *name == "conversation_id"), "{narrowed:?} of {path}");
        askings.extend(narrowed.iter().map(|name| asking(format!("{named}?{name}=ConversationId"))));
        if named != path {
            askings.push(asking(named));
        }
    }
    askings
}

/// One resource of each kind that has an id, by the name of the parameter.
async fn things_of(server: &TestServer) -> BTreeMap<&'static str, String> {
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    server.put("/v1.0/webhook", &json!({ "uri": "https://customer.invalid/" })).await;
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let message = id(&server.say(&conversation, "private").await);
    let upload = Response::to(server.request(Method::POST, "/v1.0/medias"), "private").await;
    let deliveries = server.get("/v1.0/webhook_deliveries").await.json();
    BTreeMap::from([
        ("ConversationId", conversation),
        ("MessageId", message),
        ("AccountId", server.account.to_string()),
        ("MediaId", id(&upload.json())),
        ("DeliveryId", id(&deliveries["result"][0])),
    ])
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
async fn the_same_user_on_two_accounts_has_two_conversations() {
    let server = TestServer::start();
    let user = server.user("Alice");
    server.conversation_with(&user).await;
    let stranger = CustomerId::new(Timestamp::now());
    let channel = server.line.platform.channel();
    let body = json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
    let request = server.request_of(stranger, Method::POST, "/v1.0/conversation_accounts");
    let account = Response::to(request.content_type("application/json"), body.to_string()).await.json();
    let path = account["webhook_uri"].as_str().unwrap().to_owned();
    server.line.platform.set_webhook(Some(path));

    kaiwa::sandbox::control::client::say(&server.line.url, "Alice", "to the second account").await.unwrap();

    let request = server.request_of(stranger, Method::GET, "/v1.0/conversations");
    let theirs = Response::to(request, "").await.json();
    assert_eq!(theirs["result"].as_array().unwrap().len(), 1);
    assert_eq!(theirs["result"][0]["reference_id"], user);
    assert_eq!(server.get("/v1.0/conversations").await.json()["result"].as_array().unwrap().len(), 1);
}
