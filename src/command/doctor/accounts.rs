//! Checks each account with LINE: token, webhook, quota.

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

/// Concurrent calls to LINE.
const CONNECTIONS: usize = 1;

/// More than the latency of a response and the rounding to whole seconds.
const CLOCK_OFF_WARN: Duration = Duration::from_secs(5);

/// A reply token is practically expired by then: LINE accepts it for about a minute.
const CLOCK_OFF_FAIL: Duration = Duration::from_secs(45);

/// Settings that no API of LINE exposes, so a person has to check them.
const SWITCHES: &str = "in LINE's console, \"Webhook redelivery\" must be on, or events are lost while the server is \
                        down; in the account's settings, \"Greeting message\" and \"Auto-response\" must be off, or LINE \
                        replies as well";

/// Reported once when LINE is unreachable.
const NETWORK: &str = "this machine cannot reach LINE: check its network, its name resolution (DNS) and anything in between, \
                       such as a firewall; then run the doctor again";
const UNREACHABLE: &str = "LINE is unreachable";

/// The remedy for a single call without a response.
const LATER: &str =
    "LINE did not respond to this call, or something in between did, such as a proxy: try again later";

/// The remedy when the response is unlikely to be LINE's.
const IN_BETWEEN: &str = "this is unlikely to be LINE: check `line.api_base` and anything in between, such as a proxy or the \
                          sign-in page of a network";

/// The remedy for a wrong webhook.
const SETUP: &str = "call POST /v1.0/conversations/setup";

/// The checks of each account that call LINE.
const LINE_CHECKS: [&str; 5] = ["token", "chat mode", "webhook", "webhook test", "quota"];

/// Checks every account of the database and of the configuration; no findings without one.
pub async fn check(config: &Config) -> Vec<Finding> {
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
            vec![Finding::warn("clock", "the response does not contain LINE's time", IN_BETWEEN)]
        }
        Err(error) => {
            vec![Finding::fail("network", error.chain(), NETWORK), Finding::skipped("clock", UNREACHABLE)]
        }
    };
    let is_reached = findings.len() == 1;
    for account in &found {
        findings.extend(of_account(config, is_reached.then_some(&line), account).await);
    }
    findings
}

/// Compares the clocks. LINE's time is in whole seconds, and old by the latency of its response.
fn clock(line: Timestamp, now: Timestamp) -> Finding {
    let remedy = "synchronize the machine's clock with NTP (`timedatectl set-ntp true`): the expiry of tokens, reply tokens \
                  and retry keys depends on it";
    let off = line.since(now).max(now.since(line));
    let message = format!("it is {} s off from LINE's", off.as_secs());
    if off >= CLOCK_OFF_FAIL {
        Finding::fail("clock", message, remedy)
    } else if off >= CLOCK_OFF_WARN {
        Finding::warn("clock", message, remedy)
    } else {
        Finding::ok("clock", "it agrees with LINE's")
    }
}

/// Checks one account. `line` is `None` when LINE is unreachable.
async fn of_account(config: &Config, line: Option<&LineClient>, account: &Examined) -> Vec<Finding> {
    let check = |what: &str| format!("account {} {what}", account.id);
    if account.token.expose().is_empty() {
        let remedy = "start the server, which fetches it, and run the doctor again";
        return vec![Finding::warn(check("token"), "none has been fetched yet", remedy)];
    }
    let (is_running, signature) = signature(config, account, &check("signature")).await;
    let mut findings = vec![signature];
    match line {
        Some(line) => findings.extend(line_checks(config, line, account, is_running).await),
        None => findings.extend(LINE_CHECKS.map(|what| Finding::skipped(check(what), UNREACHABLE))),
    }
    findings.extend(account.suspension.as_ref().map(|message| {
        let message = format!("nothing is being sent: {message}");
        Finding::warn(check("sending"), message, "sending resumes once LINE accepts a message")
    }));
    findings.push(Finding::warn(check("switches"), "LINE has no API for them", SWITCHES));
    findings
}

/// The checks that call LINE.
async fn line_checks(
    config: &Config,
    line: &LineClient,
    account: &Examined,
    is_running: bool,
) -> Vec<Finding> {
    let check = |what: &str| format!("account {} {what}", account.id);
    let token = &account.token;
    let mut findings = Vec::new();
    match line.bot(token).await {
        Ok(bot) => {
            findings.push(Finding::ok(check("token"), format!("it belongs to {}", bot.basic_id)));
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
        Err(error) => unreachable(&check("webhook"), &error, "see LINE's message, and try again later"),
        Ok(set) => not_yet(webhook(set, &check("webhook"), expected(config, account)), is_running),
    });
    findings.push(if is_running {
        webhook_test(line, token, &check("webhook test")).await
    } else {
        Finding::skipped(check("webhook test"), "no server is running here")
    });
    findings.push(quota(line.quota(token).await, &check("quota")));
    findings
}

/// The finding for a failed call: a bad token, no response, or an error with this remedy.
fn unreachable(check: &str, error: &Error, remedy: &str) -> Finding {
    match error {
        Error::LineRefused { status: 401, .. } => Finding::skipped(check, "LINE refuses the token"),
        Error::LineUnavailable(message) => Finding::fail(check, message, LATER),
        _ => Finding::fail(check, error.chain(), self::remedy(error, remedy)),
    }
}

/// The remedy for a refusal by LINE, by its status; `other` where the status says nothing.
fn remedy<'text>(error: &Error, other: &'text str) -> &'text str {
    match error {
        Error::LineRefused { status: 401, .. } => "issue a new token in LINE's console and set it",
        Error::LineRefused { status: 403, .. } => {
            "LINE does not permit this channel to do it: check its permissions and its plan in LINE's console"
        }
        Error::LineRefused { status: 429, .. } => {
            "LINE's rate limit for these calls is exceeded: try again later"
        }
        Error::LineRefused { status: 300..=399, .. } => IN_BETWEEN,
        _ => other,
    }
}

/// Whether the channel has no webhook; LINE responds with 404 then.
fn is_unset(error: &Error) -> bool {
    matches!(error, Error::LineRefused { status: 404, .. })
}

/// Without a running server LINE has nothing to reach, so starting it is the first remedy.
fn not_yet(webhook: Finding, is_running: bool) -> Finding {
    if is_running {
        webhook
    } else {
        webhook.not_yet("start the server, and call POST /v1.0/conversations/setup")
    }
}

/// Sends a webhook without events, as LINE would, to the server on this machine, which must accept our
/// signature and no other. Also returns whether a server responds.
async fn signature(config: &Config, account: &Examined, check: &str) -> (bool, Finding) {
    let body = serde_json::json!({ "destination": account.bot, "events": [] }).to_string();
    let path = format!("/v1.0/conversation/accounts/{}", account.id);
    let send = async |secret: &Secret| {
        let signature = signature::sign(secret, body.as_bytes());
        let header = Some((signature::HEADER, signature.as_str()));
        let request = Request { method: "POST", path: &path, header, body: &body };
        local_client::send(config, &request).await.map(|(status, _)| status)
    };
    let statuses = match send(&account.secret).await {
        Ok(ours) => send(&Secret::new("another")).await.map(|other| (ours, other)),
        Err(error) => Err(error),
    };
    match statuses {
        Ok((200, 401)) => {
            let message = "the server accepts webhooks signed with the channel secret, and no others";
            (true, Finding::ok(check, message))
        }
        Ok((ours, other)) => {
            let message =
                format!("the server responds {ours} to the right signature and {other} to a wrong one");
            let remedy = "does the running server have this configuration and this database?";
            (true, Finding::fail(check, message, remedy))
        }
        Err(error) => {
            (false, Finding::warn(check, error.chain(), "start the server and run the doctor again"))
        }
    }
}

fn chat_mode(bot: &Bot, check: &str) -> Finding {
    if bot.chat_mode == "bot" {
        return Finding::ok(check, "all replies come from this server");
    }
    let remedy = "if that is not intended: LINE Official Account Manager, Settings, Response settings";
    Finding::warn(check, "people may also reply in LINE's own manager", remedy)
}

/// The webhook address that LINE should have; `None` when no public URL is configured.
fn expected(config: &Config, account: &Examined) -> Option<String> {
    let base = config.public_url.as_ref()?.as_str().trim_end_matches('/').to_owned();
    Some(format!("{base}/v1.0/conversation/accounts/{}", account.id))
}

fn webhook(set: WebhookEndpoint, check: &str, expected: Option<String>) -> Finding {
    match expected {
        _ if !set.active => Finding::fail(check, "it is off", "turn \"Use webhook\" on in LINE's console"),
        Some(expected) if set.endpoint != expected => {
            Finding::fail(check, format!("LINE sends to {} and not to {expected}", set.endpoint), SETUP)
        }
        _ => Finding::ok(check, set.endpoint),
    }
}

/// Makes LINE send a signed webhook without events: a 200 proves the whole path, signature included.
async fn webhook_test(line: &LineClient, token: &Secret, check: &str) -> Finding {
    let remedy =
        "is the server running, does the proxy pass the body on unchanged, is the channel secret right?";
    match line.test_webhook(token).await {
        Ok(WebhookTest { success: true, .. }) => {
            Finding::ok(check, "LINE reaches the server, which accepts its signature")
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
            "free replies continue; everything else waits for the next month or a larger plan",
        ),
        Ok(Quota { limit: Some(limit), used }) => {
            Finding::ok(check, format!("used: {used} of {}", counted(limit, "message")))
        }
        Ok(Quota { limit: None, used }) => {
            Finding::ok(check, format!("used: {}, without a limit", counted(used, "message")))
        }
        Err(error) => unreachable(check, &error, "see LINE's message, and try again later"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::doctor::finding::Level;

    #[test]
    fn a_clock_offset_is_found_in_both_directions() {
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
