//! What LINE says about each account: token, webhook, quota.

use std::time::Duration;

use crate::command::doctor::examined::{self, Examined};
use crate::command::doctor::finding::Finding;
use crate::command::local_client::{self, Request};
use crate::command::terminal::words::counted;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::line::client::LineClient;
use crate::line::responses::{WebhookEndpoint, WebhookTest};
use crate::line::signature;
use crate::model::accounts::account::{Bot, Quota};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;

/// Calls to LINE at once.
const CONNECTIONS: usize = 1;

/// Beyond the way of an answer and whole seconds.
const CLOCK_OFF_WARN: Duration = Duration::from_secs(5);

/// A reply token is as good as gone by then: LINE takes it for about a minute.
const CLOCK_OFF_FAIL: Duration = Duration::from_secs(45);

/// What no interface of LINE tells and only a person can switch.
const SWITCHES: &str = "in LINE's console, \"Webhook redelivery\" has to be on, else events are lost while the server is \
                        down; in the account's settings, \"Greeting message\" and \"Auto-response\" off, else LINE answers \
                        beside you";

/// What is said once when LINE is not reached.
const NETWORK: &str = "this machine does not reach LINE: look at its network, at the resolution of names (DNS), and at what \
                       stands in between, such as a firewall; then look again";
const UNREACHED: &str = "LINE is not reached";

/// What to do about a single call that LINE did not answer.
const LATER: &str =
    "either LINE has not answered this or something in between has, such as a proxy: look again later";

/// What to do when the answer is hardly LINE's.
const IN_BETWEEN: &str = "this is hardly LINE: look at `line.api_base`, and at what stands in between, such as a proxy or the \
                          sign-in page of a network";

/// What to do about a webhook that is not ours.
const SETUP: &str = "call POST /v1.0/conversations/setup";

/// What LINE would be asked of each account.
const ASKED: [&str; 5] = ["token", "chat mode", "webhook", "webhook test", "quota"];

/// Asks about every account of the database and of the configuration; nothing without one.
pub async fn look(config: &Config) -> Vec<Finding> {
    let found = match examined::all(config) {
        Ok(found) if found.is_empty() => return Vec::new(),
        Ok(found) => found,
        Err(error) => {
            return vec![Finding::failed("accounts", &error, "the database was tampered with")];
        }
    };
    let line = LineClient::new(&config.line, CONNECTIONS);
    let mut findings = match line.clock().await {
        Ok(Some(time)) => vec![clock(time, Timestamp::now())],
        Ok(None) => {
            vec![Finding::warn("clock", "what answers in LINE's place does not tell its time", IN_BETWEEN)]
        }
        Err(error) => {
            vec![Finding::fail("network", error.chain(), NETWORK), Finding::skipped("clock", UNREACHED)]
        }
    };
    let is_reached = findings.len() == 1;
    for account in &found {
        findings.extend(of_account(config, is_reached.then_some(&line), account).await);
    }
    findings
}

/// LINE's answer was on its way for a moment, and tells whole seconds only.
fn clock(line: Timestamp, now: Timestamp) -> Finding {
    let remedy = "let the machine's clock be set by NTP (`timedatectl set-ntp true`): tokens, reply tokens and retry keys \
                  end by it";
    let off = line.since(now).max(now.since(line));
    let message = format!("it is {} s off LINE's", off.as_secs());
    if off >= CLOCK_OFF_FAIL {
        Finding::fail("clock", message, remedy)
    } else if off >= CLOCK_OFF_WARN {
        Finding::warn("clock", message, remedy)
    } else {
        Finding::ok("clock", "it agrees with LINE's")
    }
}

/// `line` is nothing when LINE is not reached.
async fn of_account(config: &Config, line: Option<&LineClient>, account: &Examined) -> Vec<Finding> {
    let check = |what: &str| format!("account {} {what}", account.id);
    if account.token.expose().is_empty() {
        let remedy = "start the server, which fetches it, and look again";
        return vec![Finding::warn(check("token"), "none was fetched yet", remedy)];
    }
    let (is_running, signature) = signature(config, account, &check("signature")).await;
    let mut findings = vec![signature];
    match line {
        Some(line) => findings.extend(asked(config, line, account, is_running).await),
        None => findings.extend(ASKED.map(|what| Finding::skipped(check(what), UNREACHED))),
    }
    findings.extend(account.suspension.as_ref().map(|message| {
        let message = format!("nothing is sent at present: {message}");
        Finding::warn(check("sending"), message, "it goes on by itself once LINE takes a message")
    }));
    findings.push(Finding::warn(check("switches"), "LINE does not tell how they are", SWITCHES));
    findings
}

/// What LINE says about an account.
async fn asked(config: &Config, line: &LineClient, account: &Examined, is_running: bool) -> Vec<Finding> {
    let check = |what: &str| format!("account {} {what}", account.id);
    let token = &account.token;
    let mut findings = Vec::new();
    match line.bot(token).await {
        Ok(bot) => {
            findings.push(Finding::ok(check("token"), format!("it is that of {}", bot.basic_id)));
            findings.push(chat_mode(&bot, &check("chat mode")));
        }
        Err(Error::LineUnavailable(message)) => {
            findings.push(Finding::fail(check("token"), message, LATER));
        }
        Err(error) => {
            findings.push(Finding::fail(check("token"), error.chain(), remedy(&error, IN_BETWEEN)));
        }
    }
    findings.push(match line.webhook(token).await {
        Err(error) if is_unset(&error) => {
            not_yet(Finding::fail(check("webhook"), error.chain(), SETUP), is_running)
        }
        Err(error) => unreachable(&check("webhook"), &error, "look at LINE's words, and again later"),
        Ok(set) => not_yet(webhook(set, &check("webhook"), expected(config, account)), is_running),
    });
    findings.push(if is_running {
        reached(line, token, &check("webhook test")).await
    } else {
        Finding::skipped(check("webhook test"), "no server answers here")
    });
    findings.push(quota(line.quota(token).await, &check("quota")));
    findings
}

/// What LINE did not tell: for want of a good token, of an answer, or for what the remedy says.
fn unreachable(check: &str, error: &Error, remedy: &str) -> Finding {
    match error {
        Error::LineRefused { status: 401, .. } => Finding::skipped(check, "LINE refuses the token"),
        Error::LineUnavailable(message) => Finding::fail(check, message, LATER),
        _ => Finding::fail(check, error.chain(), self::remedy(error, remedy)),
    }
}

/// What to do about LINE's refusal, by its status; `other` where that tells nothing.
fn remedy<'text>(error: &Error, other: &'text str) -> &'text str {
    match error {
        Error::LineRefused { status: 401, .. } => "issue a new token in LINE's console and set it",
        Error::LineRefused { status: 403, .. } => {
            "LINE does not let this channel do it: look at its permissions and its plan in LINE's console"
        }
        Error::LineRefused { status: 429, .. } => {
            "LINE takes no more of these calls for now: look again later"
        }
        Error::LineRefused { status: 300..=399, .. } => IN_BETWEEN,
        _ => other,
    }
}

/// LINE answers so for a channel that has no webhook.
fn is_unset(error: &Error) -> bool {
    matches!(error, Error::LineRefused { status: 404, .. })
}

/// Without a server there is nothing to reach: then that comes first.
fn not_yet(webhook: Finding, is_running: bool) -> Finding {
    if is_running {
        webhook
    } else {
        webhook.not_yet("start the server, and call POST /v1.0/conversations/setup")
    }
}

/// A webhook without events as LINE would send it, to the server on this machine: it has to take ours, and no other.
/// Tells whether a server answers.
async fn signature(config: &Config, account: &Examined, check: &str) -> (bool, Finding) {
    let body = serde_json::json!({ "destination": account.bot, "events": [] }).to_string();
    let path = format!("/v1.0/conversation/accounts/{}", account.id);
    let ask = async |secret: &Secret| {
        let signature = signature::sign(secret, body.as_bytes());
        let header = Some((signature::HEADER, signature.as_str()));
        let request = Request { method: "POST", path: &path, header, body: &body };
        local_client::ask(config, &request).await.map(|(status, _)| status)
    };
    let asked = match ask(&account.secret).await {
        Ok(ours) => ask(&Secret::new("another")).await.map(|other| (ours, other)),
        Err(error) => Err(error),
    };
    match asked {
        Ok((200, 401)) => {
            let message = "the server takes what is signed with the channel secret, and nothing else";
            (true, Finding::ok(check, message))
        }
        Ok((ours, other)) => {
            let message =
                format!("the server answers {ours} to the right signature and {other} to a wrong one");
            let remedy = "does the running server have this configuration and this database?";
            (true, Finding::fail(check, message, remedy))
        }
        Err(error) => (false, Finding::warn(check, error.chain(), "start the server and look again")),
    }
}

fn chat_mode(bot: &Bot, check: &str) -> Finding {
    if bot.chat_mode == "bot" {
        return Finding::ok(check, "all answers come from here");
    }
    let remedy = "LINE Official Account Manager, Settings, Response settings, if that is not meant to be";
    Finding::warn(check, "people may answer in LINE's own manager too", remedy)
}

/// Where LINE should send this account's webhooks; nothing when nobody said.
fn expected(config: &Config, account: &Examined) -> Option<String> {
    let base = config.public_url.as_ref()?.as_str().trim_end_matches('/').to_owned();
    Some(format!("{base}/v1.0/conversation/accounts/{}", account.id))
}

fn webhook(set: WebhookEndpoint, check: &str, expected: Option<String>) -> Finding {
    match expected {
        _ if !set.active => Finding::fail(check, "it is off", "switch \"Use webhook\" on in LINE's console"),
        Some(expected) if set.endpoint != expected => {
            Finding::fail(check, format!("LINE sends to {} and not to {expected}", set.endpoint), SETUP)
        }
        _ => Finding::ok(check, set.endpoint),
    }
}

/// LINE itself sends a signed webhook without events: an answer of 200 is the whole way, signature included.
async fn reached(line: &LineClient, token: &Secret, check: &str) -> Finding {
    let remedy = "is the server running, does the proxy pass the body on unchanged, is the channel secret the right one?";
    match line.test_webhook(token).await {
        Ok(WebhookTest { success: true, .. }) => {
            Finding::ok(check, "LINE reaches the server, which knows its signature")
        }
        Ok(WebhookTest { reason, detail, .. }) => Finding::fail(check, format!("{reason}: {detail}"), remedy),
        Err(error) => unreachable(check, &error, remedy),
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
            Finding::ok(check, format!("used: {used} of {}", counted(limit, "message")))
        }
        Ok(Quota { limit: None, used }) => {
            Finding::ok(check, format!("used: {}, without a limit", counted(used, "message")))
        }
        Err(error) => unreachable(check, &error, "look at LINE's words, and again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Level;

    #[test]
    fn a_clock_that_is_off_is_found_in_both_directions() {
        let now = Timestamp::from_milliseconds(1_700_000_000_000);
        for (seconds, level) in
            [(0, Level::Ok), (4, Level::Ok), (5, Level::Warn), (44, Level::Warn), (45, Level::Fail)]
        {
            let off = Duration::from_secs(seconds);

            assert_eq!(clock(now.after(off), now).level, level, "{seconds} s ahead");
            assert_eq!(clock(now, now.after(off)).level, level, "{seconds} s behind");
        }
    }
}
