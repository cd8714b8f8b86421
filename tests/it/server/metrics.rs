//! The metrics that a monitoring system reads, and the figures of `/readyz`.

use std::time::Duration;

use awc::http::Method;
use serde_json::json;

use crate::harness::eventually_is;
use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::webhooks::receiver::Receiver;

fn start() -> TestServer {
    TestServer::start_with(|config| config.metrics.listen = Some("127.0.0.1:0".to_owned()))
}

async fn page(server: &TestServer) -> Response {
    let url = format!("http://{}/metrics", server.metrics.unwrap());
    Response::to(awc::Client::new().get(url), "").await
}

/// The value of a metric on the page.
async fn number(server: &TestServer, name: &str) -> Option<String> {
    let page = page(server).await.text;
    let line = page.lines().find(|line| line.split_once(' ').is_some_and(|(found, _)| found == name))?;
    Some(line.split_once(' ')?.1.to_owned())
}

#[actix_web::test]
async fn the_work_of_the_server_is_counted_and_timed() {
    let server = start();
    let user = server.user("Alice");
    let conversation = server.conversation_with(&user).await;
    server.say(&conversation, "hello").await;
    let again = text_event(&user, "twice");
    server.webhook(std::slice::from_ref(&again)).await;
    server.webhook(&[again]).await;
    Response::to(server.anonymous(Method::POST, &server.webhook_path()), "{}").await;
    let webhooks = "method=\"POST\",route=\"/v1.0/conversation/accounts/{account_id}\"";

    let expected = [
        ("kaiwa_events_stored_total", "2"),
        ("kaiwa_events_duplicate_total", "1"),
        ("kaiwa_webhooks_refused_total", "1"),
        ("kaiwa_webhook_lag_seconds_count", "2"),
        (r#"kaiwa_deliveries_total{call="push",outcome="accepted"}"#, "1"),
        (&format!("kaiwa_http_requests_total{{{webhooks},status=\"2xx\"}}"), "3"),
        (&format!("kaiwa_http_requests_total{{{webhooks},status=\"4xx\"}}"), "1"),
        ("kaiwa_deliveries_waiting", "0"),
        ("kaiwa_write_queue_operations", "0"),
        (r#"kaiwa_lanes{state="waiting"}"#, "0"),
    ];
    for (name, value) in expected {
        assert_eq!(number(&server, name).await.as_deref(), Some(value), "{name}");
    }
    for name in
        ["kaiwa_commit_duration_seconds_count", "kaiwa_commit_operations_sum", "kaiwa_disk_free_bytes"]
    {
        assert_ne!(number(&server, name).await.unwrap(), "0", "{name}");
    }
    assert!(number(&server, "kaiwa_start_time_seconds").await.unwrap().len() >= 10);
}

#[actix_web::test]
async fn quotas_backups_and_webhook_deliveries_are_shown_without_any_request() {
    let (receiver, backups) = (Receiver::start(), tempfile::tempdir().unwrap());
    receiver.answer_all(500);
    let url = receiver.url.parse().unwrap();
    let server = TestServer::start_with(|config| {
        config.metrics.listen = Some("127.0.0.1:0".to_owned());
        config.backup.directory = Some(backups.path().to_owned());
        config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()];
        config.customers[0].webhook_uri = Some(url);
    });
    let used = format!("kaiwa_quota_used_messages{{account=\"{}\"}}", server.account);
    let is = async |name: &str, value: &str| {
        eventually_is(Some(value.to_owned()), async || number(&server, name).await).await;
    };

    server.webhook(&[text_event(&server.user("Alice"), "hello")]).await;

    is(&used, "0").await;
    is(r#"kaiwa_backups_total{outcome="made"}"#, "1").await;
    for name in ["kaiwa_backup_last_seconds", "kaiwa_backup_bytes", "kaiwa_backup_duration_seconds"] {
        assert!(number(&server, name).await.unwrap().parse::<f64>().unwrap() > 0.0, "{name}");
    }
    is(r#"kaiwa_webhook_deliveries_total{outcome="retried"}"#, "1").await;
    is(r#"kaiwa_webhook_endpoints{state="failing"}"#, "1").await;
    assert_ne!(number(&server, "kaiwa_webhook_deliveries_waiting").await.unwrap(), "0");
    receiver.answer_all(204);
    server.advance(Duration::from_secs(10));
    is("kaiwa_webhook_deliveries_waiting", "0").await;
    is(r#"kaiwa_webhook_endpoints{state="failing"}"#, "0").await;
}

#[actix_web::test]
async fn the_page_has_the_content_type_and_ending_scrapers_require_and_its_own_port() {
    let server = start();

    let page = page(&server).await;

    assert_eq!(page.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(page.text.ends_with("# EOF\n"));
    assert!(page.text.contains(concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"")), "{}", page.text);
    assert_eq!(server.get("/metrics").await.status, 404, "not on the address of the API");
    let elsewhere = format!("http://{}/v1.0/conversations", server.metrics.unwrap());
    assert_eq!(Response::to(awc::Client::new().get(elsewhere), "").await.status, 404);
}

#[actix_web::test]
async fn no_value_chosen_by_a_caller_becomes_a_label() {
    let server = start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    let token = server.token();
    server.get(&format!("/v1.0/conversations/{conversation}?token={token}")).await;
    server.get("/secret-path").await;
    let odd = Method::from_bytes(b"SECRET-METHOD").unwrap();
    Response::to(server.request(odd, "/v1.0/conversations"), "").await;

    let page = page(&server).await.text;

    assert!(page.contains(r#"method="GET",route="/v1.0/conversations/{id}",status="2xx""#), "{page}");
    assert!(page.contains(r#"method="other",route="/v1.0/conversations",status="4xx""#), "{page}");
    assert!(page.contains(r#"route="none""#), "{page}");
    for chosen in [conversation.as_str(), &token, "secret-path", "SECRET-METHOD", "Alice"] {
        assert!(!page.contains(chosen), "{chosen}: {page}");
    }
}

#[actix_web::test]
async fn a_suspended_account_is_shown_and_does_not_make_the_server_unready() {
    let server = start();
    let conversation = server.conversation_with(&server.user("Alice")).await;
    server.set_faults(&json!([{ "path": "/v2/bot/message/push", "kind": "status", "status": 401 }]));
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let request = server.request(Method::POST, &path).insert_header(("prefer", "respond-async"));
    Response::to(request.content_type("application/json"), json!({ "text": "a" }).to_string()).await;

    let suspended = r#"kaiwa_accounts_suspended{reason="token"}"#;
    eventually_is(Some("1".to_owned()), async || number(&server, suspended).await).await;

    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["figures"]["accounts_suspended"]), (200, &json!({ "token": 1 })));
    assert!(ready.json()["figures"]["disk_free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(number(&server, "kaiwa_deliveries_waiting").await.unwrap(), "1");
}
