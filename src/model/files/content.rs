//! Detects the type of a file from its first bytes; declared types are not trusted.

use crate::model::files::media::MediaType;

/// How many bytes are examined.
pub const HEAD_BYTES: usize = 64;

/// The type of unknown files.
pub const UNKNOWN: &str = "application/octet-stream";

/// Signatures at the start of a file, and their types.
const SIGNATURES: [(&[u8], &str); 10] = [
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS\0", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
];

/// The type detected from the first bytes of a file; [`UNKNOWN`] for anything else, so that browsers do not
/// guess.
pub fn sniff(head: &[u8]) -> &'static str {
    let known = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature));
    match known {
        Some((_, content_type)) => content_type,
        None => container(head).or_else(|| frames(head)).unwrap_or(UNKNOWN),
    }
}

/// Whether a browser may show it inline: images, audio and video contain no scripts.
pub fn is_inline(content_type: &str) -> bool {
    ["image/", "audio/", "video/"].iter().any(|kind| content_type.starts_with(kind))
}

/// The kind of LINE message for a file of this type.
pub fn kind(content_type: &str) -> MediaType {
    match content_type {
        "image/jpeg" | "image/png" => MediaType::Image,
        "video/mp4" => MediaType::Video,
        "audio/mp4" | "audio/mpeg" => MediaType::Audio,
        _ => MediaType::File,
    }
}

/// The usual file name extension of this type.
pub fn ending(content_type: &str) -> &'static str {
    match content_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "audio/ogg" => "ogg",
        "audio/mpeg" => "mp3",
        "audio/flac" => "flac",
        "audio/aac" => "aac",
        "audio/wav" => "wav",
        "audio/mp4" => "m4a",
        "video/mp4" => "mp4",
        "video/quicktime" => "mov",
        "video/3gpp" => "3gp",
        "video/webm" => "webm",
        _ => "bin",
    }
}

/// Container formats, which have their type at an offset of a few bytes.
fn container(head: &[u8]) -> Option<&'static str> {
    match (head.get(..4)?, head.get(4..8)?, head.get(8..12)?) {
        (b"RIFF", _, b"WEBP") => Some("image/webp"),
        (b"RIFF", _, b"WAVE") => Some("audio/wav"),
        (_, b"ftyp", b"M4A " | b"M4B ") => Some("audio/mp4"),
        (_, b"ftyp", b"qt  ") => Some("video/quicktime"),
        (_, b"ftyp", [b'3', b'g', ..]) => Some("video/3gpp"),
        (_, b"ftyp", b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1") => {
            Some("video/mp4")
        }
        (_, b"ftyp", [b'M' | b'm', b'4' | b'p', ..] | b"MSNV" | b"dash") => Some("video/mp4"),
        _ => None,
    }
}

/// Audio without a header, recognized by the first bits of a frame (ADTS for AAC, MPEG layer III).
fn frames(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xf1 | 0xf9, ..] => Some("audio/aac"),
        [0xff, 0xfb | 0xf3 | 0xf2, ..] => Some("audio/mpeg"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], expected: &str) {
        assert_eq!(sniff(head), expected, "{head:?}");
    }

    #[test]
    fn a_known_signature_determines_the_type() {
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg");
        check(b"\x89PNG\r\n\x1a\n\0\0", "image/png");
        check(b"GIF89a....", "image/gif");
        check(b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp");
        check(b"\0\0\0\x18ftypmp42\0\0\0\0", "video/mp4");
        check(b"\0\0\0\x18ftypisom\0\0\0\0", "video/mp4");
        check(b"\0\0\0\x1cftypM4A \0\0\0\0", "audio/mp4");
        check(b"\0\0\0\x14ftypqt  \0\0\0\0", "video/quicktime");
        check(b"\0\0\0\x14ftyp3gp4\0\0\0\0", "video/3gpp");
        check(b"ID3\x04\0", "audio/mpeg");
        check(b"\xff\xfb\x90\x44", "audio/mpeg");
        check(b"\xff\xf1\x50\x80", "audio/aac");
        check(b"OggS\0\x02", "audio/ogg");
        check(b"%PDF-1.7", "application/pdf");
    }

    #[test]
    fn anything_else_is_of_unknown_type() {
        for head in [
            b"".as_slice(),
            b"<svg xmlns=",
            b"<!DOCTYPE html><script>",
            b"  GIF89a",
            b"\0\0\0\x18ftypheic\0\0\0\0",
            b"MZ\x90\0",
            b"#!/bin/sh",
            b"\xff",
        ] {
            check(head, UNKNOWN);
        }
    }

    #[test]
    fn only_images_audio_and_video_are_shown_inline() {
        assert!(is_inline("image/jpeg") && is_inline("video/mp4") && is_inline("audio/mp4"));
        assert!(!is_inline("application/pdf") && !is_inline(UNKNOWN) && !is_inline("text/html"));
    }
}
