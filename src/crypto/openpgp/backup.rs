//! A copy of the owner's keys under a passphrase: an OpenPGP message that any program with OpenPGP opens (`gpg --decrypt`).

use super::keyring::KeyError;
use super::secret_key::SecretKey;
use crate::crypto::secret::SecretText;
use sequoia_openpgp::Result;
use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::crypto::{Password, S2K, SessionKey};
use sequoia_openpgp::packet::Packet;
use sequoia_openpgp::packet::skesk::SKESK4;
use sequoia_openpgp::serialize::Serialize;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::{HashAlgorithm, SymmetricAlgorithm};
use std::io::Write;
use zeroize::Zeroizing;

const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
const KEY_BYTES: usize = 32;
/// The most that iterated S2K can say. Argon2 would be slower to guess, and most programs could not open it.
const S2K_BYTES: u32 = 65_011_712;

/// Makes the copy, armoured: the keys one after the other, each in armour of its own.
///
/// # Errors
/// [`KeyError::Failed`] where the cipher library fails.
pub fn make(keys: &[SecretKey], passphrase: &SecretText, now: i64) -> std::result::Result<String, KeyError> {
    let made =
        jiff::Timestamp::from_second(now).map(|t| t.strftime("%-d %B %Y").to_string()).unwrap_or_default();
    let sealed = write(keys, passphrase, &made).map_err(|_| KeyError::Failed)?;
    String::from_utf8(sealed).map_err(|_| KeyError::Failed)
}

/// Opens such a copy; gives the armoured keys, one after the other.
///
/// # Errors
/// [`KeyError::WrongPassword`] where the passphrase is not its own, [`KeyError::Unreadable`] where it is none or damaged.
pub fn open(bytes: &[u8], passphrase: &SecretText) -> std::result::Result<Zeroizing<Vec<u8>>, KeyError> {
    super::setup::open_with(bytes, passphrase.expose()).map_err(|error| match error {
        super::UnsealError::NoKey { .. } | super::UnsealError::NotProtected => KeyError::WrongPassword,
        _ => KeyError::Unreadable,
    })
}

fn write(keys: &[SecretKey], passphrase: &SecretText, made: &str) -> Result<Vec<u8>> {
    let mut inner = Zeroizing::new(Vec::new());
    for key in keys {
        inner.extend_from_slice(key.armored().as_bytes());
        inner.push(b'\n');
    }
    let comment = format!("Keys of Mailkeep, {made}; your passphrase of that day opens them");
    let mut outer = Writer::with_headers(Vec::new(), Kind::Message, [("Comment", comment.as_str())])?;
    let session = SessionKey::new(KEY_BYTES)?;
    let password: Password = passphrase.expose().into();
    let s2k = S2K::new_iterated(HashAlgorithm::SHA256, S2K_BYTES)?;
    Packet::SKESK(SKESK4::with_password(CIPHER, CIPHER, s2k, &session, &password)?.into())
        .serialize(&mut outer)?;
    let message = Encryptor::with_session_key(Message::new(&mut outer), CIPHER, session)?.build()?;
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(&inner)?;
    message.finalize()?;
    Ok(outer.finalize()?)
}
