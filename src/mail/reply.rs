//! Who gets an answer, what is quoted, and how it joins the thread.

use super::address::{Person, canonical};
use super::message::Message;

/// How much of a message is quoted, in bytes.
const LONGEST_QUOTE: usize = 200_000;
/// How many references an answer carries.
const MOST_REFERENCES: usize = 30;

/// The beginning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// To.
    pub to: Vec<Person>,
    /// Cc.
    pub cc: Vec<Person>,
    /// Subject.
    pub subject: String,
    /// In-Reply-To, without angle brackets.
    pub in_reply_to: Option<String>,
    /// References, without angle brackets.
    pub references: Vec<String>,
    /// The quoted text.
    pub body: String,
}

/// The beginning of a message passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Subject.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// Begins an answer to `message`, of which the owner sees `visible_text`; `own` are the owner's addresses, canonical, and
/// `when` is the message's date in words (may be empty).
#[must_use]
pub fn reply(message: &Message, visible_text: &str, own: &[String], all: bool, when: &str) -> Reply {
    let is_own = |person: &Person| own.contains(&canonical(&person.address));
    let from_oneself = !message.from.is_empty() && message.from.iter().all(is_own);
    let mut to: Vec<Person> = if from_oneself {
        message.to.clone()
    } else if message.reply_to.is_empty() {
        message.from.clone()
    } else {
        message.reply_to.clone()
    };
    let mut cc = Vec::new();
    if all {
        let others: Vec<Person> = if from_oneself { message.cc.clone() } else { message.to.iter().chain(&message.cc).cloned().collect() };
        cc = others.into_iter().filter(|p| !is_own(p)).collect();
    }
    once_each(&mut to, &[]);
    once_each(&mut cc, &to);
    if to.is_empty() {
        std::mem::swap(&mut to, &mut cc);
    }
    let mut references = message.references.clone();
    if references.is_empty() {
        references.extend(message.in_reply_to.first().cloned());
    }
    references.extend(message.message_id.clone().filter(|id| !message.references.contains(id)));
    if references.len() > MOST_REFERENCES {
        let tail = references.split_off(references.len() - (MOST_REFERENCES - 1));
        references.truncate(1);
        references.extend(tail);
    }
    Reply {
        to,
        cc,
        subject: prefixed("Re", &message.subject),
        in_reply_to: message.message_id.clone(),
        references,
        body: quote(message, visible_text, when),
    }
}

fn once_each(people: &mut Vec<Person>, others: &[Person]) {
    let mut seen: Vec<String> = others.iter().map(|p| canonical(&p.address)).collect();
    people.retain(|person| {
        let address = canonical(&person.address);
        let fresh = address.contains('@') && !seen.contains(&address);
        seen.push(address);
        fresh
    });
}

/// Prefixes that programs of all tongues put before a subject.
const PREFIXES: [&str; 22] = [
    "re", "aw", "sv", "antw", "antwort", "vs", "ref", "res", "rif", "odp", "ynt", "回复", "答复", "fwd", "fw", "wg", "vb", "tr",
    "rv", "enc", "转发", "doorst",
];

/// The subject with one prefix in front, whatever stood there before.
fn prefixed(prefix: &str, subject: &str) -> String {
    let mut rest = subject.trim();
    let is_forward = |word: &str| matches!(word, "fwd" | "fw" | "wg" | "vb" | "tr" | "rv" | "enc" | "转发" | "doorst");
    for _ in 0..20 {
        let Some((word, after)) = rest.split_once([':', '：']) else { break };
        let plain = word.trim().to_lowercase();
        let plain = plain.split(['[', '(']).next().unwrap_or_default().trim();
        // An answer to "Fwd: plans" is "Re: Fwd: plans"; "Re: Re: plans" is still "Re: plans".
        if !PREFIXES.contains(&plain) || (is_forward(plain) && prefix == "Re") || (!is_forward(plain) && prefix == "Fwd") {
            break;
        }
        rest = after.trim_start();
    }
    format!("{prefix}: {rest}")
}

fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST_QUOTE)).unwrap_or(text)
}

fn quote(message: &Message, visible_text: &str, when: &str) -> String {
    let who = message.from.first().map_or("somebody", |p| p.display());
    let mut body = String::from("\n\n");
    body.push_str(&if when.is_empty() { format!("{who} wrote:\n") } else { format!("On {when}, {who} wrote:\n") });
    let text = clip(visible_text);
    // The other's signature is not part of what is answered.
    let text = text.rsplit_once("\n-- \n").filter(|(_, rest)| rest.lines().count() <= 40).map_or(text, |(head, _)| head);
    for line in text.trim_end().lines() {
        body.push_str(if line.starts_with('>') { ">" } else { "> " });
        body.push_str(line);
        body.push('\n');
    }
    body
}

/// Begins passing `message` on, of which the owner sees `visible_text`.
#[must_use]
pub fn forward(message: &Message, visible_text: &str, when: &str) -> Forward {
    let people = |all: &[Person]| all.iter().map(super::compose::write_person).collect::<Vec<_>>().join(", ");
    let mut body = String::from("\n\n---------- Forwarded message ----------\n");
    for (name, value) in [
        ("From", people(&message.from)),
        ("Date", when.to_owned()),
        ("Subject", message.subject.clone()),
        ("To", people(&message.to)),
        ("Cc", people(&message.cc)),
    ] {
        if !value.is_empty() {
            body.push_str(&format!("{name}: {value}\n"));
        }
    }
    body.push('\n');
    body.push_str(clip(visible_text));
    Forward { subject: prefixed("Fwd", &message.subject), body }
}

#[cfg(test)]
mod tests {
    use super::super::message::parse;
    use super::*;

    fn addresses(people: &[Person]) -> Vec<&str> {
        people.iter().map(|p| p.address.as_str()).collect()
    }

    #[test]
    fn bob_answers_alice_and_the_others_once_and_never_himself() {
        let message = parse(
            b"From: Alice <alice@lab.test>\r\nTo: BOB@lab.test, carol@lab.test\r\nCc: carol@lab.test, dave@lab.test\r\nSubject: AW: Re: Plans\r\nMessage-ID: <2@x>\r\nReferences: <1@x>\r\n\r\nHi\r\n",
        );
        let own = ["bob@lab.test".to_owned()];
        let one = reply(&message, "Hi\n-- \nAlice\n", &own, false, "3 March 2025 at 12:04");
        assert_eq!(addresses(&one.to), ["alice@lab.test"]);
        assert!(one.cc.is_empty());
        assert_eq!(one.subject, "Re: Plans");
        assert_eq!(one.references, ["1@x", "2@x"]);
        assert_eq!(one.body, "\n\nOn 3 March 2025 at 12:04, Alice wrote:\n> Hi\n");
        let all = reply(&message, "Hi", &own, true, "");
        assert_eq!(addresses(&all.cc), ["carol@lab.test", "dave@lab.test"]);
    }

    #[test]
    fn an_answer_to_ones_own_message_goes_to_whom_it_went() {
        let message = parse(b"From: bob@lab.test\r\nTo: alice@lab.test\r\nSubject: Fwd: x\r\n\r\nHi");
        let answer = reply(&message, "Hi", &["bob@lab.test".to_owned()], false, "");
        assert_eq!(addresses(&answer.to), ["alice@lab.test"]);
        assert_eq!(answer.subject, "Re: Fwd: x");
        assert_eq!(forward(&message, "Hi", "").subject, "Fwd: x");
    }

    #[test]
    fn a_reply_to_is_obeyed() {
        let message = parse(b"From: list@lab.test\r\nReply-To: team@lab.test\r\nTo: bob@lab.test\r\n\r\nHi");
        assert_eq!(addresses(&reply(&message, "", &[], false, "").to), ["team@lab.test"]);
    }
}
