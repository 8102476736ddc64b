//! Names that are made to mislead whoever reads them.

use crate::mail::message::people::is_hidden;
use crate::mail::part::{Risk, extension, is_dangerous_ending, is_shown_ending};
use unicode_normalization::UnicodeNormalization;

/// A trick in a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trick {
    /// Characters that turn the direction of writing, so that `exe.pdf` is read where `fdp.exe` stands.
    Turned,
    /// `invoice.pdf.exe`: an ending that is there to be seen before another that counts.
    TwoEndings,
    /// `photo.jpg          .zip`: blanks that push the ending out of sight.
    Padded,
    /// Letters of another alphabet, or dots that are none, where the ending is read.
    LookAlike,
    /// Dots or blanks at the end, which some systems drop.
    Trailing,
    /// Characters that nobody sees.
    Hidden,
    /// A word of letters from several alphabets.
    Mixed,
}

impl Trick {
    /// How risky a file with such a name is.
    #[must_use]
    pub const fn risk(self) -> Risk {
        match self {
            Self::Turned | Self::TwoEndings | Self::Padded | Self::LookAlike => Risk::Danger,
            Self::Trailing | Self::Hidden | Self::Mixed => Risk::Caution,
        }
    }

    /// What the name does, in a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Turned => "Its name is written so that its end is read as something else.",
            Self::TwoEndings => {
                "Its name has two endings: the first is there to be seen, the last one counts."
            }
            Self::Padded => "Its name has blanks that push its real ending out of sight.",
            Self::LookAlike => "The ending of its name has characters that only look like an ending.",
            Self::Trailing => "Its name ends in dots or blanks.",
            Self::Hidden => "Its name has characters that nobody sees.",
            Self::Mixed => "Its name mixes alphabets within a word.",
        }
    }
}

/// The tricks in a name as its sender wrote it, each once.
#[must_use]
pub fn tricks(written: &str) -> Vec<Trick> {
    // Longer names are cut before anybody reads them.
    let written = written.get(..written.floor_char_boundary(4096)).unwrap_or_default();
    let last = written.rsplit(['/', '\\']).next().unwrap_or(written);
    let mut found = Vec::new();
    if last.chars().any(|c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')) {
        found.push(Trick::Turned);
    } else if last.chars().any(|c| is_hidden(c) && !c.is_whitespace()) {
        found.push(Trick::Hidden);
    }
    let bare: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let trimmed = bare.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
    if trimmed.len() < bare.trim_end_matches('\n').len() && !trimmed.is_empty() {
        found.push(Trick::Trailing);
    }
    let ending = extension(trimmed);
    let stem = trimmed.get(..trimmed.len().saturating_sub(ending.len() + 1)).unwrap_or_default();
    let is_blank = |c: char| c.is_whitespace() || c == '_';
    let blanks = stem.chars().rev().take_while(|c| is_blank(*c)).count();
    let inner = extension(stem.trim_end_matches(is_blank)).to_ascii_lowercase();
    if !ending.is_empty() && (blanks >= 3 && is_shown_ending(&inner) || blanks >= 8) {
        found.push(Trick::Padded);
    }
    let ending = ending.to_ascii_lowercase();
    if is_shown_ending(&inner) && (is_dangerous_ending(&ending) || HIDING.contains(&ending.as_str())) {
        found.push(Trick::TwoEndings);
    }
    if looks_like_an_ending(trimmed) {
        found.push(Trick::LookAlike);
    }
    if trimmed.split(|c: char| !c.is_alphabetic()).any(mixes_alphabets) {
        found.push(Trick::Mixed);
    }
    found
}

/// Endings of what a browser would run.
const HIDING: &[&str] = &["htm", "html", "shtml", "svg", "svgz", "xhtml", "xht", "mht", "mhtml", "url"];

/// Whether the ending is made of other characters than it seems: `‥ехе` in Cyrillic, `․exe` with a dot that is none.
fn looks_like_an_ending(name: &str) -> bool {
    let false_dot = |c: char| {
        matches!(
            c,
            '\u{2024}'
                | '\u{2025}'
                | '\u{2026}'
                | '\u{ff0e}'
                | '\u{fe52}'
                | '\u{ff61}'
                | '\u{a4f8}'
                | '\u{0701}'
                | '\u{0702}'
        )
    };
    if let Some((stem, end)) = name.rsplit_once(false_dot)
        && !stem.is_empty()
        && known(&skeleton(end))
    {
        return true;
    }
    let end = extension(name);
    !end.is_ascii() && known(&skeleton(end))
}

fn known(ending: &str) -> bool {
    is_dangerous_ending(ending) || is_shown_ending(ending) || HIDING.contains(&ending)
}

/// What a text looks like in plain letters.
fn skeleton(text: &str) -> String {
    // UTS 39 takes `m` apart into `rn` and `l` for `I`; endings are compared in small letters, so that is undone.
    let plain: String = unicode_security::skeleton(&text.nfkc().collect::<String>()).collect();
    plain.replace("rn", "m").to_lowercase()
}

/// Whether a word has Latin letters and such of Cyrillic or Greek, which look the same.
fn mixes_alphabets(word: &str) -> bool {
    let latin = word.chars().any(|c| c.is_ascii_alphabetic());
    let alike =
        word.chars().any(|c| matches!(c, '\u{0370}'..='\u{03ff}' | '\u{0400}'..='\u{052f}') && c != 'µ');
    latin && alike
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_in_names_are_seen_and_plain_names_have_none() {
        for (name, expected) in [
            ("cat.jpg", &[][..]),
            ("Résumé 2024 (final).pdf", &[]),
            ("Отчёт.pdf", &[]),
            ("Отчёт Q3 final.docx", &[]),
            ("backup.tar.gz", &[]),
            ("photo.jpg.zip", &[]),
            ("v1.2.3 notes.txt", &[]),
            ("予定表.ics", &[]),
            ("a_b_c.png", &[]),
            ("invoice.pdf.exe", &[Trick::TwoEndings]),
            ("Invoice.PDF.Html", &[Trick::TwoEndings]),
            ("photo.jpg          .exe", &[Trick::Padded, Trick::TwoEndings]),
            ("photo.jpg____________.scr", &[Trick::Padded, Trick::TwoEndings]),
            ("notes___.txt", &[]),
            ("annexe\u{202e}fdp.exe", &[Trick::Turned]),
            ("in\u{200b}voice.pdf", &[Trick::Hidden]),
            ("invoice.exe. .", &[Trick::Trailing]),
            ("invoice\u{2024}pdf", &[Trick::LookAlike]),
            ("invoice.ехе", &[Trick::LookAlike]),
            ("pаypal.pdf", &[Trick::Mixed]),
            ("", &[]),
        ] {
            assert_eq!(tricks(name), expected, "{name:?}");
        }
    }
}
