//! Webhooks to customers: signed, in order, and repeated until they are accepted.

mod attempts;
mod endpoint;
mod order;
pub mod receiver;
mod sources;
mod ssrf_guard;

use awc::http::Method;
use kaiwa::config::Config;
use kaiwa::line::signature;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::webhooks;
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::webhooks::receiver::Receiver;

/// A server whose customer has a receiver on this machine.
pub fn start(receiver: &Receiver) -> TestServer {
    start_with(receiver, |_| {})
}

fn start_with(receiver: &Receiver, change: impl FnOnce(&mut Config)) -> TestServer {
    let url = receiver.url.parse().unwrap();
    TestServer::start_with(|config| {
        config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()];
        config.customers[0].webhook_uri = Some(url);
        change(config);
    })
}

/// A user writes.
pub async fn write(server: &TestServer, user: &str, text: &str) {
    assert_eq!(server.webhook(&[text_event(user, text)]).await.status, 200);
}

/// Waits until the receiver was called this many times.
pub async fn called(receiver: &Receiver, times: usize) {
    eventually_is(times, async || receiver.calls().len()).await;
}

/// The deliveries that the customer sees, oldest first.
async fn deliveries(server: &TestServer, query: &str) -> Vec<Value> {
    let list = server.get(&format!("/v1.0/webhook_deliveries{query}")).await.json();
    list["result"].as_array().unwrap().iter().rev().cloned().collect()
}

/// Waits until the deliveries, oldest first, are in these states.
pub async fn states_are(server: &TestServer, expected: &[&str]) {
    let states = async || {
        let deliveries = deliveries(server, "").await;
        deliveries.iter().map(|one| one["state"].clone()).collect::<Vec<_>>()
    };
    eventually_is(expected.iter().map(|state| json!(state)).collect(), states).await;
}

/// One delivery with its attempts.
async fn delivery(server: &TestServer, id: &Value) -> Value {
    server.get(&format!("/v1.0/webhook_deliveries/{}", id.as_str().unwrap())).await.json()
}

/// Another customer with an account and a receiver.
struct Other {
    customer: CustomerId,
    account: Value,
}

impl Other {
    async fn connect(server: &TestServer, receiver: &Receiver) -> Self {
        let customer = CustomerId::new(Timestamp::now());
        let channel = server.line.platform.channel();
        let account =
            json!({ "type": "line", "secret": channel.secret.expose(), "token": channel.token.expose() });
        let request = server.request_of(customer, Method::POST, "/v1.0/conversation_accounts");
        let account =
            Response::to(request.content_type("application/json"), account.to_string()).await.json();
        let other = Self { customer, account };
        let endpoint = json!({ "uri": receiver.url }).to_string();
        let request = server.request_of(customer, Method::PUT, "/v1.0/webhook");
        let put = Response::to(request.content_type("application/json"), endpoint).await;
        assert_eq!(put.status, 200, "{put:?}");
        other
    }

    /// LINE delivers these events for the other account.
    async fn receive(&self, server: &TestServer, events: &[Value]) {
        let path = format!("/v1.0/conversation/accounts/{}", self.account["id"].as_str().unwrap());
        let body = json!({ "destination": server.line.platform.bot().user_id, "events": events }).to_string();
        let signature = signature::sign(&server.line.platform.channel().secret, body.as_bytes());
        let request = server.anonymous(Method::POST, &path);
        let response = Response::to(request.insert_header((signature::HEADER, signature)), body).await;
        assert_eq!(response.status, 200, "{response:?}");
    }
}

fn secret_of(server: &TestServer, customer: CustomerId) -> String {
    let reader = server.shared().store.reader().unwrap();
    let secret = reader.read(|connection| webhooks::endpoints::secret(connection, customer)).unwrap();
    secret.unwrap().expose().to_owned()
}
