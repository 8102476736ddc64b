//! What may be said of a whole message: whether it was private, and how sure it is who wrote it. One pure function of
//! facts, so that every surface says the same. A signature that is no good counts like none: it never makes a message look
//! worse than one that is not signed.

use super::facts::{Binding, Closed, Facts, FromTrouble, Opening, Pin, Signature, Verdict};
use super::layer::Kind;

/// A signature made so long before or after the date of its message does not vouch for that date, in seconds.
const DATES_APART: i64 = 24 * 60 * 60;

/// Whether the message was private.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Privacy {
    /// It was not encrypted.
    #[default]
    None,
    /// It was encrypted, and validly signed by its sender.
    Private,
    /// It was encrypted; who encrypted it is not known.
    Unconfirmed,
    /// It is encrypted and cannot be opened.
    Closed,
}

impl Privacy {
    /// The word for it on every surface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Private => "private",
            Self::Unconfirmed => "unconfirmed",
            Self::Closed => "closed",
        }
    }
}

/// How sure it is who wrote the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Assurance {
    /// Nothing is known.
    #[default]
    None,
    /// The key that this address has always used.
    SameKey,
    /// A key that the owner compared.
    Verified,
    /// The first message with this key.
    NewKey,
    /// Another key than the one this address used before.
    DifferentKey,
}

impl Assurance {
    /// The word for it on every surface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SameKey => "same-key",
            Self::Verified => "verified",
            Self::NewKey => "new-key",
            Self::DifferentKey => "different-key",
        }
    }
}

/// What may be said of the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whether it was private.
    pub privacy: Privacy,
    /// How sure it is who wrote it.
    pub assurance: Assurance,
    /// The fingerprint of the certificate behind the assurance.
    pub signer: Option<String>,
    /// Why, in whole sentences.
    pub reasons: Vec<String>,
}

/// Judges a message.
#[must_use]
pub fn summary(facts: &Facts) -> Summary {
    let mut reasons = Vec::new();
    let encrypted = facts.kind == Kind::Encrypted;
    match (&facts.opening, facts.kind) {
        (_, Kind::Foreign) => {
            reasons.push("This message is encrypted with S/MIME, which cannot be opened here.".to_owned());
            return Summary { privacy: Privacy::Closed, reasons, ..Summary::default() };
        }
        (Opening::Closed(why), Kind::Encrypted) => {
            reasons.push(closed_sentence(why));
            return Summary { privacy: Privacy::Closed, reasons, ..Summary::default() };
        }
        (_, Kind::Plain) => return Summary::default(),
        (_, Kind::PartlySigned) => {
            reasons.push("Only a part of this text is signed, so the message counts as unsigned.".to_owned());
            return Summary { reasons, ..Summary::default() };
        }
        (_, Kind::ForeignSigned) => {
            reasons.push("This message is signed with S/MIME, which is not checked here.".to_owned());
            return Summary { reasons, ..Summary::default() };
        }
        (_, Kind::Encrypted | Kind::Signed) => {}
    }
    reasons.extend(facts.from.iter().map(from_sentence));
    let usable = best(facts);
    if usable.is_none() {
        reasons.push(unsigned_sentence(facts));
    }
    let trusted = usable.filter(|_| facts.from.is_empty());
    let assurance = trusted.map_or(Assurance::None, |signature| assurance(signature.pin));
    if let Some(signature) = trusted {
        reasons.push(pin_sentence(signature.pin));
        if signature.verdict == Verdict::GoodThen {
            reasons.push("The key was valid when it signed and has been retired since.".to_owned());
        }
    }
    let privacy = match (encrypted, assurance) {
        (false, _) => Privacy::None,
        (true, Assurance::None) => Privacy::Unconfirmed,
        (true, _) => Privacy::Private,
    };
    if privacy == Privacy::Unconfirmed {
        reasons.push("The message was encrypted, but it is not certain by whom.".to_owned());
    }
    Summary { privacy, assurance, signer: trusted.and_then(|signature| signature.signer.clone()), reasons }
}

/// The signature that speaks for the sender: of several the one that is known best.
fn best(facts: &Facts) -> Option<&Signature> {
    let usable = facts.signatures.iter().filter(|signature| why_not(signature, facts).is_none());
    usable.max_by_key(|signature| match signature.pin {
        Pin::Verified => 4,
        Pin::Same { .. } => 3,
        Pin::First => 2,
        Pin::None => 1,
        Pin::Differs => 0,
    })
}

const fn assurance(pin: Pin) -> Assurance {
    match pin {
        Pin::Verified => Assurance::Verified,
        Pin::Same { .. } => Assurance::SameKey,
        Pin::First | Pin::None => Assurance::NewKey,
        Pin::Differs => Assurance::DifferentKey,
    }
}

/// Why a signature does not speak for the sender; `None` if it does.
fn why_not(signature: &Signature, facts: &Facts) -> Option<&'static str> {
    let said = match signature.verdict {
        Verdict::Good | Verdict::GoodThen => None,
        Verdict::Unknown => {
            Some("The key of its signature is not known here, so the signature cannot be checked.")
        }
        Verdict::Bad => Some("The signature does not fit: something was changed on the way."),
        Verdict::Weak => Some("The signature is of a kind that can be forged today."),
        Verdict::FromFuture => Some("The signature claims to have been made in the future."),
        Verdict::KeyNotValid => Some("The key of its signature was not valid at the time."),
        Verdict::Revoked => Some("The key of its signature was revoked by its owner."),
        Verdict::Expired => Some("The signature has expired."),
        Verdict::Malformed => Some("The signature cannot be read."),
    };
    if said.is_some() {
        return said;
    }
    if signature.signer.is_none() {
        return Some("The signature does not say whose it is.");
    }
    if signature.binding == Binding::None {
        return Some("It is signed by somebody else than the sender.");
    }
    if !signature.for_owner {
        return Some("It was signed for somebody else and passed on.");
    }
    let apart = |(date, made): (i64, i64)| date.saturating_sub(made).saturating_abs() > DATES_APART;
    if !facts.date_is_signed && facts.date.zip(signature.made_at).is_some_and(apart) {
        return Some(
            "It was signed at another time than the message says, so it may be an old text sent again.",
        );
    }
    None
}

fn unsigned_sentence(facts: &Facts) -> String {
    match facts.signatures.iter().find_map(|signature| why_not(signature, facts)) {
        Some(why) => format!("{why} The message counts as unsigned."),
        None => "The message is not signed.".to_owned(),
    }
}

fn pin_sentence(pin: Pin) -> String {
    match pin {
        Pin::None | Pin::First => "This is the first message with this key.".to_owned(),
        Pin::Same { messages, .. } => match messages {
            0 | 1 => "The address used the same key before.".to_owned(),
            many => format!("The address has used the same key in {many} messages."),
        },
        Pin::Verified => "You have compared this key with its owner.".to_owned(),
        Pin::Differs => "The address used another key before.".to_owned(),
    }
}

fn closed_sentence(why: &Closed) -> String {
    match why {
        Closed::NoKey(keys) if keys.is_empty() => {
            "This message is encrypted to a key that is not here.".to_owned()
        }
        Closed::NoKey(keys) => {
            let keys: Vec<&str> = keys.iter().take(5).map(String::as_str).collect();
            format!("This message is encrypted to keys that are not here: {}.", keys.join(", "))
        }
        Closed::Changed => {
            "This message was changed on the way, or is not protected against it, so it stays closed."
                .to_owned()
        }
        Closed::Malformed => "This message is damaged and cannot be opened.".to_owned(),
        Closed::TooLarge => "This message is larger than what is opened here.".to_owned(),
        Closed::Passphrase => "This message is encrypted with a passphrase instead of a key.".to_owned(),
    }
}

fn from_sentence(trouble: &FromTrouble) -> String {
    match trouble {
        FromTrouble::Missing => "The message does not say who it is from.".to_owned(),
        FromTrouble::Several => {
            "The message names several senders, so a signature cannot speak for one.".to_owned()
        }
        FromTrouble::HoldsAddress(other) => {
            format!("The name of the sender holds another address, {other}.")
        }
        FromTrouble::NameOfAnother(name) => {
            format!("The name of the sender is that of somebody else you know, {name}.")
        }
        FromTrouble::Hidden => "The name of the sender holds characters that cannot be seen.".to_owned(),
    }
}
