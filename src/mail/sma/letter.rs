//! The mail that a signed message travels in: marked by a header field, with a sentence for people who come upon it.

use super::fields::Flaw;
use super::{Marker, Payload, Signed};
use crate::mail::address::{Person, canonical};
use crate::mail::compose::{self, Attachment};
use crate::mail::message;

/// A message that is longer is none of ours, in bytes.
pub const LETTER_MAX: usize = 256 << 10;
/// The type of the part that holds the signed message.
const TYPE: &str = "application/vnd.autocrypt-sma";
/// The marker of a mail that is none of the owner's stands within so many bytes.
const HEAD: usize = 16 << 10;
/// Nobody can be mailed there.
const DOMAIN: &str = "sma.invalid";

/// A mail of ours, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What its field says.
    pub marker: Marker,
    /// What its part holds.
    pub signed: Signed,
}

impl Letter {
    /// Writes the mail. `address` is the account's, `date` in seconds since 1970; gives it with its Message-ID, without angle
    /// brackets.
    #[must_use]
    pub fn write(&self, address: &str, random: [u8; 16], date: i64) -> (String, Vec<u8>) {
        let message_id = compose::new_message_id(random, DOMAIN);
        let person = Person { name: String::new(), address: address.to_owned() };
        let draft = compose::Draft {
            from: person.clone(),
            to: vec![person],
            subject: "Autocrypt device sync message (do not delete)".to_owned(),
            body: "Your mail programs wrote this message to each other, to keep your keys and your trust in step. \
                   They remove it by themselves.\n"
                .to_owned(),
            attachments: vec![Attachment {
                name: "autocrypt-sma.bin".to_owned(),
                content_type: TYPE.to_owned(),
                bytes: self.signed.to_bytes(),
            }],
            message_id: message_id.clone(),
            date,
            ..compose::Draft::default()
        };
        let fields =
            format!("{}: {}\r\nAuto-Submitted: auto-generated\r\n", Marker::NAME, self.marker.to_field());
        (message_id, [fields.as_bytes(), &compose::to_bytes(&draft)].concat())
    }

    /// Reads a mail that lay in one of our folders.
    ///
    /// # Errors
    /// Why it is none of ours.
    pub fn read(raw: &[u8]) -> Result<Self, Flaw> {
        if raw.len() > LETTER_MAX {
            return Err(Flaw::TooLong);
        }
        let message = message::parse(raw);
        let mut fields = message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(Marker::NAME));
        let (Some((_, value)), None) = (fields.next(), fields.next()) else {
            return Err(Flaw::Value("marker"));
        };
        let marker = Marker::parse(value)?;
        let mut parts = message.parts.iter().filter(|part| part.content_type == TYPE);
        let (Some(part), None) = (parts.next(), parts.next()) else { return Err(Flaw::Value("part")) };
        Ok(Self { marker, signed: Signed::parse(&part.decoded(raw))? })
    }

    /// Whether a mail that lies among the owner's other mail is such a mail, and nothing a person wrote: in every way of that
    /// form, from the account and to it. Anybody can make one, and nothing is ever done by it; it is only not shown. A mail
    /// that merely bears the marker is mail like any other, so that nobody can make an ordinary one unseen. Gives the account's
    /// address.
    #[must_use]
    pub fn stray(raw: &[u8]) -> Option<String> {
        let head = raw.get(..HEAD).unwrap_or(raw);
        let name = Marker::NAME.as_bytes();
        if !head.windows(name.len()).any(|piece| piece.eq_ignore_ascii_case(name)) {
            return None;
        }
        let letter = Self::read(raw).ok()?;
        let payload = Payload::parse(&letter.signed.payload).ok()?;
        let message = message::parse(raw);
        let is_own = |people: &[Person]| {
            let [one] = people else { return false };
            canonical(&one.address) == payload.account
        };
        let writes_itself = is_own(&message.from) && is_own(&message.to);
        let is_one = payload.kind() == letter.marker.kind && writes_itself && message.cc.is_empty();
        is_one.then_some(payload.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::sma::{Body, OneTimeKey};

    fn letter() -> Letter {
        let payload = Payload {
            account: "alice@example.org".into(),
            from: "1".parse().unwrap(),
            to: Some("27".parse().unwrap()),
            seq: 1,
            created: 1_700_000_000,
            expires: 1_700_003_600,
            roster: None,
            body: Body::Reset(OneTimeKey { key: [1; 32], signature: [2; 64] }),
        };
        let signed = Signed { payload: payload.to_bytes(), signature: [0; 64] };
        Letter { marker: Marker { kind: payload.kind() }, signed }
    }

    #[test]
    fn only_what_no_person_wrote_is_hidden() {
        let (_, raw) = letter().write("alice@example.org", [0; 16], 1_700_000_000);
        assert_eq!(Letter::stray(&raw).as_deref(), Some("alice@example.org"));
        let text = String::from_utf8(raw).unwrap();
        let changed = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Letter::stray(text.replace(from, to).as_bytes()).is_some()
        };
        assert!(
            !changed("Autocrypt-SMA: v=1; type=reset", "Autocrypt-SMA: v=1; type=announce"),
            "another type"
        );
        assert!(!changed("Autocrypt-SMA: ", "X-Other: "), "no marker");
        assert!(!changed("application/vnd.autocrypt-sma", "application/octet-stream"), "no such part");
        assert!(
            !changed("alice@example.org", "mallory@example.org"),
            "of another account than it says inside"
        );
        let mail = "Autocrypt-SMA: v=1; type=announce\r\nFrom: bob@example.org\r\nTo: alice@example.org\r\n\
                    Subject: Your contract ends\r\n\r\nOn Friday.\r\n";
        assert_eq!(Letter::stray(mail.as_bytes()), None, "nobody hides what they wrote behind the marker");
        let copied = text.replacen("Subject:", "Cc: carol@example.org\r\nSubject:", 1);
        assert_eq!(Letter::stray(copied.as_bytes()), None, "others got it too");
    }
}
