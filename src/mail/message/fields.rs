//! Header blocks: where each field begins and ends. Nothing is decoded here.

/// At most so many fields of one block are kept.
const FIELDS_MAX: usize = 1000;
/// So many more are kept when a reader asks for them by name.
const NEEDED_MAX: usize = 100;

const NEEDED: [&str; 17] = [
    "bcc",
    "cc",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "in-reply-to",
    "list-id",
    "mail-followup-to",
    "message-id",
    "references",
    "reply-to",
    "sender",
    "subject",
    "to",
];

/// One header field as it lies in the message.
#[derive(Clone, Copy, Debug)]
pub(in crate::mail) struct Field<'a> {
    /// As written.
    pub(in crate::mail) name: &'a str,
    /// After the colon, still folded and encoded, without the last line break.
    pub(in crate::mail) value: &'a [u8],
}

/// The fields of one header block.
#[derive(Debug, Default)]
pub(in crate::mail) struct Block<'a> {
    pub(in crate::mail) fields: Vec<Field<'a>>,
    /// Where the body begins.
    pub(in crate::mail) body: usize,
}

impl<'a> Block<'a> {
    /// The first field of that name.
    pub(in crate::mail) fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// All fields of that name, in order.
    pub(in crate::mail) fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    }
}

/// The lines of a message; the last one may lack its line break.
#[derive(Clone, Copy)]
pub(in crate::mail) struct Lines<'a> {
    raw: &'a [u8],
    /// Line feed, or carriage return in mail from very old Macs.
    end: u8,
}

impl<'a> Lines<'a> {
    pub(in crate::mail) fn new(raw: &'a [u8]) -> Self {
        let old_mac = memchr::memchr(b'\n', raw).is_none() && memchr::memchr(b'\r', raw).is_some();
        Self { raw, end: if old_mac { b'\r' } else { b'\n' } }
    }

    /// The line that begins at `at`, without its line break, and where the next one begins.
    pub(in crate::mail) fn line(&self, at: usize) -> Option<(&'a [u8], usize)> {
        let rest = self.raw.get(at..).filter(|rest| !rest.is_empty())?;
        let (line, next) = match memchr::memchr(self.end, rest) {
            Some(length) => (rest.get(..length)?, at + length + 1),
            None => (rest, self.raw.len()),
        };
        let line = if self.end == b'\n' { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        Some((line, next))
    }

    /// Where the next line begins that starts with `--`, at or after `at`, which must be the beginning of a line.
    pub(in crate::mail) fn next_dashes(&self, at: usize) -> Option<usize> {
        let rest = self.raw.get(at..)?;
        if rest.starts_with(b"--") {
            return Some(at);
        }
        let needle = [self.end, b'-', b'-'];
        memchr::memmem::find(rest, &needle).map(|found| at + found + 1)
    }

    /// Where the content that ends before the line at `at` ends: the line break before it belongs to the delimiter
    /// (RFC 2046 §5.1.1).
    pub(in crate::mail) fn before_line_break(&self, at: usize, not_before: usize) -> usize {
        let mut end = at;
        if end > not_before && self.raw.get(end - 1) == Some(&self.end) {
            end -= 1;
            if self.end == b'\n' && end > not_before && self.raw.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
        }
        end
    }
}

/// Reads the header block that begins at `start`. `is_end` says whether a line is a delimiter of an enclosing
/// multipart, which ends a header block that was cut off.
pub(in crate::mail) fn read<'a>(
    raw: &'a [u8],
    lines: Lines<'a>,
    start: usize,
    is_end: impl Fn(&[u8]) -> bool,
) -> Block<'a> {
    let mut block = Block { fields: Vec::with_capacity(32), body: raw.len() };
    let mut needed = 0;
    // The field being read: its name, and where its value begins and ends.
    let mut open: Option<(&str, usize, usize)> = None;
    let mut at = start;
    while let Some((line, next)) = lines.line(at) {
        if line.is_empty() {
            block.body = next;
            break;
        }
        let line_end = at + line.len();
        if matches!(line.first(), Some(b' ' | b'\t'))
            && let Some((_, _, end)) = &mut open
        {
            *end = line_end;
        } else if is_end(line) {
            block.body = at;
            break;
        } else if let Some(name) = field_name(line) {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(name.len());
            keep(&mut block, &mut needed, raw, open.replace((name, at + colon + 1, line_end)));
        } else if lines.line(next).is_none_or(|(following, _)| field_name(following).is_none()) {
            // Neither a field nor rubbish between two fields: the blank line was lost.
            block.body = at;
            break;
        }
        at = next;
    }
    keep(&mut block, &mut needed, raw, open);
    block
}

fn keep<'a>(
    block: &mut Block<'a>,
    needed: &mut usize,
    raw: &'a [u8],
    field: Option<(&'a str, usize, usize)>,
) {
    let Some((name, start, end)) = field else { return };
    if block.fields.len() - *needed >= FIELDS_MAX {
        if *needed >= NEEDED_MAX || !NEEDED.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return;
        }
        *needed += 1;
    }
    if let Some(value) = raw.get(start..end) {
        block.fields.push(Field { name, value });
    }
}

/// The name of the field that a line begins (RFC 5322 §2.2), blanks before the colon forgiven.
pub(in crate::mail) fn field_name(line: &[u8]) -> Option<&str> {
    let colon = memchr::memchr(b':', line)?;
    let name = line.get(..colon)?.trim_ascii_end();
    if name.is_empty() || name.len() > 200 || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    std::str::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(raw: &[u8]) -> (Vec<(&str, &[u8])>, &[u8]) {
        let block = read(raw, Lines::new(raw), 0, |line| line == b"--end");
        (
            block.fields.iter().map(|field| (field.name, field.value.trim_ascii())).collect(),
            &raw[block.body..],
        )
    }

    #[test]
    fn fields_are_found_whatever_the_line_ends() {
        for raw in
            ["A: 1\r\nB : 2\r\n\t3\r\n\r\nBody", "A: 1\nB : 2\n\t3\n\nBody", "A: 1\rB : 2\r\t3\r\rBody"]
        {
            let (fields, body) = names(raw.as_bytes());
            assert_eq!(fields.first(), Some(&("A", &b"1"[..])), "{raw:?}");
            assert_eq!(fields.get(1).map(|(name, _)| *name), Some("B"));
            assert_eq!(body, b"Body");
        }
    }

    #[test]
    fn rubbish_between_fields_is_skipped_and_a_lost_blank_line_is_seen() {
        assert_eq!(names(b"A: 1\nrubbish here\nB: 2\n\nBody").0.len(), 2);
        assert_eq!(names(b"A: 1\nThe blank line\nwas lost").1, b"The blank line\nwas lost");
        assert_eq!(names(b"A: 1\n--end\nB: 2").1, b"--end\nB: 2");
        assert_eq!(names(b"").0, []);
        assert_eq!(names(b"\nBody").1, b"Body");
        assert_eq!(names(b"no header at all").1, b"no header at all");
    }

    #[test]
    fn of_a_hundred_thousand_fields_a_thousand_are_kept_and_those_that_matter() {
        let mut raw = b"X: y\n".repeat(100_000);
        raw.extend_from_slice(b"Subject: Hello\n\n");
        let block = read(&raw, Lines::new(&raw), 0, |_| false);
        assert_eq!(block.fields.len(), FIELDS_MAX + 1);
        assert_eq!(block.first("subject"), Some(&b" Hello"[..]));
    }
}
