//! OpenPGP in plain text, read and never written. It counts only where it is the text of a message of one part.

use super::layer::Layer;
use crate::mail::message::charset;
use crate::mail::part::Part;

const MESSAGE: &[u8] = b"-----BEGIN PGP MESSAGE-----";
const MESSAGE_END: &[u8] = b"-----END PGP MESSAGE-----";
const SIGNED: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &[u8] = b"-----BEGIN PGP SIGNATURE-----";
const SIGNATURE_END: &[u8] = b"-----END PGP SIGNATURE-----";

/// The layer that a text makes, if it makes one.
pub(super) fn find(raw: &[u8], part: &Part) -> Layer {
    let text = part.decoded(raw);
    let charset = part.charset.clone();
    if let Some(body) = encrypted(&text) {
        return Layer::InlineEncrypted { body, charset };
    }
    let Some((start, _)) = line(&text, SIGNED, 0) else { return Layer::None };
    // The signed text hides its own dashes, so the first of these lines ends it (RFC 9580 §7.2).
    let end = line(&text, SIGNATURE, start).and_then(|(_, after)| line(&text, SIGNATURE_END, after));
    let Some((_, end)) = end else { return Layer::None };
    let piece = |range| charset::decode(text.get(range).unwrap_or_default(), charset.as_deref());
    Layer::InlineSigned {
        before: piece(0..start),
        after: piece(end..text.len()),
        block: text.get(start..end).unwrap_or_default().to_vec(),
        charset,
    }
}

/// The armour, if it is all there is. Mailers turn its blank line into one that holds a no-break space.
fn encrypted(text: &[u8]) -> Option<Vec<u8>> {
    let (start, _) = line(text, MESSAGE, 0)?;
    let (_, end) = line(text, MESSAGE_END, start)?;
    let is_blank = |bytes: &[u8]| bytes.iter().all(|byte| is_space(*byte));
    if !is_blank(text.get(..start)?) || !is_blank(text.get(end..)?) {
        return None;
    }
    let mut body = Vec::with_capacity(end - start);
    for line in text.get(start..end)?.trim_ascii_end().split(|byte| *byte == b'\n') {
        let from = line.iter().position(|byte| !is_space(*byte)).unwrap_or(line.len());
        let to = line.iter().rposition(|byte| !is_space(*byte)).map_or(from, |last| last + 1);
        body.extend_from_slice(line.get(from..to).unwrap_or_default());
        body.extend_from_slice(b"\r\n");
    }
    Some(body)
}

/// White space, and the bytes of a no-break space in UTF-8 and in Latin-1.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, 0xc2 | 0xa0)
}

/// The first line at or after `from` that is `wanted` and nothing else but blanks: where it begins, and where the next one
/// does.
fn line(text: &[u8], wanted: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let found = at + memchr::memmem::find(text.get(at..)?, wanted)?;
        let after = found + wanted.len();
        let rest = text.get(after..)?;
        let begins = found == 0 || text.get(found - 1) == Some(&b'\n');
        // No further than to the first byte that is no blank, or a long line would be gone over again and again.
        let blanks = rest.iter().take_while(|byte| **byte != b'\n' && byte.is_ascii_whitespace()).count();
        if begins && matches!(rest.get(blanks), None | Some(b'\n')) {
            return Some((found, (after + blanks + 1).min(text.len())));
        }
        at = after;
    }
}

/// The text from inside such a message as a payload for [`super::unwrapped`]: plain text, whatever it looks like.
#[must_use]
pub fn inline_payload(text: &[u8], charset: Option<&str>) -> Vec<u8> {
    let sound = |label: &&str| {
        !label.is_empty()
            && label.len() <= 40
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    let charset = charset.filter(sound).unwrap_or("utf-8");
    let mut out =
        format!("Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
            .into_bytes();
    out.extend_from_slice(text);
    out
}
