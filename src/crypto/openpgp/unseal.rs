//! Decryption. Nothing is handed out before the whole message has proved that nobody changed it.

use super::armour::{self, Block};
use super::certificate::Certificate;
use super::ids::{Fingerprint, KeyId};
use super::policy::{reading_policy, time};
use super::secret_key::SecretKey;
use super::session_key::SessionKey;
use super::verify::{Signature, State};
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::crypto::SessionKey as Key;
use sequoia_openpgp::packet::{PKESK, SKESK, Tag};
use sequoia_openpgp::parse::buffered_reader::BufferedReader;
use sequoia_openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::policy::Policy;
use sequoia_openpgp::types::SymmetricAlgorithm;
use sequoia_openpgp::{KeyHandle, Result};
use std::fmt;
use std::io::Read;

/// The plaintext of a message has at most so many bytes.
pub const MAX_PLAIN_BYTES: usize = 64 << 20;
/// A message has at most so many bytes, armoured or not.
pub const MAX_MESSAGE_BYTES: usize = 96 << 20;

const MAX_COMPRESSIONS: u8 = 3;
const MAX_SIGNATURES: usize = 32;
const MAX_RECIPIENTS: usize = 2048;
const MAX_PACKETS: usize = 4096;
/// Recipients that are not named, tried on each key.
const MAX_WILDCARDS: usize = 8;
/// Decryptions of a session key, each worth a millisecond, for one message.
const MAX_TRIES: usize = 256;

/// What was in an encrypted message.
#[derive(Clone)]
pub struct Unsealed {
    /// The content, all of it, as it was sealed.
    pub plain: Vec<u8>,
    /// The key that opens this message, to be kept sealed.
    pub session_key: SessionKey,
    /// The signatures over the content; those around the encryption are left out, for they prove nothing.
    pub signatures: Vec<Signature>,
    /// Whom it is encrypted to, by the ids of their encryption keys; all zeros where one is not named.
    pub recipients: Vec<KeyId>,
    /// The key that opened it, by its primary key; `None` where the session key did.
    pub opened_by: Option<Fingerprint>,
    /// Whether its cipher is one of those with blocks of 64 bits, which are not used any more.
    pub weak: bool,
}

impl fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsealed")
            .field("bytes", &self.plain.len())
            .field("signatures", &self.signatures)
            .field("recipients", &self.recipients)
            .field("opened_by", &self.opened_by)
            .field("weak", &self.weak)
            .finish_non_exhaustive()
    }
}

/// Why a message cannot be opened or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// None of the keys opens it.
    #[error("none of your keys opens this message")]
    NoKey {
        /// Whom it is encrypted to, by the ids of their encryption keys.
        recipients: Vec<KeyId>,
    },
    /// Bytes are missing or make no sense.
    #[error("this message is damaged or was cut short")]
    Damaged,
    /// It has no proof against changes, or the proof fails. Opening it all the same is what EFAIL lived on.
    #[error("this message does not prove that nobody changed it on its way, so it stays closed")]
    NotProtected,
    /// It, or what is in it, is larger than any mail.
    #[error("this message is too large to be opened")]
    TooLarge,
    /// It is packed into itself more often than any mail.
    #[error("this message is packed too many times over")]
    TooDeep,
    /// It has more signatures or recipients than any mail.
    #[error("this message has too many parts")]
    TooMany,
    /// It is OpenPGP, but not encrypted.
    #[error("this message is not encrypted")]
    NotEncrypted,
    /// It is OpenPGP, but not signed.
    #[error("this message is not signed")]
    NotSigned,
    /// It is made in a way that is not understood here.
    #[error("this message is encrypted in a way that is not supported")]
    Unsupported,
}

/// Opens an encrypted message, binary or armoured, with text around the armour or not: with `session` where it is given and
/// fits, otherwise with the first of `keys` that fits. Checks its signatures by `signers`.
///
/// # Errors
/// [`UnsealError`]. Whatever fails, no plaintext comes out.
pub fn unseal(
    message: &[u8],
    keys: &[SecretKey],
    session: Option<&SessionKey>,
    signers: &[Certificate],
    now: i64,
) -> std::result::Result<Unsealed, UnsealError> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(UnsealError::TooLarge);
    }
    let message = armour::open(message, Block::Message).ok_or(UnsealError::Damaged)?;
    let opener = Keys { keys, session };
    let found = super::guarded(Err(UnsealError::Damaged), || run(&message, &opener, signers, now))?;
    Ok(Unsealed {
        plain: found.plain,
        session_key: found.session_key,
        signatures: found.signatures,
        recipients: found.recipients,
        opened_by: found.opened_by,
        weak: found.weak,
    })
}

/// What may open a message.
pub(super) trait Opener {
    /// Tries to open it by handing session keys to `try_key` until it says yes; says whose key it was.
    fn open(
        &self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        try_key: &mut TryKey<'_>,
    ) -> Option<Option<Fingerprint>>;
}

/// Whether a session key, with its cipher for a message of the older kind, opens the message.
pub(super) type TryKey<'a> = dyn FnMut(Option<SymmetricAlgorithm>, &Key) -> bool + 'a;

/// Decrypts binary packets with whatever `opener` has.
pub(super) fn run(
    message: &[u8],
    opener: &dyn Opener,
    signers: &[Certificate],
    now: i64,
) -> std::result::Result<Unsealed, UnsealError> {
    scan(message)?;
    let policy = reading_policy(now);
    let mut state = State::new(signers, now);
    let mut found = Found::default();
    let outcome = DecryptorBuilder::from_bytes(message).and_then(|builder| {
        let helper = Helper { opener, state: &mut state, found: &mut found, policy: &policy };
        // All is held back until all is checked: a larger message is refused.
        let decryptor = builder.buffer_size(MAX_PLAIN_BYTES).with_policy(
            &policy,
            // A clock that is a day ahead is a clock, not a forgery.
            time(now.saturating_add(24 * 60 * 60)),
            helper,
        )?;
        let whole = decryptor.message_processed();
        read_whole(decryptor, whole)
    });
    if let Some(refused) = state.bounds.refused {
        return Err(refused);
    }
    let plain = match outcome {
        Ok(plain) => plain.ok_or(UnsealError::TooLarge)?,
        Err(error) => {
            let error = error
                .downcast::<sequoia_openpgp::Error>()
                .or_else(|error| error.downcast::<std::io::Error>().map_err(drop).and_then(inner));
            return Err(explain(error.ok().as_ref(), found.recipients));
        }
    };
    let session_key = found.session_key.ok_or(UnsealError::NotEncrypted)?;
    Ok(Unsealed {
        plain,
        session_key,
        signatures: state.signatures,
        recipients: found.recipients,
        opened_by: found.opened_by,
        weak: state.weak,
    })
}

/// The shortest content of a container that can be one: a block and two bytes in front, an empty literal packet, the proof of
/// integrity. Sequoia 2.4.2 panics on a shorter one.
const SHORTEST_CONTENT: usize = 40;

/// Looks at the packets in front of the encrypted content and at its length, before any key is touched.
fn scan(message: &[u8]) -> std::result::Result<(), UnsealError> {
    let mut bounds = Bounds::default();
    let mut next = PacketParser::from_bytes(message).map_err(|_| UnsealError::Damaged)?;
    while let PacketParserResult::Some(mut packet) = next {
        let tag = packet.packet.tag();
        bounds.look(tag, true)?;
        if tag == Tag::SEIP {
            let content = packet.data(SHORTEST_CONTENT).map_err(|_| UnsealError::Damaged)?;
            return if content.len() < SHORTEST_CONTENT { Err(UnsealError::Damaged) } else { Ok(()) };
        }
        next = packet.next().map_err(|_| UnsealError::Damaged)?.1;
    }
    Err(UnsealError::Damaged)
}

fn inner(error: std::io::Error) -> std::result::Result<sequoia_openpgp::Error, ()> {
    let inner = error.into_inner().ok_or(())?;
    inner.downcast::<sequoia_openpgp::Error>().map(|error| *error).map_err(drop)
}

fn explain(error: Option<&sequoia_openpgp::Error>, recipients: Vec<KeyId>) -> UnsealError {
    use sequoia_openpgp::Error;
    match error {
        Some(Error::MissingSessionKey(_)) => UnsealError::NoKey { recipients },
        Some(Error::ManipulatedMessage) => UnsealError::NotProtected,
        Some(
            Error::UnsupportedSymmetricAlgorithm(_)
            | Error::UnsupportedAEADAlgorithm(_)
            | Error::UnsupportedCompressionAlgorithm(_)
            | Error::PolicyViolation(..),
        ) => UnsealError::Unsupported,
        _ => UnsealError::Damaged,
    }
}

/// Reads what is verified already. `None` where the message was too large to be held back as a whole.
pub(super) fn read_whole(reader: impl Read, whole: bool) -> Result<Option<Vec<u8>>> {
    if !whole {
        return Ok(None);
    }
    let mut plain = Vec::new();
    reader.take(MAX_PLAIN_BYTES as u64 + 1).read_to_end(&mut plain)?;
    Ok((plain.len() <= MAX_PLAIN_BYTES).then_some(plain))
}

/// What a message may be made of. Each packet is looked at before its content is read.
#[derive(Default)]
pub(super) struct Bounds {
    packets: usize,
    recipients: usize,
    signatures: usize,
    compressions: u8,
    encrypted: bool,
    /// Why it was refused.
    pub(super) refused: Option<UnsealError>,
}

impl Bounds {
    pub(super) fn inspect(&mut self, packet: &PacketParser<'_>, encrypted: bool) -> Result<()> {
        self.refused = self.look(packet.packet.tag(), encrypted).err();
        match &self.refused {
            Some(refused) => Err(refused.clone().into()),
            None => Ok(()),
        }
    }

    fn look(&mut self, tag: Tag, encrypted: bool) -> std::result::Result<(), UnsealError> {
        self.packets += 1;
        if self.packets > MAX_PACKETS {
            return Err(UnsealError::TooMany);
        }
        match tag {
            Tag::PKESK | Tag::SKESK if encrypted => {
                self.recipients += 1;
                if self.recipients > MAX_RECIPIENTS { Err(UnsealError::TooMany) } else { Ok(()) }
            }
            Tag::SEIP if encrypted && self.encrypted => Err(UnsealError::TooDeep),
            Tag::SEIP if encrypted => {
                self.encrypted = true;
                Ok(())
            }
            // Symmetrically encrypted without any protection.
            Tag::SED if encrypted => Err(UnsealError::NotProtected),
            // LibrePGP's own container.
            Tag::AED if encrypted => Err(UnsealError::Unsupported),
            Tag::PKESK | Tag::SKESK | Tag::SEIP | Tag::SED | Tag::AED => Err(UnsealError::NotSigned),
            Tag::OnePassSig | Tag::Signature | Tag::Literal | Tag::CompressedData
                if encrypted && !self.encrypted =>
            {
                Err(UnsealError::NotEncrypted)
            }
            Tag::OnePassSig | Tag::Signature => {
                self.signatures += 1;
                // Each is there twice, before and after the content.
                if self.signatures > 2 * MAX_SIGNATURES { Err(UnsealError::TooMany) } else { Ok(()) }
            }
            Tag::CompressedData => {
                self.compressions += 1;
                if self.compressions > MAX_COMPRESSIONS { Err(UnsealError::TooDeep) } else { Ok(()) }
            }
            Tag::Literal | Tag::MDC => Ok(()),
            // A packet that is skipped costs nothing, unless it is unpacked only to be skipped.
            Tag::Marker | Tag::Padding if self.compressions == 0 => Ok(()),
            _ => Err(UnsealError::Damaged),
        }
    }
}

#[derive(Default)]
struct Found {
    session_key: Option<SessionKey>,
    recipients: Vec<KeyId>,
    opened_by: Option<Fingerprint>,
}

struct Helper<'a, 's> {
    opener: &'a dyn Opener,
    state: &'a mut State<'s>,
    found: &'a mut Found,
    policy: &'a dyn Policy,
}

impl VerificationHelper for Helper<'_, '_> {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> Result<()> {
        self.state.bounds.inspect(packet, true)
    }

    fn get_certs(&mut self, ids: &[KeyHandle]) -> Result<Vec<Cert>> {
        Ok(self.state.certs(ids))
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> Result<()> {
        self.state.take(structure, self.policy);
        Ok(())
    }
}

impl DecryptionHelper for Helper<'_, '_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        _: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &Key) -> bool,
    ) -> Result<Option<Cert>> {
        let wildcard = KeyHandle::KeyID(sequoia_openpgp::KeyID::wildcard());
        self.found.recipients = pkesks
            .iter()
            .map(|pkesk| KeyId::of_handle(&pkesk.recipient().unwrap_or_else(|| wildcard.clone())))
            .collect();
        let mut session_key = None;
        let mut try_key = |cipher: Option<SymmetricAlgorithm>, key: &Key| {
            let fits = decrypt(cipher, key);
            if fits {
                session_key = Some(SessionKey::new(cipher, key));
            }
            fits
        };
        if let Some(opened_by) = self.opener.open(pkesks, skesks, &mut try_key) {
            self.found.opened_by = opened_by;
        }
        self.found.session_key = session_key;
        // Whom the signer meant is judged by who asked, not here.
        Ok(None)
    }
}

/// The owner's keys, and the session key where one was kept.
struct Keys<'a> {
    keys: &'a [SecretKey],
    session: Option<&'a SessionKey>,
}

impl Opener for Keys<'_> {
    fn open(&self, pkesks: &[PKESK], _: &[SKESK], try_key: &mut TryKey<'_>) -> Option<Option<Fingerprint>> {
        if let Some(session) = self.session
            && try_key(session.cipher(), &session.key())
        {
            return Some(None);
        }
        let (named, wildcards): (Vec<_>, Vec<_>) =
            pkesks.iter().partition(|pkesk| pkesk.recipient().is_some_and(|handle| !is_wildcard(&handle)));
        let mut tries = 0;
        for pkesk in named.into_iter().chain(wildcards.into_iter().take(MAX_WILDCARDS)) {
            for key in self.keys {
                if self.try_one(key.cert(), pkesk, &mut tries, try_key) {
                    return Some(Some(key.fingerprint()));
                }
            }
        }
        None
    }
}

impl Keys<'_> {
    /// Expired and revoked keys open old mail, too.
    fn try_one(&self, cert: &Cert, pkesk: &PKESK, tries: &mut usize, try_key: &mut TryKey<'_>) -> bool {
        let recipient = pkesk.recipient().filter(|handle| !is_wildcard(handle));
        cert.keys().unencrypted_secret().any(|key| {
            let key = key.key();
            let meant = match &recipient {
                Some(handle) => handle.aliases(key.key_handle()),
                None => key.pk_algo() == pkesk.pk_algo(),
            };
            if !meant || !key.pk_algo().for_encryption() || *tries >= MAX_TRIES {
                return false;
            }
            *tries += 1;
            let Ok(mut pair) = key.clone().into_keypair() else { return false };
            pkesk.decrypt(&mut pair, None).is_some_and(|(cipher, session)| try_key(cipher, &session))
        })
    }
}

fn is_wildcard(handle: &KeyHandle) -> bool {
    matches!(handle, KeyHandle::KeyID(id) if id.is_wildcard())
}
