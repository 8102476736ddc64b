//! The recovery key: a way into the store beside the passphrase, kept on paper or in shares and never on this machine.
//!
//! It is 256 random bits, so it needs no stretching. Its text is short enough to be typed from paper, and its checksum tells a
//! letter that was mistyped from a key that opens nothing.

use super::letters::{self, Misread};
use super::secret::{Key, SecretText};
use super::vault::StoreId;
use hkdf::Hkdf;
use sha2::Sha256;
use std::str::FromStr;

const BYTES: usize = 32;
const CHECK_BYTES: usize = 3;
const WHAT: &[u8] = b"mailkeep 1 recovery key text";

/// Why a text is no recovery key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// A letter is wrong or missing.
    #[error("a letter of the recovery key is mistyped or missing")]
    Mistyped,
    /// It does not look like one.
    #[error("this is not a recovery key: that is 14 groups of four letters and digits")]
    Unreadable,
}

/// What opens a store without its passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryKey(Key);

impl RecoveryKey {
    /// A fresh random one.
    #[must_use]
    pub fn random() -> Self {
        Self(Key::random())
    }

    /// One from its bytes, as shares give them back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; BYTES]) -> Self {
        Self(Key::from_bytes(bytes))
    }

    /// The bytes, to be split into shares.
    #[must_use]
    pub const fn expose(&self) -> &[u8; BYTES] {
        self.0.expose()
    }

    /// The text that is shown: 14 groups of four letters and digits.
    #[must_use]
    pub fn to_text(&self) -> SecretText {
        SecretText::new(letters::write::<CHECK_BYTES>(WHAT, self.expose()).to_string())
    }

    /// The key that seals the master key of one store.
    pub(super) fn wrapping(&self, store: &StoreId) -> Key {
        let mut bytes = [0; 32];
        #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes")]
        Hkdf::<Sha256>::new(Some(store), self.expose())
            .expand(b"mailkeep 1 recovery slot", &mut bytes)
            .expect("32 bytes can be expanded");
        Key::from_bytes(bytes)
    }
}

impl FromStr for RecoveryKey {
    type Err = RecoveryError;

    /// Reads the text as it was printed or typed: in either case, with any blanks and dashes; `O` for 0, `I` and `L` for 1.
    fn from_str(text: &str) -> Result<Self, RecoveryError> {
        let bytes = match letters::read::<CHECK_BYTES>(WHAT, text, BYTES) {
            Ok(bytes) => bytes,
            Err(Misread::Mistyped) => return Err(RecoveryError::Mistyped),
            Err(Misread::SomethingElse) => return Err(RecoveryError::Unreadable),
        };
        let bytes = bytes.as_slice().try_into().map_err(|_| RecoveryError::Unreadable)?;
        Ok(Self::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_survives_handwriting_and_is_short() {
        let key = RecoveryKey::from_bytes(*b"thirty-two bytes of recovery key");
        let text = key.to_text();
        assert_eq!(text.expose().split(' ').map(str::len).collect::<Vec<_>>(), [4; 14]);
        assert_eq!(text.expose().parse(), Ok(key.clone()));
        let scribbled = text.expose().to_lowercase().replace(' ', "-\n").replace('0', "o").replace('1', "l");
        assert_eq!(scribbled.parse(), Ok(key));
    }

    #[test]
    fn words_and_shares_are_no_recovery_keys() {
        let share = super::super::shares::split(&[7; 32], 2, 2).unwrap().remove(0).to_text();
        let words = "perhaps seven quiet herons over the grey harbour by Lagos at dawn too";
        assert_eq!(words.chars().filter(|c| *c != ' ').count(), 57, "as long as a key");
        for other in [words, share.as_str(), "", "0123"] {
            assert_eq!(other.parse::<RecoveryKey>(), Err(RecoveryError::Unreadable), "{other}");
        }
    }

    #[test]
    fn every_store_has_a_wrapping_key_of_its_own() {
        let key = RecoveryKey::from_bytes([7; 32]);
        assert_eq!(key.wrapping(&[1; 16]), key.wrapping(&[1; 16]));
        assert_ne!(key.wrapping(&[1; 16]), key.wrapping(&[2; 16]));
        assert_ne!(key.wrapping(&[1; 16]).expose(), key.expose());
    }

    proptest! {
        #[test]
        fn a_wrong_a_missing_and_a_doubled_letter_are_noticed(bytes: [u8; 32], at in 0usize..56, by in 1usize..32) {
            let alphabet: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
            let typed: Vec<char> = RecoveryKey::from_bytes(bytes).to_text().expose().replace(' ', "").chars().collect();
            prop_assume!(typed.iter().filter(|c| c.is_ascii_digit()).count() > letters::FEWEST_DIGITS + 1);
            let was = alphabet.iter().position(|letter| *letter == typed[at]).unwrap();
            let mut wrong = typed.clone();
            wrong[at] = alphabet[(was + by) % 32];
            let mut missing = typed.clone();
            missing.remove(at);
            let mut doubled = typed.clone();
            doubled.insert(at, typed[at]);
            for typed in [wrong, missing, doubled] {
                let typed: String = typed.into_iter().collect();
                prop_assert_eq!(typed.parse::<RecoveryKey>(), Err(RecoveryError::Mistyped));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,120}") {
            prop_assert!(text.parse::<RecoveryKey>().is_err());
        }
    }
}
