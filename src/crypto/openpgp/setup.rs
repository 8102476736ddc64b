//! The Autocrypt Setup Message (Autocrypt Level 1 §4): a key, sealed with a code that its owner types.

use super::armour::{self, Block};
use super::ids::Fingerprint;
use super::keyring::KeyError;
use super::secret_key::SecretKey;
use super::unseal::{MAX_MESSAGE_BYTES, Opener, TryKey, UnsealError, run};
use crate::crypto::secret::random;
use sequoia_openpgp::Result;
use sequoia_openpgp::armor::{Kind, Writer};
use sequoia_openpgp::crypto::{Password, S2K, SessionKey};
use sequoia_openpgp::packet::skesk::SKESK4;
use sequoia_openpgp::packet::{PKESK, Packet, SKESK};
use sequoia_openpgp::serialize::Serialize;
use sequoia_openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use sequoia_openpgp::types::{HashAlgorithm, SymmetricAlgorithm};
use std::fmt;
use std::io::Write;
use zeroize::Zeroizing;

const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
const KEY_BYTES: usize = 32;
/// The most that iterated S2K can say; half a second for who guesses.
const S2K_BYTES: u32 = 65_011_712;
const GROUPS: usize = 9;
const MAX_TRIES: usize = 4;

/// The setup code: nine groups of four digits, about 119 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct SetupCode(Zeroizing<String>);

/// This is not a setup code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a setup code is nine groups of four digits")]
pub struct NotASetupCode;

impl SetupCode {
    /// A fresh code, every one as likely as any other.
    #[must_use]
    pub fn generate() -> Self {
        let mut groups = Vec::with_capacity(GROUPS);
        while groups.len() < GROUPS {
            // 60 000 is the largest multiple of 10 000 that 16 bits hold; what lies above would favour low numbers.
            let number = u16::from_be_bytes(random());
            if number < 60_000 {
                groups.push(format!("{:04}", number % 10_000));
            }
        }
        Self(Zeroizing::new(groups.join("-")))
    }

    /// Reads what somebody typed: blanks and dashes may be missing or be in other places.
    ///
    /// # Errors
    /// [`NotASetupCode`] where there are not 36 digits, or anything but digits, blanks and dashes.
    pub fn parse(text: &str) -> std::result::Result<Self, NotASetupCode> {
        let mut code = Zeroizing::new(String::with_capacity(GROUPS * 5));
        let mut digits = 0;
        for letter in text.chars() {
            match letter {
                '0'..='9' if digits < GROUPS * 4 => {
                    if digits > 0 && digits % 4 == 0 {
                        code.push('-');
                    }
                    code.push(letter);
                    digits += 1;
                }
                '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
                blank if blank.is_whitespace() => {}
                _ => return Err(NotASetupCode),
            }
        }
        if digits == GROUPS * 4 { Ok(Self(code)) } else { Err(NotASetupCode) }
    }

    /// The first two digits, which the message shows so that its owner finds the right code.
    #[must_use]
    pub fn begin(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }

    /// The code as it is shown once and typed elsewhere.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn password(&self) -> Password {
        self.0.as_str().into()
    }
}

impl fmt::Display for SetupCode {
    /// With its dashes, which belong to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode(…)")
    }
}

/// Why a setup message does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The code is another message's, or mistyped.
    #[error("this is not the setup code of that message")]
    WrongCode,
    /// It is no setup message, or a damaged one.
    #[error("this is not an Autocrypt setup message, or it is damaged")]
    Unreadable,
    /// What is in it is no key that can be used.
    #[error("the key in the setup message cannot be used: {0}")]
    Key(#[from] KeyError),
}

/// What a setup message brings.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The key.
    pub key: SecretKey,
    /// Whether its owner wants encryption whenever both sides do (`prefer-encrypt=mutual`).
    pub mutual: bool,
}

/// Makes the armoured payload of a setup message: `key`, and whether its owner prefers encryption, under `code`.
///
/// # Errors
/// [`KeyError::Failed`] where the cipher library fails.
pub fn make(
    key: &SecretKey,
    mutual: bool,
    code: &SetupCode,
    now: i64,
) -> std::result::Result<String, KeyError> {
    // An expired key would only be refused on the other side.
    key.signing_pair(now)?;
    let sealed = write(key, mutual, code).map_err(|_| KeyError::Failed)?;
    String::from_utf8(sealed).map_err(|_| KeyError::Failed)
}

fn write(key: &SecretKey, mutual: bool, code: &SetupCode) -> Result<Vec<u8>> {
    let preference = if mutual { "mutual" } else { "nopreference" };
    let mut inner =
        Writer::with_headers(Vec::new(), Kind::SecretKey, [("Autocrypt-Prefer-Encrypt", preference)])?;
    inner.write_all(&key.bytes())?;
    let inner = Zeroizing::new(inner.finalize()?);

    let headers = [("Passphrase-Format", "numeric9x4"), ("Passphrase-Begin", code.begin())];
    let mut outer = Writer::with_headers(Vec::new(), Kind::Message, headers)?;
    let session = SessionKey::new(KEY_BYTES)?;
    let s2k = S2K::new_iterated(HashAlgorithm::SHA256, S2K_BYTES)?;
    let skesk = SKESK4::with_password(CIPHER, CIPHER, s2k, &session, &code.password())?;
    Packet::SKESK(skesk.into()).serialize(&mut outer)?;
    // Without recipients it is of the older kind, which is all that Level 1 reads.
    let message = Encryptor::with_session_key(Message::new(&mut outer), CIPHER, session)?.build()?;
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(&inner)?;
    message.finalize()?;
    Ok(outer.finalize()?)
}

/// Opens the payload of a setup message, which may have HTML around its armour. Only the code opens it: no key of the owner
/// is tried.
///
/// # Errors
/// [`SetupError`] tells a wrong code from a message that cannot be read.
pub fn open(text: &str, code: &SetupCode) -> std::result::Result<Setup, SetupError> {
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(SetupError::Unreadable);
    }
    let (opened, _) = armour::open_first(text.as_bytes(), Block::Message).ok_or(SetupError::Unreadable)?;
    // There is no signature to be judged, so the time does not matter.
    let opener = Code(code.password());
    let found = super::guarded(Err(UnsealError::Damaged), || run(&opened.bytes, &opener, &[], 0));
    let found = found.map_err(|error| match error {
        // A wrong code passes for right in one of 65 536 cases; then the proof of integrity fails.
        UnsealError::NoKey { .. } | UnsealError::NotProtected => SetupError::WrongCode,
        _ => SetupError::Unreadable,
    })?;
    let plain = Zeroizing::new(found.plain);
    let (inner, _) = armour::open_first(&plain, Block::Keys).ok_or(SetupError::Unreadable)?;
    let bytes = Zeroizing::new(inner.bytes);
    let mutual = inner.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("Autocrypt-Prefer-Encrypt") && value.trim().eq_ignore_ascii_case("mutual")
    });
    Ok(Setup { key: SecretKey::parse(&bytes, None)?, mutual })
}

/// Opens a message that a password was put on, with that password alone.
pub(super) fn open_with(
    bytes: &[u8],
    password: &str,
) -> std::result::Result<Zeroizing<Vec<u8>>, UnsealError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(UnsealError::TooLarge);
    }
    let (opened, _) = armour::open_first(bytes, Block::Message).ok_or(UnsealError::Damaged)?;
    super::guarded(Err(UnsealError::Damaged), || {
        Ok(Zeroizing::new(run(&opened.bytes, &Code(password.into()), &[], 0)?.plain))
    })
}

/// The first digits of the code, where the message tells them: two of them, mostly.
#[must_use]
pub fn begin_of(text: &str) -> Option<String> {
    let (opened, _) = armour::open_first(text.as_bytes(), Block::Message)?;
    let (_, begin) = opened.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Passphrase-Begin"))?;
    let begin = begin.trim();
    let digits = (1..=4).contains(&begin.len()) && begin.bytes().all(|digit| digit.is_ascii_digit());
    digits.then(|| begin.to_owned())
}

/// Opens with the code and with nothing else.
struct Code(Password);

impl Opener for Code {
    fn open(&self, _: &[PKESK], skesks: &[SKESK], try_key: &mut TryKey<'_>) -> Option<Option<Fingerprint>> {
        for skesk in skesks.iter().take(MAX_TRIES) {
            // Level 1 knows the iterated kind only; Argon2 from a stranger could eat the machine.
            let SKESK::V4(skesk) = skesk else { continue };
            if !matches!(skesk.s2k(), S2K::Iterated { .. }) {
                continue;
            }
            if let Ok((cipher, key)) = skesk.decrypt(&self.0)
                && try_key(Some(cipher), &key)
            {
                return Some(None);
            }
        }
        None
    }
}
