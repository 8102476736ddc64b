//! The slots of a vault: the master key, sealed under what opens it.

use super::{StoreId, VaultError};
use crate::crypto::master_key::MasterKey;
use crate::crypto::passphrase::{Cost, stretch};
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::seal::{self, OVERHEAD, Sealer, WRAP_OVERHEAD};
use crate::crypto::secret::{Key, SecretText, random};

pub(super) const MAX_SLOT_BYTES: usize = 4096;

/// One way of opening the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    Passphrase(PassphraseSlot),
    Recovery(RecoverySlot),
    /// Of a kind that this version does not know; kept as it is.
    Other {
        kind: u8,
        body: Vec<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PassphraseSlot {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
    salt: [u8; 16],
    sealed: [u8; 32 + OVERHEAD],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecoverySlot {
    /// When its key was made, UTC seconds.
    pub(super) made_at: i64,
    wrapped: [u8; 32 + WRAP_OVERHEAD],
}

impl PassphraseSlot {
    pub(super) fn new(store: &StoreId, master: &MasterKey, passphrase: &SecretText, cost: Cost) -> Self {
        let mut slot = Self {
            memory_kib: cost.memory_kib,
            passes: cost.passes,
            lanes: 1,
            salt: random(),
            sealed: [0; 32 + OVERHEAD],
        };
        // The salt is fresh, so this key seals once in its life.
        let sealer = Sealer::new(&stretch(passphrase, &slot.salt, cost));
        let sealed = sealer.seal(0, &slot.associated_data(store), master.expose());
        for (to, from) in slot.sealed.iter_mut().zip(sealed) {
            *to = from;
        }
        slot
    }

    pub(super) fn open(&self, store_id: &StoreId, passphrase: &SecretText) -> Result<MasterKey, VaultError> {
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

impl RecoverySlot {
    pub(super) fn new(store: &StoreId, master: &MasterKey, key: &RecoveryKey, made_at: i64) -> Self {
        let mut slot = Self { made_at, wrapped: [0; 32 + WRAP_OVERHEAD] };
        let wrapped = seal::wrap(&key.wrapping(store), &slot.associated_data(store), master.expose());
        for (to, from) in slot.wrapped.iter_mut().zip(wrapped) {
            *to = from;
        }
        slot
    }

    pub(super) fn open(&self, store: &StoreId, key: &RecoveryKey) -> Result<MasterKey, VaultError> {
        let master = seal::unwrap(&key.wrapping(store), &self.associated_data(store), &self.wrapped)
            .map_err(|_| VaultError::OtherRecoveryKey)?;
        let master = master.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        Ok(MasterKey::from_key(Key::from_bytes(master)))
    }

    fn associated_data(&self, store: &StoreId) -> Vec<u8> {
        [b"vault recovery slot".as_slice(), store, &self.made_at.to_be_bytes()].concat()
    }

    fn read(body: &[u8]) -> Result<Self, VaultError> {
        let mut reader = Reader(body);
        let slot = Self { made_at: i64::from_be_bytes(reader.array()?), wrapped: reader.array()? };
        if reader.0.is_empty() { Ok(slot) } else { Err(VaultError::Damaged) }
    }
}

impl Slot {
    const PASSPHRASE: u8 = 1;
    const RECOVERY: u8 = 2;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut own = Vec::new();
        let (kind, body) = match self {
            Self::Passphrase(slot) => {
                slot.write_parameters(&mut own);
                own.extend_from_slice(&slot.sealed);
                (Self::PASSPHRASE, &own)
            }
            Self::Recovery(slot) => {
                own.extend_from_slice(&slot.made_at.to_be_bytes());
                own.extend_from_slice(&slot.wrapped);
                (Self::RECOVERY, &own)
            }
            Self::Other { kind, body } => (*kind, body),
        };
        out.push(kind);
        out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(body);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, VaultError> {
        let [kind] = reader.array()?;
        let length = usize::from(reader.u16()?);
        if length > MAX_SLOT_BYTES {
            return Err(VaultError::Damaged);
        }
        let body = reader.bytes(length)?;
        match kind {
            Self::PASSPHRASE => PassphraseSlot::read(body).map(Self::Passphrase),
            Self::RECOVERY => RecoverySlot::read(body).map(Self::Recovery),
            kind => Ok(Self::Other { kind, body: body.to_vec() }),
        }
    }
}

/// Takes fields off the front; what is cut short is damaged.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], VaultError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(VaultError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], VaultError> {
        self.bytes(N)?.try_into().map_err(|_| VaultError::Damaged)
    }

    pub(super) fn u16(&mut self) -> Result<u16, VaultError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, VaultError> {
        self.array().map(u32::from_be_bytes)
    }
}
