//! The five packets that an Autocrypt header carries (Autocrypt Level 1 §2.1.1).

use super::certificate::Certificate;
use super::keyring::KeyError;
use super::policy::policy;
use crate::mail::address::canonical;
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::ValidAmalgamation;
use sequoia_openpgp::cert::amalgamation::key::PrimaryKey;
use sequoia_openpgp::packet::Packet;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::RevocationStatus;

/// A header may have 10 KiB with its name, an address of up to 254 bytes, base64 (a third more) and folding: so many bytes
/// of key are left.
pub const MAX_AUTOCRYPT_BYTES: usize = 7000;

impl Certificate {
    /// The binary form for an `Autocrypt` or `Autocrypt-Gossip` header: the primary key, the User ID that names `address`,
    /// its newest self-signature, the encryption key that would be used, its binding signature. Exactly these five. A
    /// signing subkey has no place among them: what it signs cannot be checked by the header alone.
    ///
    /// # Errors
    /// [`KeyError::NoAddress`] where no valid User ID names it, [`KeyError::Unusable`] where nothing can be encrypted to it,
    /// [`KeyError::NotForAutocrypt`] where it is of version 6, is over [`MAX_AUTOCRYPT_BYTES`], or says what matters in
    /// packets that have no place here.
    pub fn for_autocrypt(&self, address: &str, now: i64) -> Result<Vec<u8>, KeyError> {
        let policy = policy(now);
        let unusable = |why| KeyError::Unusable { fingerprint: self.fingerprint(), why };
        let subkey = self.encryption_key(&policy, now).map_err(unusable)?;
        if subkey.primary() || self.version() != 4 {
            return Err(KeyError::NotForAutocrypt);
        }
        let wanted = canonical(address);
        let valid = self.valid(&policy, now).ok_or(KeyError::NoAddress)?;
        let id = valid
            .userids()
            .filter(|id| !matches!(id.revocation_status(), RevocationStatus::Revoked(_)))
            .find(|id| id.userid().email().ok().flatten().is_some_and(|email| canonical(email) == wanted))
            .ok_or(KeyError::NoAddress)?;
        let packets: [Packet; 5] = [
            self.cert().primary_key().key().clone().into(),
            id.userid().clone().into(),
            id.binding_signature().clone().into(),
            subkey.key().clone().role_into_subordinate().into(),
            subkey.binding_signature().clone().into(),
        ];
        let mut bytes = Vec::new();
        for packet in &packets {
            bytes.extend(packet.to_vec().map_err(|_| KeyError::Failed)?);
        }
        // Alone, they must say what they said among the others.
        let alone = Cert::from_packets(packets.into_iter()).map_err(|_| KeyError::NotForAutocrypt)?;
        let alone = Self::of(alone);
        let whole = alone.usable(now).is_ok()
            && alone.addresses(now).contains(&wanted)
            && alone.expires(now) == self.expires_as_used(now);
        if whole && bytes.len() <= MAX_AUTOCRYPT_BYTES { Ok(bytes) } else { Err(KeyError::NotForAutocrypt) }
    }

    /// When the primary key or the encryption key that is used now expires, whichever comes first.
    fn expires_as_used(&self, now: i64) -> Option<i64> {
        let policy = policy(now);
        let primary = self.valid(&policy, now)?.primary_key().key_expiration_time();
        let subkey = self.encryption_key(&policy, now).ok()?.key_expiration_time();
        [primary, subkey].into_iter().flatten().min().map(super::policy::seconds)
    }
}
