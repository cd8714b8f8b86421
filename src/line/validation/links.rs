//! Addresses: what LINE's apps fetch, and what an action opens.

use serde_json::Value;
use url::{Host, Url};

use crate::line::validation::problems::{Path, Problems, report};
use crate::model::chats::address::is_plain;
use crate::model::chats::text::units;

/// LINE takes at most so many UTF-16 code units in the address of a picture or a video.
const URL_UNITS_MAX: usize = 2_000;
/// LINE takes at most so many UTF-16 code units in the address that an action opens.
const LINK_UNITS_MAX: usize = 1_000;
const LINK_SCHEMES: [&str; 4] = ["http", "https", "line", "tel"];

/// The address must be HTTPS; plain HTTP is taken from this machine only, so that pictures can be tried out.
pub fn url(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    let Some(url) = parsed(value, URL_UNITS_MAX, path, problems) else { return };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        report(problems, path, "invalid uri scheme");
    }
}

/// The address must have a scheme that LINE's apps open.
pub fn link(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    let Some(url) = parsed(value, LINK_UNITS_MAX, path, problems) else { return };
    if !LINK_SCHEMES.contains(&url.scheme()) {
        report(problems, path, "invalid uri scheme");
    }
}

/// Whether the address is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn parsed(value: &Value, units_max: usize, path: &Path<'_>, problems: &mut Problems) -> Option<Url> {
    let text = value.as_str();
    let problem = match text {
        None => "must be a string".to_owned(),
        Some("") => "May not be empty".to_owned(),
        Some(text) if units(text) > units_max => format!("Length must be between 0 and {units_max}"),
        Some(text) => match Url::parse(text) {
            Ok(url) if text.is_ascii() && is_plain(text) => return Some(url),
            _ => "invalid uri".to_owned(),
        },
    };
    report(problems, path, problem);
    None
}
