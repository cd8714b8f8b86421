//! A customer's endpoint: its address, its secret, and who can see it.

use std::time::Duration;

use awc::http::Method;
use kaiwa::model::id::CustomerId;
use kaiwa::model::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::harness::response::Response;
use crate::harness::server::{TestServer, text_event};
use crate::harness::{eventually, eventually_is};
use crate::webhooks::receiver::Receiver;
use crate::webhooks::{Other, called, deliveries, secret_of, start, states_are, write};

#[actix_web::test]
async fn an_endpoint_is_set_by_a_call_and_its_secret_is_shown_once() {
    let receiver = Receiver::start();
    let server = TestServer::start_with(|config| config.limits.allowed_hosts = vec!["127.0.0.1".to_owned()]);

    let before = server.get("/v1.0/webhook").await;
    let set = server.put("/v1.0/webhook", &json!({ "uri": receiver.url, "method": "PUT" })).await.json();
    let after = server.get("/v1.0/webhook").await.json();
    let again = server.put("/v1.0/webhook", &json!({})).await.json();
    write(&server, &server.user("Alice"), "hello").await;
    called(&receiver, 3).await;

    let expected = json!({
        "uri": receiver.url, "method": "PUT", "disabled": null, "failing_since": null, "paused_until": null,
        "secret_previous_until": null,
    });
    let nowhere = r#"{"uri":"","method":"POST","disabled":null,"failing_since":null,"paused_until":null,"secret_previous_until":null}"#;
    assert_eq!((before.status, before.text.as_str()), (200, nowhere));
    assert_eq!((&after, &again), (&expected, &expected));
    let secret = set["secret"].as_str().unwrap();
    assert!(receiver.calls().iter().all(|call| call.is_signed_with(secret)));
    assert!(receiver.calls().iter().all(|call| call.line == "PUT /events HTTP/1.1"));
}

#[actix_web::test]
async fn an_invalid_endpoint_is_rejected_and_changes_nothing() {
    let receiver = Receiver::start();
    let server = start(&receiver);

    for body in [
        json!({ "uri": "http://example.com/" }),
        json!({ "uri": "https://169.254.169.254/latest/meta-data/" }),
        json!({ "uri": "https://10.0.0.1/" }),
        json!({ "uri": "https://user:password@example.com/" }),
        json!({ "uri": "somewhere" }),
        json!({ "uri": format!("https://example.com/{}", "x".repeat(2_048)) }),
    ] {
        let refused = server.put("/v1.0/webhook", &body).await;
        assert_eq!((refused.status, refused.reason().as_str()), (400, "INVALID_ARGUMENT"), "{body}");
    }
    for body in [json!({ "method": "PATCH" }), json!({ "url": "https://example.com/" })] {
        assert_eq!(server.put("/v1.0/webhook", &body).await.reason(), "INVALID_JSON_BODY", "{body}");
    }

    assert_eq!(server.get("/v1.0/webhook").await.json()["uri"], receiver.url);
}

#[actix_web::test]
async fn both_secrets_sign_for_a_day_after_a_rotation_and_then_only_the_new_one() {
    let receiver = Receiver::start();
    let server = start(&receiver);
    let alice = server.user("Alice");
    write(&server, &alice, "one").await;
    called(&receiver, 3).await;
    let old = secret_of(&server, server.customer);

    let rotated = server.post("/v1.0/webhook/rotate", &json!({})).await.json();
    let new = rotated["secret"].as_str().unwrap().to_owned();
    write(&server, &alice, "two").await;
    called(&receiver, 4).await;
    server.advance(Duration::from_hours(24));
    write(&server, &alice, "three").await;
    called(&receiver, 5).await;

    let calls = receiver.calls();
    let signed = |index: usize| (calls[index].is_signed_with(&old), calls[index].is_signed_with(&new));
    assert_eq!((signed(0), signed(3), signed(4)), ((true, false), (true, true), (false, true)));
    assert!(rotated["secret_previous_until"].is_string());
    assert!(server.get("/v1.0/webhook").await.json().get("secret").is_none());
}

#[actix_web::test]
async fn every_method_carries_the_body() {
    let receiver = Receiver::start();
    let server = start(&receiver);

    for (index, method) in ["GET", "DELETE", "PUT", "POST"].into_iter().enumerate() {
        assert_eq!(server.put("/v1.0/webhook", &json!({ "method": method })).await.status, 200);
        write(&server, &server.user(method), method).await;
        eventually(|| receiver.texts().len() == index + 1).await;
    }

    assert_eq!(receiver.texts(), ["GET", "DELETE", "PUT", "POST"]);
    let secret = secret_of(&server, server.customer);
    assert!(receiver.calls().iter().all(|call| call.is_signed_with(&secret)));
}

#[actix_web::test]
async fn deliveries_are_listed_by_page_state_and_conversation() {
    let receiver = Receiver::start();
    let server = start(&receiver);
    let alice = server.conversation_with(&server.user("Alice")).await;
    server.conversation_with(&server.user("Bob")).await;
    eventually_is(6, async || deliveries(&server, "?state=delivered").await.len()).await;

    let page = server.get("/v1.0/webhook_deliveries?page_size=4").await.json();
    let token = page["next_page_token"].as_str().unwrap().replace(' ', "+");
    let rest = deliveries(&server, &format!("?page_token={token}")).await;
    let of_alice = deliveries(&server, &format!("?conversation_id={alice}&state=delivered")).await;

    assert_eq!((page["result"].as_array().unwrap().len(), rest.len()), (4, 2));
    assert!(of_alice.len() == 3 && of_alice.iter().all(|one| one["conversation_id"] == alice));
    assert!(deliveries(&server, "?state=failed").await.is_empty());
    assert_eq!(server.get("/v1.0/webhook_deliveries?state=lost").await.reason(), "INVALID_ARGUMENT");
    assert_eq!(server.get("/v1.0/webhook_deliveries?conversation_id=1").await.reason(), "INVALID_ID");
}

#[actix_web::test]
async fn another_customers_deliveries_and_endpoint_do_not_exist() {
    let (mine, theirs) = (Receiver::start(), Receiver::start());
    let server = start(&mine);
    let other = Other::connect(&server, &theirs).await;
    other.receive(&server, &[text_event(&server.user("Alice"), "to the other")]).await;
    eventually(|| theirs.texts() == ["to the other"]).await;
    let ask = async |customer: CustomerId, method: Method, path: &str| {
        Response::to(server.request_of(customer, method, path), "").await
    };
    let list = ask(other.customer, Method::GET, "/v1.0/webhook_deliveries").await.json();
    let id = list["result"][0]["id"].as_str().unwrap().to_owned();

    for id in [id, CustomerId::new(Timestamp::now()).to_string()] {
        let one = server.get(&format!("/v1.0/webhook_deliveries/{id}")).await;
        let replay = server.post(&format!("/v1.0/webhook_deliveries/{id}/replay"), &json!({})).await;
        for response in [one, replay] {
            assert_eq!((response.status, response.reason().as_str()), (404, "WEBHOOK_DELIVERY_NOT_FOUND"));
        }
    }

    assert_eq!(deliveries(&server, "").await, [Value::Null; 0]);
    assert_eq!(server.get("/v1.0/webhook").await.json()["uri"], mine.url);
    assert_eq!(mine.calls().len(), 0);
    assert_eq!(theirs.texts().len(), 1, "nothing was delivered again");
}

#[actix_web::test]
async fn a_new_endpoint_receives_what_the_old_one_did_not() {
    let (old, new) = (Receiver::start(), Receiver::start());
    old.answer_all(410);
    let server = start(&old);
    write(&server, &server.user("Alice"), "hello").await;
    eventually_is(false, async || server.get("/v1.0/webhook").await.json()["disabled"].is_null()).await;

    assert_eq!(server.put("/v1.0/webhook", &json!({ "uri": new.url })).await.status, 200);
    states_are(&server, &["delivered", "delivered", "delivered"]).await;

    assert_eq!((old.calls().len(), new.texts()), (1, vec!["hello".to_owned()]));
}
