//! A device: what it signs with, and what others begin sessions with it by.

use crate::mail::sma::{Announce, Body, Deed, DeviceId, Flaw, Keys, OneTimeKey, Payload, Signed, Statement};
use sha2::{Digest, Sha256};
use vodozemac::olm::{Account, AccountPickle};
use vodozemac::{Curve25519PublicKey, Ed25519PublicKey, Ed25519Signature};
use zeroize::Zeroizing;

/// Why a message or a secret of a device is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Flaw(#[from] Flaw),
    /// The signature is not the device's.
    #[error("its signature is not that device's")]
    Signature,
    /// It is encrypted, and no session opens it.
    #[error("no session opens it")]
    Closed,
    /// A key is none that secrets can be agreed on with.
    #[error("its key cannot be used")]
    Key,
    /// What the store kept of a device or a session is damaged.
    #[error("what was kept of it cannot be read")]
    Kept,
}

/// The hash by which messages and statements name each other.
#[must_use]
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What a device said, if the key is the one that signed it.
///
/// # Errors
/// Why it does not count.
pub fn verified(signed: &Signed, signing: &[u8; 32]) -> Result<Payload, DeviceError> {
    // First who said it, then what it says.
    verify(signing, &signed.payload, &signed.signature)?;
    Ok(Payload::parse(&signed.payload)?)
}

/// What a device says of itself. It proves no more than that one and the same device wrote all of it.
///
/// # Errors
/// Why it does not count.
pub fn verified_announcement(signed: &Signed) -> Result<(Payload, Announce), DeviceError> {
    let Body::Announce(announce) = Payload::parse(&signed.payload)?.body else {
        return Err(DeviceError::Flaw(Flaw::Value("type")));
    };
    let payload = verified(signed, &announce.keys.signing)?;
    verify_one_time(payload.from, &announce.keys, &announce.fallback)?;
    Ok((payload, announce))
}

pub(super) fn verify(signing: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> Result<(), DeviceError> {
    let key = Ed25519PublicKey::from_slice(signing).map_err(|_| DeviceError::Key)?;
    let signature = Ed25519Signature::from_slice(signature).map_err(|_| DeviceError::Signature)?;
    key.verify(bytes, &signature).map_err(|_| DeviceError::Signature)
}

/// Olm does not look at who signed such a key; we do.
pub(super) fn verify_one_time(device: DeviceId, keys: &Keys, key: &OneTimeKey) -> Result<(), DeviceError> {
    verify(&keys.signing, &OneTimeKey::signed_bytes(device, &key.key), &key.signature)
}

/// This device.
pub struct Device {
    pub(super) account: Account,
    id: DeviceId,
}

impl Device {
    /// A new device with new keys.
    #[must_use]
    pub fn new(id: DeviceId) -> Self {
        Self { account: Account::new(), id }
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// Its public keys.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys {
            signing: *self.account.ed25519_key().as_bytes(),
            agreement: self.account.curve25519_key().to_bytes(),
        }
    }

    /// Signs what it says.
    #[must_use]
    pub fn sign(&self, payload: &Payload) -> Signed {
        let payload = payload.to_bytes();
        let signature = self.account.sign(&payload).to_bytes();
        Signed { payload, signature }
    }

    /// Says something about a device: see [`Statement`].
    #[must_use]
    pub fn state(
        &self,
        account: &str,
        device: DeviceId,
        deed: Deed,
        at: i64,
        seen: Vec<[u8; 32]>,
    ) -> Statement {
        let author = self.id;
        let signature = [0; 64];
        let statement = Statement { account: account.to_owned(), device, deed, author, at, seen, signature };
        let signature = self.account.sign(statement.signed_bytes()).to_bytes();
        Statement { signature, ..statement }
    }

    /// A new key that one session with this device can be begun with.
    ///
    /// # Errors
    /// Never in practice.
    pub fn one_time_key(&mut self) -> Result<OneTimeKey, DeviceError> {
        self.account.generate_one_time_keys(1);
        let key = self.account.one_time_keys().into_values().next();
        self.account.mark_keys_as_published();
        Ok(self.signed_key(key.ok_or(DeviceError::Key)?))
    }

    /// A new key that any session with this device can be begun with, until the next but one is made.
    ///
    /// # Errors
    /// Never in practice.
    pub fn fallback_key(&mut self) -> Result<OneTimeKey, DeviceError> {
        self.account.generate_fallback_key();
        let key = self.account.fallback_key().into_values().next();
        self.account.mark_keys_as_published();
        Ok(self.signed_key(key.ok_or(DeviceError::Key)?))
    }

    fn signed_key(&self, key: Curve25519PublicKey) -> OneTimeKey {
        let key = key.to_bytes();
        let signature = self.account.sign(OneTimeKey::signed_bytes(self.id, &key)).to_bytes();
        OneTimeKey { key, signature }
    }

    /// All of it, secrets included, for the sealed store alone.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_kept(&self) -> Result<Zeroizing<String>, DeviceError> {
        serde_json::to_string(&self.account.pickle()).map(Zeroizing::new).map_err(|_| DeviceError::Kept)
    }

    /// The device again, from what the store kept.
    ///
    /// # Errors
    /// Where it is damaged.
    pub fn from_kept(id: DeviceId, kept: &str) -> Result<Self, DeviceError> {
        let pickle: AccountPickle = serde_json::from_str(kept).map_err(|_| DeviceError::Kept)?;
        Ok(Self { account: Account::from_pickle(pickle), id })
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.id)
    }
}
