//! The key of one message, kept so that the message can be read after its owner's key is gone.

use data_encoding::HEXUPPER;
use sequoia_openpgp::types::SymmetricAlgorithm;
use std::fmt;
use zeroize::Zeroizing;

/// This text is not a session key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a session key")]
pub struct NotASessionKey;

/// The symmetric key of one message and, for a message of the older kind (SEIPDv1), its cipher.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    cipher: Option<SymmetricAlgorithm>,
    key: Zeroizing<Vec<u8>>,
}

impl SessionKey {
    pub(super) fn new(cipher: Option<SymmetricAlgorithm>, key: &sequoia_openpgp::crypto::SessionKey) -> Self {
        Self { cipher, key: Zeroizing::new(key.to_vec()) }
    }

    pub(super) const fn cipher(&self) -> Option<SymmetricAlgorithm> {
        self.cipher
    }

    pub(super) fn key(&self) -> sequoia_openpgp::crypto::SessionKey {
        self.key.as_slice().into()
    }

    /// As one line of text, to be stored sealed: the number of the cipher (RFC 9580 §9.3; 0 where the message names it), a
    /// colon, the key in hexadecimal.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let cipher = self.cipher.map_or(0, u8::from);
        let key = Zeroizing::new(HEXUPPER.encode(&self.key));
        Zeroizing::new(format!("{cipher}:{}", *key))
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    /// [`NotASessionKey`] for any other text.
    pub fn from_text(text: &str) -> Result<Self, NotASessionKey> {
        let (cipher, key) = text.trim().split_once(':').ok_or(NotASessionKey)?;
        let cipher: u8 = cipher.parse().map_err(|_| NotASessionKey)?;
        if !(32..=128).contains(&key.len()) {
            return Err(NotASessionKey);
        }
        let key = HEXUPPER.decode(key.as_bytes()).map_err(|_| NotASessionKey)?;
        let cipher = (cipher != 0).then(|| SymmetricAlgorithm::from(cipher));
        Ok(Self { cipher, key: Zeroizing::new(key) })
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}
