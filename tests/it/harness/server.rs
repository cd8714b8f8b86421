//! The server under test, in a thread of the test process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use awc::Client;
use awc::http::Method;
use kaiwa::config::Config;
use kaiwa::config::account::{CustomerReference, ProvisionedAccount};
use kaiwa::config::customer::ProvisionedCustomer;
use kaiwa::config::key_source::KeySource;
use kaiwa::error::Error;
use kaiwa::line::signature;
use kaiwa::model::accounts::account::DeliveryMode;
use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::clock::Clock;
use kaiwa::model::id::{AccountId, CustomerId};
use kaiwa::model::secret::Secret;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::runtime::app::Shared;
use kaiwa::runtime::bearer::{Bearer, sign};
use kaiwa::sandbox::people::GroupKind;
use kaiwa::server::Server;
use rusqlite::Connection;
use rusqlite::types::FromSql;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::harness::PATIENCE;
use crate::harness::event_audit;
use crate::harness::line::Line;
use crate::harness::response::Response;

/// The signing key of tokens in tests.
pub const KEY: &str = "a key for tests, of more than 32 bytes";

/// A server with one customer that has one LINE account. It stops, and its data is removed, when it is dropped.
pub struct TestServer {
    pub line: Line,
    pub clock: Clock,
    pub customer: CustomerId,
    pub account: AccountId,
    pub address: SocketAddr,
    /// The address of the metrics, if the test's settings give them one.
    pub metrics: Option<SocketAddr>,
    shared: Option<Arc<Shared>>,
    pub config: Config,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl TestServer {
    /// A server with quick retries and default settings otherwise.
    pub fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// A server with changed settings.
    pub fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(|_, config| change(config))
    }

    /// A server with settings changed with knowledge of LINE's state.
    pub fn start_on(change: impl FnOnce(&Line, &mut Config)) -> Self {
        let line = Line::start();
        let folder = tempfile::tempdir().unwrap();
        let (customer, account) = (CustomerId::new(Timestamp::now()), AccountId::new(Timestamp::now()));
        let mut config = config(&line, &folder, customer, account);
        change(&line, &mut config);
        let clock = Clock::default();
        let Started { shared, address, metrics, stop, thread } = run(config.clone(), clock.clone());
        let server = Self {
            line,
            clock,
            customer,
            account,
            address,
            metrics,
            shared: Some(shared),
            config,
            client: Client::builder().timeout(PATIENCE).disable_redirects().finish(),
            stop: Some(stop),
            thread: Some(thread),
            folder,
        };
        server.line.platform.set_webhook(Some(server.url(&server.webhook_path())));
        server
    }

    /// The path of the account's webhook.
    pub fn webhook_path(&self) -> String {
        format!("/v1.0/conversation/accounts/{}", self.account)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A token of the customer, valid for a year.
    pub fn token(&self) -> String {
        token_of(self.customer)
    }

    /// The state shared by the server's threads.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(self.shared.as_ref().unwrap())
    }

    /// Stops the server, whatever it is doing, and starts it again on the same data.
    pub fn restart(&mut self) {
        self.restart_with(|_| {});
    }

    /// The same with changed settings.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.halt();
        let Started { shared, address, stop, thread, .. } = run(self.config.clone(), self.clock.clone());
        (self.shared, self.address, self.stop, self.thread) =
            (Some(shared), address, Some(stop), Some(thread));
        self.line.platform.set_webhook(Some(self.url(&self.webhook_path())));
    }

    /// Stops the server; [`TestServer::restart`] starts it again.
    pub fn halt(&mut self) {
        self.stop();
        self.shared = None;
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// The server's data folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Asks the server to stop, as SIGTERM does.
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops the server and waits until it has ended.
    pub fn stop_and_wait(&mut self) {
        self.stop();
        self.shared = None;
        self.thread.take().unwrap().join().unwrap();
    }

    /// The database file.
    pub fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("kaiwa.db")
    }

    /// The source of its encryption key.
    pub fn keys(&self) -> KeySource {
        self.config.key_source()
    }

    /// Advances the clock and wakes the workers.
    pub fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        let wakers = &self.shared().wakers;
        wakers.deliveries.wake();
        wakers.names.wake();
        wakers.medias.wake();
        wakers.events.wake();
        wakers.tokens.wake();
        wakers.webhooks.wake();
    }

    /// A value queried from the database.
    pub fn value<T: FromSql>(&self, sql: &str) -> T {
        Connection::open(self.database()).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Replaces LINE's faults, given as in its control API.
    pub fn set_faults(&self, faults: &Value) {
        self.line.platform.set_faults(serde_json::from_value(faults.clone()).unwrap());
    }

    /// The texts that LINE executed for a chat, in order.
    pub fn executed(&self, chat: &str) -> Vec<String> {
        let executed = self.line.platform.executed().into_iter().filter(|one| one.recipients == [chat]);
        let texts = executed.flat_map(|one| one.body["messages"].as_array().unwrap().clone());
        texts.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// A request of the customer, not sent yet.
    pub fn request(&self, method: Method, path: &str) -> awc::ClientRequest {
        self.request_of(self.customer, method, path)
    }

    /// A request of this customer, not sent yet.
    pub fn request_of(&self, customer: CustomerId, method: Method, path: &str) -> awc::ClientRequest {
        self.anonymous(method, path).bearer_auth(token_of(customer))
    }

    /// A request without credentials, not sent yet.
    pub fn anonymous(&self, method: Method, path: &str) -> awc::ClientRequest {
        self.client.request(method, self.url(path))
    }

    pub async fn get(&self, path: &str) -> Response {
        Response::to(self.request(Method::GET, path), "").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.send_json(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Response {
        self.send_json(Method::PUT, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Response {
        Response::to(self.request(Method::DELETE, path), "").await
    }

    async fn send_json(&self, method: Method, path: &str, body: &Value) -> Response {
        Response::to(self.request(method, path).content_type("application/json"), body.to_string()).await
    }

    /// Delivers a webhook with these events, signed as LINE signs.
    pub async fn webhook(&self, events: &[Value]) -> Response {
        let destination = self.line.platform.bot().user_id;
        self.webhook_body(json!({ "destination": destination, "events": events }).to_string()).await
    }

    /// Delivers a webhook with exactly this body, signed as LINE signs.
    pub async fn webhook_body(&self, body: impl AsRef<[u8]>) -> Response {
        let body = body.as_ref();
        let signature = signature::sign(&self.line.platform.channel().secret, body);
        let request = self.anonymous(Method::POST, &self.webhook_path());
        Response::to(request.insert_header((signature::HEADER, signature)), body.to_owned()).await
    }

    /// The id of the conversation that a user starts with a text.
    pub async fn conversation_with(&self, user: &str) -> String {
        let event = text_event(user, "hello");
        assert_eq!(self.webhook(&[event]).await.status, 200);
        let conversations = self.get("/v1.0/conversations").await.json();
        let found =
            conversations["result"].as_array().unwrap().iter().find(|one| one["reference_id"] == user);
        found.expect("the conversation has started")["id"].as_str().unwrap().to_owned()
    }

    /// Adds a friend of the account and returns their id.
    pub fn user(&self, name: &str) -> String {
        self.line.friend(name)
    }

    /// Adds a group with the account and these users and returns its id.
    pub fn group(&self, name: &str, members: &[&str]) -> String {
        self.line.platform.with(|state| {
            let group = state.people_mut().group_named(name, GroupKind::Group);
            group.has_bot = true;
            group.members = members.iter().map(|member| (*member).to_owned()).collect();
            group.id.clone()
        })
    }

    /// All messages of a conversation, newest first, up to a hundred.
    pub async fn messages(&self, conversation: &str) -> Vec<Value> {
        let list = self.get(&format!("/v1.0/conversations/{conversation}/messages")).await.json();
        list["result"].as_array().unwrap().clone()
    }

    /// Sends a text and returns the message of the response.
    pub async fn say(&self, conversation: &str, text: &str) -> Value {
        let response = self
            .post(&format!("/v1.0/conversations/{conversation}/messages"), &json!({ "text": text }))
            .await;
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        let ended = thread.join();
        if std::thread::panicking() {
            return;
        }
        assert!(ended.is_ok(), "the server panicked");
        self.shared = None;
        let (database, keys) = (self.config.database_path(), self.config.key_source());
        // A test may have removed the folder to which it moved the data.
        if database.exists() {
            assert_eq!(event_audit::differences(&database, &keys), [""; 0], "customers' events");
        }
    }
}

/// A token of a customer, valid for a year.
pub fn token_of(customer: CustomerId) -> String {
    let bearer = Bearer {
        customer,
        profile: ProfileChange { name: Some("test".to_owned()), ..ProfileChange::default() },
    };
    sign(&Secret::new(KEY), &bearer, Timestamp::now(), Duration::from_hours(365 * 24)).unwrap()
}

/// An event of a user who writes a text, with unique ids.
pub fn text_event(user: &str, text: &str) -> Value {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    json!({
        "type": "message", "mode": "active", "timestamp": Timestamp::now().as_milliseconds(),
        "webhookEventId": unique[..26].to_uppercase(), "deliveryContext": { "isRedelivery": false },
        "source": { "type": "user", "userId": user }, "replyToken": unique,
        "message": { "type": "text", "id": uuid::Uuid::new_v4().as_u128().to_string(), "text": text, "quoteToken": "q" },
    })
}

fn config(line: &Line, folder: &TempDir, customer: CustomerId, account: AccountId) -> Config {
    let mut config = Config {
        listen: "127.0.0.1:0".to_owned(),
        data_directory: folder.path().to_owned(),
        customers: vec![ProvisionedCustomer {
            id: customer,
            name: Some("test".to_owned()),
            detail: None,
            webhook_method: None,
            webhook_uri: None,
            message_days: None,
            is_default: true,
        }],
        accounts: vec![declared_account(line, customer, account)],
        ..Config::default()
    };
    config.auth.jwt_key = Some(Secret::new(KEY));
    config.line.api_base = line.url.parse().unwrap();
    config.line.data_base = line.url.parse().unwrap();
    config.delivery.backoff_first = Duration::from_millis(20);
    config.delivery.backoff_max = Duration::from_millis(200);
    [config.limits.webhook_timeout, config.limits.shutdown_timeout] = [30, 1].map(Duration::from_secs);
    config
}

fn declared_account(line: &Line, customer: CustomerId, account: AccountId) -> ProvisionedAccount {
    let channel = line.platform.channel();
    ProvisionedAccount {
        id: account,
        customer: CustomerReference::Id(customer),
        name: Some("test".to_owned()),
        detail: None,
        secret: channel.secret,
        secret_file: None,
        secret_next: None,
        secret_next_file: None,
        token: channel.token,
        token_file: None,
        channel_id: None,
        delivery_mode: Some(DeliveryMode::PushOnly),
        is_default: true,
    }
}

struct Started {
    shared: Arc<Shared>,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// The server blocks on its database while it starts, which is not possible on the test's own runtime.
fn run(config: Config, clock: Clock) -> Started {
    let (stop, stopped) = oneshot::channel::<()>();
    let (sender, receiver) = std::sync::mpsc::channel();
    let run = move || {
        let server = bind(&config, &clock);
        let addresses = (server.address().unwrap(), server.metrics_address().unwrap());
        sender.send((Arc::clone(server.shared()), addresses)).unwrap();
        let stopped = async { drop(stopped.await) };
        System::new().block_on(server.run(stopped)).unwrap();
    };
    let thread = std::thread::spawn(run);
    let (shared, (address, metrics)) = receiver.recv().unwrap();
    Started { shared, address, metrics, stop, thread }
}

/// A server on this data. The threads of a previous one may take a moment to close the database.
fn bind(config: &Config, clock: &Clock) -> Server {
    let limit = Instant::now() + PATIENCE;
    loop {
        match Server::bind(config.clone(), clock.clone()) {
            Err(Error::Unusable(reason)) if reason.contains("another kaiwa") && Instant::now() < limit => {
                std::thread::sleep(Duration::from_millis(10));
            }
            bound => return bound.unwrap(),
        }
    }
}
