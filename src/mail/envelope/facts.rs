//! What is known of a message before it is judged: plain facts, gathered by those who opened and checked it.

use super::layer::Kind;
use crate::mail::address::canonical;
use crate::mail::domain;
use crate::mail::message::Message;

/// What became of the encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Opening {
    /// It was opened, or there was nothing to open.
    #[default]
    Opened,
    /// It could not be opened.
    Closed(Closed),
}

/// Why a message could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The keys it was encrypted to are not here; their ids, empty where they are hidden.
    NoKey(Vec<String>),
    /// It is not protected against changes, or was changed.
    Changed,
    /// It is damaged, or not what it claims to be.
    Malformed,
    /// It is larger or deeper than is opened.
    TooLarge,
    /// It was encrypted with a passphrase.
    Passphrase,
}

/// What checking a signature gave, apart from whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is good.
    Good,
    /// It was good when it was made; its key has expired since, or was retired.
    GoodThen,
    /// The key is not known.
    Unknown,
    /// What it covers was changed.
    Bad,
    /// Its algorithms are too weak to mean anything.
    Weak,
    /// It claims to have been made in the future.
    FromFuture,
    /// Its key did not exist or was not valid when it claims to have been made.
    KeyNotValid,
    /// Its key was revoked because it may be in other hands.
    Revoked,
    /// The signature itself has expired.
    Expired,
    /// It cannot be read.
    Malformed,
}

/// What binds a key to the address in From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Binding {
    /// Nothing.
    #[default]
    None,
    /// The certificate itself claims the address.
    UserId,
    /// The address has sent this key before.
    Peer,
}

/// What was known of the signer's key for the address before this message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pin {
    /// No key was known for the address.
    #[default]
    None,
    /// It came with this message for the first time.
    First,
    /// It has been the key of the address since then, in seconds since 1970, in so many messages.
    Same {
        /// Since when.
        since: i64,
        /// In how many messages.
        messages: u32,
    },
    /// The owner compared it.
    Verified,
    /// Another key is known for the address.
    Differs,
}

/// A signature over the whole payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What checking it gave.
    pub verdict: Verdict,
    /// The fingerprint of the certificate behind it, or what the signature says of it; `None` if it says nothing.
    pub signer: Option<String>,
    /// When it was made, in seconds since 1970.
    pub made_at: Option<i64>,
    /// What binds the certificate to the address in the (protected) From.
    pub binding: Binding,
    /// It names no intended recipient, or the owner among them (RFC 9580 §5.2.3.36).
    pub for_owner: bool,
    /// What was known of the key for that address.
    pub pin: Pin,
}

/// Why From does not say who wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromTrouble {
    /// It holds no address.
    Missing,
    /// It holds several addresses.
    Several,
    /// Its name holds another address.
    HoldsAddress(String),
    /// Its name is that of another correspondent, or of the holder of another certificate.
    NameOfAnother(String),
    /// It holds characters that cannot be seen.
    Hidden,
}

/// All that the summary is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the layers mean for the message, by [`super::Layer::kind`]. Of several layers [`Kind::Encrypted`] goes before
    /// [`Kind::Signed`].
    pub kind: Kind,
    /// What became of the encryption.
    pub opening: Opening,
    /// The signatures over the whole payload.
    pub signatures: Vec<Signature>,
    /// What is wrong with the From that is shown.
    pub from: Vec<FromTrouble>,
    /// The Date that is shown, in seconds since 1970.
    pub date: Option<i64>,
    /// That Date was signed along: its state ([`super::Protection::state`]) is not unprotected.
    pub date_is_signed: bool,
}

/// What a message itself shows to be wrong with its From. Whose names are known elsewhere is the caller's to add.
#[must_use]
pub fn from_troubles(message: &Message) -> Vec<FromTrouble> {
    let mut found = Vec::new();
    let [from] = message.from.as_slice() else {
        return vec![if message.from.is_empty() { FromTrouble::Missing } else { FromTrouble::Several }];
    };
    if from.address.is_empty() {
        return vec![FromTrouble::Missing];
    }
    if message.from_hides {
        found.push(FromTrouble::Hidden);
    }
    let edges = |c: char| !(c.is_alphanumeric() || c == '_');
    let name: String = from.name.chars().take(1000).collect();
    let named = name
        .split(|c: char| c.is_whitespace() || "<>()[],;:\"'".contains(c))
        .map(|word| word.trim_matches(edges))
        .find(|word| {
            word.rsplit_once('@').is_some_and(|(local, place)| {
                !local.is_empty() && domain::is_name(place) && canonical(word) != canonical(&from.address)
            })
        });
    found.extend(named.map(|named| FromTrouble::HoldsAddress(named.to_owned())));
    found
}
