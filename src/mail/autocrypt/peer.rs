//! What is remembered of a correspondent, and how a message changes it (Autocrypt 1.1, "Updating Autocrypt Peer
//! State"). Messages may come in any order: in the end it is as if they had come by their dates.

use crate::mail::message::Message;

/// What is remembered of one address. `K` stands for a key: its fingerprint, or whatever finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer<K = String> {
    /// The newest effective date of a message, in seconds since 1970; 0 for none.
    pub last_seen: i64,
    /// The effective date of the message that brought [`Self::key`]; 0 for none.
    pub autocrypt_timestamp: i64,
    /// The key that the address itself sent last.
    pub key: Option<K>,
    /// It said with that key that it would like encrypted mail.
    pub mutual: bool,
    /// The effective date of the message that brought [`Self::gossip_key`]; 0 for none.
    pub gossip_timestamp: i64,
    /// The key that others sent last for the address.
    pub gossip_key: Option<K>,
}

impl<K> Default for Peer<K> {
    fn default() -> Self {
        Self {
            last_seen: 0,
            autocrypt_timestamp: 0,
            key: None,
            mutual: false,
            gossip_timestamp: 0,
            gossip_key: None,
        }
    }
}

impl<K: Clone> Peer<K> {
    /// The peer after a message from it. `effective` is [`Message::effective_date`], `header` the key and the wish of
    /// its sole valid field, if it has one ([`super::sole`]).
    #[must_use]
    pub fn take(known: Option<&Self>, effective: i64, header: Option<(K, bool)>) -> Self {
        let mut peer = known.cloned().unwrap_or_default();
        if effective < peer.autocrypt_timestamp {
            return peer;
        }
        peer.last_seen = peer.last_seen.max(effective);
        if let Some((key, mutual)) = header {
            peer.autocrypt_timestamp = effective;
            peer.key = Some(key);
            peer.mutual = mutual;
        }
        peer
    }

    /// The peer after a message of somebody else's that carried a key for it, and that was encrypted and names it in To,
    /// Cc or Reply-To. Gossip never touches the key that the peer itself sent.
    #[must_use]
    pub fn take_gossip(known: Option<&Self>, effective: i64, key: K) -> Self {
        let mut peer = known.cloned().unwrap_or_default();
        if effective >= peer.gossip_timestamp {
            peer.gossip_timestamp = effective;
            peer.gossip_key = Some(key);
        }
        peer
    }
}

/// Why a message changes nothing of what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A program answered or wrote by itself (RFC 3834).
    #[error("a program wrote it by itself")]
    Automatic,
    /// A report about other mail (RFC 6522).
    #[error("it is a report about other mail")]
    Report,
    /// From holds no address.
    #[error("it names no sender")]
    NoSender,
    /// From holds several addresses.
    #[error("it names several senders")]
    SeveralSenders,
    /// It carries one's own key from one program to another.
    #[error("it is a message between one's own programs")]
    Own,
}

/// Whether a message may change what is remembered of its sender. The outer message is asked, as it came. That it is
/// spam, or one's own, or fails the DKIM of its domain, is the caller's to know.
///
/// # Errors
/// Why it may not.
pub fn changes_peers(message: &Message) -> Result<(), Reason> {
    let is = |name: &str, words: &[&str]| {
        let said = message.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        said.map(|(_, value)| value.split([';', ' ', '(']).next().unwrap_or_default().trim())
            .any(|value| words.iter().any(|word| value.eq_ignore_ascii_case(word)))
    };
    if is("auto-submitted", &["auto-replied", "auto-generated"]) {
        return Err(Reason::Automatic);
    }
    let root = message.parts.first().map_or("", |part| part.content_type.as_str());
    if root == "multipart/report" || is("content-type", &["multipart/report"]) {
        return Err(Reason::Report);
    }
    let own = ["autocrypt-setup-message", "autocrypt-sma", super::DraftState::NAME];
    if own.iter().any(|name| message.header(name).is_some()) {
        return Err(Reason::Own);
    }
    let mut senders = message.from.iter().filter(|person| !person.address.is_empty());
    match (senders.next(), message.from.len()) {
        (None, _) => Err(Reason::NoSender),
        (Some(_), 1) => Ok(()),
        _ => Err(Reason::SeveralSenders),
    }
}
