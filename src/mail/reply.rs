//! Answers and forwards: to whom, under which subject, with what quoted. Quotes only what the reader saw.

use std::fmt::Write as _;

use super::address::{self, Person};
use super::message::Message;
use super::text::{self, Kind};

/// At most so many references go into an answer: the first and the last ones.
const REFERENCES_MAX: usize = 40;

/// What an answer starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// To whom.
    pub to: Vec<Person>,
    /// Who gets a copy.
    pub cc: Vec<Person>,
    /// The subject.
    pub subject: String,
    /// The message that is answered.
    pub in_reply_to: Option<String>,
    /// The thread up to it.
    pub references: Vec<String>,
    /// The quoted text.
    pub body: String,
}

/// What a forwarded message starts from; its attachments are up to the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// The subject.
    pub subject: String,
    /// The forwarded text under its header.
    pub body: String,
}

/// An answer to `message`: to its sender, or to all. `visible_text` is what the reader saw of it; `date_words` says in
/// words when it was sent.
#[must_use]
pub fn reply(
    message: &Message,
    visible_text: &str,
    own_addresses: &[String],
    all: bool,
    date_words: &str,
) -> Reply {
    let own: Vec<String> = own_addresses.iter().map(|own| address::canonical(own)).collect();
    let (to, cc) = recipients(message, &own, all);
    Reply {
        to,
        cc,
        subject: with_prefix("Re:", &message.subject),
        in_reply_to: message.message_id.clone(),
        references: references(message),
        body: quoted(message, visible_text, date_words),
    }
}

/// A message that carries `message` to somebody else.
#[must_use]
pub fn forward(message: &Message, visible_text: &str, date_words: &str) -> Forward {
    let mut body = String::from("\n\n---------- Forwarded message ----------\n");
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a String cannot fail.
            writeln!(body, "{name}: {value}").unwrap_or_default();
        }
    };
    line("From", &names(&message.from));
    line("Date", date_words);
    line("Subject", &message.subject);
    line("To", &names(&message.to));
    line("Cc", &names(&message.cc));
    body.push('\n');
    body.push_str(visible_text.trim_end());
    body.push('\n');
    Forward { subject: with_prefix("Fwd:", &message.subject), body }
}

fn recipients(message: &Message, own: &[String], all: bool) -> (Vec<Person>, Vec<Person>) {
    let is_own = |person: &Person| own.contains(&address::canonical(&person.address));
    let from_me = !message.from.is_empty() && message.from.iter().all(is_own);
    let sender = first_filled(&[&message.reply_to, &message.from, &message.sender]);
    let mut known: Vec<String> = Vec::new();
    let mut take = |people: &[Person], with_own: bool| -> Vec<Person> {
        let mut taken = Vec::new();
        for person in people {
            let address = address::canonical(&person.address);
            if !person.address.is_empty()
                && (with_own || !own.contains(&address))
                && !known.contains(&address)
            {
                known.push(address);
                taken.push(person.clone());
            }
        }
        taken
    };
    let (mut to, mut cc) = if from_me {
        // Writing on to those one wrote to.
        (take(&message.to, false), if all { take(&message.cc, false) } else { Vec::new() })
    } else if all && !message.followup_to.is_empty() {
        (take(&message.followup_to, false), Vec::new())
    } else if all {
        let to = take(sender, false);
        let mut cc = take(&message.to, false);
        cc.extend(take(&message.cc, false));
        (to, cc)
    } else {
        (take(sender, false), Vec::new())
    };
    if to.is_empty() {
        to = std::mem::take(&mut cc);
    }
    if to.is_empty() {
        // Nobody else is there: a note to oneself.
        to = take(sender, true);
        to.truncate(1);
    }
    (to, cc)
}

fn first_filled<'a>(lists: &[&'a [Person]]) -> &'a [Person] {
    lists
        .iter()
        .find(|list| list.iter().any(|person| !person.address.is_empty()))
        .copied()
        .unwrap_or_default()
}

/// The thread up to and including the message (RFC 5322 §3.6.4).
fn references(message: &Message) -> Vec<String> {
    let mut references = if message.references.is_empty() && message.in_reply_to.len() == 1 {
        message.in_reply_to.clone()
    } else {
        message.references.clone()
    };
    if let Some(id) = &message.message_id {
        references.retain(|known| known != id);
        references.push(id.clone());
    }
    if references.len() > REFERENCES_MAX {
        references.drain(1..references.len() + 1 - REFERENCES_MAX);
    }
    references
}

fn quoted(message: &Message, visible_text: &str, date_words: &str) -> String {
    let kept: String = text::blocks(visible_text)
        .iter()
        .filter(|block| block.kind != Kind::Signature)
        .map(|block| block.text)
        .collect();
    let kept = kept.trim_end();
    let author = message.from.first().map_or("", Person::display);
    let mut out = match (date_words, author) {
        ("", "") => String::new(),
        ("", author) => format!("{author} wrote:\n"),
        (date, "") => format!("On {date}:\n"),
        (date, author) => format!("On {date}, {author} wrote:\n"),
    };
    for line in kept.lines() {
        let line = line.trim_end();
        out.push('>');
        if !line.is_empty() && !line.starts_with('>') {
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn names(people: &[Person]) -> String {
    let name = |person: &Person| match (person.name.as_str(), person.address.as_str()) {
        ("", address) => address.to_owned(),
        (name, "") => name.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    };
    // A list of hundreds would bury the text.
    let mut names: Vec<String> = people.iter().take(50).map(name).collect();
    if people.len() > 50 {
        names.push("…".to_owned());
    }
    names.join(", ")
}

/// What mail programs in many languages put before the subject of an answer or a forward, in lower case.
const PREFIXES: &[&str] = &[
    "re",
    "aw",
    "antw",
    "antwort",
    "sv",
    "vs",
    "vl",
    "vb",
    "r",
    "rif",
    "odp",
    "ynt",
    "yan",
    "atb",
    "res",
    "rv",
    "enc",
    "fwd",
    "fw",
    "wg",
    "tr",
    "i",
    "doorst",
    "pd",
    "ilt",
    "továbbítás",
    "απ",
    "σχετ",
    "πρθ",
    "отв",
    "回复",
    "回覆",
    "答复",
    "转发",
    "轉寄",
    "返信",
    "転送",
    "回信",
    "답장",
    "전달",
    "trả lời",
    "תשובה",
    "הועבר",
    "رد",
];

/// Of these the ones that stand for an answer, so that an answer to a forward says both.
const FORWARDS: &[&str] = &[
    "fwd",
    "fw",
    "wg",
    "tr",
    "i",
    "vl",
    "vb",
    "rv",
    "enc",
    "doorst",
    "pd",
    "ilt",
    "továbbítás",
    "πρθ",
    "转发",
    "轉寄",
    "転送",
    "전달",
    "הועבר",
];

/// The subject without the prefixes of answers and forwards.
#[must_use]
pub fn base_subject(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some((_, after)) = split_prefix(rest) {
        rest = after;
    }
    rest
}

/// One prefix, in lower case and without its number and colon, and what follows it.
fn split_prefix(subject: &str) -> Option<(String, &str)> {
    let colon = subject.char_indices().take(20).find(|(_, c)| matches!(c, ':' | '：'))?;
    let (before, after) = subject.split_at(colon.0);
    let after = after.trim_start_matches([':', '：']).trim_start();
    let word = before.trim().to_lowercase();
    // `Re[2]:`, `Re(2):`, `Re^2:`, `Re2:`
    let word = word.trim_end_matches([']', ')']).trim_end_matches(|c: char| c.is_ascii_digit());
    let word = word.trim_end_matches(['[', '(', '^', '*', ' ']);
    PREFIXES.contains(&word).then(|| (word.to_owned(), after))
}

/// The prefix once, whatever was there before; an answer to a forward keeps that it was one.
fn with_prefix(prefix: &str, subject: &str) -> String {
    let is_answer = prefix == "Re:";
    let mut rest = subject.trim();
    while let Some((word, after)) = split_prefix(rest) {
        if is_answer == FORWARDS.contains(&word.as_str()) {
            break;
        }
        rest = after;
    }
    if rest.is_empty() { prefix.to_owned() } else { format!("{prefix} {rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::message::parse;

    const OWN: &str = "Bob@Example.com";

    fn answer(header: &str, all: bool) -> (Vec<String>, Vec<String>) {
        let reply =
            reply(&parse(format!("{header}\n\nHi").as_bytes()), "Hi", &[OWN.to_owned()], all, "Monday");
        let addresses = |people: Vec<Person>| people.into_iter().map(|person| person.address).collect();
        (addresses(reply.to), addresses(reply.cc))
    }

    #[test]
    fn answers_go_to_the_right_people_and_not_to_oneself() {
        let cases: [(&str, bool, &[&str], &[&str]); 9] = [
            ("From: a@x\nTo: bob@example.com, c@z", false, &["a@x"], &[]),
            ("From: a@x\nTo: bob@example.com, c@z\nCc: A@X, d@w", true, &["a@x"], &["c@z", "d@w"]),
            ("From: a@x\nReply-To: list@l\nTo: list@l\nCc: bob@example.com", true, &["list@l"], &[]),
            ("From: a@x\nReply-To: list@l\nTo: bob@example.com", false, &["list@l"], &[]),
            ("From: a@x\nTo: list@l\nMail-Followup-To: list@l, c@z\nCc: d@w", true, &["list@l", "c@z"], &[]),
            ("From: a@x\nTo: list@l\nMail-Followup-To: list@l", false, &["a@x"], &[]),
            ("From: bob@example.com\nTo: a@x\nCc: c@z", true, &["a@x"], &["c@z"]),
            ("From: bob@example.com\nTo: bob@example.com", true, &["bob@example.com"], &[]),
            ("Subject: from nobody", true, &[], &[]),
        ];
        for (header, all, to, cc) in cases {
            let (found_to, found_cc) = answer(header, all);
            assert_eq!(
                (found_to, found_cc),
                (to.iter().map(|a| (*a).into()).collect(), cc.iter().map(|a| (*a).into()).collect()),
                "{header}"
            );
        }
    }

    #[test]
    fn a_subject_gets_its_prefix_once_in_any_language() {
        for (subject, answered, forwarded) in [
            ("Tea", "Re: Tea", "Fwd: Tea"),
            ("Re: Tea", "Re: Tea", "Fwd: Re: Tea"),
            ("AW: Re: SV: Antw: Tea", "Re: Tea", "Fwd: AW: Re: SV: Antw: Tea"),
            ("RE[2]: Tea", "Re: Tea", "Fwd: RE[2]: Tea"),
            ("回复：茶", "Re: 茶", "Fwd: 回复：茶"),
            ("Fwd: Tea", "Re: Fwd: Tea", "Fwd: Tea"),
            ("WG: Tea", "Re: WG: Tea", "Fwd: Tea"),
            ("[list] Re: Tea", "Re: [list] Re: Tea", "Fwd: [list] Re: Tea"),
            ("Reading: Tea", "Re: Reading: Tea", "Fwd: Reading: Tea"),
            ("", "Re:", "Fwd:"),
        ] {
            assert_eq!(with_prefix("Re:", subject), answered);
            assert_eq!(with_prefix("Fwd:", subject), forwarded);
        }
        assert_eq!(base_subject("Re: Fwd: AW: Tea"), "Tea");
    }

    #[test]
    fn an_answer_quotes_the_text_and_carries_the_thread_on() {
        let message = parse(b"From: Alice <a@x>\nMessage-ID: <3@x>\nReferences: <1@x> <2@x>\n\n");
        let reply = reply(&message, "Tea?\n\n> earlier\n-- \nAlice", &[], false, "Monday");
        assert_eq!(reply.body, "On Monday, Alice wrote:\n> Tea?\n>\n>> earlier\n");
        assert_eq!(reply.in_reply_to.as_deref(), Some("3@x"));
        assert_eq!(reply.references, ["1@x", "2@x", "3@x"]);
        let long: String = (0..90).map(|n| format!("<{n}@x> ")).collect();
        let message = parse(format!("Message-ID: <z@x>\nReferences: {long}\n\n").as_bytes());
        let references = references(&message);
        assert_eq!((references.len(), references[0].as_str(), references[39].as_str()), (40, "0@x", "z@x"));
    }

    #[test]
    fn a_forward_says_where_it_came_from() {
        let message = parse(b"From: Alice <a@x>\nTo: b@y\nSubject: Tea\n\nAt five?");
        let forward = forward(&message, "At five?", "Monday");
        assert_eq!(forward.subject, "Fwd: Tea");
        assert_eq!(
            forward.body,
            "\n\n---------- Forwarded message ----------\nFrom: Alice <a@x>\nDate: Monday\nSubject: Tea\nTo: b@y\n\nAt five?\n"
        );
    }
}
