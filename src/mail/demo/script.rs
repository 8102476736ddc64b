//! The small format of the conversations beside this file.
//!
//! `== subject` opens a thread, `@ slug | days ago | options` places it, `-- who > to, to / cc | day clock | options` opens a
//! message whose text follows; `day` counts from the thread's beginning.

/// A conversation.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) subject: &'static str,
    pub(super) slug: &'static str,
    /// How many days ago it began.
    pub(super) days_ago: i64,
    pub(super) options: Options,
    pub(super) entries: Vec<Entry>,
}

/// One message of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) from: &'static str,
    pub(super) to: Vec<&'static str>,
    pub(super) cc: Vec<&'static str>,
    /// Days after the beginning.
    pub(super) day: i64,
    pub(super) clock: &'static str,
    pub(super) options: Options,
    pub(super) text: &'static str,
}

/// Words divided by blanks, `word` or `word=value`; `subject=` takes the rest of the line.
#[derive(Debug, Default)]
pub(super) struct Options {
    words: Vec<&'static str>,
    pub(super) subject: Option<&'static str>,
}

impl Options {
    fn parse(text: &'static str) -> Self {
        let (words, subject) = match text.split_once("subject=") {
            Some((words, subject)) => (words, Some(subject.trim())),
            None => (text, None),
        };
        Self { words: words.split_whitespace().collect(), subject }
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    pub(super) fn value(&self, name: &str) -> Option<&'static str> {
        self.words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }
}

/// The sections of a file: each `== …` line without its mark, and what follows it.
pub(super) fn sections(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    split_at_marks(file, "== ")
}

/// All conversations of a file.
pub(super) fn threads(file: &'static str) -> impl Iterator<Item = Thread> {
    sections(file).filter_map(|(subject, rest)| {
        let (place, _) = rest.split_once('\n')?;
        let mut place = place.strip_prefix("@ ")?.split('|').map(str::trim);
        let slug = place.next()?;
        let days_ago = place.next()?.parse().unwrap_or(0);
        let options = Options::parse(place.next().unwrap_or_default());
        let entries = split_at_marks(rest, "-- ").filter_map(|(head, text)| entry(head, text)).collect();
        Some(Thread { subject, slug, days_ago, options, entries })
    })
}

fn entry(head: &'static str, text: &'static str) -> Option<Entry> {
    let mut fields = head.splitn(3, '|').map(str::trim);
    let (from, recipients) = fields.next()?.split_once('>')?;
    let (to, cc) = recipients.split_once('/').unwrap_or((recipients, ""));
    let names = |list: &'static str| list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let when = fields.next()?;
    let (day, clock) = when.split_once(' ').unwrap_or(("0", when));
    Some(Entry {
        from: from.trim(),
        to: names(to),
        cc: names(cc),
        day: day.parse().ok()?,
        clock,
        options: Options::parse(fields.next().unwrap_or_default()),
        text: text.trim_matches('\n'),
    })
}

fn split_at_marks(
    text: &'static str,
    mark: &'static str,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut rest = after_mark(text, mark);
    std::iter::from_fn(move || {
        let section = rest?;
        let body = section.split_once('\n').map_or("", |(_, body)| body);
        let head = section.lines().next()?;
        rest = after_mark(body, mark);
        let end = rest.map_or(body.len(), |next| body.len() - next.len() - mark.len());
        Some((head, body.get(..end)?))
    })
}

/// What follows the first line that begins with the mark, from right after the mark on.
fn after_mark(text: &'static str, mark: &str) -> Option<&'static str> {
    if let Some(rest) = text.strip_prefix(mark) {
        return Some(rest);
    }
    let at = text.match_indices('\n').map(|(at, _)| at + 1);
    at.filter_map(|at| text.get(at..)).find_map(|line| line.strip_prefix(mark))
}
