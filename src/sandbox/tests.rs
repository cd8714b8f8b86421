//! The sandbox over real connections: a bot that pushes to it, and a bot that listens.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::rt;
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Data, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use crate::line::signature;
use crate::sandbox::control::client::say;
use crate::sandbox::faults::{Fault, FaultKind};
use crate::sandbox::platform::{Options, Platform};
use crate::sandbox::records::ViolationKind;
use crate::sandbox::serve;
use crate::sandbox::state::Redelivery;

const PATIENCE: Duration = Duration::from_secs(10);
const PUSH: &str = "/v2/bot/message/push";

/// A running sandbox with one friend.
struct Sandbox {
    platform: Platform,
    url: String,
    client: awc::Client,
    hana: String,
}

/// An answer as the bot sees it.
#[derive(Debug)]
struct Seen {
    status: u16,
    request_id: String,
    accepted_request_id: String,
    body: Bytes,
}

/// What the bot was sent.
#[derive(Debug)]
struct Received {
    signature: String,
    user_agent: String,
    body: Bytes,
}

impl Sandbox {
    async fn start() -> Self {
        let options = Options { silence: Duration::from_millis(50), ..Options::generate() };
        let platform = Platform::new(options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        rt::spawn(serve(platform.clone(), listener).unwrap());
        let client = awc::Client::builder().timeout(PATIENCE).disable_redirects().finish();
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

    async fn send(&self, path: &str, key: Option<Uuid>, body: &Value) -> Result<Seen, String> {
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
        Ok(Seen { status: response.status().as_u16(), request_id, accepted_request_id, body })
    }

    async fn push(&self, key: Uuid) -> Result<Seen, String> {
        self.send(PUSH, Some(key), &self.hello()).await
    }

    fn hello(&self) -> Value {
        json!({ "to": self.hana, "messages": [{ "type": "text", "text": "Hello 😀" }] })
    }

    fn fault(&self, fault: Fault) {
        self.platform.set_faults(vec![Fault { count: Some(1), path: Some(PUSH.to_owned()), ..fault }]);
    }
}

impl Received {
    fn event(&self) -> Value {
        serde_json::from_slice::<Value>(&self.body).unwrap()["events"][0].clone()
    }
}

/// A bot that answers with these statuses, one after the other and then with the last.
fn bot(statuses: &'static [u16]) -> (String, UnboundedReceiver<Received>) {
    let (sender, receiver) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    let count = Data::new(std::sync::atomic::AtomicUsize::new(0));
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
    sender: Data<UnboundedSender<Received>>,
    statuses: Data<&'static [u16]>,
    count: Data<std::sync::atomic::AtomicUsize>,
) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let (signature, user_agent) = (header(signature::HEADER), header("user-agent"));
    sender.send(Received { signature, user_agent, body }).unwrap();
    let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let status = statuses.get(number).or(statuses.last()).unwrap();
    HttpResponse::build((*status).try_into().unwrap()).finish()
}

async fn next(receiver: &mut UnboundedReceiver<Received>) -> Received {
    timeout(PATIENCE, receiver.recv()).await.unwrap().unwrap()
}

#[actix_web::test]
async fn a_push_is_executed_once_under_its_key() {
    let sandbox = Sandbox::start().await;
    let key = Uuid::new_v4();

    let first = sandbox.push(key).await.unwrap();
    let second = sandbox.push(key).await.unwrap();

    assert_eq!((first.status, second.status), (200, 409));
    assert_eq!(second.accepted_request_id, first.request_id);
    assert_ne!(second.request_id, first.request_id);
    let [first, second]: [Value; 2] =
        [first.body, second.body].map(|body| serde_json::from_slice(&body).unwrap());
    assert_eq!(second["message"], "The retry key is already accepted");
    assert_eq!(second["sentMessages"], first["sentMessages"]);
    let executed = sandbox.platform.executed();
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0].bytes, sandbox.hello().to_string().as_bytes());
    assert_eq!(sandbox.platform.violations(), []);
}

#[actix_web::test]
async fn another_body_under_the_same_key_is_a_violation() {
    let sandbox = Sandbox::start().await;
    let key = Uuid::new_v4();

    sandbox.push(key).await.unwrap();
    let mut other = sandbox.hello();
    other["messages"][0]["text"] = json!("other");
    let second = sandbox.send(PUSH, Some(key), &other).await.unwrap();

    assert_eq!(second.status, 409);
    assert_eq!(sandbox.platform.violations()[0].kind, ViolationKind::RetryKeyReused);
}

#[actix_web::test]
async fn a_wrong_token_and_a_misplaced_key_are_refused() {
    let sandbox = Sandbox::start().await;

    let url = format!("{}{PUSH}", sandbox.url);
    let wrong = sandbox.client.post(url).bearer_auth("wrong").send_json(&sandbox.hello()).await.unwrap();
    let reply = json!({ "replyToken": "x", "messages": [{ "type": "text", "text": "a" }] });
    let misplaced = sandbox.send("/v2/bot/message/reply", Some(Uuid::new_v4()), &reply).await.unwrap();

    assert_eq!((wrong.status().as_u16(), misplaced.status), (401, 400));
    assert!(wrong.headers().contains_key("x-line-request-id"));
    assert_eq!(sandbox.platform.executed().len(), 0);
}

#[actix_web::test]
async fn a_body_past_two_megabytes_gets_an_answer() {
    let sandbox = Sandbox::start().await;
    let mut large = sandbox.hello();
    large["messages"][0]["text"] = json!("a".repeat(3_000_000));

    let answer = sandbox.send(PUSH, Some(Uuid::new_v4()), &large).await.unwrap();

    assert_eq!(answer.status, 413);
}

#[actix_web::test]
async fn a_fault_executes_or_not_and_answers_or_not() {
    let sandbox = Sandbox::start().await;

    for (kind, status, is_executed) in [
        (FaultKind::Status, Some(500), false),
        (FaultKind::StatusAfter, Some(500), true),
        (FaultKind::Timeout, None, false),
        (FaultKind::Reset, None, false),
        (FaultKind::Lost, None, true),
        (FaultKind::Slow, Some(200), true),
        (FaultKind::Html, Some(502), false),
        (FaultKind::Garbage, Some(200), true),
        (FaultKind::Redirect, Some(302), false),
    ] {
        sandbox.platform.forget_records();
        sandbox.fault(Fault { delay_ms: 1, ..Fault::new(kind) });
        let key = Uuid::new_v4();

        let answer = sandbox.push(key).await;

        assert_eq!(answer.as_ref().ok().map(|answer| answer.status), status, "{kind:?}: {answer:?}");
        assert_eq!(sandbox.platform.executed().len(), usize::from(is_executed), "{kind:?}");
        assert_eq!(sandbox.platform.requests()[0].status, status, "{kind:?}");
        let again = sandbox.push(key).await.unwrap();
        assert_eq!(again.status, if is_executed { 409 } else { 200 }, "{kind:?}");
        assert_eq!(sandbox.platform.executed().len(), 1, "{kind:?}");
    }
}

#[actix_web::test]
async fn half_an_answer_is_not_json() {
    let sandbox = Sandbox::start().await;
    sandbox.fault(Fault::new(FaultKind::Garbage));

    let answer = sandbox.push(Uuid::new_v4()).await.unwrap();

    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[actix_web::test]
async fn what_a_person_says_is_delivered_and_signed() {
    let sandbox = Sandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));

    let told = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "こんにちは 😀\n" })).await;

    let webhook = next(&mut received).await;
    let secret = sandbox.platform.channel().secret;
    assert!(signature::verify(&secret, &webhook.body, webhook.signature.as_bytes()));
    assert_eq!(webhook.user_agent, "LineBotWebhook/2.0");
    let event = webhook.event();
    assert_eq!(event["message"]["text"], "こんにちは 😀\n");
    assert_eq!(event["source"], json!({ "type": "user", "userId": sandbox.hana }));
    assert_eq!(event["deliveryContext"]["isRedelivery"], false);
    assert_eq!(told["webhook_event_id"], event["webhookEventId"]);
    assert_eq!(told["message_id"], event["message"]["id"]);
    assert_eq!((&told["status"], &told["reason"]), (&json!(200), &json!("OK")));
}

#[actix_web::test]
async fn a_failed_webhook_comes_again_with_the_same_id() {
    let sandbox = Sandbox::start().await;
    let (url, mut received) = bot(&[500, 503, 200]);
    sandbox.platform.set_webhook(Some(url));
    let schedule_ms = vec![0, 1, 0];
    sandbox.platform.set_redelivery(Redelivery { enabled: true, schedule_ms, ..Redelivery::default() });

    let told = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;

    assert_eq!(told["reason"], "ERROR_STATUS_CODE");
    let [first, second, third] =
        [next(&mut received).await, next(&mut received).await, next(&mut received).await]
            .map(|webhook| webhook.event());
    assert_eq!(first["deliveryContext"]["isRedelivery"], false);
    assert_eq!(second["deliveryContext"]["isRedelivery"], true);
    assert_eq!(second["webhookEventId"], first["webhookEventId"]);
    assert_eq!(second["replyToken"], first["replyToken"]);
    assert_eq!(third, second);
}

#[actix_web::test]
async fn without_redelivery_a_failed_webhook_is_gone() {
    let sandbox = Sandbox::start().await;
    let (url, mut received) = bot(&[500]);
    sandbox.platform.set_webhook(Some(url));

    sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;
    sandbox.control("POST", "/users/Hana/say", &json!({ "text": "b" })).await;

    assert_eq!(next(&mut received).await.event()["message"]["text"], "a");
    assert_eq!(next(&mut received).await.event()["message"]["text"], "b");
    assert_eq!(sandbox.platform.attempts().len(), 3);
}

#[actix_web::test]
async fn raw_events_are_completed_and_copied() {
    let sandbox = Sandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));
    let future = json!({ "type": "future", "timestamp": 1, "source": { "type": "user", "userId": "U1" } });
    let wrong = json!({ "events": [future, { "type": "follow" }], "copies": 2 });

    let told = sandbox.control("POST", "/events", &wrong).await;

    let webhooks = [next(&mut received).await, next(&mut received).await];
    assert_eq!(webhooks[0].body, webhooks[1].body);
    let event = webhooks[0].event();
    assert_eq!((&event["type"], &event["timestamp"]), (&json!("future"), &json!(1)));
    assert_eq!(event["webhookEventId"].as_str().unwrap().len(), 26);
    assert_eq!(event["replyToken"], Value::Null);
    assert_eq!(told["webhook_event_ids"].as_array().unwrap().len(), 2);
    assert_eq!(told["outcomes"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn raw_bytes_can_be_signed_wrongly() {
    let sandbox = Sandbox::start().await;
    let (url, mut received) = bot(&[200]);
    sandbox.platform.set_webhook(Some(url));

    sandbox.control("POST", "/webhooks?signature=wrong", &json!("not a webhook")).await;

    let webhook = next(&mut received).await;
    let secret = sandbox.platform.channel().secret;
    assert_eq!(webhook.body, "\"not a webhook\"");
    assert!(!signature::verify(&secret, &webhook.body, webhook.signature.as_bytes()));
}

#[actix_web::test]
async fn an_endpoint_is_tested_with_an_empty_webhook() {
    let sandbox = Sandbox::start().await;
    let (url, mut received) = bot(&[200, 403]);
    let path = "/v2/bot/channel/webhook/test";

    let unset = sandbox.send(path, None, &json!({})).await.unwrap();
    let good = sandbox.send(path, None, &json!({ "endpoint": url })).await.unwrap();
    let bad = sandbox.send(path, None, &json!({ "endpoint": url })).await.unwrap();
    let closed = sandbox.send(path, None, &json!({ "endpoint": "http://127.0.0.1:1/" })).await.unwrap();

    assert_eq!(unset.status, 404);
    let [good, bad, closed] =
        [good, bad, closed].map(|seen| serde_json::from_slice::<Value>(&seen.body).unwrap());
    assert_eq!((&good["success"], &good["reason"]), (&json!(true), &json!("OK")));
    assert_eq!((&bad["success"], &bad["statusCode"]), (&json!(false), &json!(403)));
    assert_eq!((&closed["statusCode"], &closed["reason"]), (&json!(0), &json!("COULD_NOT_CONNECT")));
    assert_eq!(
        serde_json::from_slice::<Value>(&next(&mut received).await.body).unwrap()["events"],
        json!([])
    );
}

#[actix_web::test]
async fn the_command_line_lets_a_new_person_speak() {
    let sandbox = Sandbox::start().await;

    let line = say(&sandbox.url, "Ken", "Hello").await.unwrap();

    assert!(line.starts_with("Ken wrote message "), "{line}");
    assert!(line.contains("NO_ENDPOINT"), "{line}");
    let chat = sandbox.control("GET", "/chats/Ken", &Value::Null).await;
    assert_eq!(chat[0]["message"]["text"], "Hello");
    assert!(say("http://127.0.0.1:1", "Ken", "Hello").await.is_err());
}

#[actix_web::test]
async fn the_control_api_moves_everything() {
    let sandbox = Sandbox::start().await;

    let group = json!({ "name": "Family", "members": ["Hana", "Ken"] });
    let group = sandbox.control("POST", "/groups", &group).await["group"].clone();
    let members = json!({ "members": ["Yui"] });
    sandbox.control("POST", "/groups/Family/members", &members).await;
    sandbox.control("DELETE", "/groups/Family/members", &json!({ "members": ["Ken"] })).await;
    sandbox.control("PUT", "/quota", &json!({ "value": 7 })).await;
    sandbox.control("PUT", "/redelivery", &json!({ "enabled": true, "schedule_ms": [0] })).await;
    sandbox.control("PUT", "/webhook", &json!({ "active": false })).await;
    sandbox.control("PUT", "/reply-tokens", &json!({ "life_ms": 5 })).await;
    let faults = sandbox.control("PUT", "/faults", &json!([{ "kind": "reset", "count": 3 }])).await;
    let said = json!({ "text": "a", "group": "Family" });
    let said = sandbox.control("POST", "/users/Yui/say", &said).await;
    let unsent = json!({ "message_id": said["message_id"] });
    sandbox.control("POST", "/users/Yui/unsend", &unsent).await;
    let blocked = sandbox.control("POST", "/users/Hana/block", &json!({})).await;
    let refused = sandbox.control("POST", "/users/Hana/say", &json!({ "text": "a" })).await;
    let unknown = sandbox.control("GET", "/nothing", &json!({})).await;

    let state = sandbox.control("GET", "/state", &Value::Null).await;
    assert_eq!(state["groups"][0]["members"].as_array().unwrap().len(), 2);
    assert_eq!(state["groups"][0]["id"], group["id"]);
    assert_eq!(state["quota"], json!({ "value": 7, "used": 0 }));
    assert_eq!((&state["webhook"]["active"], &state["reply_tokens"]["life_ms"]), (&json!(false), &json!(5)));
    assert_eq!((&state["faults"], &faults[0]["count"]), (&faults, &json!(3)));
    assert_eq!(state["channel"]["secret"], sandbox.platform.channel().secret.expose());
    assert_eq!(sandbox.control("GET", "/chats/Family", &Value::Null).await[0]["unsent"], true);
    assert!(blocked["webhook_event_id"].is_string());
    assert_eq!(refused["message"], "Hana has blocked the bot and cannot write to it");
    assert!(unknown["message"].is_string());
}
