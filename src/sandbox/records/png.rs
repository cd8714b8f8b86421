//! The default image of the sandbox.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

const SIDE: u32 = 8;
const GREEN: Rgb<u8> = Rgb([6, 199, 85]);

/// A green square as a PNG file.
pub fn green_square() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let square = RgbImage::from_pixel(SIDE, SIDE, GREEN);
    square.write_to(&mut file, ImageFormat::Png).expect("writing to memory cannot fail");
    file.into_inner()
}
