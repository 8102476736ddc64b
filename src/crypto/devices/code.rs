//! The code that a device shows, for its owner to type into a new one: which device shows it, what its keys are, and a secret.
//! Whoever knows the secret is let in, once and soon; it is never kept.

use super::super::letters::{self, Misread};
use super::super::secret::{SecretText, random};
use crate::mail::sma::{DeviceId, Keys};
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What a code begins with; another version begins otherwise.
const PREFIX: &str = "sma1:";
/// What the checksum is of.
const WHAT: &[u8] = b"autocrypt-sma/1 code";
/// The checksum's length in bytes: with it the letters come out even, 18 groups of four.
const CHECK: usize = 5;
/// The lengths of the device's number, of the fingerprint of its keys and of the secret, in bytes.
const NUMBER: usize = 8;
const HALF: usize = 16;
const LENGTH: usize = NUMBER + 2 * HALF;
/// What is typed is no longer than this, in bytes, with whatever stands between the letters.
const TYPED_MAX: usize = 1000;

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// A letter is wrong or missing.
    #[error(
        "A letter of the code is mistyped or missing; compare it with the other device, and type it again"
    )]
    Mistyped,
    /// It does not look like one.
    #[error(
        "This is not the code of a device: that begins with sma1: and has 18 groups of four letters and digits"
    )]
    Unreadable,
}

/// What one device shows and another one is told.
pub struct Code {
    device: DeviceId,
    fingerprint: [u8; HALF],
    secret: Zeroizing<[u8; HALF]>,
}

impl Code {
    /// A new one of the device of this number and these keys.
    #[must_use]
    pub fn new(device: DeviceId, keys: &Keys) -> Self {
        Self::from_parts(device, keys, random())
    }

    /// One with a given secret.
    #[must_use]
    pub fn from_parts(device: DeviceId, keys: &Keys, secret: [u8; HALF]) -> Self {
        Self { device, fingerprint: fingerprint(keys), secret: Zeroizing::new(secret) }
    }

    /// The device that shows it.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Whether these are the keys of that device.
    #[must_use]
    pub fn is_of(&self, keys: &Keys) -> bool {
        self.fingerprint.ct_eq(&fingerprint(keys)).into()
    }

    /// What it says of that device's keys.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; HALF] {
        &self.fingerprint
    }

    /// What only the two devices know.
    #[must_use]
    pub fn secret(&self) -> &[u8; HALF] {
        &self.secret
    }

    /// The text that is shown: `sma1:` and 18 groups of four letters and digits, with dashes between.
    #[must_use]
    pub fn to_text(&self) -> SecretText {
        let mut bytes = Zeroizing::new(Vec::with_capacity(LENGTH));
        bytes.extend_from_slice(&self.device.number().to_be_bytes());
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&*self.secret);
        let letters = letters::write::<CHECK>(WHAT, &bytes);
        let mut text = String::with_capacity(PREFIX.len() + letters.len());
        text.push_str(PREFIX);
        text.extend(letters.chars().map(|letter| if letter == ' ' { '-' } else { letter }));
        SecretText::new(text)
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads it as it was shown, scanned or typed: in either case, with any blanks and dashes, with or without the prefix.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        if text.len() > TYPED_MAX {
            return Err(CodeError::Unreadable);
        }
        let begins = text.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX));
        let letters = if begins { text.get(PREFIX.len()..).unwrap_or_default() } else { text };
        let bytes = letters::read::<CHECK>(WHAT, letters, LENGTH).map_err(|misread| match misread {
            Misread::Mistyped => CodeError::Mistyped,
            Misread::SomethingElse => CodeError::Unreadable,
        })?;
        let (number, rest) = bytes.split_first_chunk::<NUMBER>().ok_or(CodeError::Unreadable)?;
        let (fingerprint, secret) = rest.split_first_chunk::<HALF>().ok_or(CodeError::Unreadable)?;
        let device = DeviceId::from_number(u64::from_be_bytes(*number)).map_err(|_| CodeError::Unreadable)?;
        let secret = Zeroizing::new(secret.try_into().map_err(|_| CodeError::Unreadable)?);
        Ok(Self { device, fingerprint: *fingerprint, secret })
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// The first half of SHA-256 over both keys.
fn fingerprint(keys: &Keys) -> [u8; HALF] {
    letters::digest(&keys.signing, &[&keys.agreement])
}
