//! Addresses that are never connected to, whoever sets them.

use kaiwa::model::accounts::customer::ProfileChange;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::accounts::customers;
use serde_json::json;

use crate::harness::eventually_is;
use crate::harness::server::TestServer;
use crate::webhooks::receiver::Receiver;
use crate::webhooks::{deliveries, write};

/// The customer's token or the configuration sets this address, unchecked.
async fn name(server: &TestServer, uri: String) {
    let change = ProfileChange { webhook_uri: Some(uri), ..ProfileChange::default() };
    let customer = server.customer;
    let shared = server.shared();
    shared.store.write(Timestamp::now(), move |tx| customers::update(tx, customer, change)).await.unwrap();
}

#[actix_web::test]
async fn no_endpoint_in_our_network_is_connected_to() {
    let inside = Receiver::start();
    let server = TestServer::start();
    let port = inside.url.rsplit_once(':').unwrap().1.to_owned();

    for uri in [
        inside.url.clone(),
        format!("https://127.0.0.1:{port}"),
        format!("https://localhost:{port}"),
        format!("https://2130706433:{port}"),
        format!("https://0x7f.1:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://[::ffff:7f00:1]:{port}"),
        format!("https://example.com@127.0.0.1:{port}"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "no address at all".to_owned(),
    ] {
        name(&server, uri.clone()).await;
        write(&server, &server.user(&uri), "hello").await;
        let newest = async || {
            let deliveries = deliveries(&server, "").await;
            let tried = deliveries.iter().rfind(|one| one["attempt_count"] != 0);
            tried.map(|one| (one["last_attempt"]["error"].clone(), one["conversation_id"].clone()))
        };
        let started = server.get("/v1.0/conversations").await.json()["result"][0]["id"].clone();
        eventually_is(Some((json!("address_refused"), started)), newest).await;
    }

    assert_eq!(inside.calls().len(), 0);
}

#[actix_web::test]
async fn a_local_endpoint_receives_events_when_the_operator_allows_it() {
    let receiver = Receiver::start();
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["localhost".to_owned()]);

    name(&server, receiver.url.replace("127.0.0.1", "localhost")).await;
    write(&server, &server.user("Alice"), "hello").await;

    eventually_is(vec!["hello".to_owned()], async || receiver.texts()).await;
}
