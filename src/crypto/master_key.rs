//! The master key of a store, and what hangs off it: one subkey per use, and the ids of messages.

use super::secret::Key;
use crate::mail::ids::MessageId;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The one key that everything in a store hangs off. It is only ever stored sealed, in the slots of the vault.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey(Key);

/// What a subkey is for. A label is never given to a second use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// SQLCipher's raw key.
    Database,
    /// Wraps the chunks of the packs' key tables.
    PackKeys,
    /// Wraps the list of the search index's files and keys.
    Index,
    /// Turns the bytes of a message into its id.
    MessageId,
    /// Wraps the key of each snapshot of the database.
    Snapshots,
    /// Hashes API tokens and session ids before they are stored.
    Tokens,
    /// Authenticates the vault itself.
    Vault,
}

impl Use {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Database => b"mailkeep 1 database",
            Self::PackKeys => b"mailkeep 1 pack keys",
            Self::Index => b"mailkeep 1 index",
            Self::MessageId => b"mailkeep 1 message id",
            Self::Snapshots => b"mailkeep 1 snapshots",
            Self::Tokens => b"mailkeep 1 tokens",
            Self::Vault => b"mailkeep 1 vault",
        }
    }
}

impl MasterKey {
    /// A fresh master key for a new store.
    #[must_use]
    pub(super) fn random() -> Self {
        Self(Key::random())
    }

    pub(super) const fn from_key(key: Key) -> Self {
        Self(key)
    }

    pub(super) const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The key for one use (HKDF-SHA256). Subkeys tell nothing about each other or about the master key.
    #[must_use]
    pub fn subkey(&self, purpose: Use) -> Key {
        let mut bytes = [0; 32];
        #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes")]
        Hkdf::<Sha256>::new(None, self.0.expose())
            .expand(purpose.label(), &mut bytes)
            .expect("32 bytes can be expanded");
        Key::from_bytes(bytes)
    }

    /// What turns messages into ids in this store.
    #[must_use]
    pub fn identifier(&self) -> Identifier {
        Identifier::new(&self.subkey(Use::MessageId))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// HMAC-SHA256 under a key.
pub(super) fn keyed_hash(key: &Key) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes any key")
}

/// Gives messages their ids: the same bytes have the same id in one store, and no other store agrees.
#[derive(Clone)]
pub struct Identifier(Hmac<Sha256>);

impl Identifier {
    /// From the subkey for [`Use::MessageId`].
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self(keyed_hash(key))
    }

    /// The id of the message with exactly these bytes.
    #[must_use]
    pub fn identify(&self, raw: &[u8]) -> MessageId {
        let digest = self.0.clone().chain_update(raw).finalize().into_bytes();
        let mut id = [0; 15];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        MessageId(id)
    }
}

impl std::fmt::Debug for Identifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_use_has_a_key_of_its_own_and_keeps_it() {
        let master = MasterKey::from_key(Key::from_bytes([7; 32]));
        let uses = [
            Use::Database,
            Use::PackKeys,
            Use::Index,
            Use::MessageId,
            Use::Snapshots,
            Use::Tokens,
            Use::Vault,
        ];
        for (at, one) in uses.iter().enumerate() {
            assert_eq!(master.subkey(*one), master.subkey(*one));
            for other in &uses[at + 1..] {
                assert_ne!(master.subkey(*one), master.subkey(*other), "{one:?} and {other:?}");
            }
        }
        // Stores in the field depend on this value: a changed label would lock their owners out.
        let database = data_encoding::HEXLOWER.encode(master.subkey(Use::Database).expose());
        assert_eq!(database, "49fb000069c6b0c7471423eea9c38360307b857526c7c0dcab2842033f2433cf");
    }

    #[test]
    fn an_id_depends_on_every_byte_and_on_the_store() {
        let alice = MasterKey::from_key(Key::from_bytes([1; 32])).identifier();
        let bob = MasterKey::from_key(Key::from_bytes([2; 32])).identifier();
        let raw = b"Subject: Lunch\r\n\r\nAt one?";
        assert_eq!(alice.identify(raw), alice.identify(raw));
        assert_ne!(alice.identify(raw), bob.identify(raw));
        assert_ne!(alice.identify(raw), alice.identify(b"Subject: Lunch\r\n\r\nAt one!"));
    }
}
