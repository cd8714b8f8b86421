//! The image that the sandbox shows where nobody gave it one.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

const SIDE: u32 = 8;
const GREEN: Rgb<u8> = Rgb([6, 199, 85]);

/// A green square as a PNG file.
pub fn green_square() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let square = RgbImage::from_pixel(SIDE, SIDE, GREEN);
    square.write_to(&mut file, ImageFormat::Png).expect("memory takes a small image");
    file.into_inner()
}
