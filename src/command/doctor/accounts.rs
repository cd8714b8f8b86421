//! What LINE says about each account: token, webhook, quota.

use crate::command::doctor::finding::Finding;
use crate::config::Config;
use crate::error::Result;
use crate::line::client::{Client, WebhookEndpoint, WebhookTest};
use crate::model::account::{Account, Bot, Quota};
use crate::model::secret::Secret;
use crate::store::accounts;
use crate::store::reader::Reader;

/// Calls to LINE at once.
const CONNECTIONS: usize = 1;

/// What no interface of LINE tells and only a person can switch.
const SWITCHES: &str = "in LINE's console, \"Webhook redelivery\" has to be on, else events are lost while the server is \
                        down; in the account's settings, \"Greeting message\" and \"Auto-response\" off, else LINE answers \
                        beside you";

/// Asks about every account that the database has; nothing without one.
pub async fn look(config: &Config) -> Vec<Finding> {
    // That a database cannot be opened has been told.
    let Ok(reader) = Reader::open(&config.database_path(), &config.key_source()) else { return Vec::new() };
    let found = match reader.read(accounts::list) {
        Ok(found) => found,
        Err(error) => {
            return vec![Finding::fail("accounts", error.chain(), "the database was tampered with")];
        }
    };
    let line = Client::new(&config.line, CONNECTIONS);
    let mut findings = Vec::new();
    for account in &found {
        findings.extend(of_account(config, &line, account).await);
    }
    findings
}

async fn of_account(config: &Config, line: &Client, account: &Account) -> Vec<Finding> {
    let check = |what: &str| format!("account {} {what}", account.id);
    let token = &account.token;
    if token.expose().is_empty() {
        let remedy = "start the server, which fetches it, and look again";
        return vec![Finding::warn(check("token"), "none was fetched yet", remedy)];
    }
    let mut findings = Vec::new();
    match line.bot(token).await {
        Ok(bot) => {
            findings.push(Finding::ok(check("token"), format!("it is that of {}", bot.basic_id)));
            findings.push(chat_mode(&bot, &check("chat mode")));
        }
        Err(error) => {
            let remedy = "issue a new token in LINE's console and set it";
            findings.push(Finding::fail(check("token"), error.chain(), remedy));
        }
    }
    findings.push(webhook(line.webhook(token).await, &check("webhook"), expected(config, account)));
    findings.push(reached(line, token, &check("webhook test")).await);
    findings.push(quota(line.quota(token).await, &check("quota")));
    findings.extend(account.parked.as_ref().map(|parked| {
        let message = format!("nothing is sent at present: {}", parked.message);
        Finding::warn(check("sending"), message, "it goes on by itself once LINE takes a message")
    }));
    findings.push(Finding::warn(check("switches"), "LINE does not tell how they are", SWITCHES));
    findings
}

fn chat_mode(bot: &Bot, check: &str) -> Finding {
    if bot.chat_mode == "bot" {
        return Finding::ok(check, "all answers come from here");
    }
    let remedy = "LINE Official Account Manager, Settings, Response settings, if that is not meant to be";
    Finding::warn(check, "people may answer in LINE's own manager too", remedy)
}

/// Where LINE should send this account's webhooks; nothing when nobody said.
fn expected(config: &Config, account: &Account) -> Option<String> {
    let base = config.public_url.as_ref()?.as_str().trim_end_matches('/').to_owned();
    Some(format!("{base}/v1.0/conversation/accounts/{}", account.id))
}

fn webhook(set: Result<WebhookEndpoint>, check: &str, expected: Option<String>) -> Finding {
    let setup = "call POST /v1.0/conversations/setup";
    match (set, expected) {
        (Err(error), _) => Finding::fail(check, error.chain(), setup),
        (Ok(set), _) if !set.active => {
            Finding::fail(check, "it is off", "switch \"Use webhook\" on in LINE's console")
        }
        (Ok(set), Some(expected)) if set.endpoint != expected => {
            Finding::fail(check, format!("LINE sends to {} and not to {expected}", set.endpoint), setup)
        }
        (Ok(set), _) => Finding::ok(check, set.endpoint),
    }
}

/// LINE itself sends a signed webhook without events: an answer of 200 is the whole way, signature included.
async fn reached(line: &Client, token: &Secret, check: &str) -> Finding {
    let remedy = "is the server running, does the proxy pass the body on unchanged, is the channel secret the right one?";
    match line.test_webhook(token).await {
        Ok(WebhookTest { success: true, .. }) => {
            Finding::ok(check, "LINE reaches the server, which knows its signature")
        }
        Ok(WebhookTest { reason, detail, .. }) => Finding::fail(check, format!("{reason}: {detail}"), remedy),
        Err(error) => Finding::fail(check, error.chain(), remedy),
    }
}

fn quota(quota: Result<Quota>, check: &str) -> Finding {
    match quota {
        Ok(quota) if quota.remaining() == Some(0) => Finding::warn(
            check,
            "it is used up",
            "free replies go on; everything else waits for the next month or plan",
        ),
        Ok(Quota { limit: Some(limit), used }) => {
            Finding::ok(check, format!("{used} of {limit} messages are used"))
        }
        Ok(Quota { limit: None, used }) => {
            Finding::ok(check, format!("{used} messages are used, without a limit"))
        }
        Err(error) => Finding::fail(check, error.chain(), "the token may not be good"),
    }
}
