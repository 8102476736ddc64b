//! The vault: the master key, sealed once for each way of opening the store (its slots), as LUKS does it.
//!
//! Bytes: magic, version, store id, number of slots, the slots (kind, length, body), an HMAC under the master
//! key over all before it, and a SHA-256 over all before that. The plain checksum tells damage from a wrong
//! passphrase; the HMAC tells forgery once the master key is known.

mod slot;
#[cfg(test)]
mod tests;

use super::master_key::{MasterKey, Use, keyed_hash};
use super::passphrase::Cost;
use super::recovery::{RecoveryError, RecoveryKey};
use super::secret::{SecretText, random};
use hmac::Mac;
use sha2::{Digest, Sha256};
use slot::{MAX_SLOT_BYTES, PassphraseSlot, Reader, RecoverySlot, Slot};

const MAGIC: &[u8; 8] = b"mkvault\n";
const VERSION: u16 = 1;
const MAX_SLOTS: usize = 32;
/// Longer than any vault: who reads one from disk need not read more.
pub const MAX_BYTES: usize = MAX_SLOTS * (MAX_SLOT_BYTES + 3) + 128;

/// Names one store among all. It is not secret.
pub type StoreId = [u8; 16];

/// Why a vault does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No slot opens with it.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// No slot opens with it, and it looks like a recovery key that was not typed right.
    #[error("the passphrase is wrong; if this is your recovery key, a letter of it is mistyped or missing")]
    MistypedRecoveryKey,
    /// It is a recovery key, and not one that opens this vault.
    #[error("this recovery key opens nothing here: a newer one was made, or it belongs to another store")]
    OtherRecoveryKey,
    /// The bytes are not a vault, or not any more.
    #[error("the vault is damaged")]
    Damaged,
    /// A slot asks for a cost outside the limits, and no other opens.
    #[error("the vault asks for stretching parameters that are refused")]
    RefusedParameters,
    /// A later Mailkeep made it.
    #[error("the vault was made by a newer Mailkeep")]
    TooNew,
}

/// The slots of a store. Everything in it may be seen by anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    store_id: StoreId,
    slots: Vec<Slot>,
    tag: [u8; 32],
}

impl Vault {
    /// Makes the vault of a new store with one slot, for this passphrase.
    #[must_use]
    pub fn create(passphrase: &SecretText, cost: Cost) -> (Self, MasterKey) {
        let master = MasterKey::random();
        let mut vault = Self { store_id: random(), slots: Vec::new(), tag: [0; 32] };
        let slot = PassphraseSlot::new(&vault.store_id, &master, passphrase, cost);
        vault.slots.push(Slot::Passphrase(slot));
        vault.authenticate(&master);
        (vault, master)
    }

    /// Opens the vault by its passphrase or its recovery key. By a passphrase it takes as long as its [`Cost`] says, longer
    /// while others are at it.
    ///
    /// # Errors
    /// [`VaultError`]: wrong passphrase, mistyped or other recovery key, damage or forgery, or refused parameters.
    pub fn open(&self, words: &SecretText) -> Result<MasterKey, VaultError> {
        let mut outcome = VaultError::WrongPassphrase;
        match words.expose().parse::<RecoveryKey>() {
            Ok(key) => match self.open_by_recovery_key(&key) {
                Err(VaultError::OtherRecoveryKey) => outcome = VaultError::OtherRecoveryKey,
                opened => return opened,
            },
            Err(RecoveryError::Mistyped) => outcome = VaultError::MistypedRecoveryKey,
            Err(RecoveryError::Unreadable) => {}
        }
        // A passphrase may look like anything.
        self.open_by_passphrase(words).map_err(|error| match error {
            VaultError::WrongPassphrase => outcome,
            other => other,
        })
    }

    /// Opens the vault by its passphrase alone, so that the words are stretched whatever they are.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn open_by_passphrase(&self, words: &SecretText) -> Result<MasterKey, VaultError> {
        let mut outcome = VaultError::WrongPassphrase;
        for slot in &self.slots {
            let Slot::Passphrase(slot) = slot else { continue };
            match slot.open(&self.store_id, words) {
                Ok(master) => {
                    self.check(&master)?;
                    return Ok(master);
                }
                Err(VaultError::WrongPassphrase) => {}
                Err(other) => outcome = other,
            }
        }
        Err(outcome)
    }

    /// Opens the vault by its recovery key, at once.
    ///
    /// # Errors
    /// [`VaultError::OtherRecoveryKey`], or damage or forgery.
    pub fn open_by_recovery_key(&self, key: &RecoveryKey) -> Result<MasterKey, VaultError> {
        for slot in &self.slots {
            let Slot::Recovery(slot) = slot else { continue };
            match slot.open(&self.store_id, key) {
                Ok(master) => {
                    self.check(&master)?;
                    return Ok(master);
                }
                Err(VaultError::OtherRecoveryKey) => {}
                Err(other) => return Err(other),
            }
        }
        Err(VaultError::OtherRecoveryKey)
    }

    /// Replaces every passphrase slot by one for `new`. The caller has proved the old passphrase by having `master`.
    pub fn change_passphrase(&mut self, master: &MasterKey, new: &SecretText, cost: Cost) {
        let slot = PassphraseSlot::new(&self.store_id, master, new, cost);
        self.slots.retain(|slot| !matches!(slot, Slot::Passphrase(_)));
        self.slots.insert(0, Slot::Passphrase(slot));
        self.authenticate(master);
    }

    /// Lets `key` open the vault, and no recovery key from before. `now` is in UTC seconds.
    pub fn set_recovery_key(&mut self, master: &MasterKey, key: &RecoveryKey, now: i64) {
        let slot = RecoverySlot::new(&self.store_id, master, key, now);
        self.slots.retain(|slot| !matches!(slot, Slot::Recovery(_)));
        self.slots.push(Slot::Recovery(slot));
        self.authenticate(master);
    }

    /// When the recovery key was made, UTC seconds, if there is one.
    #[must_use]
    pub fn recovery_made_at(&self) -> Option<i64> {
        self.slots.iter().find_map(|slot| match slot {
            Slot::Recovery(slot) => Some(slot.made_at),
            _ => None,
        })
    }

    /// Which store this is.
    #[must_use]
    pub const fn store_id(&self) -> StoreId {
        self.store_id
    }

    /// The bytes of the vault's file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.authenticated_bytes();
        out.extend_from_slice(&self.tag);
        out.extend_from_slice(&Sha256::digest(&out));
        out
    }

    /// Reads the bytes of a vault's file.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] or [`VaultError::TooNew`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        let (content, checksum) = bytes.split_last_chunk::<32>().ok_or(VaultError::Damaged)?;
        if bytes.len() > MAX_BYTES || Sha256::digest(content).as_slice() != checksum {
            return Err(VaultError::Damaged);
        }
        let (content, tag) = content.split_last_chunk::<32>().ok_or(VaultError::Damaged)?;
        let mut reader = Reader(content);
        if &reader.array::<8>()? != MAGIC {
            return Err(VaultError::Damaged);
        }
        if reader.u16()? != VERSION {
            return Err(VaultError::TooNew);
        }
        let store_id = reader.array()?;
        let count = usize::from(reader.u16()?);
        if count > MAX_SLOTS {
            return Err(VaultError::Damaged);
        }
        let slots = (0..count).map(|_| Slot::read(&mut reader)).collect::<Result<_, _>>()?;
        if !reader.0.is_empty() {
            return Err(VaultError::Damaged);
        }
        Ok(Self { store_id, slots, tag: *tag })
    }

    fn authenticated_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.extend_from_slice(&self.store_id);
        let count = u16::try_from(self.slots.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for slot in &self.slots {
            slot.write(&mut out);
        }
        out
    }

    fn authenticate(&mut self, master: &MasterKey) {
        let hash = keyed_hash(&master.subkey(Use::Vault)).chain_update(self.authenticated_bytes());
        self.tag = hash.finalize().into_bytes().into();
    }

    fn check(&self, master: &MasterKey) -> Result<(), VaultError> {
        let hash = keyed_hash(&master.subkey(Use::Vault)).chain_update(self.authenticated_bytes());
        hash.verify_slice(&self.tag).map_err(|_| VaultError::Damaged)
    }
}
