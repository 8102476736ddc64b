//! Which line ends of a plain text are only there because its writer's program broke long lines, so that a narrow page may
//! break them elsewhere. Tables, code, verse and lists keep theirs.

/// Lines shorter or longer than these are not taken for wrapped ones, in characters.
const SHORTEST: usize = 55;
const LONGEST: usize = 82;

/// The byte offsets of the line feeds in `text` that only wrap a paragraph, in order.
///
/// A paragraph counts as wrapped when no line of it stands in or holds gaps, none begins like an item of a list, its longest line
/// is as long as wrapped lines are, and no line but the last had room for the next one's first word or ends as code does.
#[must_use]
pub fn soft_breaks(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut paragraph: Vec<(usize, &str)> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        let begins_anew = bare.is_empty() || is_marked(bare);
        if begins_anew {
            take(&paragraph, &mut found);
            paragraph.clear();
        }
        if !bare.is_empty() {
            paragraph.push((at + line.len() - 1, bare));
        }
        at += line.len();
    }
    take(&paragraph, &mut found);
    found
}

/// Adds the line feeds of one paragraph, if it is a wrapped one.
fn take(paragraph: &[(usize, &str)], found: &mut Vec<usize>) {
    let Some(((_, last), before)) = paragraph.split_last() else { return };
    let longest = paragraph.iter().map(|(_, line)| line.chars().count()).max().unwrap_or(0);
    let nexts = before.iter().skip(1).map(|(_, line)| *line).chain(std::iter::once(*last));
    // Two lines alone prove little: the second must go on with the sentence.
    let goes_on = before.len() != 1 || last.starts_with(char::is_lowercase);
    let is_wrapped = !before.is_empty()
        && goes_on
        && before.iter().all(|(_, line)| !line.ends_with([';', '{', '}', '\\']))
        && (SHORTEST..=LONGEST).contains(&longest)
        && paragraph.iter().skip(1).all(|(_, line)| !line.starts_with(char::is_whitespace))
        && paragraph.iter().all(|(_, line)| !has_gap(line))
        && before.iter().zip(nexts).all(|((_, line), next)| {
            let word = next.split_whitespace().next().unwrap_or_default();
            line.chars().count() + 1 + word.chars().count() > longest
        });
    if is_wrapped {
        found.extend(before.iter().map(|(end, _)| *end));
    }
}

/// Whether a line begins as an item of a list, a quote, a heading or a table does, and so not in the middle of a sentence.
fn is_marked(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    let counts = word.strip_suffix(['.', ')', ':']).is_some_and(|number| {
        !number.is_empty() && number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    counts
        || line.starts_with(['>', '|', '+', '#', '\t'])
        || matches!(word, "-" | "*" | "o" | "•" | "–" | "--" | "//" | "$")
}

/// Whether there is more than one blank between words, but for the two after a sentence.
fn has_gap(line: &str) -> bool {
    line.contains('\t')
        || line.match_indices("  ").any(|(at, _)| {
            let ends = line.get(..at).is_some_and(|before| before.ends_with(['.', '!', '?', ':']));
            !ends || line.get(at + 2..).is_some_and(|after| after.starts_with(' '))
        })
}

#[cfg(test)]
mod tests {
    use super::soft_breaks;

    fn joined(text: &str) -> String {
        let soft = soft_breaks(text);
        text.char_indices().map(|(at, c)| if soft.contains(&at) { '~' } else { c }).collect()
    }

    #[test]
    fn a_wrapped_paragraph_flows() {
        let text = "Dear Alice,\n\nI have kept two bags of the early peas for you, and the dwarf beans\n\
                    that did so well by the wall last year. If you want the tall ones too,\nsay so.\n\nBob\n";
        assert_eq!(
            joined(text),
            "Dear Alice,\n\nI have kept two bags of the early peas for you, and the dwarf beans~\
             that did so well by the wall last year. If you want the tall ones too,~say so.\n\nBob\n"
        );
    }

    #[test]
    fn what_is_laid_out_stays() {
        for text in [
            "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate:\nRough winds do shake\n",
            "int main(void) { return call_something_rather_long_with_arguments(1, 2); }\nint other;\n",
            "- The first thing that we have to talk about is what to do with the old\n- The second\n",
            "Name                 Amount of the invoice that was sent to you last week\nTea                  2.00\n",
            "    An indented block that is as long as the lines of a paragraph usually are\n    and goes on\n",
            "Alice Liddell, 12 Long Street, Upper Something, Oxfordshire, England\nTel. 1234\nFax 5678\n",
            "One line that is very long and was never wrapped by anybody since its writer uses a modern program, which does not do so.\nTwo\n",
            "> A quoted line that is about as long as lines are when they were wrapped\n> once\n",
            "",
            "\n\n",
        ] {
            assert_eq!(soft_breaks(text), Vec::<usize>::new(), "{text}");
        }
    }

    #[test]
    fn a_list_whose_items_are_wrapped_flows_within_them() {
        let text = "1. The first thing that we have to talk about when we meet is what to do\nwith the old shed\n2. Tea\n";
        assert_eq!(
            joined(text),
            "1. The first thing that we have to talk about when we meet is what to do~with the old shed\n2. Tea\n"
        );
    }
}
