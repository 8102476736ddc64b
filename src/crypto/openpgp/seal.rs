//! Encryption and signatures of ours.

use super::certificate::{Certificate, ValidKey};
use super::ids::Fingerprint;
use super::keyring::KeyError;
use super::policy::{policy, time};
use super::secret_key::SecretKey;
use super::session_key::SessionKey;
use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::crypto::{KeyPair, SessionKey as Key};
use sequoia_openpgp::serialize::stream::{Armorer, Encryptor, LiteralWriter, Message, Recipient, Signer};
use sequoia_openpgp::types::{Features, HashAlgorithm, PublicKeyAlgorithm, SymmetricAlgorithm};
use sequoia_openpgp::{KeyHandle, Result};
use std::io::Write;

const HASH: HashAlgorithm = HashAlgorithm::SHA512;
const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
const KEY_BYTES: usize = 32;

/// What `micalg` of `multipart/signed` says (RFC 3156 §5) about a signature of ours.
pub const MICALG: &str = "pgp-sha512";

/// Encrypts `plain` to everybody in `recipients` and `own`, with AES-256 and without compression, and signs it inside where
/// there is a signer; the signature names whom it is for. The message is of the newer kind (SEIPDv2) only where all
/// certificates ask for it. Gives the armoured message, and the key that opens it.
///
/// # Errors
/// [`KeyError::Unusable`] names the first certificate that nothing can be encrypted to; [`KeyError::Secret`] where the signer
/// cannot sign; [`KeyError::Failed`] where there is nobody to encrypt to or the cipher library fails.
pub fn seal(
    plain: &[u8],
    recipients: &[Certificate],
    own: &[Certificate],
    signer: Option<&SecretKey>,
    now: i64,
) -> std::result::Result<(String, SessionKey), KeyError> {
    let policy = policy(now);
    let mut everybody: Vec<&Certificate> = Vec::new();
    for certificate in recipients.iter().chain(own) {
        if !everybody.iter().any(|other| other.fingerprint() == certificate.fingerprint()) {
            everybody.push(certificate);
        }
    }
    if everybody.is_empty() {
        return Err(KeyError::Failed);
    }
    let mut keys = Vec::new();
    for certificate in &everybody {
        let key = certificate
            .encryption_key(&policy, now)
            .map_err(|why| KeyError::Unusable { fingerprint: certificate.fingerprint(), why })?;
        keys.push(key);
    }
    let reads_newer = |certificate: &&Certificate| certificate.reads_seipd_v2(now);
    let needs_newer = |key: &&ValidKey<'_>| key.key().pk_algo() == PublicKeyAlgorithm::MLKEM1024_X448;
    let newer = match keys.iter().find(needs_newer) {
        None => everybody.iter().all(reads_newer),
        // This kind of key is not for the older message; we ourselves read both.
        Some(_) if recipients.iter().all(|recipient| reads_newer(&recipient)) => true,
        Some(key) => {
            return Err(KeyError::NotTogether { fingerprint: Fingerprint::of(&key.cert().fingerprint()) });
        }
    };
    let keys = keys.iter().map(|key| recipient(key, newer)).collect();
    let signer = signer.map(|signer| signer.signing_pair(now)).transpose()?;
    let (message, key) = write(plain, keys, &everybody, signer, now).map_err(|_| KeyError::Failed)?;
    let message = String::from_utf8(message).map_err(|_| KeyError::Failed)?;
    Ok((message, SessionKey::new((!newer).then_some(CIPHER), &key)))
}

fn recipient<'a>(key: &ValidKey<'a>, newer: bool) -> Recipient<'a> {
    let (features, handle) = if newer {
        (Features::empty().set_seipdv2(), KeyHandle::from(key.key().fingerprint()))
    } else {
        (Features::empty().set_seipdv1(), KeyHandle::from(key.key().keyid()))
    };
    Recipient::new(features, handle, key.key())
}

fn write(
    plain: &[u8],
    keys: Vec<Recipient<'_>>,
    meant_for: &[&Certificate],
    signer: Option<KeyPair>,
    now: i64,
) -> Result<(Vec<u8>, Key)> {
    let key = Key::new(KEY_BYTES)?;
    let mut sink = Vec::with_capacity(plain.len() / 2 * 3 + 4096);
    let message = Armorer::new(Message::new(&mut sink)).build()?;
    let mut message =
        Encryptor::with_session_key(message, CIPHER, key.clone())?.add_recipients(keys).build()?;
    if let Some(pair) = signer {
        let mut builder = Signer::new(message, pair)?.hash_algo(HASH)?.creation_time(time(now));
        for certificate in meant_for {
            builder = builder.add_intended_recipient(certificate.cert());
        }
        message = builder.build()?;
    }
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(plain)?;
    message.finalize()?;
    Ok((sink, key))
}

/// Signs bytes, to lie beside them (`multipart/signed`). Gives the binary signature; [`MICALG`] names its hash.
///
/// # Errors
/// [`KeyError::Secret`], [`KeyError::Unusable`] or [`KeyError::Failed`] where the key cannot sign.
pub fn sign_detached(bytes: &[u8], signer: &SecretKey, now: i64) -> std::result::Result<Vec<u8>, KeyError> {
    let pair = signer.signing_pair(now)?;
    let write = || -> Result<Vec<u8>> {
        let mut sink = Vec::new();
        let signer = Signer::new(Message::new(&mut sink), pair)?;
        let mut message = signer.detached().hash_algo(HASH)?.creation_time(time(now)).build()?;
        message.write_all(bytes)?;
        message.finalize()?;
        Ok(sink)
    };
    write().map_err(|_| KeyError::Failed)
}

/// Like [`sign_detached`], armoured.
///
/// # Errors
/// As [`sign_detached`].
pub fn sign_detached_armored(
    bytes: &[u8],
    signer: &SecretKey,
    now: i64,
) -> std::result::Result<String, KeyError> {
    let signature = sign_detached(bytes, signer, now)?;
    let armour = || -> Result<Vec<u8>> {
        let mut writer = Writer::new(Vec::new(), Kind::Signature)?;
        writer.write_all(&signature)?;
        Ok(writer.finalize()?)
    };
    String::from_utf8(armour().map_err(|_| KeyError::Failed)?).map_err(|_| KeyError::Failed)
}

impl Certificate {
    /// Whether its owner's program reads messages of the newer kind.
    fn reads_seipd_v2(&self, now: i64) -> bool {
        use sequoia_openpgp::cert::Preferences;
        let policy = policy(now);
        self.valid(&policy, now)
            .is_some_and(|valid| valid.features().is_some_and(|features| features.supports_seipdv2()))
    }
}
