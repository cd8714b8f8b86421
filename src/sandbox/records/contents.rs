//! The content of messages that people send: images, videos, audio and files, with their state at LINE.

use std::collections::{HashMap, VecDeque};

use actix_web::web::Bytes;
use serde::{Deserialize, Serialize};

use crate::sandbox::records::png;

/// Maximum number of contents stored; the oldest is removed, as LINE does.
const CONTENTS_MAX: usize = 10_000;
/// The first bytes of a video container, for code that sniffs the type.
const VIDEO: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
/// The first bytes of an audio container.
const AUDIO: &[u8] = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42";

/// LINE's response to a request for the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// 200 with the bytes.
    Ready,
    /// 202, this many times or always.
    Preparing {
        /// How many more times; `None` for always.
        count: Option<u32>,
    },
    /// 404.
    Missing,
    /// 410.
    Unsent,
}

/// The content of a message.
#[derive(Debug, Clone)]
pub struct SampleContent {
    /// `image`, `video`, `audio` or `file`.
    pub kind: String,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The content, or its start.
    pub bytes: Bytes,
    /// How many bytes of filler follow, which are generated on sending.
    pub filler: u64,
    /// LINE's response to requests for it.
    pub readiness: Readiness,
}

/// All contents by message id.
#[derive(Debug, Default)]
pub struct Contents {
    contents: HashMap<String, SampleContent>,
    order: VecDeque<String>,
}

impl SampleContent {
    /// Sample content of this kind.
    pub fn sample(kind: &str) -> Self {
        let (content_type, bytes) = match kind {
            "image" => ("image/png", png::green_square()),
            "video" => ("video/mp4", VIDEO.to_vec()),
            "audio" => ("audio/x-m4a", AUDIO.to_vec()),
            _ => ("application/octet-stream", b"sandbox file".to_vec()),
        };
        Self::new(kind, content_type, bytes)
    }

    /// Content with these bytes.
    pub fn new(kind: &str, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: kind.to_owned(),
            content_type: content_type.to_owned(),
            bytes: bytes.into(),
            filler: 0,
            readiness: Readiness::Ready,
        }
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX).saturating_add(self.filler)
    }

    /// The content padded or truncated to exactly this size.
    pub fn sized(mut self, size: u64) -> Self {
        let length = usize::try_from(size).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.truncate(length);
        self.filler = size - u64::try_from(length).unwrap_or(size);
        self
    }

    /// The readiness for a request; each request counts down `Preparing`.
    pub fn poll(&mut self) -> Readiness {
        let readiness = self.readiness;
        if let Readiness::Preparing { count: Some(count) } = readiness {
            let remaining = count.saturating_sub(1);
            self.readiness = if remaining == 0 {
                Readiness::Ready
            } else {
                Readiness::Preparing { count: Some(remaining) }
            };
        }
        readiness
    }
}

impl Contents {
    /// Stores the content of a message.
    pub fn put(&mut self, message_id: &str, content: SampleContent) {
        if self.contents.insert(message_id.to_owned(), content).is_none() {
            self.order.push_back(message_id.to_owned());
        }
        if self.order.len() > CONTENTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.contents.remove(&oldest);
        }
    }

    /// The content of a message.
    pub fn get_mut(&mut self, message_id: &str) -> Option<&mut SampleContent> {
        self.contents.get_mut(message_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_ready_after_the_set_number_of_requests() {
        let mut content = SampleContent::sample("video");
        content.readiness = Readiness::Preparing { count: Some(2) };

        assert_eq!(content.poll(), Readiness::Preparing { count: Some(2) });
        assert_eq!(content.poll(), Readiness::Preparing { count: Some(1) });
        assert_eq!(content.poll(), Readiness::Ready);
    }

    #[test]
    fn content_has_the_requested_size() {
        let head = Bytes::from_static(VIDEO);

        for (size, length) in [(0, 0), (8, 8), (24, 24), (200_000_000, 24)] {
            let content = SampleContent::sample("video").sized(size);
            assert_eq!((content.size(), &content.bytes), (size, &head.slice(..length)));
        }
    }

    #[test]
    fn the_oldest_content_is_removed() {
        let mut contents = Contents::default();

        for number in 0..=CONTENTS_MAX {
            contents.put(&number.to_string(), SampleContent::sample("file"));
        }

        assert!(contents.get_mut("0").is_none());
        assert!(contents.get_mut("1").is_some());
    }
}
