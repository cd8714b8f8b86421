//! A small picture made of nothing: what the sandbox shows where nobody gave it a picture.

const SIDE: u8 = 8;
const GREEN: [u8; 3] = [6, 199, 85];

/// A green square as a PNG file.
pub fn green_square() -> Vec<u8> {
    let mut header = vec![0, 0, 0, SIDE, 0, 0, 0, SIDE];
    // Eight bits, red green blue, and the only methods that there are.
    header.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"IDAT", &stored(&rows()));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn rows() -> Vec<u8> {
    let mut row = vec![0];
    (0..SIDE).for_each(|_| row.extend(GREEN));
    row.repeat(SIDE.into())
}

/// The bytes as zlib writes them without compressing them (RFC 1950 and 1951).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("the picture is small");
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(bytes);
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    let length = u32::try_from(content.len()).expect("the picture is small");
    let checked = [&kind, content].concat();
    file.extend(length.to_be_bytes());
    file.extend(&checked);
    file.extend(crc32(&checked).to_be_bytes());
}

fn adler32(bytes: &[u8]) -> u32 {
    let step = |(low, high): (u32, u32), byte: &u8| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    };
    let (low, high) = bytes.iter().fold((1, 0), step);
    high << 16 | low
}

fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_the_published_ones() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn the_picture_has_the_parts_of_a_png() {
        let file = green_square();

        assert!(file.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"));
        assert!(file.ends_with(b"IEND\xae\x42\x60\x82"));
    }
}
