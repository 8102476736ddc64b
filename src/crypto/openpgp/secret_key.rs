//! Our own keys.

use super::certificate::Certificate;
use super::ids::Fingerprint;
use super::keyring::{self, KeyError};
use super::policy::{policy, time};
use super::vouching::names_one_of;
use crate::crypto::secret::SecretText;
use crate::mail::address::canonical;
use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::cert::amalgamation::key::PrimaryKey;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::cert::{Cert, CertRevocationBuilder};
use sequoia_openpgp::crypto::{KeyPair, Password, S2K};
use sequoia_openpgp::packet::key::{
    Key4, KeyRole, PrimaryRole, SecretKeyMaterial, SecretParts, SubordinateRole,
};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::packet::{Key, Packet, UserID};
use sequoia_openpgp::serialize::{Serialize, SerializeInto};
use sequoia_openpgp::types::{
    Curve, Features, HashAlgorithm, KeyFlags, ReasonForRevocation, RevocationStatus, SignatureType,
    SymmetricAlgorithm,
};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long a new key is valid, in seconds: two years. It is [extended](SecretKey::extended) long before.
pub const LIFETIME: i64 = 2 * 365 * 24 * 60 * 60;

/// Argon2 with more memory than 2²⁰ KiB (1 GiB) or more passes is refused: a key in the mail must not eat the machine.
const MAX_ARGON2_MEMORY: u8 = 20;
const MAX_ARGON2_PASSES: u8 = 16;

/// A key of ours with its secret parts, in memory without a password.
#[derive(Clone)]
pub struct SecretKey(Cert);

impl SecretKey {
    /// Makes the key for an address as Autocrypt Level 1 wants it: version 4, an Ed25519 primary key that certifies and
    /// signs, one Cv25519 encryption subkey, the User ID `<address>`; valid for [`LIFETIME`]. With it comes its armoured
    /// revocation certificate, which makes it worthless for ever.
    ///
    /// # Errors
    /// [`KeyError::NoAddress`] where `address` is none, [`KeyError::Failed`] where the cipher library fails.
    pub fn generate(address: &str, now: i64) -> Result<(Self, Vec<u8>), KeyError> {
        let address = address.trim();
        let odd = |letter: char| letter.is_control() || letter.is_whitespace() || matches!(letter, '<' | '>');
        let whole =
            address.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !whole || address.len() > 254 || address.chars().any(odd) {
            return Err(KeyError::NoAddress);
        }
        Self::make(address, now).map_err(|_| KeyError::Failed)
    }

    fn make(address: &str, now: i64) -> sequoia_openpgp::Result<(Self, Vec<u8>)> {
        let mut primary: Key<SecretParts, PrimaryRole> = Key4::generate_ecc(true, Curve::Ed25519)?.into();
        let mut subkey: Key<SecretParts, SubordinateRole> = Key4::generate_ecc(false, Curve::Cv25519)?.into();
        primary.set_creation_time(time(now))?;
        subkey.set_creation_time(time(now))?;
        let mut signer = primary.clone().into_keypair()?;
        let id = UserID::from(format!("<{address}>"));
        let lifetime = Duration::from_secs(LIFETIME.unsigned_abs());
        let about_id = SignatureBuilder::new(SignatureType::PositiveCertification)
            .set_hash_algo(HashAlgorithm::SHA512)
            .set_signature_creation_time(time(now))?
            .set_primary_userid(true)?
            .set_key_flags(KeyFlags::empty().set_certification().set_signing())?
            .set_key_validity_period(lifetime)?
            // SEIPDv2 would be unreadable to most who write to us.
            .set_features(Features::empty().set_seipdv1())?
            .set_preferred_symmetric_algorithms(vec![SymmetricAlgorithm::AES256, SymmetricAlgorithm::AES128])?
            .set_preferred_hash_algorithms(vec![HashAlgorithm::SHA512, HashAlgorithm::SHA256])?
            .sign_userid_binding(&mut signer, primary.parts_as_public(), &id)?;
        let about_subkey = SignatureBuilder::new(SignatureType::SubkeyBinding)
            .set_hash_algo(HashAlgorithm::SHA512)
            .set_signature_creation_time(time(now))?
            .set_key_flags(KeyFlags::empty().set_transport_encryption().set_storage_encryption())?
            .set_key_validity_period(lifetime)?
            .sign_subkey_binding(&mut signer, primary.parts_as_public(), subkey.parts_as_public())?;
        let packets: [Packet; 5] =
            [primary.into(), id.into(), about_id.into(), subkey.into(), about_subkey.into()];
        let cert = Cert::from_packets(packets.into_iter())?;
        let revocation = CertRevocationBuilder::new()
            .set_signature_creation_time(time(now))?
            .set_reason_for_revocation(ReasonForRevocation::Unspecified, b"")?
            .build(&mut signer, &cert, HashAlgorithm::SHA512)?;
        let comment = format!("Revokes the key {}", cert.fingerprint().to_spaced_hex());
        let mut writer = Writer::with_headers(Vec::new(), Kind::PublicKey, [("Comment", comment)])?;
        Packet::from(revocation).serialize(&mut writer)?;
        Ok((Self(cert), writer.finalize()?))
    }

    /// Reads a key with its secret parts, binary or armoured, and opens it where a password guards it. Parts that lie
    /// elsewhere (on a smart card) stay public.
    ///
    /// # Errors
    /// [`KeyError::Locked`] where it needs a password, [`KeyError::WrongPassword`], [`KeyError::Secret`] where there is no
    /// secret part, and whatever [`Certificate::parse`] says.
    pub fn parse(bytes: &[u8], password: Option<&SecretText>) -> Result<Self, KeyError> {
        let password = password.map(|password| Password::from(password.expose()));
        super::guarded(Err(KeyError::Unreadable), || {
            let packets = keyring::first(bytes)?
                .into_iter()
                .map(|packet| match packet {
                    Packet::SecretKey(key) => opened(key, password.as_ref()),
                    Packet::SecretSubkey(key) => opened(key, password.as_ref()),
                    other => Ok(other),
                })
                .collect::<Result<Vec<_>, _>>()?;
            let cert = keyring::certificate(packets)?;
            if cert.is_tsk() { Ok(Self(cert)) } else { Err(KeyError::Secret) }
        })
    }

    /// The binary form, without a password. Not for anybody's eyes.
    #[must_use]
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_tsk().export_to_vec().unwrap_or_default())
    }

    /// The armoured form, without a password. Not for anybody's eyes.
    #[must_use]
    pub fn armored(&self) -> Zeroizing<String> {
        let bytes = self.0.as_tsk().armored().export_to_vec().unwrap_or_default();
        Zeroizing::new(String::from_utf8(bytes).unwrap_or_default())
    }

    /// What others may see of it.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        Certificate::of(self.0.clone())
    }

    /// The fingerprint of the primary key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0.fingerprint())
    }

    pub(super) const fn cert(&self) -> &Cert {
        &self.0
    }

    /// The same key, valid until `until` (UTC seconds): new self-signatures over every User ID and subkey that is valid
    /// and not revoked. The old ones stay, so that old mail is still judged by what was true then.
    ///
    /// # Errors
    /// [`KeyError::Secret`] where the primary key's secret part is not here, [`KeyError::Unusable`] where it is revoked,
    /// [`KeyError::Failed`] where `until` is not after the making of the key or nothing is left to extend.
    pub fn extended(&self, until: i64, now: i64) -> Result<Self, KeyError> {
        let certificate = self.certificate();
        if certificate.is_revoked(now) {
            let why = super::Unusable::Revoked;
            return Err(KeyError::Unusable { fingerprint: self.fingerprint(), why });
        }
        let mut signer = self.primary_pair()?;
        let packets = self.extension(&mut signer, until, now).map_err(|_| KeyError::Failed)?;
        if packets.is_empty() {
            return Err(KeyError::Failed);
        }
        let (cert, _) = self.older_than(now)?.insert_packets(packets).map_err(|_| KeyError::Failed)?;
        keyring::bounded(cert).map(Self)
    }

    /// The key without what it said of itself in this second or later: of two such signatures nobody knows which is newer.
    fn older_than(&self, now: i64) -> Result<Cert, KeyError> {
        let own = self.0.key_handle();
        let is_old = |packet: &Packet| match packet {
            Packet::Signature(signature) => {
                let binds = matches!(
                    signature.typ(),
                    SignatureType::GenericCertification
                        | SignatureType::PersonaCertification
                        | SignatureType::CasualCertification
                        | SignatureType::PositiveCertification
                        | SignatureType::SubkeyBinding
                        | SignatureType::DirectKey
                );
                let ours = signature.get_issuers().iter().any(|issuer| issuer.aliases(&own));
                !(binds && ours && signature.signature_creation_time().is_some_and(|made| made >= time(now)))
            }
            _ => true,
        };
        let packets = self.0.as_tsk().into_packets().filter(is_old).collect::<Vec<_>>();
        Cert::from_packets(packets.into_iter()).map_err(|_| KeyError::Failed)
    }

    fn extension(&self, signer: &mut KeyPair, until: i64, now: i64) -> sequoia_openpgp::Result<Vec<Packet>> {
        let policy = policy(now);
        let primary = self.0.primary_key().key();
        let lifetime = |key: std::time::SystemTime| time(until).duration_since(key);
        let mut packets: Vec<Packet> = Vec::new();
        for id in self.0.userids() {
            let Ok(id) = id.with_policy(&policy, time(now)) else { continue };
            if matches!(id.revocation_status(), RevocationStatus::Revoked(_)) {
                continue;
            }
            let signature = SignatureBuilder::from(id.binding_signature().clone())
                .set_signature_creation_time(time(now))?
                .set_key_validity_period(lifetime(primary.creation_time())?)?
                .sign_userid_binding(signer, primary, id.userid())?;
            packets.extend([id.userid().clone().into(), Packet::from(signature)]);
        }
        let valid = self.0.with_policy(&policy, time(now))?;
        if let Ok(direct) = valid.direct_key_signature() {
            let signature = SignatureBuilder::from(direct.clone())
                .set_signature_creation_time(time(now))?
                .set_key_validity_period(lifetime(primary.creation_time())?)?
                .sign_direct_key(signer, primary)?;
            packets.push(signature.into());
        }
        for key in valid.keys().subkeys().revoked(false) {
            // A signature of its own by a signing subkey is inside and stays true.
            let signature = SignatureBuilder::from(key.binding_signature().clone())
                .set_signature_creation_time(time(now))?
                .set_key_validity_period(lifetime(key.key().creation_time())?)?
                .sign_subkey_binding(signer, primary, key.key())?;
            packets.extend([key.key().clone().into(), Packet::from(signature)]);
        }
        Ok(packets)
    }

    /// `new` with this key's word that it is of the same person: a certification of each User ID of it that names an
    /// address of ours. [`Certificate::is_vouched_by`] looks for it.
    ///
    /// # Errors
    /// [`KeyError::NoAddress`] where they have no address in common, [`KeyError::Secret`] where the primary key's secret
    /// part is not here.
    pub fn vouching_for(&self, new: &Certificate, now: i64) -> Result<Certificate, KeyError> {
        let mut signer = self.primary_pair()?;
        let addresses = self.certificate().addresses(now);
        let primary = new.cert().primary_key().key();
        let mut packets: Vec<Packet> = Vec::new();
        for id in new.cert().userids().filter(|id| names_one_of(id.userid(), &addresses)) {
            let signature = SignatureBuilder::new(SignatureType::PositiveCertification)
                .set_hash_algo(HashAlgorithm::SHA512)
                .set_signature_creation_time(time(now))
                .and_then(|builder| builder.sign_userid_binding(&mut signer, primary, id.userid()))
                .map_err(|_| KeyError::Failed)?;
            packets.extend([id.userid().clone().into(), Packet::from(signature)]);
        }
        if packets.is_empty() {
            return Err(KeyError::NoAddress);
        }
        let (cert, _) = new.cert().clone().insert_packets(packets).map_err(|_| KeyError::Failed)?;
        keyring::bounded(cert).map(Certificate::of)
    }

    /// This key with the word of `old` that it is of the same person ([`Self::vouching_for`]), so that whoever relies on the
    /// old one may go over to it.
    ///
    /// # Errors
    /// As [`Self::vouching_for`].
    pub fn following(&self, old: &Self, now: i64) -> Result<Self, KeyError> {
        let vouched = old.vouching_for(&self.certificate(), now)?;
        // Not by its packets: those without their secret part would take the place of those that have it.
        let cert = self.0.clone().merge_public(vouched.cert().clone()).map_err(|_| KeyError::Failed)?;
        keyring::bounded(cert).map(Self)
    }

    fn primary_pair(&self) -> Result<KeyPair, KeyError> {
        let key = self.0.primary_key().key().clone().parts_into_secret().map_err(|_| KeyError::Secret)?;
        key.into_keypair().map_err(|_| KeyError::Secret)
    }

    /// What signs messages: the primary key where it may (Delta Chat looks for its signature), otherwise the newest valid
    /// signing subkey.
    pub(super) fn signing_pair(&self, now: i64) -> Result<KeyPair, KeyError> {
        let certificate = self.certificate();
        let unusable = |why| KeyError::Unusable { fingerprint: self.fingerprint(), why };
        if certificate.is_revoked(now) {
            return Err(unusable(super::Unusable::Revoked));
        }
        let policy = policy(now);
        let valid = self.0.with_policy(&policy, time(now)).map_err(|_| unusable(super::Unusable::Weak))?;
        if valid.alive().is_err() {
            return Err(unusable(super::Unusable::Expired(certificate.expires(now).unwrap_or(now))));
        }
        let key = valid
            .keys()
            .alive()
            .revoked(false)
            .for_signing()
            .filter(|key| key.key().has_unencrypted_secret())
            .max_by_key(|key| (key.primary(), key.key().creation_time()))
            .ok_or(KeyError::Secret)?;
        let key = key.key().clone().parts_into_secret().map_err(|_| KeyError::Secret)?;
        key.into_keypair().map_err(|_| KeyError::Secret)
    }

    /// Whether an address is one of this key's.
    #[must_use]
    pub fn is_for(&self, address: &str, now: i64) -> bool {
        self.certificate().addresses(now).contains(&canonical(address))
    }
}

/// The packet without a password; without its secret part where that is not really there.
fn opened<R: KeyRole>(key: Key<SecretParts, R>, password: Option<&Password>) -> Result<Packet, KeyError>
where
    Packet: From<Key<SecretParts, R>> + From<Key<sequoia_openpgp::packet::key::PublicParts, R>>,
{
    let SecretKeyMaterial::Encrypted(secret) = key.secret() else { return Ok(key.into()) };
    match secret.s2k() {
        S2K::Argon2 { m, t, .. } if *m > MAX_ARGON2_MEMORY || *t > MAX_ARGON2_PASSES => {
            return Err(KeyError::TooLarge { limit: 1 << (MAX_ARGON2_MEMORY + 10) });
        }
        s2k if !s2k.is_supported() => return Ok(key.take_secret().0.into()),
        _ => {}
    }
    let password = password.ok_or(KeyError::Locked)?;
    key.decrypt_secret(password).map(Packet::from).map_err(|_| KeyError::WrongPassword)
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, …)", self.0.fingerprint())
    }
}
