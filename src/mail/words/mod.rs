//! The one analyser: what counts as a word, for the index and for queries alike.
//!
//! Case, accents and compatibility forms fold away; everything that is neither letter nor digit ends a word; in
//! scripts without spaces every character is a word, so that a phrase of them is a substring.

mod excerpt;
mod fold;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

use unicode_normalization::char::compose;

pub use excerpt::{Excerpt, Needle, excerpt, mark};
use fold::{Piece, fold_char, is_single};

/// Longer words are cut to so many bytes, on both sides alike.
pub const MAX_WORD_BYTES: usize = 64;

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word after folding.
    pub text: Cow<'a, str>,
    /// Where it begins in the original text, in bytes.
    pub start: usize,
    /// Where it ends in the original text, in bytes.
    pub end: usize,
}

/// The words of a text, in order.
pub fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    Words { text, at: 0, splitter: Splitter::default(), ready: VecDeque::new() }
}

/// Hands each folded word and its byte range in the original to `each`: as [`words`], without an allocation per word.
pub fn for_each_word(text: &str, mut each: impl FnMut(&str, Range<usize>)) {
    let mut splitter = Splitter::default();
    let mut at = 0;
    while let Some(next) = splitter.step(text, at, &mut each) {
        at = next;
    }
}

/// The text with case, accents and compatibility forms folded; what is not part of a word stays as it is.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            folded.push(c.to_ascii_lowercase());
        } else {
            fold_char(c, |piece| match piece {
                Piece::Letter(c) | Piece::Break(c) => folded.push(c),
                Piece::Single(c) => join_or_push(&mut folded, c),
                Piece::Mark(mark @ ('\u{3099}' | '\u{309A}')) => join_or_push(&mut folded, mark),
                Piece::Mark(_) => {}
            });
        }
    }
    folded
}

fn join_or_push(folded: &mut String, c: char) {
    match folded.chars().next_back().and_then(|last| compose(last, c)).filter(|joined| is_single(*joined)) {
        Some(joined) => {
            folded.pop();
            folded.push(joined);
        }
        None if is_voicing(c) => {}
        None => folded.push(c),
    }
}

fn is_voicing(c: char) -> bool {
    matches!(c, '\u{3099}' | '\u{309A}')
}

struct Words<'a> {
    text: &'a str,
    at: usize,
    splitter: Splitter,
    ready: VecDeque<Word<'a>>,
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let Self { text, at, splitter, ready } = self;
        while ready.is_empty() {
            let mut keep = |folded: &str, range: Range<usize>| {
                let text = match text.get(range.clone()) {
                    Some(original) if original == folded => Cow::Borrowed(original),
                    _ => Cow::Owned(folded.to_owned()),
                };
                ready.push_back(Word { text, start: range.start, end: range.end });
            };
            match splitter.step(text, *at, &mut keep) {
                Some(next) => *at = next,
                None => break,
            }
        }
        ready.pop_front()
    }
}

/// The word being read.
#[derive(Default)]
struct Splitter {
    word: String,
    range: Range<usize>,
    is_full: bool,
    /// A character that is a word of its own, held back in case the next one joins it.
    single: Option<(char, Range<usize>)>,
}

impl Splitter {
    /// Reads on from byte `at` and says from where to go on; after the end of the text, hands out what is left and says `None`.
    fn step(&mut self, text: &str, at: usize, each: &mut impl FnMut(&str, Range<usize>)) -> Option<usize> {
        let rest = text.get(at..).unwrap_or_default();
        let bytes = rest.as_bytes();
        let run = bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if run > 0 {
            let run_text = rest.get(..run).unwrap_or_default();
            self.ascii_run(run_text, at, bytes.get(run).is_none_or(u8::is_ascii), each);
            return Some(at.saturating_add(run));
        }
        let Some(c) = rest.chars().next() else {
            self.flush(each);
            return None;
        };
        if c.is_ascii() {
            self.flush(each);
            let gap =
                bytes.iter().take_while(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric()).count();
            return Some(at.saturating_add(gap));
        }
        let end = at.saturating_add(c.len_utf8());
        fold_char(c, |piece| match piece {
            Piece::Letter(letter) => self.letter(letter, at..end, each),
            Piece::Single(single) => self.single(single, at..end, each),
            Piece::Mark(mark) => self.mark(mark, end),
            Piece::Break(_) => self.flush(each),
        });
        Some(end)
    }

    /// Letters and digits of ASCII; `is_whole` if what follows them cannot belong to the same word.
    fn ascii_run(&mut self, run: &str, at: usize, is_whole: bool, each: &mut impl FnMut(&str, Range<usize>)) {
        let range = at..at.saturating_add(run.len());
        let is_idle = self.word.is_empty() && self.single.is_none();
        if is_idle && is_whole && run.len() <= MAX_WORD_BYTES {
            if run.bytes().any(|byte| byte.is_ascii_uppercase()) {
                self.word.push_str(run);
                self.word.make_ascii_lowercase();
                each(&self.word, range);
                self.word.clear();
            } else {
                each(run, range);
            }
            return;
        }
        let room = MAX_WORD_BYTES.saturating_add(1);
        for letter in run.chars().take(room) {
            self.letter(letter.to_ascii_lowercase(), range.clone(), each);
        }
    }

    fn letter(&mut self, letter: char, range: Range<usize>, each: &mut impl FnMut(&str, Range<usize>)) {
        if self.single.is_some() {
            self.flush(each);
        }
        if self.word.is_empty() {
            self.range.start = range.start;
        }
        self.range.end = range.end;
        self.is_full |= self.word.len().saturating_add(letter.len_utf8()) > MAX_WORD_BYTES;
        if !self.is_full {
            self.word.push(letter);
        }
    }

    fn single(&mut self, c: char, range: Range<usize>, each: &mut impl FnMut(&str, Range<usize>)) {
        if let Some((last, held)) = &mut self.single
            && let Some(joined) = compose(*last, c).filter(|joined| is_single(*joined))
        {
            *last = joined;
            held.end = range.end;
            return;
        }
        self.flush(each);
        self.single = Some((c, range));
    }

    fn mark(&mut self, mark: char, end: usize) {
        if let Some((last, held)) = &mut self.single {
            if is_voicing(mark) {
                *last = compose(*last, mark).unwrap_or(*last);
            }
            held.end = end;
        } else if !self.word.is_empty() {
            self.range.end = end;
        }
    }

    fn flush(&mut self, each: &mut impl FnMut(&str, Range<usize>)) {
        if let Some((c, range)) = self.single.take() {
            each(c.encode_utf8(&mut [0; 4]), range);
        }
        if !self.word.is_empty() {
            each(&self.word, self.range.clone());
            self.word.clear();
        }
        self.is_full = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::char::is_combining_mark;

    use super::*;

    fn list(text: &str) -> Vec<String> {
        words(text).map(|word| word.text.into_owned()).collect()
    }

    #[test]
    fn words_fold_to_what_one_types() {
        let cases = [
            ("Hello, World", "hello world"),
            ("don't", "don t"),
            ("Ångström ÉTÉ Żółć Đà Nẵng", "angstrom ete zolc da nang"),
            ("Straße STRASSE GROẞ", "strasse strasse gross"),
            ("Æsop Œuvre Þór Iğdır İstanbul", "aesop oeuvre thor igdir istanbul"),
            ("e\u{301}te\u{301}", "ete"),
            ("ｆｕｌｌ１２ ﬁne", "full12 fine"),
            ("ΟΔΥΣΣΕΎΣ Οδυσσεύς", "οδυσσευσ οδυσσευσ"),
            ("Ёлка ещё", "елка еще"),
            ("שָׁלוֹם", "שלום"),
            ("السَّلامُ علیکم ـــ ٢٠٢٤", "السلام عليكم 2024"),
            ("हिन्दी क़लम", "हिन्दी कलम"),
            ("東京タワー", "東 京 タ ワ ー"),
            ("ｶﾞｷﾞ ガギ ガ パ", "ガ ギ ガ ギ ガ パ"),
            ("한국어 \u{1112}\u{1161}\u{11AB}", "한 국 어 한"),
            ("ม้า", "ม ้ า"),
            ("㍿ ㈱", "株 式 会 社 株"),
            ("soft\u{AD}hyphen zero\u{200D}width", "softhyphen zerowidth"),
            ("Acme™ 5½ x² 🎂 🇩🇪 a🎉b", "acme 51 2 x2 a b"),
            ("mail東京mail", "mail 東 京 mail"),
            ("alice@bob.example", "alice bob example"),
            ("!!! … 🎂", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(list(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn long_words_are_cut_alike_however_they_are_written() {
        let long = "a".repeat(100);
        assert_eq!(list(&long), ["a".repeat(64)]);
        assert_eq!(list(&"Å".repeat(100)), ["a".repeat(64)]);
        assert_eq!(list(&format!("{long}é")), ["a".repeat(64)]);
        let mixed = format!("{}éxx", "é".repeat(63).replace('é', "ж"));
        assert_eq!(list(&mixed), ["ж".repeat(32)]);
        assert_eq!(list(&format!("{long} b")), ["a".repeat(64), "b".to_owned()]);
    }

    #[test]
    fn ranges_lead_back_to_the_original() {
        let text = "Über den Cafe\u{301}s: 東京 ｶﾞ";
        let originals: Vec<_> = words(text).filter_map(|word| text.get(word.start..word.end)).collect();
        assert_eq!(originals, ["Über", "den", "Cafe\u{301}s", "東", "京", "ｶﾞ"]);
    }

    #[test]
    fn a_whole_text_folds_in_place() {
        assert_eq!(fold("Søren & Œuvre, 東京 ｶﾞ"), "soren & oeuvre, 東京 ガ");
        assert_eq!(fold("Plain TEXT!"), "plain text!");
    }

    #[test]
    fn every_character_reads_the_same_however_it_is_composed() {
        use unicode_normalization::UnicodeNormalization;
        for c in ('\0'..=char::MAX).filter(|c| c.is_alphanumeric() || is_combining_mark(*c)) {
            let text = format!("k{c}k {c}");
            let read = list(&text);
            assert_eq!(list(&text.nfd().to_string()), read, "{c:?} taken apart");
            assert_eq!(list(&text.nfc().to_string()), read, "{c:?} put together");
            for word in &read {
                assert_eq!(&list(word), std::slice::from_ref(word), "{c:?} folded twice");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn any_text_gives_short_words_in_order_that_fold_to_themselves(text in any::<String>()) {
            let mut last = 0;
            for word in words(&text) {
                prop_assert!(word.start >= last && word.start < word.end);
                prop_assert!(text.get(word.start..word.end).is_some());
                prop_assert!(!word.text.is_empty() && word.text.len() <= MAX_WORD_BYTES);
                last = word.start;
                let again = list(&word.text);
                prop_assert_eq!(again, vec![word.text.into_owned()]);
            }
        }

        #[test]
        fn both_ways_of_reading_agree(text in any::<String>()) {
            let mut seen = Vec::new();
            for_each_word(&text, |folded, range| seen.push((folded.to_owned(), range)));
            let pulled: Vec<_> = words(&text).map(|word| (word.text.into_owned(), word.start..word.end)).collect();
            prop_assert_eq!(seen, pulled);
        }
    }
}
