//! docs/API.md: its requests work as they are printed, and printed bodies are what the OpenAPI document describes.

use serde_json::Value;

use crate::documents::markdown::{Document, blocks};
use crate::documents::sandbox::{Running, responses};
use crate::documents::shell::Shell;
use crate::harness::contract;
use crate::media::uploads::image;

/// The schemas of the responses to the requests of each section, in order.
const RESPONSES: [(&str, &[&str]); 10] = [
    ("Authentication", &["Conversations"]),
    ("Idempotency", &["Message"]),
    ("Lists", &["Conversations"]),
    ("Conversations", &["Participants", "Conversation"]),
    ("Messages", &["Message", "Media"]),
    ("LINE accounts", &["Account", "Quota"]),
    ("Setup", &["SetupResult"]),
    ("Events", &["Ticket"]),
    ("Webhooks", &["Endpoint", "WebhookDeliveries"]),
    ("Health", &["Readiness"]),
];

/// The schemas of the printed bodies of each section, in order; the payload of a token is none of ours.
const BODIES: [(&str, &[&str]); 10] = [
    ("Lists", &["Conversations"]),
    ("Conversations", &["Conversation"]),
    ("Messages", &["Message", "Media", "MessageToSend", "Error", "Media"]),
    ("LINE accounts", &["Account", "Quota"]),
    ("Setup", &["SetupResult", "SetupResult"]),
    ("Events", &["Ticket"]),
    ("Webhooks", &["Endpoint", "WebhookDelivery"]),
    ("Health", &["Readiness"]),
    ("Errors", &["Error"]),
    ("Authentication", &[]),
];

#[track_caller]
fn check(section: &str, bodies: &[Value], schemas: &[&str]) {
    assert_eq!(bodies.len(), schemas.len(), "{section}: {bodies:?}");
    for (body, schema) in bodies.iter().zip(schemas) {
        let checked = contract::validate(&format!("/components/schemas/{schema}"), body);
        assert!(checked.is_ok(), "{section}: {checked:?}");
    }
}

#[actix_web::test]
async fn the_requests_of_the_api_succeed_as_they_are_printed() {
    let document = Document::read("docs/API.md");
    let mut shell = Shell::new();
    let sandbox = Running::start(&mut shell, "kaiwa sandbox");
    let setup = "/v1.0/conversation_accounts";
    let (accounts, conversations) = (sandbox.get(setup).await, sandbox.list().await);
    shell.set("TOKEN", &sandbox.word("token"));
    shell.set("ID", conversations[0]["id"].as_str().unwrap());
    shell.set("ACCOUNT", accounts["result"][0]["id"].as_str().unwrap());
    std::fs::write(shell.path("menu.png"), image(8)).unwrap();

    for (section, schemas) in RESPONSES {
        let printed: String = document.section(section).iter().map(|commands| shell.run(commands)).collect();
        check(section, &responses(&printed), schemas);
    }
    document.finish();
}

#[test]
fn the_bodies_that_the_api_prints_are_what_the_openapi_document_describes() {
    let blocks = blocks(&Document::read("docs/API.md").text);
    let mut count = 0;
    for (section, schemas) in BODIES {
        let printed = blocks.iter().filter(|block| block.section == section && block.language == "json");
        // A payload has none of the keys of a response, and a list may leave its rows out.
        let printed = printed.filter(|block| !block.text.contains("\"exp\""));
        let bodies = printed.map(|block| serde_json::from_str(&block.text.replace("[ … ]", "[]")).unwrap());
        check(section, &bodies.collect::<Vec<_>>(), schemas);
        count += schemas.len();
    }
    let printed = blocks.iter().filter(|block| block.language == "json").count();
    assert_eq!(printed, count + 1, "every body is checked, but for the payload of a token");
}
