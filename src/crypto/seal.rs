//! Authenticated encryption at rest: AES-256-GCM, always under a fresh random key.
//!
//! Every file instance and every record has a key of its own ([`Key::random`]), so a nonce can be a plain counter and is
//! never used twice under one key. What a sealed piece *is* (store, name, page, end) is associated data: pieces cannot be swapped.

use super::secret::{Key, random};
use aes_gcm::aead::{Aead, AeadInOut, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

/// What a seal adds to each piece, in bytes.
pub const OVERHEAD: usize = 16;
/// What [`wrap`] adds to what it seals, in bytes: nonce, sealed key, its tag, the content's tag.
pub const WRAP_OVERHEAD: usize = 12 + 32 + OVERHEAD + OVERHEAD;

/// A seal does not hold: wrong key, wrong place, or damaged bytes. Which of them cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seal is broken: these bytes are damaged or belong elsewhere")]
pub struct BrokenSeal;

/// Seals the pieces of one thing (the pages of a file, the chunks of a key table) under that thing's own key.
pub struct Sealer(Aes256Gcm);

impl Sealer {
    /// A sealer for the thing that `key` belongs to, and to nothing else.
    #[must_use]
    pub fn new(key: &Key) -> Self {
        Self(Aes256Gcm::new(key.expose().into()))
    }

    /// Seals piece number `piece`. Each number may be sealed once under one key.
    #[must_use]
    pub fn seal(&self, piece: u64, aad: &[u8], plain: &[u8]) -> Vec<u8> {
        #[expect(
            clippy::expect_used,
            reason = "AES-GCM refuses only inputs over 64 GiB; pieces are far smaller"
        )]
        self.0.encrypt(&nonce(piece), Payload { msg: plain, aad }).expect("a piece is under 64 GiB")
    }

    /// Opens piece number `piece`.
    ///
    /// # Errors
    /// [`BrokenSeal`] where a bit, the number, the associated data or the key differ.
    pub fn open(&self, piece: u64, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BrokenSeal> {
        let plain = self.0.decrypt(&nonce(piece), Payload { msg: sealed, aad }).map_err(|_| BrokenSeal)?;
        Ok(Zeroizing::new(plain))
    }

    /// Seals piece number `piece` where it lies, for what is too large to be copied. It grows by [`OVERHEAD`].
    pub fn seal_in_place(&self, piece: u64, aad: &[u8], piece_bytes: &mut Vec<u8>) {
        #[expect(
            clippy::expect_used,
            reason = "AES-GCM refuses only inputs over 64 GiB; pieces are far smaller"
        )]
        self.0.encrypt_in_place(&nonce(piece), aad, piece_bytes).expect("a piece is under 64 GiB");
    }

    /// Opens piece number `piece` where it lies. It shrinks by [`OVERHEAD`].
    ///
    /// # Errors
    /// [`BrokenSeal`] where a bit, the number, the associated data or the key differ; the bytes are then worthless.
    pub fn open_in_place(&self, piece: u64, aad: &[u8], sealed: &mut Vec<u8>) -> Result<(), BrokenSeal> {
        self.0.decrypt_in_place(&nonce(piece), aad, sealed).map_err(|_| BrokenSeal)
    }
}

fn nonce(piece: u64) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut bytes = [0; 12];
    let (_, counter) = bytes.split_at_mut(4);
    counter.copy_from_slice(&piece.to_be_bytes());
    bytes.into()
}

/// Seals something small and whole under a fresh key, which is itself sealed under `wrapping` and put in front.
///
/// The wrapping nonce is random (96 bits), which is safe for far more wraps than a store ever makes (2³²).
#[must_use]
pub fn wrap(wrapping: &Key, aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let key = Key::random();
    let nonce: [u8; 12] = random();
    #[expect(clippy::expect_used, reason = "32 bytes are always sealed")]
    let sealed_key = Aes256Gcm::new(wrapping.expose().into())
        .encrypt(&nonce.into(), Payload { msg: key.expose(), aad })
        .expect("32 bytes are under 64 GiB");
    let mut out = Vec::with_capacity(plain.len() + WRAP_OVERHEAD);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed_key);
    out.extend_from_slice(&Sealer::new(&key).seal(0, aad, plain));
    out
}

/// Opens what [`wrap`] made.
///
/// # Errors
/// [`BrokenSeal`] where a bit, the associated data or the key differ.
pub fn unwrap(wrapping: &Key, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BrokenSeal> {
    let (nonce, rest) = sealed.split_first_chunk::<12>().ok_or(BrokenSeal)?;
    let (sealed_key, content) = rest.split_first_chunk::<{ 32 + OVERHEAD }>().ok_or(BrokenSeal)?;
    let key = Zeroizing::new(
        Aes256Gcm::new(wrapping.expose().into())
            .decrypt(&(*nonce).into(), Payload { msg: sealed_key, aad })
            .map_err(|_| BrokenSeal)?,
    );
    let key = Key::from_bytes(key.as_slice().try_into().map_err(|_| BrokenSeal)?);
    Sealer::new(&key).open(0, aad, content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_one_flipped_bit_does_not(plain: Vec<u8>, bit: usize, piece: u64) {
            let key = Key::random();
            let sealer = Sealer::new(&key);
            let mut sealed = sealer.seal(piece, b"here", &plain);
            prop_assert_eq!(&*sealer.open(piece, b"here", &sealed).unwrap(), &plain);
            prop_assert_eq!(sealer.open(piece, b"there", &sealed), Err(BrokenSeal));
            prop_assert_eq!(sealer.open(piece ^ 1, b"here", &sealed), Err(BrokenSeal));
            let mut in_place = plain.clone();
            sealer.seal_in_place(piece, b"here", &mut in_place);
            prop_assert_eq!(&in_place, &sealed);
            prop_assert_eq!(sealer.open_in_place(piece, b"here", &mut in_place), Ok(()));
            prop_assert_eq!(&in_place, &plain);
            let at = bit % (sealed.len() * 8);
            sealed[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(sealer.open(piece, b"here", &sealed), Err(BrokenSeal));
        }

        #[test]
        fn a_wrapped_thing_opens_with_its_key_only(plain: Vec<u8>, bit: usize) {
            let key = Key::random();
            let mut sealed = wrap(&key, b"vault", &plain);
            prop_assert_eq!(&*unwrap(&key, b"vault", &sealed).unwrap(), &plain);
            prop_assert_eq!(unwrap(&Key::random(), b"vault", &sealed), Err(BrokenSeal));
            let at = bit % (sealed.len() * 8);
            sealed[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(unwrap(&key, b"vault", &sealed), Err(BrokenSeal));
        }
    }
}
