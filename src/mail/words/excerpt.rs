//! Where the words that were searched for stand in a text, and the piece of it that is worth showing.

use std::collections::VecDeque;
use std::ops::Range;

use unicode_normalization::char::is_combining_mark;

use super::fold::is_ignored;
use super::{for_each_word, words};

/// So many bytes of a text are looked at for an excerpt.
const MAX_SCANNED_BYTES: usize = 1 << 20;
/// So many hits are weighed for an excerpt.
const MAX_WEIGHED_HITS: usize = 256;
/// Words of a needle and needles beyond these are not looked for.
const MAX_NEEDLES: usize = 64;

/// Words that stand one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// The words, folded.
    pub words: Vec<String>,
    /// Whether the last one may go on.
    pub prefix: bool,
}

impl Needle {
    /// What to look for when somebody typed this; nothing if it holds no word.
    pub fn new(text: &str, prefix: bool) -> Option<Self> {
        let words: Vec<_> = words(text).take(MAX_NEEDLES).map(|word| word.text.into_owned()).collect();
        (!words.is_empty()).then_some(Self { words, prefix })
    }
}

/// A piece of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// One line, with `…` where something was left out.
    pub text: String,
    /// Byte ranges of the hits in it, in order.
    pub hits: Vec<Range<usize>>,
}

/// Byte ranges of all hits, in order, never overlapping.
pub fn mark(text: &str, needles: &[Needle]) -> Vec<Range<usize>> {
    let mut hits = Vec::new();
    find(text, needles, |_, range| hits.push(range));
    merge(hits)
}

/// The piece of a text around its first hits that shows the most of what was asked for, or else its beginning.
pub fn excerpt(text: &str, needles: &[Needle], max_chars: usize) -> Excerpt {
    let scanned = text.get(..text.floor_char_boundary(MAX_SCANNED_BYTES)).unwrap_or(text);
    let mut hits = Vec::new();
    find(scanned, needles, |needle, range| {
        if hits.len() < MAX_WEIGHED_HITS {
            hits.push((needle, range));
        }
    });
    hits.sort_by_key(|(_, range)| (range.start, range.end));
    let start = best_start(scanned, &hits, max_chars);
    let hits = merge(hits.into_iter().map(|(_, range)| range).collect());
    write_out(text, start, &hits, max_chars)
}

/// Tells `found` the number of the needle and where it stands.
fn find(text: &str, needles: &[Needle], mut found: impl FnMut(usize, Range<usize>)) {
    let needles = needles.get(..MAX_NEEDLES).unwrap_or(needles);
    let longest = needles.iter().map(|needle| needle.words.len()).max().unwrap_or(0).min(MAX_NEEDLES);
    if longest == 0 {
        return;
    }
    let mut recent: VecDeque<(String, usize)> = VecDeque::with_capacity(longest);
    for_each_word(text, |word, range| {
        let mut kept = if recent.len() == longest { recent.pop_front() } else { None }.unwrap_or_default();
        kept.0.clear();
        kept.0.push_str(word);
        kept.1 = range.start;
        recent.push_back(kept);
        for (number, needle) in needles.iter().enumerate() {
            if let Some(start) = ends_with(&recent, needle) {
                found(number, start..range.end);
            }
        }
    });
}

/// Where the needle begins, if the words read so far end with it.
fn ends_with(recent: &VecDeque<(String, usize)>, needle: &Needle) -> Option<usize> {
    let (last, before) = needle.words.split_last()?;
    let (newest, start) = recent.back()?;
    let mut start = *start;
    let is_hit = if needle.prefix { newest.starts_with(last) } else { newest == last };
    if !is_hit || before.len() >= recent.len() {
        return None;
    }
    for (wanted, (word, word_start)) in before.iter().rev().zip(recent.iter().rev().skip(1)) {
        if wanted != word {
            return None;
        }
        start = *word_start;
    }
    Some(start)
}

fn merge(mut hits: Vec<Range<usize>>) -> Vec<Range<usize>> {
    hits.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(hits.len());
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.start < last.end => last.end = last.end.max(hit.end),
            _ => merged.push(hit),
        }
    }
    merged
}

/// The byte at which the best window begins.
fn best_start(text: &str, hits: &[(usize, Range<usize>)], max_chars: usize) -> usize {
    let lead = max_chars / 4;
    let room = max_chars.saturating_sub(lead);
    let mut best = (0, 0, 0);
    for (index, (_, first)) in hits.iter().enumerate() {
        let end = skip_chars(text, first.start, room);
        let inside = || hits.iter().skip(index).take_while(|(_, range)| range.end <= end);
        let distinct = inside().fold(0_u64, |seen, (needle, _)| seen | 1 << (needle % 64)).count_ones();
        let count = inside().count();
        if (distinct, count) > (best.0, best.1) {
            best = (distinct, count, first.start);
        }
    }
    back_to_a_word(text, best.2, lead)
}

fn skip_chars(text: &str, from: usize, count: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    rest.char_indices().nth(count).map_or(text.len(), |(offset, _)| from.saturating_add(offset))
}

/// At most `lead` characters before `hit`, preferably where a word begins.
fn back_to_a_word(text: &str, hit: usize, lead: usize) -> usize {
    let before = text.get(..hit).unwrap_or_default();
    let Some((start, _)) = before.char_indices().rev().nth(lead) else { return 0 };
    let piece = before.get(start..).unwrap_or_default();
    if let Some((space, c)) = piece.char_indices().find(|(_, c)| c.is_whitespace()) {
        return start.saturating_add(space).saturating_add(c.len_utf8());
    }
    // No blanks: cut between two characters, but not off their marks.
    let cut = piece.char_indices().skip(1).find(|(_, c)| !is_combining_mark(*c) && !is_ignored(*c));
    start.saturating_add(cut.map_or(piece.len(), |(offset, _)| offset))
}

/// The window as one line: blanks run together, nothing invisible in it.
fn write_out(text: &str, start: usize, hits: &[Range<usize>], max_chars: usize) -> Excerpt {
    let mut line = Line::default();
    if text.get(..start).is_some_and(|before| !before.trim().is_empty()) {
        line.text.push('…');
    }
    let mut hits = hits.iter().skip_while(|hit| hit.start < start).peekable();
    let mut end = None;
    for (offset, c) in text.get(start..).unwrap_or_default().char_indices() {
        let at = start.saturating_add(offset);
        if line.chars >= max_chars && !is_combining_mark(c) {
            end = Some(at);
            break;
        }
        line.close_hit(at);
        if hits.peek().is_some_and(|hit| hit.start <= at) {
            line.open_hit(hits.next().map_or(at, |hit| hit.end));
        }
        line.push(c);
        if line.read_too_much(max_chars) {
            end = Some(at);
            break;
        }
    }
    line.close_hit(usize::MAX);
    let is_cut = end.is_some_and(|end| has_more(text, end));
    let mid_word = end.is_some_and(|end| {
        text.get(end..).and_then(|rest| rest.chars().next()).is_some_and(|c| !c.is_whitespace())
    });
    line.finish(is_cut, mid_word)
}

/// Whether anything to be seen follows; looks a little ahead only.
fn has_more(text: &str, from: usize) -> bool {
    text.get(from..).is_some_and(|rest| rest.chars().take(MAX_SCANNED_BYTES).any(|c| !c.is_whitespace()))
}

#[derive(Default)]
struct Line {
    text: String,
    chars: usize,
    read: usize,
    blank_due: bool,
    last_blank: Option<usize>,
    open: Option<OpenHit>,
    hits: Vec<Range<usize>>,
}

struct OpenHit {
    ends_at: usize,
    start: Option<usize>,
}

impl Line {
    fn push(&mut self, c: char) {
        self.read = self.read.saturating_add(1);
        if c.is_whitespace() {
            self.blank_due = self.chars > 0;
            return;
        }
        if c.is_control() || is_ignored(c) && !matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE0F}') {
            return;
        }
        if std::mem::take(&mut self.blank_due) {
            self.last_blank = Some(self.text.len());
            self.text.push(' ');
            self.chars = self.chars.saturating_add(1);
        }
        if let Some(open) = &mut self.open {
            open.start.get_or_insert(self.text.len());
        }
        self.text.push(c);
        self.chars = self.chars.saturating_add(1);
    }

    /// Texts of nothing but blanks and marks do not get past here.
    fn read_too_much(&self, max_chars: usize) -> bool {
        self.read > max_chars.saturating_mul(64).saturating_add(4096)
    }

    fn open_hit(&mut self, ends_at: usize) {
        self.open = Some(OpenHit { ends_at, start: None });
    }

    fn close_hit(&mut self, at: usize) {
        if self.open.as_ref().is_some_and(|open| open.ends_at <= at)
            && let Some(OpenHit { start: Some(start), .. }) = self.open.take()
        {
            self.hits.push(start..self.text.len());
        }
    }

    fn finish(mut self, is_cut: bool, mid_word: bool) -> Excerpt {
        if is_cut {
            let keep = self.last_blank.filter(|blank| {
                mid_word
                    && self.hits.last().is_none_or(|hit| hit.end <= *blank)
                    && self.text.len().saturating_sub(*blank) <= 40
            });
            if let Some(blank) = keep {
                self.text.truncate(blank);
            }
            self.text.push('…');
        }
        Excerpt { text: self.text, hits: self.hits }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn needles(list: &[&str]) -> Vec<Needle> {
        list.iter().filter_map(|text| Needle::new(text.trim_end_matches('*'), text.ends_with('*'))).collect()
    }

    fn shown(excerpt: &Excerpt) -> String {
        let mut text = excerpt.text.clone();
        for hit in excerpt.hits.iter().rev() {
            text.insert(hit.end, ']');
            text.insert(hit.start, '[');
        }
        text
    }

    #[test]
    fn hits_are_found_in_the_original() {
        let marked = |text: &str, wanted: &[&str]| {
            mark(text, &needles(wanted))
                .into_iter()
                .filter_map(|range| text.get(range).map(str::to_owned))
                .collect::<Vec<_>>()
        };
        assert_eq!(marked("Bob's CAFÉ, cafe, cafés", &["café"]), ["CAFÉ", "cafe"]);
        assert_eq!(marked("Bob's CAFÉ, cafe, cafés", &["caf*"]), ["CAFÉ", "cafe", "cafés"]);
        assert_eq!(marked("the last train at last", &["last train"]), ["last train"]);
        assert_eq!(marked("a a a b", &["a a b"]), ["a a b"]);
        assert_eq!(marked("東京都の京都", &["京都"]), ["京都", "京都"]);
        assert_eq!(marked("东京 한국어로", &["한국"]), ["한국"]);
        assert_eq!(marked("one two three", &["one two", "two three"]), ["one two three"]);
        assert_eq!(marked("nothing here", &["alice"]), Vec::<String>::new());
        assert_eq!(marked("nothing here", &[]), Vec::<String>::new());
    }

    #[test]
    fn an_excerpt_shows_where_most_of_the_needles_are() {
        let filler = "The weather was fine and the boats went out. ".repeat(20);
        let text = format!("Alice wrote. {filler}Then Alice\n\n met  Bob at the mill. {filler}");
        let found = excerpt(&text, &needles(&["alice", "bob"]), 60);
        assert_eq!(shown(&found), "…went out. Then [Alice] met [Bob] at the mill. The weather was…");
    }

    #[test]
    fn without_hits_an_excerpt_is_the_beginning() {
        let found = excerpt("  Dear Bob,\n\nthe key is under the stone.  ", &needles(&["alice"]), 20);
        assert_eq!(shown(&found), "Dear Bob, the key is…");
        assert_eq!(excerpt("short", &[], 20).text, "short");
        assert_eq!(excerpt("", &[], 20), Excerpt::default());
    }

    #[test]
    fn scripts_without_blanks_are_cut_between_characters() {
        let text = "これは長い文章です。".repeat(30) + "東京で会いましょう。" + &"それではまた。".repeat(30);
        let found = excerpt(&text, &needles(&["東京"]), 20);
        assert_eq!(shown(&found), "…文章です。[東京]で会いましょう。それではま…");
    }

    #[test]
    fn what_is_not_seen_is_left_out() {
        let found = excerpt("\u{202E}pay\u{200B} \u{0} Al\u{AD}ice\u{FEFF} now", &needles(&["alice"]), 80);
        assert_eq!(shown(&found), "pay\u{200B} [Alice] now");
    }

    #[test]
    fn work_is_bounded_on_large_texts() {
        let blank = " ".repeat(8 << 20);
        assert!(excerpt(&blank, &needles(&["alice"]), 100).text.chars().count() <= 1);
        let many = "alice ".repeat(1 << 20);
        assert_eq!(excerpt(&many, &needles(&["alice"]), 11).hits.len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn hits_stand_on_characters_and_inside(text in any::<String>(), word in "\\PC{1,3}", max in 0_usize..40) {
            let needles: Vec<_> = Needle::new(&word, true).into_iter().collect();
            for range in mark(&text, &needles) {
                prop_assert!(text.get(range).is_some());
            }
            let found = excerpt(&text, &needles, max);
            for hit in found.hits {
                prop_assert!(found.text.get(hit).is_some());
            }
        }
    }
}
