//! Rules for URLs: those that LINE's apps fetch, and those that an action opens.

use serde_json::Value;
use url::{Host, Url};

use crate::line::validation::problems::{Path, Problems, report};
use crate::model::chats::address::is_plain;
use crate::model::chats::text::units;

/// LINE's maximum length of the URL of an image or a video, in UTF-16 code units.
const URL_UNITS_MAX: usize = 2_000;
/// LINE's maximum length of the URL that an action opens, in UTF-16 code units.
const LINK_UNITS_MAX: usize = 1_000;
const LINK_SCHEMES: [&str; 4] = ["http", "https", "line", "tel"];

/// Checks that the URL is HTTPS. Plain HTTP is accepted for loopback addresses only, so that media can be
/// tried out locally.
pub fn url(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    let Some(url) = parsed(value, URL_UNITS_MAX, path, problems) else { return };
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        report(problems, path, "invalid uri scheme");
    }
}

/// Checks that the URL has a scheme that LINE's apps open.
pub fn link(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    let Some(url) = parsed(value, LINK_UNITS_MAX, path, problems) else { return };
    if !LINK_SCHEMES.contains(&url.scheme()) {
        report(problems, path, "invalid uri scheme");
    }
}

/// Whether the URL's host is a loopback address or `localhost`.
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
