//! DKIM (RFC 6376, 8301, 8463). A signature counts if its domain is aligned with the one From, if it covers From, if it says
//! for no part of the body only that it is signed, and if nothing was added to what it covers.

use mail_auth::AuthenticatedMessage;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{DkimError, Signature as Fields};

use crate::mail::domain;

/// So many signatures of one message are looked at.
const MOST_SIGNATURES: usize = 8;
/// The longest signature field, and the longest header, in bytes.
const LONGEST_FIELD: usize = 16 << 10;
const LONGEST_HEADER: usize = 256 << 10;
/// So many fields may be covered by one signature, and so many may the header hold.
const MOST_COVERED: usize = 200;
const MOST_FIELDS: usize = 2_000;
/// Shorter RSA keys prove nothing (RFC 8301 §3.2).
const SHORTEST_KEY: usize = 1024;
/// The flag `t=s` of a key: the identity must be of the very domain.
const STRICT_IDENTITY: u64 = 0x20;
/// Fields that a reader is shown: a second one above a signed one would be shown in its place (RFC 6376 §8.15).
const SHOWN: [&str; 11] = [
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "subject",
    "date",
    "content-type",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "message-id",
];

/// Why a signature proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It cannot be read, or speaks of something that is not known.
    Unreadable,
    /// It is over the first bytes of the body only (`l=`).
    Partial,
    /// It does not cover From.
    WithoutFrom,
    /// It holds no more.
    Expired,
    /// It is made with SHA-1.
    WeakHash,
    /// Its identity is not of its domain.
    Identity,
    /// The body was changed.
    Body,
    /// A field that it covers was changed.
    Header,
    /// A field that it covers stands there once more.
    Added,
    /// The key was revoked.
    Revoked,
    /// There is no such key.
    NoKey,
    /// The key cannot be read, or is of another kind.
    BadKey,
    /// The key is too short.
    ShortKey,
}

impl Flaw {
    const ALL: [(Self, &'static str, &'static str); 13] = [
        (Self::Unreadable, "unreadable", "it cannot be read"),
        (Self::Partial, "partial", "it covers only the beginning of the text"),
        (Self::WithoutFrom, "without-from", "it does not cover who the message is from"),
        (Self::Expired, "expired", "its time had run out"),
        (Self::WeakHash, "weak-hash", "it is made with SHA-1, which can be forged"),
        (Self::Identity, "identity", "it speaks for another domain than it names"),
        (Self::Body, "body", "the text was changed on the way"),
        (Self::Header, "header", "the header was changed on the way"),
        (Self::Added, "added", "a line was added to the header"),
        (Self::Revoked, "revoked", "its key was revoked"),
        (Self::NoKey, "no-key", "its key is not published"),
        (Self::BadKey, "bad-key", "its key cannot be read"),
        (Self::ShortKey, "short-key", "its key is so short that it can be guessed"),
    ];

    /// The word under which it is kept.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(flaw, ..)| *flaw == self).map_or("", |(_, word, _)| word)
    }

    /// From that word.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, its, _)| *its == word).map(|(flaw, ..)| *flaw)
    }

    /// The end of a sentence that says why it does not hold.
    #[must_use]
    pub fn because(self) -> &'static str {
        Self::ALL.iter().find(|(flaw, ..)| *flaw == self).map_or("", |(.., words)| words)
    }
}

/// A signature as far as it can be judged without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its place among the signature fields of the message, from the top.
    pub place: usize,
    /// The domain that signed (`d=`), as A-labels.
    pub domain: String,
    /// The name of its key (`s=`).
    pub selector: String,
    /// The domain is of the house that the one From is of.
    pub aligned: bool,
    /// Both fields of RFC 8058 are there once, and covered.
    pub covers_leaving: bool,
    /// Why it proves nothing, whatever its key.
    pub flaw: Option<Flaw>,
}

impl Signature {
    /// The name under which its key is published.
    #[must_use]
    pub fn key_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }
}

/// The signatures of a message, those of the sender's own house first. `from` is the domain of the one From, `None` where
/// there are several or none; `now` is in seconds since 1970. Checks the body already, so that no key is fetched for a
/// signature that cannot hold.
#[must_use]
pub fn signatures(raw: &[u8], from: Option<&str>, now: i64) -> Vec<Signature> {
    let Some(message) = read(raw) else { return Vec::new() };
    let mut found: Vec<Signature> = fields(&message)
        .enumerate()
        .filter_map(|(place, (_, value))| {
            let parsed = Fields::parse(value).ok().filter(|_| value.len() <= LONGEST_FIELD)?;
            let domain = domain::canonical(&parsed.d)?;
            Some(Signature {
                place,
                aligned: from.is_some_and(|from| domain::aligned(from, &domain)),
                covers_leaving: ["list-unsubscribe", "list-unsubscribe-post"]
                    .iter()
                    .all(|name| count(&message, name) == 1 && covered(&parsed, name) > 0),
                flaw: flaw(&message, &parsed, value, now),
                selector: parsed.s.clone(),
                domain,
            })
        })
        .filter(|signature| is_selector(&signature.selector))
        .collect();
    found.sort_by_key(|signature| (!signature.aligned, signature.flaw.is_some(), signature.place));
    found
}

/// Checks one signature of a message with the key record that its domain publishes.
///
/// # Errors
/// Says why it does not hold.
pub fn verify(raw: &[u8], place: usize, record: &[u8], now: i64) -> Result<(), Flaw> {
    let message = read(raw).ok_or(Flaw::Unreadable)?;
    let (name, value) = fields(&message).nth(place).ok_or(Flaw::Unreadable)?;
    let parsed = Fields::parse(value).map_err(|_| Flaw::Unreadable)?;
    if let Some(flaw) = flaw(&message, &parsed, value, now) {
        return Err(flaw);
    }
    let key = DomainKey::parse(record).map_err(|error| match error {
        mail_auth::Error::Dkim(DkimError::RevokedPublicKey) => Flaw::Revoked,
        _ => Flaw::BadKey,
    })?;
    let hashes = HashAlgorithm::Sha1 as u64 | HashAlgorithm::Sha256 as u64;
    if key.f & hashes != 0 && !key.has_flag(HashAlgorithm::Sha256) {
        return Err(Flaw::BadKey);
    }
    if key.p.public_key_bits() < SHORTEST_KEY {
        return Err(Flaw::ShortKey);
    }
    if key.f & STRICT_IDENTITY != 0 && identity(&parsed).is_some_and(|its| its != parsed.d) {
        return Err(Flaw::Identity);
    }
    let stripped = without_signature(value);
    let mut headers = message.signed_headers(&parsed.h, name, &stripped);
    key.p.verify(&mut headers, &parsed.b, parsed.ch, parsed.a).map_err(|_| Flaw::Header)
}

/// The message as the library reads it, unless its header is beyond all measure.
fn read(raw: &[u8]) -> Option<AuthenticatedMessage<'_>> {
    let blank = |ends: &[u8]| memchr::memmem::find(raw, ends);
    let header = blank(b"\r\n\r\n").into_iter().chain(blank(b"\n\n")).min().unwrap_or(raw.len());
    let lines = raw.get(..header)?;
    if header > LONGEST_HEADER || memchr::memchr_iter(b'\n', lines).count() > MOST_FIELDS {
        return None;
    }
    AuthenticatedMessage::parse_with_opts(raw, None, true)
}

/// The signature fields, from the top.
fn fields<'m>(message: &'m AuthenticatedMessage<'m>) -> impl Iterator<Item = (&'m [u8], &'m [u8])> {
    let found = message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"DKIM-Signature"));
    found.copied().take(MOST_SIGNATURES)
}

fn count(message: &AuthenticatedMessage<'_>, name: &str) -> usize {
    message.headers.iter().filter(|(its, _)| its.eq_ignore_ascii_case(name.as_bytes())).count()
}

fn covered(fields: &Fields, name: &str) -> usize {
    fields.h.iter().filter(|its| its.eq_ignore_ascii_case(name)).count()
}

/// What can be held against a signature without its key.
fn flaw(message: &AuthenticatedMessage<'_>, fields: &Fields, value: &[u8], now: i64) -> Option<Flaw> {
    let now = u64::try_from(now).unwrap_or_default();
    if fields.v != 1 || fields.h.len() > MOST_COVERED || value.len() > LONGEST_FIELD {
        return Some(Flaw::Unreadable);
    }
    // The library takes `l=0` for no such word at all.
    if has_tag(value, b"l") {
        return Some(Flaw::Partial);
    }
    if covered(fields, "from") == 0 {
        return Some(Flaw::WithoutFrom);
    }
    if fields.a == Algorithm::RsaSha1 {
        return Some(Flaw::WeakHash);
    }
    if has_tag(value, b"x") && (fields.x <= now || fields.x < fields.t) {
        return Some(Flaw::Expired);
    }
    if let Some(identity) = identity(fields)
        && identity != fields.d
        && !identity.ends_with(&format!(".{}", fields.d))
    {
        return Some(Flaw::Identity);
    }
    let added = |name: &&str| {
        let signed = covered(fields, name);
        signed > 0 && count(message, name) > signed
    };
    if SHOWN.iter().any(|name| added(name)) {
        return Some(Flaw::Added);
    }
    let body = fields.cb.canonical_body(message.raw_body(), 0);
    (HashAlgorithm::Sha256.hash(body).as_ref() != fields.bh.as_slice()).then_some(Flaw::Body)
}

/// The domain of `i=`, where there is one.
fn identity(fields: &Fields) -> Option<String> {
    fields.i.rsplit_once('@').map(|(_, domain)| domain.to_lowercase()).or_else(|| {
        // An identity without an @ belongs to no domain.
        (!fields.i.is_empty()).then(String::new)
    })
}

fn is_selector(selector: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    selector.len() <= 200 && selector.split('.').all(label)
}

/// The tags of a list, each with its name and with what follows the sign.
fn tags(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|byte| *byte == b';').map(|tag| {
        let sign = memchr::memchr(b'=', tag).unwrap_or(tag.len());
        let (name, value) = tag.split_at(sign);
        (name.trim_ascii(), value)
    })
}

fn has_tag(value: &[u8], name: &[u8]) -> bool {
    tags(value).any(|(its, _)| its == name)
}

/// The field with the value of `b=` taken out, as it was when it was signed (RFC 6376 §3.7), without its line break.
fn without_signature(value: &[u8]) -> Vec<u8> {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    let value = value.strip_suffix(b"\r").unwrap_or(value);
    let mut out = Vec::with_capacity(value.len());
    for (at, tag) in value.split(|byte| *byte == b';').enumerate() {
        if at > 0 {
            out.push(b';');
        }
        let sign = memchr::memchr(b'=', tag);
        match sign.and_then(|sign| tag.split_at_checked(sign + 1)) {
            Some((name, _))
                if name.trim_ascii_end().strip_suffix(b"=").map(<[u8]>::trim_ascii) == Some(b"b") =>
            {
                out.extend_from_slice(name);
            }
            _ => out.extend_from_slice(tag),
        }
    }
    out
}
