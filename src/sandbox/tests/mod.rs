//! Tests of the sandbox over real connections: with a bot that sends, and a bot that listens.

mod control;
mod deliveries;
mod phones;
mod pushes;

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Data, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use crate::line::signature;
use crate::sandbox::options::Options;
use crate::sandbox::platform::Platform;
use crate::sandbox::records::faults::FaultRule;
use crate::sandbox::serve;

const TIMEOUT: Duration = Duration::from_secs(10);
const PUSH: &str = "/v2/bot/message/push";

/// A running sandbox with one friend.
struct TestSandbox {
    platform: Platform,
    url: String,
    client: awc::Client,
    hana: String,
}

/// A response as the bot sees it.
#[derive(Debug)]
struct BotResponse {
    status: u16,
    request_id: String,
    accepted_request_id: String,
    body: Bytes,
}

/// A webhook that the bot received.
#[derive(Debug)]
struct ReceivedWebhook {
    signature: String,
    user_agent: String,
    body: Bytes,
}

impl TestSandbox {
    async fn start() -> Self {
        let options = Options { silence: Duration::from_millis(50), ..Options::generate() };
        let platform = Platform::new(options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        rt::spawn(serve(platform.clone(), listener).unwrap());
        let client = awc::Client::builder().timeout(TIMEOUT).disable_redirects().finish();
        let mut sandbox = Self { platform, url, client, hana: String::new() };
        let user = sandbox.control("POST", "/users", &json!({ "name": "Hana" })).await;
        user["user"]["id"].as_str().unwrap().clone_into(&mut sandbox.hana);
        sandbox
    }

    async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}/sandbox{path}", self.url);
        let method = method.parse().unwrap();
        let mut response = self.client.request(method, url).send_json(body).await.unwrap();
        serde_json::from_slice(&response.body().limit(10_000_000).await.unwrap()).unwrap()
    }

    async fn send(&self, path: &str, key: Option<Uuid>, body: &Value) -> Result<BotResponse, String> {
        let token = self.platform.channel().token;
        let mut request = self.client.post(format!("{}{path}", self.url)).bearer_auth(token.expose());
        if let Some(key) = key {
            request = request.insert_header(("x-line-retry-key", key.to_string()));
        }
        let mut response = request.send_json(body).await.map_err(|error| error.to_string())?;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (request_id, accepted_request_id) =
            (header("x-line-request-id"), header("x-line-accepted-request-id"));
        let body = response.body().await.map_err(|error| error.to_string())?;
        Ok(BotResponse { status: response.status().as_u16(), request_id, accepted_request_id, body })
    }

    async fn push(&self, key: Uuid) -> Result<BotResponse, String> {
        self.send(PUSH, Some(key), &self.hello()).await
    }

    fn hello(&self) -> Value {
        json!({ "to": self.hana, "messages": [{ "type": "text", "text": "Hello 😀" }] })
    }

    fn set_fault(&self, fault: FaultRule) {
        self.platform.set_faults(vec![FaultRule { count: Some(1), path: Some(PUSH.to_owned()), ..fault }]);
    }
}

impl ReceivedWebhook {
    fn event(&self) -> Value {
        serde_json::from_slice::<Value>(&self.body).unwrap()["events"][0].clone()
    }
}

/// A listening bot that responds with these statuses in turn, repeating the last.
fn bot(statuses: &'static [u16]) -> (String, UnboundedReceiver<ReceivedWebhook>) {
    let (sender, receiver) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    let count = Data::new(AtomicUsize::new(0));
    let (sender, statuses) = (Data::new(sender), Data::new(statuses));
    let app = move || {
        let app = App::new().app_data(sender.clone()).app_data(statuses.clone()).app_data(count.clone());
        app.route("/callback", post().to(callback))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap();
    rt::spawn(server.run());
    (url, receiver)
}

async fn callback(
    request: HttpRequest,
    body: Bytes,
    sender: Data<UnboundedSender<ReceivedWebhook>>,
    statuses: Data<&'static [u16]>,
    count: Data<AtomicUsize>,
) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let (signature, user_agent) = (header(signature::HEADER), header("user-agent"));
    sender.send(ReceivedWebhook { signature, user_agent, body }).unwrap();
    let number = count.fetch_add(1, Ordering::SeqCst);
    let status = statuses.get(number).or(statuses.last()).unwrap();
    HttpResponse::build((*status).try_into().unwrap()).finish()
}

async fn next(receiver: &mut UnboundedReceiver<ReceivedWebhook>) -> ReceivedWebhook {
    timeout(TIMEOUT, receiver.recv()).await.unwrap().unwrap()
}
