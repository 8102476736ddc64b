//! Which header fields of a message were protected with it (RFC 9788 §4), and how much.

use super::entity::{Entity, Field};
use crate::mail::address::canonical;
use crate::mail::message::people;

/// What stands outside in place of a hidden subject (RFC 9788 §3.2.1).
pub const HIDDEN_SUBJECT: &str = "[...]";

/// The subject of an answer that cannot be encrypted, to a message whose subject was confidential (RFC 9788 §6.1).
pub const CLEAR_REPLY_SUBJECT: &str = "Re: [...]";

/// The fields that a reader sees (RFC 9788 §1.1.2).
pub(super) const USER_FACING: &[&str] = &[
    "Subject",
    "From",
    "To",
    "Cc",
    "Date",
    "Reply-To",
    "Followup-To",
    "Sender",
    "Resent-From",
    "Resent-To",
    "Resent-Cc",
    "Resent-Date",
    "Resent-Sender",
];

/// How a field travelled, apart from whether a signature is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldState {
    /// Outside: anybody on the way could read and change it.
    #[default]
    Unprotected,
    /// Inside, and outside as well: a signature covers it.
    Signed,
    /// Only inside an encrypted payload, or with another value outside.
    Confidential,
}

/// What that comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Anybody on the way could read and change it.
    Unprotected,
    /// Nobody could change it.
    SignedOnly,
    /// Nobody could read it.
    EncryptedOnly,
    /// Nobody could read or change it.
    SignedAndEncrypted,
}

impl Guard {
    /// The word for it on every surface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unprotected => "unprotected",
            Self::SignedOnly => "signed-only",
            Self::EncryptedOnly => "encrypted-only",
            Self::SignedAndEncrypted => "signed-and-encrypted",
        }
    }
}

impl FieldState {
    /// What it comes to. `signed` says that a good signature is there whose key is bound to the author.
    #[must_use]
    pub const fn guard(self, signed: bool) -> Guard {
        match (self, signed) {
            (Self::Confidential, true) => Guard::SignedAndEncrypted,
            (Self::Confidential, false) => Guard::EncryptedOnly,
            (Self::Signed, true) => Guard::SignedOnly,
            _ => Guard::Unprotected,
        }
    }
}

/// What is known of a message's header protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// The payload says that it carries the header fields (`hp`, RFC 9788).
    pub stated: bool,
    /// It carries them in one of the older ways.
    pub inferred: bool,
    /// The fields that a reader sees and that are there, with how they travelled.
    pub fields: Vec<(String, FieldState)>,
    /// The subject outside, where it is another.
    pub outer_subject: Option<String>,
    /// The addresses of From outside and inside, where they differ.
    pub from_differs: Option<(String, String)>,
    /// What its sender says stood outside, by name and value (`HP-Outer`).
    pub hp_outer: Vec<(String, String)>,
}

impl Protection {
    /// Whether the header of the message is the one from inside.
    #[must_use]
    pub const fn is_protected(&self) -> bool {
        self.stated || self.inferred
    }

    /// How a field travelled.
    #[must_use]
    pub fn state(&self, name: &str) -> FieldState {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, state)| *state).unwrap_or_default()
    }

    /// Reads it off a payload whose header is protected. `hides` says that the payload was encrypted and that what differs
    /// outside was hidden.
    pub(super) fn read(outer: &Entity<'_>, root: &Entity<'_>, stated: bool, hides: bool) -> Self {
        let hp_outer: Vec<(String, String)> = root
            .all("hp-outer")
            .filter_map(|field| {
                let text = field.text();
                text.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect();
        let outside = |field: &Field| {
            let value = field.text();
            if stated {
                hp_outer.iter().any(|(name, outer)| field.is(name) && *outer == value)
            } else {
                outer.all(&field.name).any(|outer| outer.text() == value)
            }
        };
        let mut fields = Vec::new();
        for name in USER_FACING {
            let mut mine = root.all(name).peekable();
            if mine.peek().is_some() {
                let hidden = hides && !mine.any(outside);
                fields.push((
                    (*name).to_owned(),
                    if hidden { FieldState::Confidential } else { FieldState::Signed },
                ));
            } else if outer.has(name) && (*name == "Date" || !stated && !root.has("from")) {
                fields.push(((*name).to_owned(), FieldState::Unprotected));
            }
        }
        Self {
            stated,
            inferred: !stated,
            fields,
            outer_subject: differing(outer, root, "subject"),
            from_differs: from_differs(outer, root),
            hp_outer,
        }
    }

    /// That of a message whose header lay outside.
    pub(super) fn none(outer: &Entity<'_>) -> Self {
        let there = USER_FACING.iter().filter(|name| outer.has(name));
        let fields = there.map(|name| ((*name).to_owned(), FieldState::Unprotected)).collect();
        Self { fields, ..Self::default() }
    }
}

fn differing(outer: &Entity<'_>, root: &Entity<'_>, name: &str) -> Option<String> {
    let outside = outer.all(name).next()?.text();
    let inside = root.all(name).next()?.text();
    (outside != inside).then_some(outside)
}

fn from_differs(outer: &Entity<'_>, root: &Entity<'_>) -> Option<(String, String)> {
    if !root.has("from") {
        return None;
    }
    let addresses = |entity: &Entity<'_>| {
        let people = entity.all("from").take(20).flat_map(|field| people::parse(&field.value, None));
        let mut found: Vec<String> = people.take(20).map(|person| canonical(&person.address)).collect();
        found.sort_unstable();
        found.join(", ")
    };
    let (outside, inside) = (addresses(outer), addresses(root));
    (outside != inside).then_some((outside, inside))
}
