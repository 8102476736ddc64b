//! The vault: the master key, sealed once for each way of opening the store (its slots), as LUKS does it.
//!
//! Bytes: magic, version, store id, number of slots, the slots (kind, length, body), an HMAC under the master
//! key over all before it, and a SHA-256 over all before that. The plain checksum tells damage from a wrong
//! passphrase; the HMAC tells forgery once the master key is known.

use super::master_key::{MasterKey, Use, keyed_hash};
use super::passphrase::{Cost, stretch};
use super::seal::{OVERHEAD, Sealer};
use super::secret::{Key, SecretText, random};
use hmac::Mac;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"mkvault\n";
const VERSION: u16 = 1;
const MAX_SLOTS: usize = 32;
const MAX_SLOT_BYTES: usize = 4096;
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

/// One way of opening the store.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Slot {
    Passphrase(PassphraseSlot),
    /// Of a kind that this version does not know; kept as it is.
    Other {
        kind: u8,
        body: Vec<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PassphraseSlot {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
    sealed: [u8; 32 + OVERHEAD],
}

impl Vault {
    /// Makes the vault of a new store with one slot, for this passphrase.
    #[must_use]
    pub fn create(passphrase: &SecretText, cost: Cost) -> (Self, MasterKey) {
        let master = MasterKey::random();
        let mut vault = Self { store_id: random(), slots: Vec::new(), tag: [0; 32] };
        vault.slots.push(vault.passphrase_slot(&master, passphrase, cost));
        vault.authenticate(&master);
        (vault, master)
    }

    /// Opens the vault. This takes as long as its [`Cost`] says, longer while others are at it.
    ///
    /// # Errors
    /// [`VaultError`]: wrong passphrase, damage or forgery, or refused parameters.
    pub fn open(&self, passphrase: &SecretText) -> Result<MasterKey, VaultError> {
        let mut outcome = VaultError::WrongPassphrase;
        for slot in &self.slots {
            let Slot::Passphrase(slot) = slot else { continue };
            match slot.open(&self.store_id, passphrase) {
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

    /// Replaces every passphrase slot by one for `new`. The caller has proved the old passphrase by having `master`.
    pub fn change_passphrase(&mut self, master: &MasterKey, new: &SecretText, cost: Cost) {
        let slot = self.passphrase_slot(master, new, cost);
        self.slots.retain(|slot| !matches!(slot, Slot::Passphrase(_)));
        self.slots.insert(0, slot);
        self.authenticate(master);
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

    fn passphrase_slot(&self, master: &MasterKey, passphrase: &SecretText, cost: Cost) -> Slot {
        let mut slot = PassphraseSlot {
            memory_kib: cost.memory_kib,
            passes: cost.passes,
            lanes: 1,
            salt: random(),
            sealed: [0; 32 + OVERHEAD],
        };
        // The salt is fresh, so this key seals once in its life.
        let sealer = Sealer::new(&stretch(passphrase, &slot.salt, cost));
        let sealed = sealer.seal(0, &slot.associated_data(&self.store_id), master.expose());
        for (to, from) in slot.sealed.iter_mut().zip(sealed) {
            *to = from;
        }
        Slot::Passphrase(slot)
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

impl PassphraseSlot {
    fn open(&self, store_id: &StoreId, passphrase: &SecretText) -> Result<MasterKey, VaultError> {
        if self.lanes != 1 {
            return Err(VaultError::RefusedParameters);
        }
        let cost = Cost::new(self.memory_kib, self.passes).map_err(|_| VaultError::RefusedParameters)?;
        let sealer = Sealer::new(&stretch(passphrase, &self.salt, cost));
        let master = sealer
            .open(0, &self.associated_data(store_id), &self.sealed)
            .map_err(|_| VaultError::WrongPassphrase)?;
        let master = master.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        Ok(MasterKey::from_key(Key::from_bytes(master)))
    }

    fn associated_data(&self, store_id: &StoreId) -> Vec<u8> {
        let mut aad = b"vault passphrase slot".to_vec();
        aad.extend_from_slice(store_id);
        self.write_parameters(&mut aad);
        aad
    }

    fn write_parameters(&self, out: &mut Vec<u8>) {
        for number in [self.memory_kib, self.passes, self.lanes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.salt);
    }

    fn read(body: &[u8]) -> Result<Self, VaultError> {
        let mut reader = Reader(body);
        let slot = Self {
            memory_kib: reader.u32()?,
            passes: reader.u32()?,
            lanes: reader.u32()?,
            salt: reader.array()?,
            sealed: reader.array()?,
        };
        if reader.0.is_empty() { Ok(slot) } else { Err(VaultError::Damaged) }
    }
}

impl Slot {
    const PASSPHRASE: u8 = 1;

    fn write(&self, out: &mut Vec<u8>) {
        let mut passphrase = Vec::new();
        let (kind, body) = match self {
            Self::Passphrase(slot) => {
                slot.write_parameters(&mut passphrase);
                passphrase.extend_from_slice(&slot.sealed);
                (Self::PASSPHRASE, &passphrase)
            }
            Self::Other { kind, body } => (*kind, body),
        };
        out.push(kind);
        out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(body);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, VaultError> {
        let [kind] = reader.array()?;
        let length = usize::from(reader.u16()?);
        if length > MAX_SLOT_BYTES {
            return Err(VaultError::Damaged);
        }
        let body = reader.bytes(length)?;
        match kind {
            Self::PASSPHRASE => PassphraseSlot::read(body).map(Self::Passphrase),
            kind => Ok(Self::Other { kind, body: body.to_vec() }),
        }
    }
}

/// Takes fields off the front; what is cut short is damaged.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], VaultError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(VaultError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], VaultError> {
        self.bytes(N)?.try_into().map_err(|_| VaultError::Damaged)
    }

    fn u16(&mut self) -> Result<u16, VaultError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, VaultError> {
        self.array().map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn words(text: &str) -> SecretText {
        SecretText::new(text.into())
    }

    static ALICES: LazyLock<(Vault, MasterKey)> =
        LazyLock::new(|| Vault::create(&words("correct horse"), Cost::MINIMUM));

    #[test]
    fn alice_opens_her_vault_and_bob_does_not() {
        let (vault, master) = &*ALICES;
        let read = Vault::from_bytes(&vault.to_bytes()).unwrap();
        assert_eq!(&read, vault);
        assert_eq!(read.open(&words("correct horse")).as_ref(), Ok(master));
        assert_eq!(read.open(&words("battery staple")), Err(VaultError::WrongPassphrase));
        assert_eq!(read.open(&words("")), Err(VaultError::WrongPassphrase));
    }

    #[test]
    fn after_a_change_only_the_new_passphrase_opens() {
        let (mut vault, master) = ALICES.clone();
        vault.slots.push(Slot::Other { kind: 9, body: b"recovery".to_vec() });
        vault.change_passphrase(&master, &words("new words"), Cost::MINIMUM);
        let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
        assert_eq!(vault.open(&words("new words")), Ok(master));
        assert_eq!(vault.open(&words("correct horse")), Err(VaultError::WrongPassphrase));
        assert!(vault.slots.contains(&Slot::Other { kind: 9, body: b"recovery".to_vec() }));
    }

    #[test]
    fn blown_up_parameters_are_refused_before_any_memory_is_taken() {
        for (memory_kib, passes, lanes) in
            [(u32::MAX, 1, 1), (64 * 1024, u32::MAX, 1), (1024, 1, 1), (64 * 1024, 1, 4)]
        {
            let (mut vault, _) = ALICES.clone();
            let Slot::Passphrase(slot) = &mut vault.slots[0] else { unreachable!() };
            (slot.memory_kib, slot.passes, slot.lanes) = (memory_kib, passes, lanes);
            let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
            assert_eq!(vault.open(&words("correct horse")), Err(VaultError::RefusedParameters));
        }
    }

    #[test]
    fn a_forged_vault_with_a_right_checksum_is_still_refused() {
        let (mut vault, _) = ALICES.clone();
        vault.slots.push(Slot::Other { kind: 9, body: b"slipped in".to_vec() });
        let vault = Vault::from_bytes(&vault.to_bytes()).unwrap();
        assert_eq!(vault.open(&words("correct horse")), Err(VaultError::Damaged));
    }

    #[test]
    fn the_vault_does_not_hold_the_master_key_or_the_passphrase() {
        let (vault, master) = &*ALICES;
        let bytes = vault.to_bytes();
        for secret in [master.expose().as_slice(), b"correct horse"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }

    proptest! {
        #[test]
        fn a_flipped_bit_or_a_cut_is_damage(bit: prop::sample::Index, cut: prop::sample::Index) {
            let mut bytes = ALICES.0.to_bytes();
            let kept = cut.index(bytes.len());
            prop_assert_eq!(Vault::from_bytes(&bytes[..kept]), Err(VaultError::Damaged));
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Vault::from_bytes(&bytes), Err(VaultError::Damaged));
        }

        #[test]
        fn no_bytes_make_it_panic(content: Vec<u8>, body: Vec<u8>) {
            let mut forged = [MAGIC.as_slice(), &VERSION.to_be_bytes(), &[0; 16], &body, &[0; 32]].concat();
            forged.extend_from_slice(&Sha256::digest(&forged));
            drop(Vault::from_bytes(&forged));
            drop(Vault::from_bytes(&content));
        }
    }
}
