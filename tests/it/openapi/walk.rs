//! Every operation succeeds once, so that each successful response is checked against its schema.

use std::cell::RefCell;
use std::collections::BTreeSet;

use awc::http::Method;
use kaiwa::sandbox::control::client;
use serde_json::{Value, json};

use crate::harness::contract;
use crate::harness::eventually_is;
use crate::harness::feed::Feed;
use crate::harness::response::Response;
use crate::harness::server::TestServer;
use crate::media::uploads::image;

/// A server with a resource for every operation.
struct Walk {
    server: TestServer,
    conversation: String,
    /// The operations that succeeded, as the document names them.
    seen: RefCell<BTreeSet<String>>,
}

impl Walk {
    async fn begin() -> Self {
        let server = TestServer::start();
        client::say(&server.line.url, "Alice", "hello").await.unwrap();
        let list = server.get("/v1.0/conversations").await.json();
        let conversation = format!("/v1.0/conversations/{}", text(&list["result"][0]["id"]));
        Self { server, conversation, seen: RefCell::default() }
    }

    /// Calls an operation that must succeed; its response is checked against the document, as every response is.
    async fn succeed(&self, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Response {
        let request = self.server.request(method.clone(), path);
        // Only as much of a file as can be read as text.
        let part = if path.contains("preview") { "bytes=6-9" } else { "bytes=1-3" };
        let request = request.insert_header(("Range", part)).content_type("application/json");
        let response = Response::to(request, body).await;
        assert!((200..300).contains(&response.status), "{method} {path}: {response:?}");
        self.saw(&method, path);
        response
    }

    fn saw(&self, method: &Method, path: &str) {
        let (template, _) = contract::template(path.split('?').next().unwrap()).unwrap();
        self.seen.borrow_mut().insert(format!("{method} {template}"));
    }

    async fn get(&self, path: &str) -> Response {
        self.succeed(Method::GET, path, "").await
    }

    async fn change(&self, method: Method, path: &str, body: Value) -> Response {
        self.succeed(method, path, body.to_string()).await
    }

    async fn conversations(&self) {
        let one = &self.conversation;
        self.get("/v1.0/conversations?page_size=1").await;
        self.get(one).await;
        self.get(&format!("{one}/participants")).await;
        self.change(Method::PUT, one, json!({ "name": "Order" })).await;
        self.succeed(Method::POST, &format!("{one}/read"), "").await;
        self.change(Method::POST, &format!("{one}/typing"), json!({ "seconds": 5 })).await;
    }

    async fn messages(&self) {
        let all = format!("{}/messages", self.conversation);
        self.server.set_faults(
            &json!([{ "path": "/v2/bot/message/push", "kind": "status", "status": 400, "count": 1 }]),
        );
        let failed = self.change(Method::POST, &all, json!({ "text": "hi" })).await.json();
        self.server.set_faults(&json!([]));
        let one = format!("{all}/{}", text(&failed["id"]));
        self.get(&all).await;
        self.get(&one).await;
        self.succeed(Method::POST, &format!("{one}/retry"), "").await;
    }

    async fn files(&self) {
        let upload = self.succeed(Method::POST, "/v1.0/medias?filename=a.png", image(640)).await.json();
        let id = text(&upload["id"]);
        let media = json!({ "medias": [{ "type": "image", "id": id }] });
        self.change(Method::POST, &format!("{}/messages", self.conversation), media).await;
        self.get(&format!("/v1.0/medias/{id}")).await;
        self.get(&format!("/v1.0/medias/{id}/preview")).await;
        for method in [Method::GET, Method::HEAD] {
            self.succeed(method.clone(), &format!("/m/{id}/a.png"), "").await;
            self.succeed(method, &format!("/m/{id}/preview/a.jpg"), "").await;
        }
    }

    async fn events(&self) {
        let ticket = self.succeed(Method::POST, "/v1.0/events/tickets", "").await.json();
        let path = format!("/v1.0/events?ticket={}&last_event_id=0", text(&ticket["ticket"]));
        let mut feed = Feed::of(self.server.anonymous(Method::GET, &path)).await;
        feed.take(5).await;
        self.saw(&Method::GET, "/v1.0/events");
    }

    async fn webhooks(&self) {
        let endpoint = json!({ "uri": "https://customer.invalid/", "method": "POST" });
        self.change(Method::PUT, "/v1.0/webhook", endpoint).await;
        self.get("/v1.0/webhook").await;
        self.succeed(Method::POST, "/v1.0/webhook/rotate", "").await;
        self.change(Method::PUT, &self.conversation, json!({ "name": "told" })).await;
        let deliveries = self.get("/v1.0/webhook_deliveries?page_size=5").await.json();
        let one = format!("/v1.0/webhook_deliveries/{}", text(&deliveries["result"][0]["id"]));
        self.get(&one).await;
        // A delivery in flight cannot be replayed: with nowhere to deliver to, nothing is in flight.
        self.change(Method::PUT, "/v1.0/webhook", json!({ "uri": "" })).await;
        let replay = || self.server.request(Method::POST, &format!("{one}/replay"));
        eventually_is(200, async || Response::to(replay(), "").await.status).await;
        self.saw(&Method::POST, &format!("{one}/replay"));
    }

    async fn accounts(&self) {
        let channel = self.server.line.platform.channel();
        let account =
            json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
        let account = self.change(Method::POST, "/v1.0/conversation_accounts", account).await.json();
        let one = format!("/v1.0/conversation_accounts/{}", text(&account["id"]));
        self.get("/v1.0/conversation_accounts").await;
        self.get(&one).await;
        self.change(Method::PUT, &one, json!({ "detail": "a note" })).await;
        self.get(&format!("{one}/quota")).await;
        self.change(Method::POST, "/v1.0/conversations/setup", json!({ "reference_type": "line" })).await;
        self.succeed(Method::DELETE, &one, "").await;
        assert_eq!(self.server.webhook(&[]).await.status, 200);
        self.saw(&Method::POST, &self.server.webhook_path());
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[actix_web::test]
async fn every_operation_succeeds_once_as_described() {
    let walk = Walk::begin().await;

    for path in ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/page.css", "/docs/page.js"] {
        walk.get(path).await;
    }
    walk.conversations().await;
    walk.messages().await;
    walk.files().await;
    walk.events().await;
    walk.accounts().await;
    walk.webhooks().await;

    let operations = contract::operations().into_iter();
    let described: BTreeSet<String> =
        operations.map(|(path, method, _)| format!("{} {path}", method.to_uppercase())).collect();
    assert_eq!(walk.seen.into_inner(), described);
}
