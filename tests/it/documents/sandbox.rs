//! The sandbox: the first half of README.md, and docs/SANDBOX.md.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::documents::markdown::Document;
use crate::documents::shell::Shell;

/// A running sandbox, whose addresses replace those in the documents.
pub struct Running {
    child: Child,
    summary: Value,
}

impl Running {
    pub fn start(shell: &mut Shell, command: &str) -> Self {
        let mut child = shell
            .program(&format!("{command} --port 0 --json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let summary: Value = serde_json::from_str(&line).unwrap();
        for (port, name) in [("8080", "api"), ("8081", "line")] {
            if let Some(url) = summary[name].as_str() {
                shell.replace(&format!("http://127.0.0.1:{port}"), url);
            }
        }
        Self { child, summary }
    }

    pub fn word(&self, name: &str) -> String {
        self.summary[name].as_str().unwrap().to_owned()
    }

    /// What the API returns for this path.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}?token={}", self.word("api"), self.word("token"));
        awc::Client::new().get(url).send().await.unwrap().json().await.unwrap()
    }

    pub async fn list(&self) -> Vec<Value> {
        self.get("/v1.0/conversations").await["result"].as_array().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The JSON responses in this output.
pub fn responses(printed: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(printed).into_iter().map(Result::unwrap).collect()
}

/// The bot has accepted every webhook.
#[track_caller]
fn check_delivered(responses: &[Value], count: usize) {
    let statuses: Vec<_> = responses.iter().filter_map(|response| response.get("status")).collect();
    assert!(statuses.len() >= count && statuses.iter().all(|status| **status == 200), "{responses:?}");
}

#[actix_web::test]
async fn the_five_calls_of_the_readme_work() {
    let readme = Document::read("README.md");
    let mut shell = Shell::new();
    let sandbox = Running::start(&mut shell, "kaiwa sandbox");
    let alice = sandbox.list().await[0].clone();
    shell.set("TOKEN", &sandbox.word("token"));
    shell.set("ID", alice["id"].as_str().unwrap());

    let [calls @ .., say] = &readme.section("Five calls")[..] else { panic!("there are commands") };
    let responses: Vec<Value> = calls.iter().flat_map(|commands| responses(&shell.run(commands))).collect();

    let [setup, list, detail, sent, messages] = &responses[..] else { panic!("five calls: {responses:?}") };
    assert_eq!(setup["result"][0]["test"]["success"], true);
    assert_eq!((&list["result"][0]["id"], &detail["id"]), (&alice["id"], &alice["id"]));
    assert_eq!((&sent["status"], &messages["result"][0]["id"]), (&json!("sent"), &sent["id"]));
    assert!(shell.run(say).contains("Alice wrote message"));
    readme.finish();
}

#[actix_web::test]
async fn everything_in_the_sandbox_document_works() {
    let document = Document::read("docs/SANDBOX.md");
    let mut shell = Shell::new();
    // Storing the video of 200 MB is not what this test is about.
    shell.set("KAIWA_LIMITS__MEDIA_BYTES", "1000000");
    let sandbox = Running::start(&mut shell, "kaiwa sandbox");
    let mut run = |section: &str| {
        let printed =
            document.section(section).iter().map(|commands| shell.run(commands)).collect::<String>();
        responses(&printed)
    };

    assert!(run("").is_empty(), "where it is");
    let first = run("A first conversation");
    check_delivered(&first, 1);
    assert_eq!(first[2][0]["message"]["text"], "こんにちは", "on her phone");
    check_delivered(&run("People"), 4);
    send_buttons(&sandbox, first[0]["user"]["id"].as_str().unwrap()).await;
    check_delivered(&run("Buttons"), 2);
    let [events, redelivery] = &run("Webhooks of any kind")[..] else { panic!("two answers") };
    assert_eq!(events["outcomes"].as_array().unwrap().len(), 2, "{events}");
    assert_eq!(redelivery["enabled"], true);
    assert_eq!(run("Faults").len(), 2);
    drop(sandbox);
    a_bot_of_your_own(&document);
    document.finish();
}

fn a_bot_of_your_own(document: &Document) {
    let mut shell = Shell::new();
    let _line = Running::start(&mut shell, &document.sentence("kaiwa sandbox --line-only"));
    shell.run("LINE=http://127.0.0.1:8081\n");

    let commands = document.section("A bot of your own");
    let responses = responses(&commands.iter().map(|commands| shell.run(commands)).collect::<String>());

    assert!(responses[0]["channel"]["secret"].is_string(), "{responses:?}");
    assert_eq!(responses[1]["endpoint"], "http://127.0.0.1:3000/webhook");
}

/// Sends the buttons that the document says the bot has sent.
async fn send_buttons(sandbox: &Running, hana: &str) {
    let conversations = sandbox.list().await;
    let with_her = conversations.iter().find(|one| one["reference_id"] == hana).unwrap();
    let id = with_her["id"].as_str().unwrap();
    let press = json!({ "type": "postback", "label": "Yes", "data": "yes" });
    let pick = json!({ "type": "datetimepicker", "label": "When?", "data": "when", "mode": "date" });
    let contents = json!({ "type": "buttons", "text": "Shall we?", "actions": [press, pick] });
    let message =
        json!({ "medias": [{ "type": "template", "alt_text": "Shall we?", "contents": contents }] });
    let url =
        format!("{}/v1.0/conversations/{id}/messages?token={}", sandbox.word("api"), sandbox.word("token"));
    let sent: Value = awc::Client::new().post(url).send_json(&message).await.unwrap().json().await.unwrap();
    assert_eq!(sent["status"], "sent", "{sent}");
}
