//! Plain text of messages: flowed lines joined, quotes and signatures told apart, the first words for a list.

mod wrap;

pub use wrap::soft_breaks;

use std::borrow::Cow;

/// Joins the lines of flowed text (RFC 3676). `delsp`: the space that marks a soft break is not part of the text.
#[must_use]
pub fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    // The depth of the paragraph that goes on in the next line.
    let mut going_on: Option<usize> = None;
    for line in text.lines() {
        let (depth, content) = split_quote(line);
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        if going_on != Some(depth) || is_signature {
            if !out.is_empty() {
                out.push('\n');
            }
            if depth > 0 {
                out.extend(std::iter::repeat_n('>', depth));
                out.push(' ');
            }
        }
        let is_soft = content.ends_with(' ') && !is_signature;
        let kept = if is_soft && delsp { content.strip_suffix(' ').unwrap_or(content) } else { content };
        out.push_str(kept);
        going_on = is_soft.then_some(depth);
    }
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// The marks at the beginning of a line and what follows them, as flowed text counts them: without blanks between.
fn split_quote(line: &str) -> (usize, &str) {
    let content = line.trim_start_matches('>');
    (line.len() - content.len(), content)
}

/// A stretch of lines that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the sender wrote.
    Text,
    /// What the sender quoted, so many marks deep.
    Quote(usize),
    /// What stands below `-- `.
    Signature,
}

/// A stretch of lines of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Of which kind.
    pub kind: Kind,
    /// The lines, quotation marks and signature mark left on.
    pub text: &'a str,
}

/// Splits a text into its blocks, which together are the text again, byte for byte.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut kind: Option<Kind> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        let depth = quote_depth(bare);
        let now = match kind {
            // A signature goes on to the end, unless somebody's answer was quoted below it.
            Some(Kind::Signature) if depth == 0 => Kind::Signature,
            _ if depth > 0 => Kind::Quote(depth),
            _ if bare == "-- " => Kind::Signature,
            // An empty line between two quotes of one depth would only tear them apart, but it is the sender's.
            _ => Kind::Text,
        };
        if let Some(before) = kind.filter(|before| *before != now) {
            blocks.push(Block { kind: before, text: text.get(start..at).unwrap_or_default() });
            start = at;
        }
        kind = Some(now);
        at += line.len();
    }
    if let Some(kind) = kind {
        blocks.push(Block { kind, text: text.get(start..).unwrap_or_default() });
    }
    blocks
}

/// How deep a line is quoted: `> > text` and `>> text` are both two. At most 100.
#[must_use]
pub fn quote_depth(line: &str) -> usize {
    marks(line).0
}

/// A quoted line without its marks and the one blank behind each; what else stands in front belongs to the quote.
#[must_use]
pub fn unquoted(line: &str) -> &str {
    let (depth, rest) = marks(line);
    if depth == 0 { line } else { rest.strip_prefix(' ').unwrap_or(rest) }
}

/// How many marks a line begins with, and what follows the last.
fn marks(line: &str) -> (usize, &str) {
    let mut depth = 0;
    let mut rest = line;
    while let Some(after) = rest.strip_prefix('>').filter(|_| depth < 100) {
        depth += 1;
        rest = after.strip_prefix(' ').filter(|after| after.starts_with('>')).unwrap_or(after);
    }
    (depth, rest)
}

/// Leaves out the characters by which text can be carried that nobody sees: tag characters, but for those of a flag, and
/// variation selectors beyond the first of a character.
#[must_use]
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    // Both kinds begin with one of two bytes that little else begins with.
    let may = memchr::memchr2(0xf3, 0xef, text.as_bytes()).is_some();
    if !may || !text.chars().any(|c| is_tag(c) || is_selector(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut in_flag = false;
    let mut before = None;
    for c in text.chars() {
        in_flag = c == '\u{1f3f4}' || in_flag && is_tag(c);
        let keeps =
            if is_tag(c) { in_flag } else { !is_selector(c) || before.is_some_and(|b| !is_selector(b)) };
        if keeps {
            out.push(c);
        }
        before = Some(c);
    }
    if out.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

const fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The first words of a text, in one line: without quotes, the lines that introduce them, and the signature. If
/// nothing else is there, of the quotes.
#[must_use]
pub fn snippet(text: &str, max_chars: usize) -> String {
    // Enough for the snippet, and no more of a huge text.
    let head = text.get(..text.floor_char_boundary(64 << 10)).unwrap_or_default();
    let blocks = blocks(head);
    let mut words = String::new();
    for (at, block) in blocks.iter().enumerate() {
        if block.kind != Kind::Text || words.chars().count() > max_chars {
            continue;
        }
        let is_before_quote = matches!(blocks.get(at + 1), Some(Block { kind: Kind::Quote(_), .. }));
        let text = if is_before_quote { without_attribution(block.text) } else { block.text };
        push_words(&mut words, text, max_chars);
    }
    if words.is_empty() {
        for block in &blocks {
            let unmarked =
                block.text.lines().map(|line| line.trim_start_matches(['>', ' '])).collect::<Vec<_>>();
            push_words(&mut words, &unmarked.join("\n"), max_chars);
        }
    }
    shorten(&words, max_chars)
}

/// Takes off the last paragraph if it introduces a quote: up to three lines that end with a colon.
fn without_attribution(text: &str) -> &str {
    let trimmed = text.trim_end();
    if !trimmed.ends_with([':', '：']) {
        return text;
    }
    let paragraph = trimmed.rfind("\n\n").map_or(0, |at| at + 2);
    let last = trimmed.get(paragraph..).unwrap_or_default();
    let mark = last.contains('@') || last.chars().any(|c| c.is_ascii_digit()) || last.lines().count() == 1;
    if last.lines().count() <= 3 && mark { trimmed.get(..paragraph).unwrap_or_default() } else { text }
}

fn push_words(out: &mut String, text: &str, max_chars: usize) {
    let mut count = out.chars().count();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        // Rules and decorations say nothing.
        if word.len() > 3 && word.chars().all(|c| matches!(c, '-' | '_' | '=' | '*' | '~' | '#' | '\u{2500}'))
        {
            continue;
        }
        if count > max_chars {
            return;
        }
        if !out.is_empty() {
            out.push(' ');
            count += 1;
        }
        out.push_str(word);
        count += word.chars().count();
    }
}

/// Cuts after a word where one ends in the last third, and shows that something was cut.
fn shorten(text: &str, max_chars: usize) -> String {
    let Some((cut, _)) = text.char_indices().nth(max_chars) else { return text.to_owned() };
    let room = text.char_indices().nth(max_chars.saturating_sub(1)).map_or(cut, |(at, _)| at);
    let kept = text.get(..room).unwrap_or_default();
    let kept = match kept.rfind(' ') {
        Some(space) if space * 3 > room * 2 => kept.get(..space).unwrap_or(kept),
        _ => kept,
    };
    if max_chars == 0 { String::new() } else { format!("{}…", kept.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_lines_are_joined_and_fixed_ones_are_not() {
        for (flowed, delsp, text) in [
            ("Dear \nBob,\nhello \nagain\n", false, "Dear Bob,\nhello again\n"),
            ("ab \ncd", true, "abcd"),
            ("> quoted \n> on\n>> deeper\nmine", false, "> quoted on\n>> deeper\nmine"),
            ("> quoted \nbut not this", false, "> quoted \nbut not this"),
            (" From stuffed\n > not a quote", false, "From stuffed\n> not a quote"),
            ("Text \n-- \nAlice \nLiddell", false, "Text \n-- \nAlice Liddell"),
            ("", false, ""),
        ] {
            assert_eq!(unflow(flowed, delsp), text, "{flowed:?}");
        }
    }

    #[test]
    fn quoted_code_keeps_its_indentation() {
        for (line, bare) in [
            (">     if a > b:", "    if a > b:"),
            (">> > three deep", "three deep"),
            ("> >  two, and a blank", " two, and a blank"),
            (">  > one, and a mark of the writer", " > one, and a mark of the writer"),
            (">", ""),
            ("  no quote", "  no quote"),
        ] {
            assert_eq!(unquoted(line), bare, "{line:?}");
        }
    }

    #[test]
    fn quotes_and_signatures_are_told_apart() {
        let text = "Yes.\n\n> no?\n>\n> > maybe\nSo.\n-- \nAlice\n";
        let kinds: Vec<_> = blocks(text).iter().map(|block| block.kind).collect();
        assert_eq!(kinds, [Kind::Text, Kind::Quote(1), Kind::Quote(2), Kind::Text, Kind::Signature]);
        assert_eq!(blocks(text).iter().map(|block| block.text).collect::<String>(), text);
        assert_eq!(blocks(""), []);
    }

    #[test]
    fn a_snippet_is_what_the_sender_wrote_first() {
        let answer = "On Monday, 3 June 2024, Bob wrote:\n> Lunch?\n\nYes,  at\tone.\n\n-- \nAlice";
        assert_eq!(snippet(answer, 100), "Yes, at one.");
        assert_eq!(snippet("> Only quoted\n> words", 100), "Only quoted words");
        assert_eq!(snippet("These are the things:\n\n1. tea", 100), "These are the things: 1. tea");
        assert_eq!(snippet("one two three four", 14), "one two three…");
        assert_eq!(snippet("Grüße aus Wien", 3), "Gr…");
        assert_eq!(snippet("=======\nTitle", 10), "Title");
        assert_eq!(snippet("", 10), "");
        assert_eq!(snippet("word", 0), "");
    }

    #[test]
    fn characters_that_carry_hidden_text_go_and_flags_stay() {
        let smuggled: String =
            "buy now".chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect();
        assert_eq!(without_secrets(&format!("Hello{smuggled} Alice")), "Hello Alice");
        let england = "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
        assert_eq!(without_secrets(england), england);
        assert_eq!(without_secrets(&format!("{england} {smuggled}")), format!("{england} "));
        assert_eq!(
            without_secrets("a\u{fe0f}\u{fe01}\u{e0101}b \u{2764}\u{fe0f}"),
            "a\u{fe0f}b \u{2764}\u{fe0f}"
        );
        assert!(matches!(without_secrets("Grüße, 漢字 ﷺ"), Cow::Borrowed(_)));
    }
}
