//! What the owner's own server noted about a message (`Authentication-Results`, RFC 8601). Anybody can write such a field;
//! it counts only above the topmost `Received`, where none but that server writes, and under the name it is known by.

use serde::Serialize;

/// So many fields, and so many methods of one, are read.
const MOST_FIELDS: usize = 8;
const MOST_METHODS: usize = 20;
/// The longest field, in bytes.
const LONGEST: usize = 8 << 10;

/// What a server noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Results {
    /// The server, by the name that it gives itself.
    pub server: String,
    /// What it checked.
    pub methods: Vec<Method>,
}

/// One method and what it gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Method {
    /// `spf`, `dkim`, `dmarc`, `arc` …
    pub method: String,
    /// `pass`, `fail`, `none` …
    pub result: String,
    /// What it is about: the domain or the address, where it says so.
    pub of: Option<String>,
}

/// What the servers of these names noted above the topmost `Received`. `headers` are the fields in order.
#[must_use]
pub fn trusted(headers: &[(String, String)], servers: &[String]) -> Vec<Results> {
    let known = |server: &str| servers.iter().any(|its| its.eq_ignore_ascii_case(server));
    above_received(headers).filter_map(read).filter(|results| known(&results.server)).collect()
}

/// Under which names servers noted something above the topmost `Received`, and the name of the server that took the message
/// in, for learning which is the owner's own.
#[must_use]
pub fn claimed_servers(headers: &[(String, String)]) -> (Vec<String>, Option<String>) {
    let claimed = above_received(headers).filter_map(read).map(|results| results.server).collect();
    let received = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("received"));
    (claimed, received.and_then(|(_, value)| taken_by(value)))
}

fn above_received(headers: &[(String, String)]) -> impl Iterator<Item = &str> {
    headers
        .iter()
        .take_while(|(name, _)| !name.eq_ignore_ascii_case("received"))
        .filter(|(name, _)| name.eq_ignore_ascii_case("authentication-results"))
        .map(|(_, value)| value.as_str())
        .take(MOST_FIELDS)
}

/// The host after `by` (RFC 5321 §4.4).
fn taken_by(received: &str) -> Option<String> {
    let plain = without_comments(clip(received));
    let mut words = plain.split_whitespace();
    words.find(|word| word.eq_ignore_ascii_case("by"))?;
    words.next().map(|host| host.trim_end_matches(';').to_lowercase())
}

/// Reads one field; `None` where it makes no sense.
fn read(value: &str) -> Option<Results> {
    let plain = without_comments(clip(value));
    let mut pieces = split_outside_quotes(&plain, ';').into_iter();
    let head = pieces.next()?;
    let server = unquoted(head.split_whitespace().next()?);
    if server.is_empty() || server.contains('=') {
        return None;
    }
    let methods = pieces.take(MOST_METHODS).filter_map(|piece| method(&piece)).collect();
    Some(Results { server: server.to_lowercase(), methods })
}

fn method(piece: &str) -> Option<Method> {
    let mut words = split_outside_quotes(piece, ' ').into_iter().filter(|word| !word.is_empty());
    let first = words.next()?;
    let (method, result) = first.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default().trim().to_lowercase();
    let sound = |word: &str| {
        !word.is_empty() && word.len() <= 40 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let result = result.trim().to_lowercase();
    let about = ["header.d", "header.i", "header.from", "smtp.mailfrom", "smtp.helo"];
    let properties: Vec<(String, String)> =
        words.filter_map(|word| word.split_once('=').map(|(k, v)| (k.to_lowercase(), unquoted(v)))).collect();
    let of = about.iter().find_map(|name| properties.iter().find(|(its, _)| its == name));
    (sound(&method) && sound(&result)).then(|| Method {
        method,
        result,
        of: of.map(|(_, value)| value.chars().filter(|c| !c.is_control()).take(320).collect()),
    })
}

fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

/// Takes out what stands in parentheses; line ends and tabs become spaces.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for c in text.chars() {
        if escaped {
            escaped = false;
            if depth == 0 {
                out.push(c);
            }
            continue;
        }
        match c {
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => {
                quoted = !quoted;
                out.push(c);
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn split_outside_quotes(text: &str, at: char) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match pieces.last_mut() {
            Some(piece) if c != at || quoted => piece.push(c),
            _ => pieces.push(String::new()),
        }
    }
    pieces
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const OWN: &str = "mx.alice.example; dkim=pass (2048-bit key) header.d=bob.example header.s=s1; spf=pass \
                       smtp.mailfrom=\"bob@bob.example\"; dmarc=fail (p=none; x) header.from=bob.example";
    const RECEIVED: (&str, &str) =
        ("Received", "from out.bob.example (x [1.2.3.4]) by mx.alice.example with ESMTP; Thu");

    #[test]
    fn the_note_of_the_owners_server_is_read() {
        let noted =
            trusted(&headers(&[("Authentication-Results", OWN), RECEIVED]), &["MX.alice.example".to_owned()]);
        let methods: Vec<_> =
            noted[0].methods.iter().map(|m| (&*m.method, &*m.result, m.of.as_deref())).collect();
        assert_eq!(
            methods,
            [
                ("dkim", "pass", Some("bob.example")),
                ("spf", "pass", Some("bob@bob.example")),
                ("dmarc", "fail", Some("bob.example")),
            ]
        );
    }

    #[test]
    fn what_the_sender_wrote_is_not_believed() {
        let own = ["mx.alice.example".to_owned()];
        // Below the Received of the owner's server: the sender wrote it.
        assert_eq!(trusted(&headers(&[RECEIVED, ("Authentication-Results", OWN)]), &own), []);
        // Above it, but of another server.
        let foreign = OWN.replace("mx.alice", "mx.eve");
        assert_eq!(trusted(&headers(&[("Authentication-Results", &foreign), RECEIVED]), &own), []);
        // A name hidden in a comment, and a field that opens with a method.
        for forged in
            ["(mx.alice.example) mx.eve.example; dkim=pass", "dkim=pass; mx.alice.example", "", ";", "()"]
        {
            assert_eq!(trusted(&headers(&[("Authentication-Results", forged)]), &own), [], "{forged}");
        }
    }

    #[test]
    fn the_server_that_took_the_message_in_is_named() {
        let (claimed, by) = claimed_servers(&headers(&[("Authentication-Results", OWN), RECEIVED]));
        assert_eq!(claimed, ["mx.alice.example"]);
        assert_eq!(by.as_deref(), Some("mx.alice.example"));
        assert_eq!(claimed_servers(&headers(&[("Received", "(by eve) from x")])).1, None);
    }

    #[test]
    fn hostile_fields_are_read_in_one_go() {
        for piece in ["(", "\"", ";", "a=b ", "\\", "é("] {
            let value = piece.repeat(100_000);
            let fields = headers(&[("Authentication-Results", &value), ("Received", &value)]);
            assert_eq!(trusted(&fields, &["mx.alice.example".to_owned()]), []);
            assert!(claimed_servers(&fields).0.len() <= 1);
        }
    }
}
