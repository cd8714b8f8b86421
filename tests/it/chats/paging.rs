//! Every row is read exactly once, whatever happens meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use crate::harness::server::{TestServer, text_event};

const MESSAGES: usize = 2_000;
const EVENTS_PER_WEBHOOK: usize = 100;

/// The number of messages that are read in small pages.
const FEW: usize = 500;

/// Reads a list to its end and returns the ids in order.
async fn read_all(server: &TestServer, list: &str, size: usize, between: impl AsyncFn(usize)) -> Vec<String> {
    let mut ids = Vec::new();
    let mut token = String::new();
    for page in 0.. {
        let path = format!("{list}?page_size={size}&page_token={}", token.replace(' ', "+"));
        let body = server.get(&path).await.json();
        let rows = body["result"].as_array().unwrap();
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        body["next_page_token"].as_str().unwrap().clone_into(&mut token);
        if rows.is_empty() {
            assert_eq!(token, "", "the token of an empty page is empty");
            break;
        }
        between(page).await;
    }
    ids
}

/// Lets a user write this many texts; returns the path of the messages and their ids.
async fn written(server: &TestServer, user: &str, count: usize) -> (String, HashSet<String>) {
    for _ in 0..count / EVENTS_PER_WEBHOOK {
        let events: Vec<Value> =
            (0..EVENTS_PER_WEBHOOK).map(|number| text_event(user, &number.to_string())).collect();
        assert_eq!(server.webhook(&events).await.status, 200);
    }
    let list = server.get("/v1.0/conversations?page_size=1").await.json();
    let path = format!("/v1.0/conversations/{}/messages", list["result"][0]["id"].as_str().unwrap());
    let ids: HashSet<String> = read_all(server, &path, 100, async |_| {}).await.into_iter().collect();
    assert_eq!(ids.len(), count);
    (path, ids)
}

#[actix_web::test]
async fn paging_reads_two_thousand_messages_once_each_while_more_arrive_and_the_clock_is_set_back() {
    let server = TestServer::start_with(|config| config.limits.webhook_body_bytes = 16 << 20);
    let (cony, brown) = (server.user("Cony"), server.user("Brown"));
    let many = written(&server, &cony, MESSAGES).await;
    let few = written(&server, &brown, FEW).await;

    let read_while_more_arrive =
        async |user: &str, (path, before): &(String, _), size: usize, every: usize| {
            let disturb = async |page: usize| {
                if page.is_multiple_of(every) {
                    server.clock.set_back(Duration::from_mins(10));
                    assert_eq!(server.webhook(&[text_event(user, "meanwhile")]).await.status, 200);
                }
            };
            let read = read_all(&server, path, size, disturb).await;

            let seen: HashSet<String> = read.iter().cloned().collect();
            assert_eq!(seen.len(), read.len(), "a row was shown twice with pages of {size}");
            assert!(seen.is_superset(before), "a row was skipped with pages of {size}");
        };
    // All at once: readers must not disturb each other.
    tokio::join!(
        read_while_more_arrive(&cony, &many, 20, 20),
        read_while_more_arrive(&brown, &few, 7, 15),
        read_while_more_arrive(&brown, &few, 1, 100),
    );
}

#[actix_web::test]
async fn conversations_are_paged_and_an_invalid_size_or_token_is_rejected() {
    let server = TestServer::start();
    let events: Vec<Value> =
        (0..25).map(|number| text_event(&server.user(&format!("user {number}")), "hi")).collect();
    server.webhook(&events).await;
    let list = "/v1.0/conversations";

    for size in [1, 7, 100] {
        let read = read_all(&server, list, size, async |_| {}).await;
        assert_eq!(read.iter().collect::<HashSet<_>>().len(), 25);
        assert_eq!(read.len(), 25);
    }

    for size in ["0", "-1", "x", ""] {
        assert_eq!(server.get(&format!("{list}?page_size={size}")).await.reason(), "INVALID_ARGUMENT");
    }
    assert_eq!(server.get(&format!("{list}?page_token=2022-06-17")).await.reason(), "INVALID_PAGE_TOKEN");
    assert_eq!(
        server.get(&format!("{list}?page_size=1000")).await.json()["result"].as_array().unwrap().len(),
        25
    );
    let early = server.get(&format!("{list}?page_token=2022-06-17%2006:06:14.446158")).await;
    assert_eq!(early.text, r#"{"result":[],"next_page_token":""}"#);
}
