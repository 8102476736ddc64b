//! Small pictures, drawn: a view over water, and a printed sheet. PNG with sixteen colours, not compressed.

const WIDTH: u32 = 240;
const HEIGHT: u32 = 160;

type Palette = [[u8; 3]; 16];

/// A picture of what the file's name says, as far as sixteen colours go.
pub(super) fn picture(name: &str) -> Vec<u8> {
    let seed = seed(name);
    let is_sheet = ["poster", "handbill", "broadside", "ink"].iter().any(|word| name.starts_with(word));
    let palette = palette(seed, is_sheet);
    if is_sheet { png(&palette, |x, y| sheet(x, y, seed)) } else { png(&palette, |x, y| view(x, y, seed)) }
}

/// A number from a text, the same for ever (FNV-1a).
pub(super) fn seed(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn palette(seed: u32, is_sheet: bool) -> Palette {
    let (from, to) = match (is_sheet, seed % 3) {
        (true, _) => ([0xf6, 0xf0, 0xe0], [0x2a, 0x26, 0x22]),
        (false, 0) => ([0xf7, 0xd9, 0xa8], [0x2b, 0x3a, 0x55]),
        (false, 1) => ([0xd7, 0xe6, 0xee], [0x24, 0x3b, 0x33]),
        (false, _) => ([0xf1, 0xe4, 0xe0], [0x4a, 0x2f, 0x48]),
    };
    let mut colours = [[0; 3]; 16];
    for (step, colour) in (0_u32..).zip(colours.iter_mut()) {
        for (channel, (from, to)) in colour.iter_mut().zip(std::iter::zip::<[u8; 3], [u8; 3]>(from, to)) {
            let mixed = (u32::from(from) * (14 - step.min(14)) + u32::from(to) * step.min(14)) / 14;
            *channel = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
    }
    if let Some(accent) = colours.last_mut() {
        *accent = [0xc0, 0x3a, 0x2b];
    }
    colours
}

/// Sky, a low sun, two ridges, a house with a crooked roof, water.
fn view(x: u32, y: u32, seed: u32) -> u8 {
    let (sun_x, sun_y) = (60 + seed % 120, 38 + seed / 7 % 20);
    let horizon = 96;
    let ridge = |step: u32, height: u32| horizon - wave(x + seed % 97, step) * height / step;
    let from_sun = x.abs_diff(sun_x).pow(2) + y.abs_diff(sun_y).pow(2);
    let house = (x > 150 && x < 196 && y > 78 && y < 104)
        || (y <= 78 && y > 62 && x.abs_diff(172 + (78 - y) / 5) < 28 - (78 - y) * 3 / 2);
    let is_window = (160..168).contains(&x) && (86..94).contains(&y);
    match () {
        () if is_window => 1,
        () if house => 13,
        () if y >= horizon => {
            let glitter = x.abs_diff(sun_x) < 14 && (x + y * 3) % 5 < 2;
            if glitter {
                0
            } else {
                6 + u8::from((y / 3 + wave(x, 24) / 6).is_multiple_of(3)) + u8::from(y > 130)
            }
        }
        () if y > ridge(70, 22) => 10,
        () if y > ridge(110, 44) => 8,
        () if from_sun < 200 => 15,
        () => u8::try_from(y / 24).unwrap_or(4),
    }
}

/// Up and down again, in `step` each.
fn wave(x: u32, step: u32) -> u32 {
    (x % (2 * step)).abs_diff(step)
}

/// Paper, a headline, lines of type, one red block.
fn sheet(x: u32, y: u32, seed: u32) -> u8 {
    let inside = (24..216).contains(&x) && (12..148).contains(&y);
    if !inside {
        return 4;
    }
    let line = y / 12;
    let indent = 34 + seed.rotate_left(line) % 18;
    let end = 206 - seed.rotate_right(line * 3) % 40;
    let is_type = (indent..end).contains(&x) && !(x + line * 5).is_multiple_of(7);
    match line {
        2..=3 if (40..200).contains(&x) && y % 24 < 18 && x % 22 > 3 => 14,
        5 if (100..140).contains(&x) => 15,
        7..=10 if is_type && y % 12 > 3 && y % 12 < 9 => 13,
        _ => 0,
    }
}

fn png(palette: &Palette, pixel: impl Fn(u32, u32) -> u8) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..HEIGHT {
        rows.push(0);
        rows.extend((0..WIDTH).step_by(2).map(|x| pixel(x, y) << 4 | pixel(x + 1, y) & 15));
    }
    let mut header = Vec::new();
    header.extend(WIDTH.to_be_bytes());
    header.extend(HEIGHT.to_be_bytes());
    header.extend([4, 3, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut file, *b"IHDR", &header);
    chunk(&mut file, *b"PLTE", palette.as_flattened());
    chunk(&mut file, *b"IDAT", &stored(&rows));
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, kind: [u8; 4], content: &[u8]) {
    file.extend(u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
    file.extend(kind);
    file.extend(content);
    let checked = kind.iter().chain(content);
    file.extend(crc32(checked).to_be_bytes());
}

/// A zlib stream of blocks that are not compressed (RFC 1950, RFC 1951 §3.2.4).
fn stored(content: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = content.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (a, b) = content.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((b << 16 | a).to_be_bytes());
    out
}

fn crc32<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let crc = bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    !crc
}
