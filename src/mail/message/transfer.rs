//! Content-Transfer-Encoding (RFC 2045 §6), read leniently: what is no valid code is skipped or kept as it is, never
//! refused.

use std::borrow::Cow;

use crate::mail::part::Encoding;

/// Undoes `encoding`.
pub(in crate::mail) fn decode(bytes: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Identity => Cow::Borrowed(bytes),
        Encoding::Base64 => Cow::Owned(base64(bytes)),
        Encoding::QuotedPrintable => Cow::Owned(quoted_printable(bytes)),
        Encoding::Uuencode => Cow::Owned(uuencode(bytes)),
    }
}

/// How many bytes [`decode`] would give, without keeping them.
pub(super) fn decoded_length(bytes: &[u8], encoding: Encoding) -> u64 {
    let length = match encoding {
        Encoding::Identity => bytes.len(),
        Encoding::Base64 => base64_length(bytes),
        Encoding::QuotedPrintable => quoted_printable(bytes).len(),
        Encoding::Uuencode => uuencode(bytes).len(),
    };
    length as u64
}

const SKIP: u8 = 0xff;
const PAD: u8 = 0xfe;
const VALUES: [u8; 256] = base64_values();

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, which would refuse a wrong index")]
const fn base64_values() -> [u8; 256] {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [SKIP; 256];
    let mut i = 0;
    while i < 64 {
        values[letters[i] as usize] = i as u8;
        i += 1;
    }
    values[b'=' as usize] = PAD;
    values
}

fn value(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(SKIP)
}

/// Base64, skipping whatever is not of its alphabet; padding in the middle ends a stream and begins the next.
pub(super) fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0u32, 0u8);
    for &byte in bytes {
        match value(byte) {
            SKIP => {}
            PAD => flush(&mut out, &mut bits, &mut held),
            value => {
                bits = bits << 6 | u32::from(value);
                held += 1;
                if held == 4 {
                    out.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
                    (bits, held) = (0, 0);
                }
            }
        }
    }
    flush(&mut out, &mut bits, &mut held);
    out
}

fn flush(out: &mut Vec<u8>, bits: &mut u32, held: &mut u8) {
    match held {
        2 => out.push((*bits >> 4) as u8),
        3 => out.extend_from_slice(&[(*bits >> 10) as u8, (*bits >> 2) as u8]),
        _ => {}
    }
    (*bits, *held) = (0, 0);
}

fn base64_length(bytes: &[u8]) -> usize {
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let (codes, padding) = bytes.split_at(memchr::memchr(b'=', bytes).unwrap_or(bytes.len()));
    if !padding.iter().any(|byte| is_letter(&byte)) {
        // Nearly always: then counting is enough, which compilers make very fast.
        return codes.iter().filter(is_letter).count() * 3 / 4;
    }
    let (mut length, mut held) = (0, 0);
    for &byte in bytes {
        match value(byte) {
            SKIP => {}
            PAD => {
                length += held * 3 / 4;
                held = 0;
            }
            _ => held += 1,
        }
    }
    length + held * 3 / 4
}

/// Quoted-printable; an `=` that begins no code is kept as it is.
pub(super) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'=', b'\n', rest) {
        let (before, found) = rest.split_at(at);
        let Some((&byte, after)) = found.split_first() else { break };
        out.extend_from_slice(if byte == b'\n' { line_content(before) } else { before });
        if byte == b'\n' {
            out.extend_from_slice(if before.ends_with(b"\r") { b"\r\n" } else { b"\n" });
            rest = after;
        } else if let Some(after) = soft_break(after) {
            rest = after;
        } else if let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(b'=');
            rest = after;
        }
    }
    out.extend_from_slice(rest);
    out
}

/// A line without the blanks at its end: they were added on the way (RFC 2045 §6.7 rule 3), or they would be encoded.
fn line_content(line: &[u8]) -> &[u8] {
    let mut content = line.strip_suffix(b"\r").unwrap_or(line);
    while let Some(shorter) = content.strip_suffix(b" ").or_else(|| content.strip_suffix(b"\t")) {
        content = shorter;
    }
    content
}

fn soft_break(after: &[u8]) -> Option<&[u8]> {
    let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match after.get(blanks..)? {
        [b'\r', b'\n', rest @ ..] | [b'\n' | b'\r', rest @ ..] => Some(rest),
        [] => Some(&[]),
        _ => None,
    }
}

pub(super) fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// The old Unix encoding; lines that do not belong to it are skipped.
fn uuencode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut inside = false;
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !inside {
            inside = line.starts_with(b"begin ");
            continue;
        }
        if line == b"end" {
            break;
        }
        let Some((&count, data)) = line.split_first() else { continue };
        let mut left = usize::from(count.wrapping_sub(32) & 63);
        for group in data.chunks(4) {
            let bits = (0..4).fold(0u32, |bits, i| {
                bits << 6 | u32::from(group.get(i).map_or(0, |byte| byte.wrapping_sub(32) & 63))
            });
            let [_, three @ ..] = bits.to_be_bytes();
            out.extend(three.iter().take(left));
            left = left.saturating_sub(3);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_through_all_damage() {
        for (code, text) in [
            ("SGVsbG8gQm9i", "Hello Bob"),
            ("SGVs\r\nbG8g!\x00Qm9i\n", "Hello Bob"),
            ("SGVsbG8=", "Hello"),
            ("SGVsbG8", "Hello"),
            ("SGVsbG8=IEJvYg==", "Hello Bob"),
            ("S", ""),
            ("", ""),
        ] {
            assert_eq!(base64(code.as_bytes()), text.as_bytes(), "{code}");
            assert_eq!(base64_length(code.as_bytes()), text.len(), "{code}");
        }
    }

    #[test]
    fn quoted_printable_is_read_through_all_damage() {
        for (code, text) in [
            ("caf=C3=A9", "café"),
            ("caf=c3=a9 =\r\nau lait  \r\nnow", "café au lait\r\nnow"),
            ("soft=  \nbreak", "softbreak"),
            ("1+1=2 =XY =", "1+1=2 =XY "),
            ("a=20\nb", "a \nb"),
        ] {
            assert_eq!(String::from_utf8(quoted_printable(code.as_bytes())).unwrap(), text, "{code}");
        }
    }

    #[test]
    fn uuencode_is_read() {
        assert_eq!(uuencode(b"begin 644 cat.txt\n#0V%T\n`\nend\n"), b"Cat");
    }
}
