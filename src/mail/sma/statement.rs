//! The roster's statements: a device of the account lets another in, or removes one. Each names the last statements that
//! its author knew, so that everybody can tell what it had seen and what not.

use super::body::{Keys, NAME_MAX};
use super::fields::{Flaw, Writer, whole};
use super::folder::DeviceId;
use super::payload::{ADDRESS_MAX, address};

/// What every statement begins with.
const WHAT: &str = "autocrypt-sma/1 roster";
/// A statement is no longer than this, in bytes.
pub(super) const STATEMENT_MAX: usize = 8 << 10;
/// A statement names at most so many others: as many as a roster has.
const SEEN_MAX: usize = 128;

/// What a statement does to its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Lets it in, under its keys.
    Add {
        /// The keys that were compared.
        keys: Keys,
        /// What the owner calls it.
        name: String,
    },
    /// Removes it for good.
    Remove,
}

impl Deed {
    /// The keys of a device that is let in.
    #[must_use]
    pub const fn adds(&self) -> Option<Keys> {
        match self {
            Self::Add { keys, .. } => Some(*keys),
            Self::Remove => None,
        }
    }
}

/// A statement about a device, signed by another one, or by itself where it is the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The account, as its canonical address.
    pub account: String,
    /// Which device it is about.
    pub device: DeviceId,
    /// What it does.
    pub deed: Deed,
    /// Who says so.
    pub author: DeviceId,
    /// When, in seconds since 1970.
    pub at: i64,
    /// The hashes of the statements that the author knew and that no other statement it knew named, in ascending order.
    pub seen: Vec<[u8; 32]>,
    /// The author's Ed25519 signature over [`Statement::signed_bytes`].
    pub signature: [u8; 64],
}

impl Statement {
    /// What is signed, and whose hash (SHA-256) is the statement's name.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let w = Writer::new(WHAT).text(&self.account).text(&self.device.to_string());
        let w = match &self.deed {
            Deed::Add { keys, name } => keys.write(w.text("add")).text(name),
            Deed::Remove => w.text("remove"),
        };
        w.text(&self.author.to_string()).time(self.at).list(&self.seen, |hash| hash.to_vec()).done()
    }

    /// The bytes that are sent.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Writer::default().bytes(&self.signed_bytes()).bytes(&self.signature).done()
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        let (signed, signature) =
            whole(bytes, |reader| Ok((reader.bytes(STATEMENT_MAX)?, reader.array("signature")?)))?;
        whole(signed, |r| {
            r.is(WHAT)?;
            let account = address(&r.text("account", ADDRESS_MAX)?)?;
            let device = r.text("device", 19)?.parse()?;
            let deed = match r.text("deed", 16)?.as_str() {
                "add" => Deed::Add { keys: Keys::read(r)?, name: r.text("name", NAME_MAX)? },
                "remove" => Deed::Remove,
                _ => return Err(Flaw::Value("deed")),
            };
            let author = r.text("author", 19)?.parse()?;
            let at = r.time("at")?;
            let seen: Vec<[u8; 32]> =
                r.list(SEEN_MAX, 32, |hash| hash.try_into().map_err(|_| Flaw::Value("seen")))?;
            if !seen.is_sorted_by(|a, b| a < b) {
                return Err(Flaw::Value("seen"));
            }
            Ok(Self { account, device, deed, author, at, seen, signature })
        })
    }
}
