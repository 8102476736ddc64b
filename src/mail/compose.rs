//! A draft to bytes (RFC 5322, MIME). The only user of `mail-builder`.
//!
//! What goes out says nothing of this machine: times are in UTC, no program is named, and nothing that the owner types
//! can add a header.

use super::address::Person;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;

/// A file to go with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A message that is to be made.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// From.
    pub from: Person,
    /// To.
    pub to: Vec<Person>,
    /// Cc.
    pub cc: Vec<Person>,
    /// Bcc; kept in the owner's copy alone.
    pub bcc: Vec<Person>,
    /// Reply-To.
    pub reply_to: Vec<Person>,
    /// Subject.
    pub subject: String,
    /// The text, paragraphs in one line each.
    pub body: String,
    /// In-Reply-To, without angle brackets.
    pub in_reply_to: Option<String>,
    /// References, without angle brackets.
    pub references: Vec<String>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Message-ID, without angle brackets.
    pub message_id: String,
    /// Date, UTC seconds.
    pub date: i64,
}

/// A new Message-ID (RFC 5322 §3.6.4), without angle brackets.
#[must_use]
pub fn new_message_id(random: [u8; 16], domain: &str) -> String {
    let domain: String = domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let domain = if domain.is_empty() { "localhost" } else { &domain };
    format!("{}@{domain}", data_encoding::BASE32_NOPAD.encode(&random).to_lowercase())
}

/// Text on one line, without anything that ends it.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().trim().to_owned()
}

fn id(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>')).collect()
}

fn addresses(people: &[Person]) -> Address<'static> {
    let one = |p: &Person| {
        let name = line(&p.name);
        Address::new_address((!name.is_empty()).then_some(name), id(&p.address))
    };
    Address::new_list(people.iter().map(one).collect())
}

/// How wide a line of text goes out, in characters.
const WIDTH: usize = 72;

/// Text as `format=flowed` (RFC 3676): lines broken softly, so that every screen can join them again.
fn flowed(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    for paragraph in text.trim_end_matches('\n').split('\n') {
        if paragraph == "-- " {
            out.push_str("-- \r\n");
            continue;
        }
        let paragraph = paragraph.trim_end();
        let quote = paragraph.len() - paragraph.trim_start_matches('>').len();
        let (marks, rest) = paragraph.split_at_checked(quote).unwrap_or(("", paragraph));
        let rest = if quote > 0 { rest.strip_prefix(' ').unwrap_or(rest) } else { rest };
        let stuffed = quote == 0 && (rest.starts_with(' ') || rest.starts_with("From ") || rest.starts_with('>'));
        let mut current = String::new();
        let mut width = 0;
        let begin = |out: &mut String| {
            out.push_str(marks);
            if quote > 0 || stuffed {
                out.push(' ');
            }
        };
        for word in rest.split(' ') {
            let length = word.chars().count();
            if width > 0 && width + length + 1 > WIDTH {
                begin(&mut out);
                out.push_str(&current);
                out.push_str(" \r\n");
                current.clear();
                width = 0;
                // A line of its own must not begin like a quote.
                if quote == 0 && !stuffed && (word.starts_with('>') || word.starts_with("From") || word.is_empty()) {
                    current.push(' ');
                }
            } else if width > 0 || !current.is_empty() {
                current.push(' ');
                width += 1;
            } else if word.is_empty() {
                current.push(' ');
                width += 1;
                continue;
            }
            current.push_str(word);
            width += length;
        }
        begin(&mut out);
        out.push_str(current.trim_end());
        out.push_str("\r\n");
    }
    out
}

/// The bytes of a message, as they are kept and copied into Sent.
#[must_use]
pub fn to_bytes(draft: &Draft) -> Vec<u8> {
    let mut builder = MessageBuilder::new()
        .date(Date::new(draft.date))
        .message_id(MessageId::new(id(&draft.message_id)))
        .from(addresses(std::slice::from_ref(&draft.from)));
    if !draft.reply_to.is_empty() {
        builder = builder.reply_to(addresses(&draft.reply_to));
    }
    if !draft.to.is_empty() {
        builder = builder.to(addresses(&draft.to));
    }
    if !draft.cc.is_empty() {
        builder = builder.cc(addresses(&draft.cc));
    }
    if !draft.bcc.is_empty() {
        builder = builder.bcc(addresses(&draft.bcc));
    }
    builder = builder.subject(Text::new(line(&draft.subject)));
    if let Some(answered) = &draft.in_reply_to {
        builder = builder.in_reply_to(MessageId::new(id(answered)));
    }
    if !draft.references.is_empty() {
        builder = builder.references(MessageId::new_list(draft.references.iter().map(|r| id(r))));
    }
    let text = MimePart::new(
        mail_builder::headers::content_type::ContentType::new("text/plain").attribute("charset", "utf-8").attribute("format", "flowed"),
        flowed(&draft.body),
    );
    let body = if draft.attachments.is_empty() {
        text
    } else {
        let mut parts = vec![text];
        for file in &draft.attachments {
            let name = super::part::safe_name(&file.name).unwrap_or_else(|| "attachment".into());
            let kind: String = file.content_type.chars().filter(|c| c.is_ascii_graphic() && !"\";,".contains(*c)).collect();
            let kind = if kind.contains('/') && !kind.starts_with("message/") && !kind.starts_with("multipart/") {
                kind
            } else {
                "application/octet-stream".to_owned()
            };
            parts.push(MimePart::new(kind, file.bytes.clone()).attachment(name));
        }
        MimePart::new("multipart/mixed", parts)
    };
    let mut out = Vec::new();
    // Writing to memory does not fail.
    if builder.header("MIME-Version", HeaderType::Raw(Raw::new("1.0"))).body(body).write_to(&mut out).is_err() {
        out.clear();
    }
    out
}

/// The same bytes without the Bcc field: what is handed to a server.
#[must_use]
pub fn without_bcc(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut dropping = false;
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        if line == b"\r\n" || line == b"\n" {
            break;
        }
        let folded = line.starts_with(b" ") || line.starts_with(b"\t");
        if !folded {
            dropping = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"bcc:"));
        }
        if !dropping {
            out.extend_from_slice(line);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// Reads people as one types them: `Alice <a@x>, "Berg, Bob" <b@y>; c@z`.
///
/// # Errors
/// A sentence that names the piece that is no address.
pub fn parse_people(text: &str) -> Result<Vec<Person>, String> {
    let mut people = Vec::new();
    for piece in pieces(text) {
        let piece = piece.trim();
        if piece.is_empty() {
            continue;
        }
        let (name, address) = match piece.rsplit_once('<') {
            Some((name, rest)) => (unquoted(name.trim()), rest.trim_end().trim_end_matches('>').trim().to_owned()),
            None => (String::new(), piece.to_owned()),
        };
        let good = address.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.') && !domain.ends_with('.')
        }) && address.len() <= 320
            && !address.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"()[]\\".contains(c));
        if !good {
            return Err(format!("“{}” is no address; write it like bob@example.org", line(piece)));
        }
        people.push(Person { name: line(&name), address });
    }
    Ok(people)
}

/// Cuts at commas and semicolons that do not stand within quotes or angle brackets.
fn pieces(text: &str) -> Vec<String> {
    let (mut all, mut current, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' | '\n' | '\r' if !quoted => {
                all.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    all.push(current);
    all
}

fn unquoted(name: &str) -> String {
    let Some(inner) = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')) else { return name.to_owned() };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

/// A person as one types them; [`parse_people`] reads it back.
#[must_use]
pub fn write_person(person: &Person) -> String {
    let name = line(&person.name);
    if name.is_empty() {
        return person.address.clone();
    }
    if name.chars().all(|c| c.is_alphanumeric() || " -'._".contains(c)) {
        return format!("{name} <{}>", person.address);
    }
    format!("\"{}\" <{}>", name.replace('\\', "\\\\").replace('"', "\\\""), person.address)
}

#[cfg(test)]
mod tests {
    use super::super::message::parse;
    use super::*;
    use proptest::prelude::*;

    fn bob() -> Person {
        Person { name: "Bob Bär".into(), address: "bob@lab.test".into() }
    }

    fn draft() -> Draft {
        Draft {
            from: bob(),
            to: vec![Person { name: "Alice, A.".into(), address: "alice@lab.test".into() }],
            bcc: vec![Person { name: String::new(), address: "carol@lab.test".into() }],
            subject: "Grüße".into(),
            body: "Dear Alice,\n\n  indented\nFrom here on\n> quoted\n-- \nBob\n".into(),
            message_id: "1@lab.test".into(),
            date: 60,
            ..Draft::default()
        }
    }

    #[test]
    fn what_bob_writes_is_what_alice_reads() {
        let mut draft = draft();
        draft.body = format!("{}\n{}", "long words ".repeat(40).trim_end(), draft.body);
        draft.attachments.push(Attachment { name: "naïve.bin".into(), content_type: "x/y".into(), bytes: vec![0, 255, 10] });
        let raw = to_bytes(&draft);
        assert!(raw.is_ascii() && raw.split(|b| *b == b'\n').all(|l| l.len() <= 998));
        let message = parse(&raw);
        assert_eq!(message.plain().unwrap().trim_end(), draft.body.trim_end());
        assert_eq!((message.subject.as_str(), message.date), ("Grüße", Some(60)));
        assert_eq!((&message.from, &message.to, &message.bcc), (&vec![draft.from], &draft.to, &draft.bcc));
        let file = message.attachments().next().unwrap();
        assert_eq!((file.name.as_deref(), &*file.decoded(&raw)), (Some("naïve.bin"), &[0, 255, 10][..]));
    }

    #[test]
    fn nobody_adds_a_header_by_typing() {
        let evil = "x\r\nX-Evil: yes\r\n\r\nbody";
        let draft = Draft {
            from: Person { name: evil.into(), address: evil.into() },
            to: vec![Person { name: evil.into(), address: evil.into() }],
            subject: evil.into(),
            message_id: evil.into(),
            in_reply_to: Some(evil.into()),
            references: vec![evil.into()],
            attachments: vec![Attachment { name: evil.into(), content_type: evil.into(), bytes: vec![1] }],
            ..draft()
        };
        let message = parse(&to_bytes(&draft));
        assert!(!message.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-evil")));
    }

    #[test]
    fn carol_is_not_told_of() {
        let raw = to_bytes(&draft());
        let sent = without_bcc(&raw);
        assert!(String::from_utf8(raw.clone()).unwrap().contains("carol@lab.test"));
        assert!(!String::from_utf8(sent.clone()).unwrap().to_lowercase().contains("bcc"));
        assert!(!sent.windows(5).any(|w| w == b"carol"));
        let folded = b"Subject: x\r\nBCC: a@x,\r\n b@x\r\nTo: y\r\n\r\nBcc: stays\r\n";
        assert_eq!(without_bcc(folded), b"Subject: x\r\nTo: y\r\n\r\nBcc: stays\r\n");
    }

    #[test]
    fn people_are_read_as_typed() {
        let people = parse_people("Alice <a@x.test>, \"Berg, \\\"B\\\"\" <b@y.test>; c@z.test,").unwrap();
        assert_eq!(people[1].name, "Berg, \"B\"");
        assert_eq!(people.iter().map(|p| p.address.as_str()).collect::<Vec<_>>(), ["a@x.test", "b@y.test", "c@z.test"]);
        assert!(parse_people("bob").unwrap_err().contains("“bob” is no address"));
        assert!(parse_people("a@x\r\nBcc: e@x").is_err());
        assert!(parse_people("").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn a_written_person_is_read_back(name in "[^\\p{C}\\p{Z}]([^\\p{C}<>]{0,20}[^\\p{C}\\p{Z}<>])?") {
            prop_assume!(!name.contains(['<', '>']));
            let person = Person { name, address: "bob@lab.test".into() };
            let read = parse_people(&write_person(&person)).unwrap();
            prop_assert_eq!(read, vec![person]);
        }

        #[test]
        fn text_goes_out_and_comes_back(body in "([a-zA-Z>éß ]{0,100}\n){0,6}") {
            let raw = to_bytes(&Draft { body: body.clone(), ..draft() });
            let read = parse(&raw).plain().unwrap_or_default();
            let tidy = |t: &str| t.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ").replace("> ", ">").replace(" >", ">")).collect::<Vec<_>>().join("\n").trim_end().to_owned();
            prop_assert_eq!(tidy(&read), tidy(&body));
        }
    }
}
