//! What paired devices tell each other under encryption: what changed, entry by entry, and how far the other one was heard.
//! Every entry says the whole of its thing, so that a lost, repeated or late one does no harm.

use super::fields::{Flaw, Reader, Writer, whole};
use super::folder::DeviceId;
use super::payload::{ADDRESS_MAX, address};
use super::shared::Shared;
use super::statement::{STATEMENT_MAX, Statement};
use crate::mail::autocrypt::Peer;

/// What every such text begins with.
const WHAT: &str = "autocrypt-sma/1 contents";
/// One message carries at most so many bytes of it.
pub const CONTENTS_MAX: usize = 168 << 10;
/// One entry is no longer than this, in bytes.
pub const ENTRY_MAX: usize = 96 << 10;
/// One message carries at most so many entries.
const ENTRIES_MAX: usize = 1000;
/// An OpenPGP key or certificate is no longer than this, in bytes.
const KEY_MAX: usize = 64 << 10;
/// A revocation certificate is no longer than this, in bytes.
const REVOCATION_MAX: usize = 16 << 10;

/// One of the owner's OpenPGP keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// Its fingerprint, upper-case hexadecimal.
    pub fingerprint: String,
    /// Whose it is, as a canonical address.
    pub address: String,
    /// The transferable secret key, in binary form and without a password.
    pub secret: Vec<u8>,
    /// The revocation certificate made with it, armoured; empty for none.
    pub revocation: String,
    /// When the owner got it, in seconds since 1970.
    pub made_at: i64,
    /// Whether it is the one in use for its address.
    pub current: bool,
}

/// What the owner wishes of an account (Autocrypt's `accounts[addr]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preference {
    /// The account, as its canonical address.
    pub address: String,
    /// Encryption where both sides wish it.
    pub mutual: bool,
    /// When the owner said so, in seconds since 1970; 0 for never.
    pub at: i64,
    /// On which device.
    pub device: DeviceId,
}

/// Which key the owner relies on for a correspondent, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The key's fingerprint, upper-case hexadecimal.
    pub pinned: Option<String>,
    /// Since when, in seconds since 1970; 0 for never, as below.
    pub pinned_at: i64,
    /// When it was compared with its owner.
    pub verified_at: i64,
    /// A newer key that the owner said not to use; empty for none.
    pub refused: String,
    /// When a person last decided about it; 0 where everything came by itself.
    pub decided_at: i64,
    /// How often the key changed by itself, following the one before it.
    pub changes: u32,
}

/// What is remembered of a correspondent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// Canonical address.
    pub address: String,
    /// What Autocrypt remembers; keys by fingerprint. [`Peer::last_seen`] alone is never worth a message.
    pub state: Peer,
    /// What the owner decided.
    pub trust: Trust,
}

/// One thing that devices keep alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A statement of the roster.
    Statement(Statement),
    /// A certificate of a correspondent's, by its fingerprint, in binary form.
    Certificate {
        /// Upper-case hexadecimal.
        fingerprint: String,
        /// OpenPGP.
        bytes: Vec<u8>,
    },
    /// See [`OwnKey`].
    OwnKey(OwnKey),
    /// See [`Preference`].
    Preference(Preference),
    /// See [`PeerState`].
    Peer(PeerState),
    /// See [`Shared`].
    Shared(Shared),
}

impl Entry {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Statement(statement) => Writer::new("statement").bytes(&statement.to_bytes()),
            Self::Certificate { fingerprint, bytes } => {
                Writer::new("certificate").text(fingerprint).bytes(bytes)
            }
            Self::OwnKey(key) => Writer::new("own-key")
                .text(&key.fingerprint)
                .text(&key.address)
                .bytes(&key.secret)
                .text(&key.revocation)
                .time(key.made_at)
                .flag(key.current),
            Self::Preference(it) => Writer::new("preference")
                .text(&it.address)
                .flag(it.mutual)
                .time(it.at)
                .text(&it.device.to_string()),
            Self::Peer(peer) => write_peer(Writer::new("peer"), peer),
            Self::Shared(shared) => shared.write(Writer::new("shared")),
        }
        .done()
    }

    /// Reads it back. What a later version added is none of ours: `Ok(None)`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Flaw> {
        let mut kind = Reader::new(bytes);
        let kind = kind.text("entry", 32)?;
        if !["statement", "certificate", "own-key", "preference", "peer", "shared"].contains(&kind.as_str()) {
            return Ok(None);
        }
        whole(bytes, |r| {
            r.is(&kind)?;
            Ok(match kind.as_str() {
                "statement" => Self::Statement(Statement::parse(r.bytes(STATEMENT_MAX)?)?),
                "certificate" => {
                    Self::Certificate { fingerprint: fingerprint(r)?, bytes: r.bytes(KEY_MAX)?.to_vec() }
                }
                "own-key" => Self::OwnKey(OwnKey {
                    fingerprint: fingerprint(r)?,
                    address: address(&r.text("address", ADDRESS_MAX)?)?,
                    secret: r.bytes(KEY_MAX)?.to_vec(),
                    revocation: armour(r.bytes(REVOCATION_MAX)?)?,
                    made_at: r.time("made at")?,
                    current: r.flag("current")?,
                }),
                "preference" => Self::Preference(Preference {
                    address: address(&r.text("address", ADDRESS_MAX)?)?,
                    mutual: r.flag("mutual")?,
                    at: r.time("at")?,
                    device: r.text("device", 19)?.parse()?,
                }),
                "peer" => Self::Peer(read_peer(r)?),
                _ => Self::Shared(Shared::read(r)?),
            })
        })
        .map(Some)
    }
}

fn write_peer(w: Writer, peer: &PeerState) -> Writer {
    let (state, trust) = (&peer.state, &peer.trust);
    w.text(&peer.address)
        .time(state.last_seen)
        .time(state.autocrypt_timestamp)
        .text(state.key.as_deref().unwrap_or_default())
        .flag(state.mutual)
        .time(state.gossip_timestamp)
        .text(state.gossip_key.as_deref().unwrap_or_default())
        .text(trust.pinned.as_deref().unwrap_or_default())
        .time(trust.pinned_at)
        .time(trust.verified_at)
        .text(&trust.refused)
        .time(trust.decided_at)
        .number(trust.changes.into())
}

fn read_peer(r: &mut Reader<'_>) -> Result<PeerState, Flaw> {
    let address = address(&r.text("address", ADDRESS_MAX)?)?;
    let state = Peer {
        last_seen: r.time("last seen")?,
        autocrypt_timestamp: r.time("autocrypt timestamp")?,
        key: fingerprint_or_none(r)?,
        mutual: r.flag("mutual")?,
        gossip_timestamp: r.time("gossip timestamp")?,
        gossip_key: fingerprint_or_none(r)?,
    };
    let trust = Trust {
        pinned: fingerprint_or_none(r)?,
        pinned_at: r.time("pinned at")?,
        verified_at: r.time("verified at")?,
        refused: fingerprint_or_none(r)?.unwrap_or_default(),
        decided_at: r.time("decided at")?,
        changes: r.number("changes")?.try_into().map_err(|_| Flaw::Value("changes"))?,
    };
    Ok(PeerState { address, state, trust })
}

fn fingerprint(r: &mut Reader<'_>) -> Result<String, Flaw> {
    fingerprint_or_none(r)?.ok_or(Flaw::Value("fingerprint"))
}

/// Forty digits of version 4, sixty-four of version 6, or nothing.
fn fingerprint_or_none(r: &mut Reader<'_>) -> Result<Option<String>, Flaw> {
    let text = r.text("fingerprint", 64)?;
    let digits = |c: u8| c.is_ascii_digit() || (b'A'..=b'F').contains(&c);
    match text.len() {
        0 => Ok(None),
        40 | 64 if text.bytes().all(digits) => Ok(Some(text)),
        _ => Err(Flaw::Value("fingerprint")),
    }
}

/// Armour is text of several lines.
fn armour(bytes: &[u8]) -> Result<String, Flaw> {
    let sound = |b: &u8| b.is_ascii_graphic() || b" \t\r\n".contains(b);
    if !bytes.iter().all(sound) {
        return Err(Flaw::Value("revocation"));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Flaw::Value("revocation"))
}

/// The clear text of an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// The highest number of the other device's updates that this one has taken in; 0 for none.
    pub heard: u64,
    /// Something before was missed, or lost: what was not confirmed is to be said again.
    pub missed: bool,
    /// The number of the last update before this one that said something; whoever has not taken that one in has missed it.
    pub after: u64,
    /// What changed.
    pub entries: Vec<Entry>,
    /// How many entries were passed over by the reader: those of later versions, and those that make no sense.
    pub passed_over: usize,
}

impl Contents {
    /// Its bytes. Whoever writes keeps them under [`CONTENTS_MAX`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::new(WHAT)
            .number(self.heard)
            .flag(self.missed)
            .number(self.after)
            .list(&self.entries, Entry::to_bytes)
            .done()
    }

    /// Reads it back. An entry that cannot be read is passed over: one that somebody outside could bring about, as a key that is
    /// too long, must not keep the others from being heard.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.len() > CONTENTS_MAX {
            return Err(Flaw::TooLong);
        }
        whole(bytes, |r| {
            r.is(WHAT)?;
            let (heard, missed, after) = (r.number("heard")?, r.flag("missed")?, r.number("after")?);
            let all = r.list(ENTRIES_MAX, ENTRY_MAX, |bytes| Ok(Entry::parse(bytes).unwrap_or(None)))?;
            let read = all.len();
            let entries: Vec<Entry> = all.into_iter().flatten().collect();
            Ok(Self { heard, missed, after, passed_over: read - entries.len(), entries })
        })
    }
}
