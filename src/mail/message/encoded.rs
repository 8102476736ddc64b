//! Header text: folding undone, encoded words (RFC 2047) decoded, stray 8-bit text read somehow. Gives plain text
//! without control characters; never fails.

use std::borrow::Cow;

use super::{charset, transfer};

/// Longest charset name taken seriously.
const LABEL_MAX: usize = 64;

/// Decodes a header's value. `near` is a charset that the message declares elsewhere, for text that declares none.
pub(in crate::mail) fn decode(raw: &[u8], near: Option<&str>) -> String {
    let raw = unfold(raw);
    // Nearly all fields are nothing but ASCII.
    if raw.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && memchr::memmem::find(&raw, b"=?").is_none()
        && let Ok(text) = std::str::from_utf8(&raw)
    {
        return text.to_owned();
    }
    clean(&decode_words(&raw, near))
}

/// Takes out the line breaks that folding put in (RFC 5322 §2.2.3).
pub(super) fn unfold(raw: &[u8]) -> Cow<'_, [u8]> {
    let raw = raw.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', raw).is_none() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect())
}

/// Control characters become spaces: none of them means anything in a header, and some deceive.
pub(super) fn clean(text: &str) -> String {
    text.trim_matches(|c: char| c.is_whitespace() || c.is_control())
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// How long an encoded word may be: some mailers write far more than the 75 characters of the standard.
const WORD_MAX: usize = 4096;

/// One encoded word, as written.
struct Word<'a> {
    charset: &'a str,
    base64: bool,
    data: &'a [u8],
}

/// Whether something still comes in what is left of a text: looked for once, and again only when that place is passed, or
/// hostile text would have its end searched for from each of its beginnings.
pub(super) struct Ahead {
    needle: &'static [u8],
    /// How many bytes were left where it stands; 0 where it comes no more.
    left: Option<usize>,
}

impl Ahead {
    pub(super) const fn of(needle: &'static [u8]) -> Self {
        Self { needle, left: None }
    }

    /// Whether it is in `rest`, the end of the text that was asked about before.
    pub(super) fn is_in(&mut self, rest: &[u8]) -> bool {
        let left = match self.left {
            Some(left) if left <= rest.len() => left,
            _ => memchr::memmem::find(rest, self.needle).map_or(0, |at| rest.len() - at),
        };
        self.left = Some(left);
        left > 0
    }
}

/// Encoded words of `raw` (already unfolded) to text, everything else kept.
pub(super) fn decode_words(raw: &[u8], near: Option<&str>) -> String {
    let mut out = String::with_capacity(raw.len());
    let (mut rest, mut ends) = (raw, Ahead::of(b"?="));
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, found) = rest.split_at(at);
        let Some((words, after)) = words(found) else {
            // No word begins here; without an end anywhere ahead, none will.
            let skipped = if ends.is_in(found) { 2 } else { found.len() };
            let (kept, after) = rest.split_at((at + skipped).min(rest.len()));
            out.push_str(&charset::undeclared(kept, near));
            rest = after;
            continue;
        };
        out.push_str(&charset::undeclared(before, near));
        for alike in words.chunk_by(|a, b| a.charset.eq_ignore_ascii_case(b.charset)) {
            out.push_str(&decode_alike(alike));
        }
        rest = after;
    }
    out.push_str(&charset::undeclared(rest, near));
    out
}

/// How long the encoded word is that begins right here, if one does.
pub(super) fn word_length(text: &[u8]) -> Option<usize> {
    word(text).map(|(_, after)| text.len() - after.len())
}

/// A row of encoded words with nothing but white space between, and what follows it.
fn words(found: &[u8]) -> Option<(Vec<Word<'_>>, &[u8])> {
    let (first, mut after) = word(found)?;
    let mut words = vec![first];
    while let Some((next, rest)) = word(after.trim_ascii_start()) {
        words.push(next);
        after = rest;
    }
    Some((words, after))
}

/// `=?charset*language?encoding?data?=` at the very beginning.
fn word(text: &[u8]) -> Option<(Word<'_>, &[u8])> {
    let text = text.strip_prefix(b"=?")?;
    let mark = memchr::memchr(b'?', text.get(..LABEL_MAX.min(text.len()))?)?;
    let charset = std::str::from_utf8(text.get(..mark)?).ok()?;
    let charset = charset.split('*').next().unwrap_or_default();
    if charset.is_empty() || charset.contains(char::is_whitespace) {
        return None;
    }
    let (base64, data) = match text.get(mark + 1..)? {
        [b'B' | b'b', b'?', data @ ..] => (true, data),
        [b'Q' | b'q', b'?', data @ ..] => (false, data),
        _ => return None,
    };
    let whole = data;
    let data = data.get(..WORD_MAX).unwrap_or(data);
    // Some mailers leave `?` in the text, but an encoded word always ends with the first `?=` that is not itself the
    // beginning of a code such as `?=3F`.
    let mut end = 0;
    loop {
        end += memchr::memmem::find(data.get(end..)?, b"?=")?;
        let code = data.get(end + 2..end + 4);
        let is_code = !base64
            && code.is_some_and(|code| code.iter().all(|byte| transfer::hex(*byte).is_some()))
            && memchr::memmem::find(data.get(end + 2..)?, b"?=").is_some_and(|next| {
                // Only within the same word: no blank and no other word in between.
                data.get(end + 2..end + 2 + next).is_some_and(|between| {
                    between.len() < 80 && !between.contains(&b' ') && !between.contains(&b'?')
                })
            });
        if !is_code {
            break;
        }
        end += 2;
    }
    let (data, after) = (data.get(..end)?, whole.get(end + 2..)?);
    Some((Word { charset, base64, data }, after))
}

/// Words of one charset are joined as bytes first, since some mailers cut in the middle of a character.
fn decode_alike(words: &[Word<'_>]) -> String {
    let Some(first) = words.first() else { return String::new() };
    let label = Some(first.charset);
    let bytes: Vec<u8> = words.iter().flat_map(decode_word).collect();
    let (_, but_last) = words.split_last().unwrap_or((first, &[]));
    if words.iter().all(|word| word.base64) && but_last.iter().any(|word| word.data.len() % 4 != 0) {
        // Or even in the middle of a base64 code.
        let codes: Vec<u8> = words.iter().flat_map(|word| word.data).copied().collect();
        let joined = transfer::base64(&codes);
        if std::str::from_utf8(&bytes).is_err() && std::str::from_utf8(&joined).is_ok() {
            return charset::decode(&joined, label);
        }
    }
    charset::decode(&bytes, label)
}

fn decode_word(word: &Word<'_>) -> Vec<u8> {
    if word.base64 {
        return transfer::base64(word.data);
    }
    let spaced: Vec<u8> = word.data.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
    transfer::quoted_printable(&spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_read_in_all_the_shapes_they_come_in() {
        let cases = [
            ("plain words", "plain words"),
            ("=?utf-8?q?Gr=C3=BC=C3=9Fe_aus_Wien?=", "Grüße aus Wien"),
            ("=?UTF-8*de?B?R3LDvMOfZQ==?= an Bob", "Grüße an Bob"),
            ("a =?utf-8?q?b?= =?utf-8?q?c?= d", "a bc d"),
            ("=?utf-8?q?b?=\r\n =?iso-8859-1?q?=E9?=", "bé"),
            // Cut inside a character, in bytes and in base64 codes.
            ("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9F?=", "Grüß"),
            ("=?utf-8?b?R3LD?=\r\n =?utf-8?b?vA==?=", "Grü"),
            ("=?utf-8?b?R3L?= =?utf-8?b?DvA==?=", "Grü"),
            ("=?gb2312?B?xOO6?= =?gb2312?B?ww==?=", "你好"),
            ("=?iso-2022-jp?B?GyRCJU8lbSE8GyhC?=", "ハロー"),
            // Not quite as they should be.
            ("=?utf-8?q?two words?=", "two words"),
            ("=?utf-8?Q?What?=3F_No?=", "What?? No"),
            ("x=?utf-8?q?y?=z", "xyz"),
            ("=?utf-8?x?no?=", "=?utf-8?x?no?="),
            ("=?utf-8?q?never ended", "=?utf-8?q?never ended"),
            ("=??q?no?= =?utf-8?q?yes?=", "=??q?no?= yes"),
            ("=?utf-8?q?a=0D=0ABcc:_eve=00?=", "a  Bcc: eve"),
            ("Folded\r\n\tline", "Folded line"),
        ];
        for (raw, text) in cases {
            assert_eq!(decode(raw.as_bytes(), None), text, "{raw}");
        }
    }

    #[test]
    fn stray_bytes_are_read_as_the_body_is() {
        assert_eq!(decode(b"caf\xe9", None), "café");
        assert_eq!(decode("café".as_bytes(), Some("gbk")), "café");
        assert_eq!(decode(b"\xc4\xe3\xba\xc3 =?utf-8?q?=C3=A9?=", Some("gb2312")), "你好 é");
    }

    #[test]
    fn a_thousand_beginnings_without_an_end_are_read_once() {
        for beginning in ["=?utf-8?q?x ", "=?utf-8?q?", "=?a?", "=?"] {
            let raw = beginning.repeat(100_000);
            assert!(decode(raw.as_bytes(), None).len() <= raw.len());
        }
    }

    #[test]
    fn an_end_is_looked_for_once_until_it_is_passed() {
        let mut ends = Ahead::of(b"?=");
        let text = b"=?x =?x ?= =?y";
        assert!(ends.is_in(text) && ends.is_in(&text[4..]) && ends.is_in(&text[8..]));
        assert_eq!(ends.left, Some(text.len() - 8), "remembered from the first time");
        assert!(!ends.is_in(&text[9..]));
        assert_eq!(ends.left, Some(0));
        // One far end for a hundred thousand beginnings.
        let raw = format!("{}?=", "=? ".repeat(100_000));
        assert_eq!(decode(raw.as_bytes(), None), raw);
    }
}
