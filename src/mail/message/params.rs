//! Content-Type and Content-Disposition with their parameters (RFC 2045 §5.1, RFC 2231), and the many ways in which
//! file names are written there.

use super::{charset, encoded, transfer};

const PARAMS_MAX: usize = 100;

/// A value with parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::mail) struct Structured {
    /// What stands before the first semicolon, in lower case, without blanks and comments.
    pub(in crate::mail) value: String,
    params: Vec<(String, String)>,
}

impl Structured {
    /// A parameter by its name in lower case.
    pub(in crate::mail) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One piece of a parameter: `name*1*=value`.
struct Piece {
    name: String,
    /// Number of the continuation; `None` for a parameter in one piece.
    number: Option<u32>,
    /// Percent-encoded, the first with its charset.
    extended: bool,
    value: Vec<u8>,
}

/// Reads a value with parameters; never fails. `near` as in [`encoded::decode`].
pub(in crate::mail) fn parse(raw: &[u8], near: Option<&str>) -> Structured {
    let raw = encoded::unfold(raw);
    let mut segments = segments(&raw).into_iter();
    let value = segments.next().map(plain_value).unwrap_or_default();
    let pieces: Vec<Piece> = segments.take(PARAMS_MAX).filter_map(piece).collect();
    let mut names: Vec<&str> = Vec::new();
    for piece in &pieces {
        if !names.contains(&piece.name.as_str()) {
            names.push(&piece.name);
        }
    }
    let params = names.iter().map(|name| ((*name).to_owned(), assemble(&pieces, name, near))).collect();
    Structured { value, params }
}

/// Splits at semicolons that are not quoted.
fn segments(raw: &[u8]) -> Vec<&[u8]> {
    let mut segments = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            // A quotation mark counts only where a value begins or ends: `name=5" disk.txt` has none.
            b'"' if quoted => quoted = false,
            b'"' if raw.get(start..at).is_some_and(|before| before.trim_ascii_end().ends_with(b"=")) => {
                quoted = true
            }
            b';' if !quoted => {
                segments.push(raw.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.push(raw.get(start..).unwrap_or_default());
    segments
}

fn plain_value(raw: &[u8]) -> String {
    let mut depth = 0u32;
    let mut out = String::new();
    for byte in raw.iter().take(200) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            byte if byte.is_ascii_graphic() && *byte != b'"' => {
                out.push(char::from(byte.to_ascii_lowercase()))
            }
            _ => {}
        }
    }
    out
}

fn piece(segment: &[u8]) -> Option<Piece> {
    let equals = memchr::memchr(b'=', segment)?;
    let (name, value) = segment.split_at(equals);
    let value = value.get(1..)?;
    let name = std::str::from_utf8(name.trim_ascii()).ok()?.to_ascii_lowercase();
    let (name, extended) = match name.strip_suffix('*') {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (name, number) = match name.rsplit_once('*') {
        Some((name, number)) => (name, Some(number.parse().ok()?)),
        None => (name, None),
    };
    if name.is_empty() {
        return None;
    }
    Some(Piece { name: name.to_owned(), number, extended, value: unquote(value.trim_ascii()) })
}

/// Takes a quoted string out of its quotes. A backslash hides only what needs hiding, so that paths survive.
fn unquote(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"") else { return value.to_vec() };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if matches!(bytes.peek(), Some(b'"' | b'\\')) => out.extend(bytes.next()),
            b'"' => break,
            byte => out.push(byte),
        }
    }
    out
}

fn assemble(pieces: &[Piece], name: &str, near: Option<&str>) -> String {
    let mine = || pieces.iter().filter(|piece| piece.name == name);
    if let Some(whole) = mine().find(|piece| piece.extended && piece.number.is_none()) {
        return join(&[whole], near);
    }
    let mut numbered: Vec<&Piece> = mine().filter(|piece| piece.number.is_some()).collect();
    numbered.sort_by_key(|piece| piece.number);
    numbered.dedup_by_key(|piece| piece.number);
    if !numbered.is_empty() {
        return join(&numbered, near);
    }
    mine().next().map(|piece| encoded::decode(&piece.value, near)).unwrap_or_default()
}

/// Joins the pieces as bytes, then decodes: a character may be cut in two.
fn join(pieces: &[&Piece], near: Option<&str>) -> String {
    let mut label = None;
    let mut bytes = Vec::new();
    let any_extended = pieces.iter().any(|piece| piece.extended);
    for (index, piece) in pieces.iter().enumerate() {
        let mut value = piece.value.as_slice();
        if index == 0 && piece.extended {
            (label, value) = charset_and_value(value);
        }
        if piece.extended {
            bytes.extend(percent_decoded(value));
        } else {
            bytes.extend_from_slice(value);
        }
    }
    match label {
        Some(label) => encoded::clean(&charset::decode(&bytes, Some(&label))),
        None if any_extended => encoded::clean(&charset::undeclared(&bytes, near)),
        None => encoded::decode(&bytes, near),
    }
}

/// `charset'language'value`; where that is missing, all of it is the value.
fn charset_and_value(value: &[u8]) -> (Option<String>, &[u8]) {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    if let (Some(label), Some(_), Some(rest)) = (parts.next(), parts.next(), parts.next())
        && let Ok(label) = std::str::from_utf8(label)
        && (label.is_empty() || charset::is_known(label))
    {
        return (Some(label.to_owned()).filter(|label| !label.is_empty()), rest);
    }
    (None, value)
}

pub(super) fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (transfer::hex(*high), transfer::hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_however_they_are_written() {
        for (raw, value) in [
            ("text/plain", "text/plain"),
            (" Text / HTML (nice); charset=utf-8", "text/html"),
            ("", ""),
            (";;;", ""),
            ("\"text/plain\"", "text/plain"),
        ] {
            assert_eq!(parse(raw.as_bytes(), None).value, value, "{raw}");
        }
    }

    #[test]
    fn file_names_are_read_however_they_are_written() {
        for (raw, name) in [
            ("attachment; filename=cat.jpg", "cat.jpg"),
            ("attachment; filename=my cat.jpg", "my cat.jpg"),
            ("attachment; filename=\"my; cat.jpg\"; size=3", "my; cat.jpg"),
            ("attachment; FileName = \"say \\\"miau\\\".jpg\"", "say \"miau\".jpg"),
            ("attachment; filename=\"C:\\cats\\cat.jpg\"", "C:\\cats\\cat.jpg"),
            ("attachment; filename=\"unterminated.jpg", "unterminated.jpg"),
            ("attachment; filename=5\" disk.txt; size=1", "5\" disk.txt"),
            ("attachment; filename==?utf-8?b?S8OkdHpjaGVu?=.jpg", "Kätzchen.jpg"),
            ("attachment; filename=\"=?utf-8?q?K=C3=A4tz?=\r\n =?utf-8?q?chen.jpg?=\"", "Kätzchen.jpg"),
            ("attachment; filename=no.jpg; filename*=utf-8''K%C3%A4tzchen.jpg", "Kätzchen.jpg"),
            ("attachment; filename*0*=utf-8'de'K%C3; filename*1*=%A4tz; filename*2=chen.jpg", "Kätzchen.jpg"),
            ("attachment; filename*1=b.jpg; filename*0=a", "ab.jpg"),
            ("attachment; filename*0*=windows-1251''%CA; filename*1*=%EE%F2.jpg", "Кот.jpg"),
            ("attachment; filename*=K%C3%A4tz'chen.jpg", "Kätz'chen.jpg"),
            ("attachment; filename*=utf-8''bad%XXcode%", "bad%XXcode%"),
            ("attachment; filename*0=\"=?utf-8?q?K=C3\"; filename*1=\"=A4tz?=.jpg\"", "Kätz.jpg"),
        ] {
            assert_eq!(parse(raw.as_bytes(), None).param("filename"), Some(name), "{raw}");
        }
        assert_eq!(parse(b"attachment; filename=K\xe4tz.jpg", None).param("filename"), Some("Kätz.jpg"));
    }

    #[test]
    fn thousands_of_parameters_are_bounded() {
        let raw = format!("text/plain{}", "; a=b; c*0=d".repeat(100_000));
        assert_eq!(parse(raw.as_bytes(), None).param("a"), Some("b"));
    }
}
