//! Sources of a customer's endpoint: the configuration file, then a call, then the token used for `setup`.

use std::time::Duration;

use awc::http::Method;
use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::secret::Secret;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::runtime::bearer::{Bearer, sign};
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{KEY, TestServer};

const SETUP: &str = "/v1.0/conversations/setup";

/// The endpoints set by the configuration, a call and a token.
const FILE: &str = "https://file.example.com/";
const CALL: &str = "https://call.example.com/";
const TOKEN: &str = "https://token.example.com/";

/// A request with a token that has this customer profile.
async fn ask(server: &TestServer, (uri, method): (&str, &str), path: &str, body: &'static str) -> Response {
    let profile = ProfileChange {
        webhook_uri: Some(uri.to_owned()),
        webhook_method: Some(method.to_owned()),
        ..ProfileChange::default()
    };
    let bearer = Bearer { customer: server.customer, profile };
    let token = sign(&Secret::new(KEY), &bearer, Timestamp::now(), Duration::from_hours(1)).unwrap();
    let request = server.anonymous(Method::POST, path).bearer_auth(token);
    let kind = if body.starts_with('{') { "application/json" } else { "application/octet-stream" };
    Response::to(request.content_type(kind), body).await
}

async fn set_up(server: &TestServer, claim: (&str, &str)) -> Value {
    let response = ask(server, claim, SETUP, r#"{"reference_type":"line"}"#).await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// The fields that setup has ignored, and why.
fn not_taken(setup: &Value) -> Vec<(String, String)> {
    let word = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let list = setup["not_taken"].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| (word(one, "field"), word(one, "reason"))).collect()
}

async fn endpoint_of(server: &TestServer) -> (String, String) {
    let endpoint = server.get("/v1.0/webhook").await.json();
    (endpoint["uri"].as_str().unwrap().to_owned(), endpoint["method"].as_str().unwrap().to_owned())
}

fn pair(uri: &str, method: &str) -> (String, String) {
    (uri.to_owned(), method.to_owned())
}

#[actix_web::test]
async fn values_set_by_a_call_survive_a_restart_when_the_configuration_is_silent() {
    let mut server = TestServer::start_with(|config| {
        config.customers[0].is_default = false;
        config.accounts[0].is_default = false;
        config.accounts[0].name = None;
    });
    let account = format!("/v1.0/conversation_accounts/{}", server.account);
    server.put("/v1.0/webhook", &json!({ "uri": CALL, "method": "PUT" })).await;
    server.put(&account, &json!({ "name": "ours", "detail": "ours", "secret_next": "next" })).await;

    server.restart();

    assert_eq!(endpoint_of(&server).await, pair(CALL, "PUT"));
    let known = server.get(&account).await.json();
    let fields = ["name", "detail", "has_secret_next"].map(|field| known[field].clone());
    assert_eq!(fields, [json!("ours"), json!("ours"), json!(true)]);
}

#[actix_web::test]
async fn configured_values_can_be_changed_only_in_the_configuration_until_removed_there() {
    let mut server = TestServer::start_with(|config| {
        config.customers[0].is_default = false;
        config.customers[0].webhook_uri = Some(FILE.parse().unwrap());
        config.accounts[0].is_default = false;
    });
    let account = format!("/v1.0/conversation_accounts/{}", server.account);

    let refused = [
        (
            server.put("/v1.0/webhook", &json!({ "uri": CALL, "method": "PUT" })).await,
            "customers[].webhook_uri",
        ),
        (server.put(&account, &json!({ "token": "x" })).await, "accounts[].token"),
        (server.put(&account, &json!({ "secret": "x", "detail": "x" })).await, "accounts[].secret"),
        (server.put(&account, &json!({ "delivery_mode": "prefer_reply" })).await, "accounts[].delivery_mode"),
    ];
    let setup = set_up(&server, (TOKEN, "PUT")).await;
    let declared = endpoint_of(&server).await;
    server.restart_with(|config| config.customers[0].webhook_uri = None);
    let unchanged = endpoint_of(&server).await;
    let released = set_up(&server, (TOKEN, "PUT")).await;
    let changed = server.put("/v1.0/webhook", &json!({ "uri": CALL })).await;

    for (response, key) in refused {
        assert_eq!((response.status, response.reason().as_str()), (409, "STATE_INVALID"), "{key}");
        assert!(response.text.contains(key), "{} does not name {key}", response.text);
    }
    assert_eq!(not_taken(&setup), [pair("webhook_uri", "declared")]);
    assert_eq!((declared, &unchanged), (pair(FILE, "PUT"), &pair(FILE, "PUT")));
    assert_eq!(not_taken(&released), [pair("webhook_uri", "set_by_call")]);
    assert_eq!((changed.status, endpoint_of(&server).await), (200, pair(CALL, "PUT")));
    assert_eq!(server.get(&account).await.json()["detail"], "", "a change is made whole or not at all");
}

#[actix_web::test]
async fn setup_uses_values_of_the_token_that_no_call_has_set_and_reports_the_ignored_ones() {
    let server = TestServer::start();

    let first = set_up(&server, (TOKEN, "PUT")).await;
    let second = set_up(&server, ("https://new.example.com/", "PUT")).await;
    let by_token = endpoint_of(&server).await;
    server.put("/v1.0/webhook", &json!({ "uri": CALL })).await;
    let third = set_up(&server, (TOKEN, "DELETE")).await;
    let same = set_up(&server, (CALL, "DELETE")).await;

    assert_eq!((not_taken(&first), not_taken(&second)), (vec![], vec![]));
    assert_eq!(by_token, pair("https://new.example.com/", "PUT"));
    assert_eq!(not_taken(&third), [pair("webhook_uri", "set_by_call")]);
    assert!(same.get("not_taken").is_none(), "{same}");
    assert_eq!(endpoint_of(&server).await, pair(CALL, "DELETE"));
}

#[actix_web::test]
async fn setup_accepts_no_endpoint_that_a_call_could_not_set() {
    let server = TestServer::start();
    let long = format!("https://example.com/{}", "x".repeat(2_048));

    for uri in [
        "shop.example.com/events",
        "http://example.com/",
        "https://10.0.0.1/",
        "https://a.example/\r\n",
        &long,
    ] {
        let setup = set_up(&server, (uri, "POST")).await;
        assert_eq!(not_taken(&setup), [pair("webhook_uri", "refused")], "{uri:?}");
        assert_eq!(server.put("/v1.0/webhook", &json!({ "uri": uri })).await.status, 400, "{uri:?}");
    }
    let setup = set_up(&server, ("", "PATCH")).await;

    assert_eq!(not_taken(&setup), [pair("webhook_method", "refused")]);
    assert_eq!(endpoint_of(&server).await, pair("", "POST"));
}

#[actix_web::test]
async fn no_other_call_uses_the_endpoint_in_a_token() {
    let server = TestServer::start();
    let account = r#"{"type":"line","secret":"a","token":"b"}"#;

    for (path, body) in
        [("/v1.0/medias", "bytes"), ("/v1.0/conversation_accounts", account), ("/v1.0/webhook/rotate", "")]
    {
        let response = ask(&server, (TOKEN, "PUT"), path, body).await;
        assert_eq!(response.status, 200, "{path}: {response:?}");
        assert_eq!(endpoint_of(&server).await, pair("", "POST"), "{path}");
    }
}
