//! What a device signs: who says what to whom, until when, knowing which roster.

use super::Kind;
use super::body::Body;
use super::fields::{Flaw, Writer, whole};
use super::folder::DeviceId;

/// What every payload begins with.
const WHAT: &str = "autocrypt-sma/1";
/// An address is no longer than this, in bytes.
pub(super) const ADDRESS_MAX: usize = 320;
/// A body is no longer than this, in bytes.
pub(super) const BODY_MAX: usize = 176 << 10;
/// Nothing is valid for longer than this, in seconds.
const LIFETIME_MAX: i64 = 366 * 24 * 3600;

/// What one message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The account, as its canonical address.
    pub account: String,
    /// Who says it.
    pub from: DeviceId,
    /// To whom; none, for what is for all.
    pub to: Option<DeviceId>,
    /// Grows with every message of a device: what is not above the highest one seen is not taken.
    pub seq: u64,
    /// When it was written, in seconds since 1970.
    pub created: i64,
    /// Until when it is worth reading.
    pub expires: i64,
    /// The hash of the roster that its writer knew; none before it has one.
    pub roster: Option<[u8; 32]>,
    /// What is said.
    pub body: Body,
}

/// The number of a device's next message after `last`, made at `now` (Unix seconds). Not below the clock: a device whose store was put
/// back to an older state of it says numbers that nobody took yet.
#[must_use]
pub fn next_seq(last: u64, now: i64) -> u64 {
    last.saturating_add(1).max(now.try_into().unwrap_or_default())
}

impl Payload {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new(WHAT)
            .text(&self.account)
            .text(self.kind().as_str())
            .text(&self.from.to_string())
            .text(&self.to.map(|to| to.to_string()).unwrap_or_default())
            .number(self.seq)
            .time(self.created)
            .time(self.expires)
            .bytes(self.roster.as_ref().map_or(&[], |roster| roster.as_slice()))
            .bytes(&self.body.to_bytes())
            .done()
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let payload = whole(bytes, |reader| {
            reader.is(WHAT)?;
            let account = address(&reader.text("account", ADDRESS_MAX)?)?;
            let kind: Kind = reader.text("type", 32)?.parse()?;
            let from = reader.text("from", 19)?.parse()?;
            let to = reader.text("to", 19)?;
            let to = if to.is_empty() { None } else { Some(to.parse()?) };
            let (seq, created) = (reader.number("seq")?, reader.time("created")?);
            let expires = reader.time("expires")?;
            let roster = match reader.bytes(32)? {
                [] => None,
                hash => Some(hash.try_into().map_err(|_| Flaw::Value("roster"))?),
            };
            let body = Body::parse(kind, reader.bytes(BODY_MAX)?)?;
            Ok(Self { account, from, to, seq, created, expires, roster, body })
        })?;
        let lasts = payload.expires.saturating_sub(payload.created);
        if !(1..=LIFETIME_MAX).contains(&lasts) {
            return Err(Flaw::Value("expires"));
        }
        if payload.kind().is_for_all() != payload.to.is_none() || payload.to == Some(payload.from) {
            return Err(Flaw::Value("to"));
        }
        Ok(payload)
    }
}

/// A canonical address, or a flaw.
pub(super) fn address(text: &str) -> Result<String, Flaw> {
    let sound = text.len() <= ADDRESS_MAX
        && text.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && crate::mail::address::canonical(text) == text;
    if sound { Ok(text.to_owned()) } else { Err(Flaw::Value("address")) }
}

/// A payload with its signature: what lies in a mailbox. Whose signature it should be is not told here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The bytes of a [`Payload`], exactly as they were signed.
    pub payload: Vec<u8>,
    /// An Ed25519 signature over them.
    pub signature: [u8; 64],
}

impl Signed {
    /// The bytes that are sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::default().bytes(&self.payload).bytes(&self.signature).done()
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        whole(bytes, |reader| {
            let payload = reader.bytes(BODY_MAX + (1 << 10))?.to_vec();
            Ok(Self { payload, signature: reader.array("signature")? })
        })
    }
}
