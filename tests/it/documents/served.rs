//! A server with the configuration in README.md, and the commands of the other documents beside it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use kaiwa::line::signature;
use serde_json::json;

use crate::command::program::Serving;
use crate::documents::markdown::Document;
use crate::documents::shell::{Shell, move_away};
use crate::harness::line::Line;
use crate::harness::server::text_event;

/// The account in README.md's configuration.
const ACCOUNT: &str = "d9d32881-12fd-4b19-a6b2-6d5ffb6acd76";

/// The person and the conversation of the examples.
const USER: &str = "U7683552461e9b025b065b7f1f45860b9";
const CONVERSATION: &str = "01a20644-f95c-7717-97b7-0888b5389fe6";

/// A folder set up as README.md says, and a LINE on this machine.
struct Site {
    shell: Shell,
    line: Line,
    readme: Document,
}

impl Site {
    fn new() -> Self {
        let (readme, line) = (Document::read("README.md"), Line::start());
        let (mut shell, channel) = (Shell::new(), line.platform.channel());
        let settings = readme.block("Production", "toml");
        for (name, text) in [
            ("kaiwa.toml", settings.as_str()),
            ("jwt.key", &"0123456789abcdef".repeat(4)),
            ("channel.secret", channel.secret.expose()),
            ("channel.token", channel.token.expose()),
        ] {
            std::fs::write(shell.path(name), text).unwrap();
            std::fs::set_permissions(shell.path(name), Permissions::from_mode(0o600)).unwrap();
        }
        for name in ["KAIWA_LINE__API_BASE", "KAIWA_LINE__DATA_BASE"] {
            shell.set(name, &line.url);
        }
        for name in ["backups", "keys"] {
            std::fs::create_dir(shell.path(name)).unwrap();
            let here = shell.path(name).display().to_string();
            shell.replace(&format!(" /{name}/"), &format!(" {here}/"));
        }
        let here = shell.folder.path().display().to_string();
        shell.replace("/etc/kaiwa/", &format!("{here}/"));
        Self { shell, line, readme }
    }

    /// Starts the server as README.md does; commands that call it find its port.
    fn serve(&mut self) -> Serving {
        self.shell.set("KAIWA_LISTEN", "127.0.0.1:0");
        let serving = Serving::start(self.shell.program(&self.readme.sentence("kaiwa serve")));
        self.shell.set("KAIWA_LISTEN", serving.url.trim_start_matches("http://"));
        serving
    }

    /// Runs a command within a sentence.
    #[track_caller]
    fn run(&mut self, document: &Document, beginning: &str) -> String {
        self.shell.run(&document.sentence(beginning))
    }

    /// Delivers a message from a user. Returns the conversation's id.
    async fn receive(&self, serving: &Serving, token: &str, user: &str) -> String {
        let body =
            json!({ "destination": self.line.platform.bot().user_id, "events": [text_event(user, "hello")] });
        let body = body.to_string();
        let sign = signature::sign(&self.line.platform.channel().secret, body.as_bytes());
        let path = format!("{}/v1.0/conversation/accounts/{ACCOUNT}", serving.url);
        let request = awc::Client::new().post(path).insert_header((signature::HEADER, sign));
        assert_eq!(request.send_body(body).await.unwrap().status(), 200);
        let list = format!("{}/v1.0/conversations?token={token}", serving.url);
        let list: serde_json::Value =
            awc::Client::new().get(list).send().await.unwrap().json().await.unwrap();
        let found = list["result"].as_array().unwrap().iter().find(|one| one["reference_id"] == user);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }
}

fn stop(mut serving: Serving) {
    serving.signal("-TERM");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[actix_web::test]
async fn a_server_is_configured_queried_and_cleaned_up_as_documented() {
    let (mut site, operations) = (Site::new(), Document::read("docs/OPERATIONS.md"));
    let readme = Document::read("README.md");

    let before = site.run(&readme, "kaiwa token");
    let serving = site.serve();
    let token = site.run(&operations, "sudo -u kaiwa kaiwa token");
    assert!(before.starts_with("ey") && token.starts_with("ey"), "{before}{token}");
    assert_eq!(site.run(&operations, "kaiwa healthcheck"), "ready\n");
    // The webhook is not registered with LINE yet; nothing else is wrong.
    let examined = site.shell.run_to(&operations.sentence("kaiwa doctor"), 1);
    let failed: Vec<_> = examined.lines().filter(|line| line.starts_with("fail")).collect();
    assert!(failed.iter().all(|line| line.contains(" webhook")), "{failed:?}");
    site.receive(&serving, token.trim(), USER).await;
    let other = site.receive(&serving, token.trim(), &USER.replace("b9", "b8")).await;
    stop(serving);

    site.shell.replace(CONVERSATION, &other);
    for commands in operations.section("Upgrades") {
        assert!(site.shell.run(&commands).contains("0 failed"));
    }
    for commands in operations.section("Erasure") {
        assert_eq!(site.shell.run(&commands).matches("1 conversation,").count(), 2);
    }
    let secrets = Document::read("docs/SECRETS.md");
    assert!(site.run(&secrets, "kaiwa secrets rotate").contains("sealed"));
    operations.finish();
}

#[actix_web::test]
async fn backups_are_made_verified_and_started_from() {
    let (mut site, backup) = (Site::new(), Document::read("docs/BACKUP.md"));
    let serving = site.serve();
    let token = site.shell.run(&site.readme.sentence("kaiwa token"));
    site.receive(&serving, token.trim(), USER).await;

    for section in ["Creating a backup", "Verifying a backup"] {
        backup.section(section).iter().for_each(|commands| drop(site.shell.run(commands)));
    }
    stop(serving);
    std::fs::copy(site.shell.path("kaiwa-data/secret.key"), site.shell.path("keys/kaiwa-secret.key"))
        .unwrap();
    move_away(&site.shell.path("kaiwa-data"));
    site.shell.set("KAIWA_LISTEN", "127.0.0.1:0");
    backup.section("Restoring a backup").iter().for_each(|commands| drop(site.shell.run(commands)));

    let serving = site.serve();
    let list = format!("{}/v1.0/conversations?token={}", serving.url, token.trim());
    let list: serde_json::Value = awc::Client::new().get(list).send().await.unwrap().json().await.unwrap();
    assert_eq!(list["result"][0]["reference_id"], USER);
    backup.finish();
}
