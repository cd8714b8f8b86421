//! The pictures, films, sounds and files that people send, and what LINE says of them.

use std::collections::{HashMap, VecDeque};

use actix_web::web::Bytes;
use serde::{Deserialize, Serialize};

use crate::sandbox::records::png;

/// At most so many contents are kept; the oldest is forgotten, as with LINE.
const CONTENTS_MAX: usize = 10_000;
/// The beginning of a film in a container, for whoever looks at the bytes.
const VIDEO: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
/// The beginning of a sound in a container.
const AUDIO: &[u8] = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42";

/// What LINE answers when the content is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// 200 with the bytes.
    Ready,
    /// 202, the given number of times or for ever.
    Preparing {
        /// How many more times; without it, for ever.
        count: Option<u32>,
    },
    /// 404.
    Missing,
    /// 410.
    Unsent,
}

/// What belongs to one message.
#[derive(Debug, Clone)]
pub struct SampleContent {
    /// `image`, `video`, `audio` or `file`.
    pub kind: String,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The content itself, or its beginning.
    pub bytes: Bytes,
    /// So many bytes follow, which are made when they are sent.
    pub filler: u64,
    /// Whether it can be had.
    pub readiness: Readiness,
}

/// All contents by message id.
#[derive(Debug, Default)]
pub struct Contents {
    contents: HashMap<String, SampleContent>,
    order: VecDeque<String>,
}

impl SampleContent {
    /// Something of this kind, where nobody cares what.
    pub fn sample(kind: &str) -> Self {
        let (content_type, bytes) = match kind {
            "image" => ("image/png", png::green_square()),
            "video" => ("video/mp4", VIDEO.to_vec()),
            "audio" => ("audio/x-m4a", AUDIO.to_vec()),
            _ => ("application/octet-stream", b"sandbox file".to_vec()),
        };
        Self::new(kind, content_type, bytes)
    }

    /// These bytes.
    pub fn new(kind: &str, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self {
            kind: kind.to_owned(),
            content_type: content_type.to_owned(),
            bytes: bytes.into(),
            filler: 0,
            readiness: Readiness::Ready,
        }
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        u64::try_from(self.bytes.len()).unwrap_or(u64::MAX).saturating_add(self.filler)
    }

    /// The content with exactly so many bytes: filled up, or cut.
    pub fn sized(mut self, size: u64) -> Self {
        let kept = usize::try_from(size).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.truncate(kept);
        self.filler = size - u64::try_from(kept).unwrap_or(size);
        self
    }

    /// Whether it can be had now; being asked is what makes time pass.
    pub fn ask(&mut self) -> Readiness {
        let readiness = self.readiness;
        if let Readiness::Preparing { count: Some(count) } = readiness {
            let left = count.saturating_sub(1);
            self.readiness =
                if left == 0 { Readiness::Ready } else { Readiness::Preparing { count: Some(left) } };
        }
        readiness
    }
}

impl Contents {
    /// Keeps what belongs to a message.
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

    /// What belongs to a message.
    pub fn get_mut(&mut self, message_id: &str) -> Option<&mut SampleContent> {
        self.contents.get_mut(message_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_ready_after_it_was_asked_for_so_often() {
        let mut content = SampleContent::sample("video");
        content.readiness = Readiness::Preparing { count: Some(2) };

        assert_eq!(content.ask(), Readiness::Preparing { count: Some(2) });
        assert_eq!(content.ask(), Readiness::Preparing { count: Some(1) });
        assert_eq!(content.ask(), Readiness::Ready);
    }

    #[test]
    fn a_content_has_the_size_that_was_asked_for() {
        let beginning = Bytes::from_static(VIDEO);

        for (size, kept) in [(0, 0), (8, 8), (24, 24), (200_000_000, 24)] {
            let content = SampleContent::sample("video").sized(size);
            assert_eq!((content.size(), &content.bytes), (size, &beginning.slice(..kept)));
        }
    }

    #[test]
    fn the_oldest_content_is_forgotten() {
        let mut contents = Contents::default();

        for number in 0..=CONTENTS_MAX {
            contents.put(&number.to_string(), SampleContent::sample("file"));
        }

        assert!(contents.get_mut("0").is_none());
        assert!(contents.get_mut("1").is_some());
    }
}
