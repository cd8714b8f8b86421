//! Previews of images: LINE accepts previews of at most one megabyte.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageReader, Limits};

/// Images up to this size, in bytes, are their own preview.
pub const PREVIEW_BYTES_MAX: u64 = 1_000_000;

/// Images with a longer side, in pixels, are not decoded.
const SIDE_MAX: u32 = 8_192;
/// Memory limit of the decoder, in bytes.
const MEMORY_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Longer side of a preview, in pixels. The next is tried when an image with much detail is still too large.
const PREVIEW_SIDES: [u32; 2] = [1_024, 512];
const JPEG_QUALITY: u8 = 80;

/// A small JPEG of an image; `None` when the image cannot be decoded within the limits. CPU-intensive.
pub fn preview(path: &Path) -> Option<Vec<u8>> {
    let mut reader = ImageReader::new(BufReader::new(File::open(path).ok()?)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_BYTES_MAX);
    reader.limits(limits);
    let image = reader.decode().ok()?;
    let mut jpegs = PREVIEW_SIDES.into_iter().filter_map(|side| jpeg(&image, side));
    jpegs.find(|jpeg| u64::try_from(jpeg.len()).is_ok_and(|bytes| bytes <= PREVIEW_BYTES_MAX))
}

fn jpeg(image: &DynamicImage, side: u32) -> Option<Vec<u8>> {
    let small = image.thumbnail(side, side).to_rgb8();
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(&small).ok()?;
    Some(jpeg)
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage};

    use super::*;

    #[track_caller]
    fn check(width: u32, height: u32, expected: Option<(u32, u32)>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        RgbImage::new(width, height).save_with_format(file.path(), ImageFormat::Png).unwrap();

        let preview = preview(file.path());

        let size = preview.map(|jpeg| {
            let image = image::load_from_memory(&jpeg).unwrap();
            (image.width(), image.height())
        });
        assert_eq!(size, expected);
    }

    #[test]
    fn a_preview_keeps_the_aspect_ratio_and_too_large_images_have_none() {
        check(2_048, 1_024, Some((1_024, 512)));
        check(8_193, 1, None);
        check(8_000, 8_000, None);
    }

    #[test]
    fn what_is_not_an_image_has_no_preview() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\xff\xd8\xff\xe0 and nothing else").unwrap();

        assert!(preview(file.path()).is_none());
    }
}
