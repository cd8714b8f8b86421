//! What an uploaded file is, by its first bytes: what anybody says about it is not believed.

use crate::model::media::MediaType;

/// As many bytes as are looked at.
pub const HEAD_BYTES: usize = 64;

/// The type of everything that LINE has no message for.
pub const UNKNOWN: &str = "application/octet-stream";

/// The type that the first bytes of a file tell, among those that LINE takes.
pub fn sniff(head: &[u8]) -> &'static str {
    match head {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2, ..] => "audio/mpeg",
        [_, _, _, _, b'f', b't', b'y', b'p', b'M', b'4', b'A' | b'B', b' ', ..] => "audio/mp4",
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if is_film(brand) => "video/mp4",
        _ => UNKNOWN,
    }
}

/// What LINE makes of a file of this type.
pub fn kind(content_type: &str) -> MediaType {
    match content_type {
        "image/jpeg" | "image/png" => MediaType::Image,
        "video/mp4" => MediaType::Video,
        "audio/mp4" | "audio/mpeg" => MediaType::Audio,
        _ => MediaType::File,
    }
}

/// The usual ending of a file of this type.
pub fn ending(content_type: &str) -> &'static str {
    match content_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "video/mp4" => "mp4",
        "audio/mp4" => "m4a",
        "audio/mpeg" => "mp3",
        _ => "bin",
    }
}

fn is_film(brand: &[u8]) -> bool {
    ["isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V ", "MSNV", "dash"]
        .iter()
        .any(|known| brand.starts_with(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_that_line_takes_are_told_by_their_beginning() {
        for (head, content_type, media) in [
            (b"\xff\xd8\xff\xe0\0\x10JFIF".as_slice(), "image/jpeg", MediaType::Image),
            (b"\x89PNG\r\n\x1a\n\0\0", "image/png", MediaType::Image),
            (b"\0\0\0\x18ftypmp42\0\0", "video/mp4", MediaType::Video),
            (b"\0\0\0\x1cftypM4A \0\0", "audio/mp4", MediaType::Audio),
            (b"ID3\x04\0", "audio/mpeg", MediaType::Audio),
            (b"\xff\xfb\x90\x44", "audio/mpeg", MediaType::Audio),
            (b"RIFF\x10\0\0\0WEBPVP8 ", UNKNOWN, MediaType::File),
            (b"<!DOCTYPE html>", UNKNOWN, MediaType::File),
            (b"", UNKNOWN, MediaType::File),
        ] {
            assert_eq!((sniff(head), kind(sniff(head))), (content_type, media), "{head:?}");
        }
    }
}
