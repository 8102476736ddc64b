//! Secret bytes as letters and digits that are printed, typed or dictated: in groups of four, with a checksum at the end
//! that notices typing errors.

use data_encoding::Encoding;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use zeroize::Zeroizing;

const GROUP: usize = 4;
/// Hardly one text of ours has fewer digits than this; words that happen to be as long have none.
pub(super) const FEWEST_DIGITS: usize = 4;

/// Crockford's letters: no I, L, O, U, so that nothing is read as a digit.
static LETTERS: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = data_encoding::Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    #[expect(clippy::expect_used, reason = "the alphabet is 32 different letters")]
    specification.encoding().expect("the alphabet is well-formed")
});

/// Why letters are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misread {
    /// There are far more or fewer: it is something else.
    SomethingElse,
    /// A letter is wrong, missing or too many.
    Mistyped,
}

/// Writes bytes, and after them the checksum of `C` bytes that belongs to what they are.
pub(super) fn write<const C: usize>(what: &[u8], bytes: &[u8]) -> Zeroizing<String> {
    let mut all = Zeroizing::new(Vec::with_capacity(bytes.len() + C));
    all.extend_from_slice(bytes);
    all.extend_from_slice(&digest::<C>(what, &[bytes]));
    let letters = Zeroizing::new(LETTERS.encode(&all));
    let mut text = Zeroizing::new(String::with_capacity(letters.len() / GROUP * (GROUP + 1) + GROUP));
    for (at, letter) in letters.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// Reads `length` bytes as [`write`] wrote them or as somebody typed them: in either case, with any blanks and dashes; `O`
/// for 0, `I` and `L` for 1.
pub(super) fn read<const C: usize>(
    what: &[u8],
    text: &str,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Misread> {
    let wanted = LETTERS.encode_len(length + C);
    let mut letters = Zeroizing::new(String::with_capacity(wanted + 8 * GROUP));
    for letter in text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-') {
        // Who is a few letters off has mistyped it; anything else is something else.
        if letters.len() > wanted + GROUP {
            return Err(Misread::SomethingElse);
        }
        letters.push(match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        });
    }
    if letters.len().abs_diff(wanted) > GROUP {
        return Err(Misread::SomethingElse);
    }
    let misread = if alike(text) { Misread::Mistyped } else { Misread::SomethingElse };
    let mut bytes = Zeroizing::new(LETTERS.decode(letters.as_bytes()).map_err(|_| misread)?);
    let (content, check) = bytes.split_last_chunk::<C>().ok_or(misread)?;
    if digest::<C>(what, &[content]) != *check {
        return Err(misread);
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Whether a text is one of letters and digits mixed, rather than of words.
fn alike(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || c == '-')
        && text.chars().filter(char::is_ascii_digit).count() >= FEWEST_DIGITS
}

/// The first bytes of a hash over what something is and its pieces.
pub(super) fn digest<const N: usize>(what: &[u8], pieces: &[&[u8]]) -> [u8; N] {
    let hash = pieces.iter().fold(Sha256::new().chain_update(what), |hash, piece| hash.chain_update(piece));
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    out
}
