//! Certificates: what others need in order to write to somebody and to check their signatures.

use super::ids::{Fingerprint, KeyId};
use super::keyring::{self, KeyError};
use super::policy::{policy, seconds, time};
use crate::mail::address::canonical;
use sequoia_openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::cert::{Cert, ValidCert};
use sequoia_openpgp::packet::Packet;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::policy::{Policy, StandardPolicy};
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{PublicKeyAlgorithm, RevocationStatus, RevocationType};
use std::fmt;

/// Somebody's certificate (a transferable public key, RFC 9580 §10.1). It never holds secret parts.
#[derive(Clone, PartialEq)]
pub struct Certificate(Cert);

/// Why nothing can be encrypted to a certificate now. Reads as the end of "this key cannot be used: …".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// It, or the last of its encryption keys, expired then (UTC seconds).
    Expired(i64),
    /// Its owner revoked it.
    Revoked,
    /// It can sign only.
    NoEncryptionKey,
    /// Its algorithms or its own signatures are too weak for today.
    Weak,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(when) => match jiff::Timestamp::from_second(*when) {
                Ok(when) => write!(f, "it expired on {}", when.strftime("%Y-%m-%d")),
                Err(_) => f.write_str("it has expired"),
            },
            Self::Revoked => f.write_str("its owner has revoked it"),
            Self::NoEncryptionKey => f.write_str("it is for signatures only"),
            Self::Weak => f.write_str("its cryptography is too weak for today"),
        }
    }
}

/// One of a certificate's keys, valid at a time.
pub(super) type ValidKey<'a> = ValidErasedKeyAmalgamation<'a, PublicParts>;

impl Certificate {
    pub(super) fn of(cert: Cert) -> Self {
        Self(cert.strip_secret_key_material())
    }

    pub(super) const fn cert(&self) -> &Cert {
        &self.0
    }

    /// Reads the first certificate in `bytes`, binary or armoured, with or without text around the armour. Secret parts
    /// are dropped, and so are photographs and packets of unknown kinds.
    ///
    /// # Errors
    /// [`KeyError`]: unreadable, or over the bounds (1 MiB, 64 User IDs, 64 subkeys, 1024 signatures).
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        super::guarded(Err(KeyError::Unreadable), || {
            Ok(Self::of(keyring::certificate(keyring::first(bytes)?)?))
        })
    }

    /// Reads every certificate in `bytes`: a keyring, or armoured blocks in a row. One that is damaged is left out as long
    /// as another is not.
    ///
    /// # Errors
    /// [`KeyError`]: none is readable, one is over the bounds, or there are more than [`super::MAX_CERTIFICATES`].
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, KeyError> {
        super::guarded(Err(KeyError::Unreadable), || {
            let found: Vec<Self> = keyring::all(bytes)?
                .into_iter()
                .filter_map(|packets| Some(Self::of(keyring::certificate(packets).ok()?)))
                .collect();
            if found.is_empty() { Err(KeyError::Unreadable) } else { Ok(found) }
        })
    }

    /// The binary form.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Writing to memory does not fail.
        self.0.export_to_vec().unwrap_or_default()
    }

    /// The armoured form.
    #[must_use]
    pub fn armored(&self) -> String {
        String::from_utf8(self.0.armored().export_to_vec().unwrap_or_default()).unwrap_or_default()
    }

    /// The fingerprint of the primary key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.fingerprint())
    }

    /// The ids of the primary key and of all subkeys, valid or not: for finding out whose a message or a signature is.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.0.keys().map(|key| KeyId::of(&key.key().keyid())).collect()
    }

    /// The addresses in its User IDs, [canonical], each once; only those that its key vouches for and has not revoked.
    #[must_use]
    pub fn addresses(&self, now: i64) -> Vec<String> {
        self.about(now, |id| id.email().ok().flatten().map(canonical).filter(|address| address.contains('@')))
    }

    /// The names in its User IDs, each once; only of those that [`addresses`](Self::addresses) looks at.
    #[must_use]
    pub fn names(&self, now: i64) -> Vec<String> {
        self.about(now, |id| id.name().ok().flatten().map(|name| name.trim().to_owned()))
    }

    fn about(
        &self,
        now: i64,
        what: impl Fn(&sequoia_openpgp::packet::UserID) -> Option<String>,
    ) -> Vec<String> {
        let policy = policy(now);
        let mut found = Vec::new();
        for id in self.0.userids() {
            let Ok(id) = id.with_policy(&policy, time(now)) else { continue };
            if matches!(id.revocation_status(), RevocationStatus::Revoked(_)) {
                continue;
            }
            found.extend(what(id.userid()).filter(|text| !text.is_empty() && !found.contains(text)));
        }
        found
    }

    /// When the primary key was made, in UTC seconds.
    #[must_use]
    pub fn created(&self) -> i64 {
        seconds(self.0.primary_key().key().creation_time())
    }

    /// When nothing can be encrypted to it any more, in UTC seconds: the expiry of the primary key, or of the last of the
    /// encryption keys where that comes first. `None` where it does not expire or is not valid at all.
    #[must_use]
    pub fn expires(&self, now: i64) -> Option<i64> {
        let policy = policy(now);
        let valid = self.valid(&policy, now)?;
        let primary = valid.primary_key().key_expiration_time();
        let subkeys: Option<Vec<_>> = encryption_keys(&valid).map(|key| key.key_expiration_time()).collect();
        // One that never expires makes the collection `None`.
        let last = subkeys.and_then(|ends| ends.into_iter().max());
        [primary, last].into_iter().flatten().min().map(seconds)
    }

    /// Whether its owner has revoked it, for whatever reason.
    #[must_use]
    pub fn is_revoked(&self, now: i64) -> bool {
        matches!(self.0.revocation_status(&policy(now), time(now)), RevocationStatus::Revoked(_))
    }

    /// Whether it is revoked for ever and for all that it ever signed: because it may be in others' hands, or without a
    /// reason.
    #[must_use]
    pub fn is_revoked_hard(&self, now: i64) -> bool {
        match self.0.revocation_status(&policy(now), time(now)) {
            RevocationStatus::Revoked(signatures) => signatures.iter().any(|signature| {
                signature
                    .reason_for_revocation()
                    .is_none_or(|(reason, _)| reason.revocation_type() == RevocationType::Hard)
            }),
            _ => false,
        }
    }

    /// Whether something can be encrypted to it now.
    ///
    /// # Errors
    /// [`Unusable`] says why not.
    pub fn usable(&self, now: i64) -> Result<(), Unusable> {
        let policy = policy(now);
        self.encryption_key(&policy, now).map(drop)
    }

    /// The key that a message to it is encrypted to: the newest that is valid, one of RFC 9980 before all others. One only:
    /// a second, older kind of key would undo what the better one is for.
    pub(super) fn encryption_key<'a>(
        &'a self,
        policy: &'a dyn Policy,
        now: i64,
    ) -> Result<ValidKey<'a>, Unusable> {
        if self.is_revoked(now) {
            return Err(Unusable::Revoked);
        }
        let Some(valid) = self.valid(policy, now) else { return Err(self.why_invalid(now)) };
        if valid.alive().is_err() {
            let end = valid.primary_key().key_expiration_time().map_or(now, seconds);
            return Err(Unusable::Expired(end));
        }
        let best = encryption_keys(&valid)
            .filter(|key| key.alive().is_ok() && key.key().pk_algo().is_supported())
            .max_by_key(|key| (is_quantum_safe(key.key().pk_algo()), key.key().creation_time()));
        best.ok_or_else(|| {
            let ends = encryption_keys(&valid).filter_map(|key| key.key_expiration_time()).max();
            ends.map_or_else(|| self.why_invalid(now), |end| Unusable::Expired(seconds(end)))
        })
    }

    /// With the standards of 2004 it may have an encryption key; then it is weak.
    fn why_invalid(&self, now: i64) -> Unusable {
        let lenient = StandardPolicy::at(time(1_075_593_600));
        match self.valid(&lenient, now) {
            Some(valid) if encryption_keys(&valid).next().is_some() => Unusable::Weak,
            _ => Unusable::NoEncryptionKey,
        }
    }

    pub(super) fn valid<'a>(&'a self, policy: &'a dyn Policy, now: i64) -> Option<ValidCert<'a>> {
        self.0.with_policy(policy, time(now)).ok()
    }

    /// Whether a message to it would be encrypted to a key of RFC 9980, which a quantum computer does not break.
    #[must_use]
    pub fn is_quantum_safe(&self, now: i64) -> bool {
        let policy = policy(now);
        self.encryption_key(&policy, now).is_ok_and(|key| is_quantum_safe(key.key().pk_algo()))
    }

    /// The version of the primary key: 4 or 6.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.0.primary_key().key().version()
    }

    /// The algorithm of the primary key, and its size where that says something: `EdDSA`, `RSA 3072`.
    #[must_use]
    pub fn algorithm(&self) -> String {
        let key = self.0.primary_key().key();
        let name = key.pk_algo().to_string();
        let name = name.split(" (").next().unwrap_or_default().to_owned();
        match (key.pk_algo(), key.mpis().bits()) {
            (PublicKeyAlgorithm::RSAEncryptSign, Some(bits)) => format!("{name} {bits}"),
            _ => name,
        }
    }

    /// This and what another copy of the same certificate knows more.
    ///
    /// # Errors
    /// [`KeyError::DifferentKeys`], or together they are over the bounds.
    pub fn merged(&self, other: &Self) -> Result<Self, KeyError> {
        if self.0.fingerprint() != other.0.fingerprint() {
            return Err(KeyError::DifferentKeys);
        }
        let both = self.0.clone().merge_public(other.0.clone()).map_err(|_| KeyError::Unreadable)?;
        keyring::bounded(both).map(Self)
    }

    /// What it says of one address (canonical) and of its keys: other User IDs are gone, and so is what others signed.
    /// `None` where no User ID of its owner's names the address. It may have expired, or be too weak: [`usable`](Self::usable)
    /// and [`addresses`](Self::addresses) tell.
    #[must_use]
    pub fn for_address(&self, address: &str) -> Option<Self> {
        super::guarded(None, || {
            let names = |id: &sequoia_openpgp::packet::UserID| {
                id.email().ok().flatten().is_some_and(|email| canonical(email) == address)
            };
            let kept = self.0.clone().retain_userids(|id| names(id.userid()));
            // Somebody else's name beside a key is nobody's word.
            let vouched = kept.userids().any(|id| id.self_signatures().next().is_some());
            vouched.then(|| Self(kept).minimal())
        })
    }

    /// Only what its owner said about it: keys, User IDs, their own signatures and revocations. What others signed, and so
    /// whether an older key [vouched](Self::is_vouched_by) for it, is gone.
    #[must_use]
    pub fn minimal(&self) -> Self {
        let mut packets: Vec<Packet> = Vec::new();
        let primary = self.0.primary_key();
        packets.push(primary.key().clone().into());
        let own =
            |signatures: Vec<sequoia_openpgp::packet::Signature>| signatures.into_iter().map(Packet::from);
        packets.extend(own(primary.self_signatures().chain(primary.self_revocations()).cloned().collect()));
        for id in self.0.userids() {
            let signatures: Vec<_> = id.self_signatures().chain(id.self_revocations()).cloned().collect();
            if !signatures.is_empty() {
                packets.push(id.userid().clone().into());
                packets.extend(own(signatures));
            }
        }
        for key in self.0.keys().subkeys() {
            let signatures: Vec<_> = key.self_signatures().chain(key.self_revocations()).cloned().collect();
            if !signatures.is_empty() {
                packets.push(key.key().clone().into());
                packets.extend(own(signatures));
            }
        }
        Cert::from_packets(packets.into_iter()).map_or_else(|_| self.clone(), Self)
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.0.fingerprint())
    }
}

/// The encryption keys that are valid and not revoked; they may have expired.
fn encryption_keys<'a>(valid: &ValidCert<'a>) -> impl Iterator<Item = ValidKey<'a>> + use<'a> {
    valid.keys().revoked(false).for_transport_encryption().for_storage_encryption()
}

const fn is_quantum_safe(algorithm: PublicKeyAlgorithm) -> bool {
    matches!(algorithm, PublicKeyAlgorithm::MLKEM768_X25519 | PublicKeyAlgorithm::MLKEM1024_X448)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sequoia_openpgp::cert::CertBuilder;
    use sequoia_openpgp::packet::UserID;

    #[test]
    fn only_what_is_said_of_one_address_is_kept() {
        let (cert, _) = CertBuilder::new()
            .add_userid("Bob <bob@home.example>")
            .add_userid("Bob <Bob@Work.example>")
            .add_transport_encryption_subkey()
            .generate()
            .unwrap();
        let whole = Certificate::of(cert);
        let now = whole.created() + 60;
        assert_eq!(whole.addresses(now).len(), 2);
        let own = whole.for_address("bob@work.example").unwrap();
        assert_eq!(own.addresses(now), ["bob@work.example"]);
        assert!(own.usable(now).is_ok() && own.fingerprint() == whole.fingerprint());
        assert_eq!(whole.for_address("eve@home.example"), None);
        // A name that somebody else laid beside the key.
        let (laid, _) = whole.0.clone().insert_packets(UserID::from("eve@home.example")).unwrap();
        assert_eq!(Certificate::of(laid).for_address("eve@home.example"), None);
    }
}
