//! The text of a message: paragraphs put together again, quotes and signatures told apart, first words for lists.

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// What the sender wrote.
    Text(String),
    /// What somebody wrote before, without its marks.
    Quote {
        /// How often it was quoted.
        depth: u8,
        /// The text.
        text: String,
        /// How many lines it has.
        lines: usize,
    },
    /// What stands under the message.
    Signature(String),
}

/// The deepest quote that is told apart.
const DEEPEST: usize = 20;

/// How often a line is quoted, and what is left of it.
fn quoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    while let Some(after) = rest.strip_prefix('>') {
        depth += 1;
        rest = after.strip_prefix(' ').filter(|r| r.starts_with('>')).unwrap_or(after);
    }
    (depth, rest)
}

/// Joins the lines of `format=flowed` text (RFC 3676) to paragraphs; quotes keep their marks.
#[must_use]
pub fn unflow(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let (depth, rest) = quoted(line.trim_end_matches('\r'));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let signature = rest == "-- ";
        if open != Some(depth) || signature {
            if open.is_some() {
                out.push('\n');
            }
            if depth > 0 {
                out.push_str(&">".repeat(depth.min(DEEPEST)));
                out.push(' ');
            }
        }
        let flows = rest.ends_with(' ') && !signature;
        out.push_str(if flows && delsp { rest.strip_suffix(' ').unwrap_or(rest) } else { rest });
        if flows {
            open = Some(depth);
        } else {
            open = None;
            out.push('\n');
        }
    }
    if open.is_some() {
        out.push('\n');
    }
    out
}

/// Whether a line introduces a quote: "On 3 March 2025, Bob wrote:".
fn introduces(line: &str) -> bool {
    let line = line.trim_end();
    line.len() < 300
        && line.ends_with(':')
        && [" wrote:", " schrieb:", " a écrit :", " escribió:", " ha scritto:", " schreef:", " skrev:", " writes:", " napisał(a):"]
            .iter()
            .any(|end| line.ends_with(end))
}

/// The first words of what the sender wrote, in one line of at most `most` characters.
#[must_use]
pub fn snippet(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    for line in text.lines().take(2000) {
        let line = line.trim();
        if line == "--" || line.starts_with("-----BEGIN PGP") && count > 0 {
            break;
        }
        if line.starts_with('>') || introduces(line) {
            continue;
        }
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if count + length + 1 > most {
                if count == 0 {
                    out.extend(word.chars().take(most.saturating_sub(1)));
                }
                out.push('…');
                return out;
            }
            if count > 0 {
                out.push(' ');
                count += 1;
            }
            out.push_str(word);
            count += length;
        }
    }
    out
}

/// Takes a text apart, so that quotes and signature can be folded.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "-- " || line == "--" && lines.peek().is_some_and(|next| !next.is_empty()) && !line.starts_with('>') {
            let rest: Vec<&str> = lines.by_ref().collect();
            // What follows a signature line on page after page is no signature.
            if rest.len() <= 40 && !rest.iter().any(|l| l.starts_with('>')) {
                all.push(Block::Signature(rest.join("\n")));
            } else {
                all.push(Block::Text(format!("{line}\n{}", rest.join("\n"))));
            }
            break;
        }
        let (depth, rest) = quoted(line);
        if depth == 0 {
            match all.last_mut() {
                Some(Block::Text(text)) => {
                    text.push('\n');
                    text.push_str(line);
                }
                _ => all.push(Block::Text(line.to_owned())),
            }
            continue;
        }
        let depth = u8::try_from(depth.min(DEEPEST)).unwrap_or(1);
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match all.last_mut() {
            Some(Block::Quote { depth: before, text, lines }) if *before == depth => {
                text.push('\n');
                text.push_str(rest);
                *lines += 1;
            }
            _ => all.push(Block::Quote { depth, text: rest.to_owned(), lines: 1 }),
        }
    }
    for block in &mut all {
        if let Block::Text(text) = block {
            *text = text.trim_matches('\n').to_owned();
        }
    }
    all.retain(|block| !matches!(block, Block::Text(text) if text.is_empty()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_paragraphs_are_joined_and_quotes_stay_quotes() {
        let text = "Dear Bob, \nhow are \nyou?\n\n> I am \n> fine.\n>> And you?\n-- \nAlice\n";
        assert_eq!(unflow(text, false), "Dear Bob, how are you?\n\n> I am fine.\n>> And you?\n-- \nAlice\n");
        assert_eq!(unflow("ver \nylong\n", true), "verylong\n");
        assert_eq!(unflow(" From here\n", false), "From here\n");
    }

    #[test]
    fn the_snippet_is_what_bob_wrote_himself() {
        let text = "On Monday, Alice wrote:\n> old words\n\nNew   words\nhere.\n-- \nBob";
        assert_eq!(snippet(text, 100), "New words here.");
        assert_eq!(snippet("one two three four", 12), "one two…");
        assert_eq!(snippet(&"x".repeat(50), 10).chars().count(), 10);
    }

    #[test]
    fn quotes_and_signature_are_told_apart() {
        let all = blocks("Hi\n> old\n> older\n>> oldest\nNew\n-- \nBob\nlab.test");
        assert_eq!(
            all,
            [
                Block::Text("Hi".into()),
                Block::Quote { depth: 1, text: "old\nolder".into(), lines: 2 },
                Block::Quote { depth: 2, text: "oldest".into(), lines: 1 },
                Block::Text("New".into()),
                Block::Signature("Bob\nlab.test".into()),
            ]
        );
    }
}
