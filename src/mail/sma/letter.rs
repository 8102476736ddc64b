//! The mail that a signed message travels in: marked by a header field, with a sentence for people who come upon it.

use super::fields::Flaw;
use super::{Marker, Signed};
use crate::mail::address::Person;
use crate::mail::compose::{self, Attachment};
use crate::mail::message;

/// A message that is longer is none of ours, in bytes.
pub const LETTER_MAX: usize = 256 << 10;
/// The type of the part that holds the signed message.
const TYPE: &str = "application/vnd.autocrypt-sma";
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
}
