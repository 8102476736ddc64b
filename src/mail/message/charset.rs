//! Bytes to text, whatever the label says: declared charsets, broken declarations, and none at all.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, ISO_2022_JP, KOI8_R, UTF_8, WINDOWS_1251, WINDOWS_1252};
use mail_parser::decoders::charsets::{DecoderFnc, map::charset_decoder};

/// How the bytes of a text are to be read.
#[derive(Clone, Copy)]
enum Reader {
    Standard(&'static Encoding),
    /// Old code pages and UTF-7, which are left out of the web's list of encodings.
    Old(DecoderFnc),
}

/// Decodes `bytes` as `label` says; without a label, or with one that is plainly wrong, guesses.
pub(in crate::mail) fn decode(bytes: &[u8], label: Option<&str>) -> String {
    match label.and_then(reader) {
        Some(Reader::Old(read)) => read(bytes),
        Some(Reader::Standard(encoding)) if encoding == ISO_2022_JP => japanese(bytes),
        Some(Reader::Standard(encoding)) if encoding != UTF_8 && !is_ascii_label(label) => {
            encoding.decode_with_bom_removal(bytes).0.into_owned()
        }
        _ => undeclared(bytes, None).into_owned(),
    }
}

/// Decodes bytes that came without a label of their own; `near` is what other text of the message declares.
pub(in crate::mail) fn undeclared<'a>(bytes: &'a [u8], near: Option<&str>) -> Cow<'a, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if memchr::memchr(0x1b, bytes).is_some() && memchr::memmem::find(bytes, b"\x1b$").is_some() {
        return Cow::Owned(japanese(bytes));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    if is_mostly_utf8(bytes) {
        return String::from_utf8_lossy(bytes);
    }
    if !is_ascii_label(near) {
        match near.and_then(reader) {
            Some(Reader::Old(read)) => return Cow::Owned(read(bytes)),
            Some(Reader::Standard(encoding)) if encoding != UTF_8 => {
                return encoding.decode_without_bom_handling(bytes).0;
            }
            _ => {}
        }
    }
    guess(bytes).decode_without_bom_handling(bytes).0
}

/// ISO-2022-JP. A change of character set that is at once followed by another counts as an error in the web's decoder,
/// but is what joined encoded words and joined lines look like.
fn japanese(bytes: &[u8]) -> String {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        let (before, escape) = rest.split_at(at);
        kept.extend_from_slice(before);
        let (sequence, after) = escape.split_at(3.min(escape.len()));
        if after.first() != Some(&0x1b) {
            kept.extend_from_slice(sequence);
        }
        rest = after;
    }
    kept.extend_from_slice(rest);
    ISO_2022_JP.decode_without_bom_handling(&kept).0.into_owned()
}

/// Whether the label names a charset that we can read.
pub(in crate::mail) fn is_known(label: &str) -> bool {
    reader(label).is_some()
}

fn reader(label: &str) -> Option<Reader> {
    let label = label.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'' || c == ';');
    if let Some(encoding) = Encoding::for_label_no_replacement(label.as_bytes()) {
        return Some(Reader::Standard(encoding));
    }
    // `cp1252`, `windows1252`, `iso8859_1`, `iso-8859-8-e`, `x-gbk`: spellings that occur, but are not in the list.
    let plain: String = label.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let digits = || plain.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let standard = match plain.as_str() {
        "utf8mb4" | "utf8n" | "xutf8" | "unicode" | "unicode11utf8" => "utf-8".to_owned(),
        "cp932" | "mskanji" | "windows932" | "xsjis" => "shift_jis".to_owned(),
        "cp936" | "ms936" | "windows936" | "xgb2312" | "gb18030" => "gb18030".to_owned(),
        "cp949" | "ms949" | "windows949" => "euc-kr".to_owned(),
        "cp950" | "ms950" | "windows950" => "big5".to_owned(),
        "cp874" => "windows-874".to_owned(),
        "iso2022jp1" | "iso2022jp2" | "iso2022jp3" | "iso2022jp2004" | "iso2022jpms" | "cp50220"
        | "cp50221" => "iso-2022-jp".to_owned(),
        "iso88598e" => "iso-8859-8".to_owned(),
        name if name.starts_with("windows") || name.starts_with("win") || name.starts_with("cp125") => {
            format!("windows-{}", digits())
        }
        name if name.starts_with("iso8859") || name.starts_with("latin") => {
            name.replacen("iso8859", "iso-8859-", 1)
        }
        _ => return charset_decoder(label.as_bytes()).map(Reader::Old),
    };
    Encoding::for_label_no_replacement(standard.as_bytes())
        .map(Reader::Standard)
        .or_else(|| charset_decoder(label.as_bytes()).map(Reader::Old))
}

/// ASCII promises that there are no high bytes; when there are some, the promise tells nothing about them.
fn is_ascii_label(label: Option<&str>) -> bool {
    label.is_some_and(|label| {
        let label = label.trim();
        label.eq_ignore_ascii_case("us-ascii")
            || label.eq_ignore_ascii_case("ascii")
            || label.eq_ignore_ascii_case("ansi_x3.4-1968")
    })
}

/// UTF-8 with a few broken places (cut in the middle, one byte lost) is still UTF-8.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > bad
}

/// The likeliest legacy charset, told by which high bytes there are and how they keep together.
fn guess(bytes: &[u8]) -> &'static Encoding {
    let (mut runs, mut high, mut odd, mut low_half, mut koi_small, mut win_small) = (0, 0, 0, 0, 0, 0);
    for run in bytes.split(|byte| byte.is_ascii()).filter(|run| !run.is_empty()) {
        runs += 1;
        high += run.len();
        odd += run.len() % 2;
        low_half += run.iter().filter(|byte| (0xa1..=0xbf).contains(*byte)).count();
        koi_small += run.iter().filter(|byte| (0xc0..=0xdf).contains(*byte)).count();
        win_small += run.iter().filter(|byte| (0xe0..=0xff).contains(*byte)).count();
    }
    let whole_words = high >= 3 * runs;
    if odd == 0
        && low_half * 5 > high
        && GB18030.decode_without_bom_handling_and_without_replacement(bytes).is_some()
    {
        GB18030
    } else if whole_words && win_small * 2 > high {
        WINDOWS_1251
    } else if whole_words && koi_small * 2 > high {
        KOI8_R
    } else {
        WINDOWS_1252
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_believed_unless_it_is_plainly_wrong() {
        let cases: [(&[u8], Option<&str>, &str); 15] = [
            (b"caf\xe9", Some("iso-8859-1"), "café"),
            (b"caf\xe9", Some("us-ascii"), "café"),
            (b"caf\xe9", Some("utf-8"), "café"),
            (b"caf\xe9", None, "café"),
            (b"caf\xe9", Some("no-such-charset"), "café"),
            (b"caf\xc3\xa9", Some("us-ascii"), "café"),
            (b"\x93quoted\x94", Some("Windows1252"), "\u{201c}quoted\u{201d}"),
            (b"\xc4\xe3\xba\xc3", Some("gb2312"), "你好"),
            (b"\x1b$B%O%m!<\x1b(B", None, "ハロー"),
            (b"\x1b$B%O\x1b(B\x1b$B%m!<\x1b(B", Some("iso-2022-jp"), "ハロー"),
            (b"\x83n\x83\x8d\x81[", Some("cp932"), "ハロー"),
            (b"Hi +AOQ-", Some("utf-7"), "Hi ä"),
            (b"\x84", Some("ibm850"), "ä"),
            (b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0", None, "Привет, мир"),
            (b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcd\xc9\xd2", None, "Привет, мир"),
        ];
        for (bytes, label, text) in cases {
            assert_eq!(decode(bytes, label), text, "{label:?}");
        }
    }

    #[test]
    fn bytes_without_a_label_follow_their_neighbours() {
        assert_eq!(undeclared(b"\xb0\xb2\xc8\xab", Some("gbk")), "安全");
        assert_eq!(undeclared(b"\xe1\xfa", Some("windows-1250")), "áú");
        assert_eq!(undeclared("grün".as_bytes(), Some("windows-1250")), "grün");
    }
}
