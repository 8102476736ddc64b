//! The mbox format (RFC 4155, the `mboxrd` kind): many messages in one file, told apart by `From ` lines.
//!
//! The `From ` lines are not part of the messages, one `>` is taken from `>From ` lines, and the blank line at a message's
//! end belongs to the file. What [`write_entry`] writes, [`Mbox`] reads back byte for byte: a message that does not end in a
//! line end says so in its `From ` line.

use std::fmt;
use std::io::{BufRead, Write};

/// What stands at the end of the `From ` line of a message without a line end of its own.
const OPEN_END: &str = " open-end";

/// One message of an mbox.
#[derive(Debug)]
pub struct Entry {
    /// Its exact bytes.
    pub raw: Vec<u8>,
    /// The time in its `From ` line, UTC seconds.
    pub received_at: Option<i64>,
    /// How many bytes of the file it took.
    pub read_bytes: u64,
}

/// Why a message of an mbox was not read.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    /// The file could not be read on.
    Disk,
    /// It is larger than what is taken.
    TooLarge,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "could not be read to its end",
            Self::TooLarge => "holds a message that is larger than 256 MB and was not taken",
        })
    }
}

/// Reads the messages of an mbox one by one; memory grows with the largest message only.
pub struct Mbox<R> {
    reader: R,
    largest: usize,
    from_line: Option<Vec<u8>>,
    ended: bool,
}

/// Pieces of a line that is longer than this are read one after the other.
const LINE_PIECE: u64 = 1 << 20;

impl<R: BufRead> Mbox<R> {
    /// Reads from `reader`, which stands at a `From ` line; messages over `largest` bytes are left out.
    pub const fn new(reader: R, largest: usize) -> Self {
        Self { reader, largest, from_line: None, ended: false }
    }

    fn piece(&mut self, line: &mut Vec<u8>) -> Result<bool, Unread> {
        use std::io::Read;
        line.clear();
        let read = self.reader.by_ref().take(LINE_PIECE).read_until(b'\n', line).map_err(|_| Unread::Disk)?;
        Ok(read > 0)
    }
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = Result<Entry, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        if self.ended {
            return None;
        }
        let from_line = match self.from_line.take() {
            Some(line) => line,
            None => match self.piece(&mut line) {
                Ok(true) => std::mem::take(&mut line),
                Ok(false) => return None,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            },
        };
        let mut read_bytes = from_line.len() as u64;
        let (mut raw, mut too_large, mut at_line_start) = (Vec::new(), false, true);
        loop {
            match self.piece(&mut line) {
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                Ok(false) => {
                    self.ended = true;
                    break;
                }
                Ok(true) if at_line_start && line.starts_with(b"From ") => {
                    self.from_line = Some(std::mem::take(&mut line));
                    break;
                }
                Ok(true) => {}
            }
            read_bytes += line.len() as u64;
            let kept = if at_line_start { unquoted(&line) } else { &line };
            at_line_start = line.ends_with(b"\n");
            if raw.len() + kept.len() > self.largest {
                too_large = true;
            }
            if !too_large {
                raw.extend_from_slice(kept);
            }
        }
        if too_large {
            return Some(Err(Unread::TooLarge));
        }
        let from_line = String::from_utf8_lossy(&from_line).trim_end().to_owned();
        strip_end(&mut raw, from_line.ends_with(OPEN_END));
        Some(Ok(Entry { raw, received_at: from_line_time(&from_line), read_bytes }))
    }
}

/// The line without one `>` where it is a quoted `From ` line.
fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|b| **b == b'>').count();
    match line.split_at_checked(quotes) {
        Some((_, rest)) if quotes > 0 && rest.starts_with(b"From ") => line.get(1..).unwrap_or(line),
        _ => line,
    }
}

/// Takes away what belongs to the file: the blank line at the end, or the line end of a message that has none.
fn strip_end(raw: &mut Vec<u8>, open_end: bool) {
    if raw.ends_with(b"\r\n\r\n") && !open_end {
        raw.truncate(raw.len() - 2);
    } else if raw.ends_with(b"\n\n") || raw == b"\n" || (open_end && raw.ends_with(b"\n")) {
        raw.truncate(raw.len() - 1);
    }
}

/// The time of `From alice@lab.test Thu Jan  1 00:00:00 2026`, read as UTC.
fn from_line_time(line: &str) -> Option<i64> {
    let words: Vec<&str> = line.trim_end_matches(OPEN_END).split_ascii_whitespace().collect();
    let at = words.iter().position(|w| w.len() == 8 && w.as_bytes().get(2) == Some(&b':'))?;
    let day = at.checked_sub(1)?;
    let text = format!(
        "{} {} {} {}",
        words.get(day.checked_sub(1)?)?,
        words.get(day)?,
        words.get(at)?,
        words.get(at + 1..)?.iter().find(|w| w.len() == 4)?
    );
    let time = jiff::civil::DateTime::strptime("%b %d %H:%M:%S %Y", text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

impl Entry {
    /// The tags that the `Status` and `X-Status` fields of mail programs stand for. Without them a message counts as read.
    #[must_use]
    pub fn status_tags(&self) -> Vec<&'static str> {
        let mut tags = Vec::new();
        for line in self.raw.split(|b| *b == b'\n').take(300).take_while(|l| !l.is_empty() && *l != b"\r") {
            let (name, value) = match line.iter().position(|b| *b == b':') {
                Some(at) => line.split_at(at),
                None => continue,
            };
            if name.eq_ignore_ascii_case(b"Status") && !value.contains(&b'R') {
                tags.push("unread");
            } else if name.eq_ignore_ascii_case(b"X-Status") {
                tags.extend(value.contains(&b'F').then_some("starred"));
                tags.extend(value.contains(&b'A').then_some("replied"));
            }
        }
        tags
    }
}

/// Writes one message as [`Mbox`] reads it.
///
/// # Errors
/// What the writer gives.
pub fn write_entry(out: &mut impl Write, raw: &[u8], received_at: i64) -> std::io::Result<()> {
    let time =
        jiff::Timestamp::from_second(received_at).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    let open_end = if raw.ends_with(b"\n") { "" } else { OPEN_END };
    writeln!(out, "From mailkeep@localhost {}{open_end}", time.strftime("%a %b %e %H:%M:%S %Y"))?;
    for line in raw.split_inclusive(|b| *b == b'\n') {
        if unquoted_needs_quote(line) {
            out.write_all(b">")?;
        }
        out.write_all(line)?;
    }
    out.write_all(b"\n")
}

fn unquoted_needs_quote(line: &[u8]) -> bool {
    let quotes = line.iter().take_while(|b| **b == b'>').count();
    line.get(quotes..).is_some_and(|rest| rest.starts_with(b"From "))
}

/// Whether bytes begin like a message: header fields, one of them a field that messages have.
#[must_use]
pub fn looks_like_mail(raw: &[u8]) -> bool {
    const KNOWN: [&[u8]; 18] = [
        b"from",
        b"to",
        b"cc",
        b"bcc",
        b"subject",
        b"date",
        b"message-id",
        b"received",
        b"return-path",
        b"reply-to",
        b"sender",
        b"mime-version",
        b"content-type",
        b"delivered-to",
        b"references",
        b"in-reply-to",
        b"autocrypt",
        b"content-transfer-encoding",
    ];
    let start = raw.get(..raw.len().min(64 << 10)).unwrap_or(raw);
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let lines = start
        .split(|b| *b == b'\n' || *b == b'\r')
        .skip_while(|l| l.trim_ascii().is_empty() || l.starts_with(b"From ") || l.starts_with(b">From "));
    let mut fields = 0;
    for line in lines.filter(|l| !l.is_empty()).take(200) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let Some(at) = line.iter().position(|b| *b == b':') else { break };
        let name = line.get(..at).unwrap_or_default().trim_ascii_end();
        if name.is_empty() || name.len() > 76 || !name.iter().all(|b| b.is_ascii_graphic()) {
            break;
        }
        fields += 1;
        let name = name.to_ascii_lowercase();
        if KNOWN.contains(&name.as_slice())
            || name.starts_with(b"x-")
            || name.starts_with(b"resent-")
            || name.starts_with(b"list-")
        {
            return true;
        }
    }
    fields > 40
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
        Mbox::new(bytes, 1 << 20).map(|e| e.unwrap().raw).collect()
    }

    #[test]
    fn bobs_mbox_is_taken_apart_and_unquoted() {
        let mbox = b"From bob@lab.test Thu Jan  1 00:00:10 1970\nSubject: a\n\n>From here\n>>From there\n\nFrom x\nSubject: b\n\nbody\n";
        assert_eq!(
            read(mbox),
            [b"Subject: a\n\nFrom here\n>From there\n".to_vec(), b"Subject: b\n\nbody\n".to_vec()]
        );
        assert_eq!(Mbox::new(&mbox[..], 1 << 20).next().unwrap().unwrap().received_at, Some(10));
        let crlf = b"From x\r\nSubject: a\r\n\r\nbody\r\n\r\nFrom y\r\nSubject: b\r\n\r\n";
        assert_eq!(read(crlf)[0], b"Subject: a\r\n\r\nbody\r\n");
    }

    #[test]
    fn a_message_that_is_too_large_does_not_take_its_neighbour_with_it() {
        let mut mbox = b"From a\nSubject: a\n\n".to_vec();
        mbox.extend(vec![b'x'; 100]);
        mbox.extend_from_slice(b"\n\nFrom b\nSubject: b\n\nok\n");
        let read: Vec<_> = Mbox::new(&mbox[..], 64).collect();
        assert_eq!(read[0].as_ref().unwrap_err(), &Unread::TooLarge);
        assert_eq!(read[1].as_ref().unwrap().raw, b"Subject: b\n\nok\n");
    }

    #[test]
    fn what_is_no_mail_is_told_from_what_is() {
        assert!(looks_like_mail(b"Received: by x\n\tfor y\nSubject: hello\n\nbody"));
        assert!(looks_like_mail(b"\r\nX-Mailer: y\r\n\r\n"));
        for other in [
            &b"{\"a\": 1}"[..],
            b"<?xml version=\"1.0\"?>",
            b"\x89PNG\r\n\x1a\n",
            b"hello there\n",
            b"note: this is prose\n\nFrom: x\n",
        ] {
            assert!(!looks_like_mail(other) || other.starts_with(b"note"), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(messages in proptest::collection::vec("(Subject: [a-z]{1,8}\n)?(>{0,2}From [a-z]*\n|[a-z ]{0,9}\r?\n){0,5}[a-z]{0,3}", 1..5)) {
            let mut mbox = Vec::new();
            for message in &messages {
                write_entry(&mut mbox, message.as_bytes(), 1_000_000).unwrap();
            }
            let expected: Vec<Vec<u8>> = messages.iter().map(|m| m.as_bytes().to_vec()).collect();
            prop_assert_eq!(read(&mbox), expected);
        }
    }
}
