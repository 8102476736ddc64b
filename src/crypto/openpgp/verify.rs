//! Signatures: who made them, and what they are worth.

use super::armour::{self, Block};
use super::certificate::Certificate;
use super::ids::{Fingerprint, KeyId};
use super::policy::{policy, seconds, time};
use super::unseal::{Bounds, MAX_MESSAGE_BYTES, MAX_PLAIN_BYTES, UnsealError, read_whole};
use sequoia_openpgp::cert::Cert;
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::packet::Signature as Packet;
use sequoia_openpgp::parse::stream::{
    DetachedVerifierBuilder, MessageLayer, MessageStructure, VerificationError, VerificationHelper,
    VerificationResult, VerifierBuilder,
};
use sequoia_openpgp::parse::{PacketParser, Parse};
use sequoia_openpgp::policy::Policy;
use sequoia_openpgp::types::{HashAlgorithm, RevocationStatus};
use sequoia_openpgp::{KeyHandle, Result};
use std::time::{Duration, SystemTime};

/// A clock that is a day ahead is a clock, not a forgery.
const DAY: i64 = 24 * 60 * 60;

/// One signature over the whole of what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The ids of the keys that it says it is by, for finding the certificate.
    pub issuers: Vec<KeyId>,
    /// The fingerprint of the key that it says it is by, where it says so.
    pub issuer: Option<Fingerprint>,
    /// The certificate whose key was looked at, by its primary key; `None` where it was not among those given.
    pub signer: Option<Fingerprint>,
    /// When it says it was made, in UTC seconds.
    pub made_at: Option<i64>,
    /// What it is worth.
    pub verdict: Verdict,
    /// The certificates (by their primary keys) it was meant for; empty where it does not say. A message that names
    /// others was passed on.
    pub intended: Vec<Fingerprint>,
    /// Key and hash algorithm, for those who want to know: `EdDSA, SHA512`.
    pub algorithm: String,
}

/// What a signature is worth. Everything but the two good ones counts as unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, and the key was and is valid.
    Good,
    /// It holds and the key was valid when it was made; what has happened to the key since then, as a clause.
    GoodThen(String),
    /// The certificate was not among those given.
    Unknown,
    /// It is not over these bytes, or it is no signature.
    Bad,
    /// Its hash or its key is too weak: anybody might have made it.
    Weak,
    /// The signature itself has expired, or the key had when it was made.
    Expired,
    /// It says it was made after tomorrow.
    FromFuture,
    /// The key had been revoked, or was revoked for all time.
    Revoked,
    /// The key was not valid at that time: not yet made, not bound to the certificate, or not for signatures.
    NotLive,
    /// It is of a kind that is not known here.
    Unsupported,
}

impl Verdict {
    /// Whether the signature holds.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Good | Self::GoodThen(_))
    }
}

/// Checks a signature that lies beside what it signs (`multipart/signed`), binary or armoured. `signed` are the bytes exactly
/// as they were sent.
///
/// # Errors
/// [`UnsealError::Damaged`] where `signature` holds none, [`UnsealError::TooLarge`], [`UnsealError::TooMany`].
pub fn verify_detached(
    signed: &[u8],
    signature: &[u8],
    signers: &[Certificate],
    now: i64,
) -> std::result::Result<Vec<Signature>, UnsealError> {
    if signed.len() > MAX_MESSAGE_BYTES || signature.len() > super::MAX_CERTIFICATE_BYTES {
        return Err(UnsealError::TooLarge);
    }
    let signature = armour::open(signature, Block::Signature).ok_or(UnsealError::Damaged)?;
    super::guarded(Err(UnsealError::Damaged), || {
        let policy = policy(now);
        let mut state = State::new(signers, now);
        let outcome = DetachedVerifierBuilder::from_bytes(&signature).and_then(|builder| {
            let checker = Checker { state: &mut state, policy: &policy };
            builder.with_policy(&policy, time(now.saturating_add(DAY)), checker)?.verify_bytes(signed)
        });
        state.outcome(outcome)
    })
}

/// Checks text with its signature below it (the cleartext framework, RFC 9580 §7); text outside of the block is ignored.
/// Gives the text that was signed: it alone may be shown as such.
///
/// # Errors
/// [`UnsealError::NotSigned`] where there is no such block, and those of [`verify_detached`].
pub fn verify_cleartext(
    text: &[u8],
    signers: &[Certificate],
    now: i64,
) -> std::result::Result<(Vec<u8>, Vec<Signature>), UnsealError> {
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(UnsealError::TooLarge);
    }
    let block = cleartext_block(text).ok_or(UnsealError::NotSigned)?;
    super::guarded(Err(UnsealError::Damaged), || verify_whole(block, signers, now))
}

/// Checks a message that is signed and not encrypted, binary or armoured; gives what is in it.
///
/// # Errors
/// [`UnsealError`]: not such a message, damaged, or over the bounds that [`super::unseal`] has.
pub fn verify_message(
    message: &[u8],
    signers: &[Certificate],
    now: i64,
) -> std::result::Result<(Vec<u8>, Vec<Signature>), UnsealError> {
    if message.len() > MAX_MESSAGE_BYTES {
        return Err(UnsealError::TooLarge);
    }
    let message = armour::open(message, Block::Message).ok_or(UnsealError::Damaged)?;
    super::guarded(Err(UnsealError::Damaged), || verify_whole(&message, signers, now))
}

fn verify_whole(
    message: &[u8],
    signers: &[Certificate],
    now: i64,
) -> std::result::Result<(Vec<u8>, Vec<Signature>), UnsealError> {
    let policy = policy(now);
    let mut state = State::new(signers, now);
    let outcome = VerifierBuilder::from_bytes(message).and_then(|builder| {
        let checker = Checker { state: &mut state, policy: &policy };
        let verifier = builder.buffer_size(MAX_PLAIN_BYTES).with_policy(
            &policy,
            time(now.saturating_add(DAY)),
            checker,
        )?;
        let whole = verifier.message_processed();
        read_whole(verifier, whole)
    });
    let plain = state.outcome(outcome)?;
    plain.1.ok_or(UnsealError::TooLarge).map(|bytes| (bytes, plain.0))
}

/// The first block of cleartext and signature, from the beginning of a line to the end of the signature.
fn cleartext_block(text: &[u8]) -> Option<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN PGP SIGNED MESSAGE-----";
    const END: &[u8] = b"-----END PGP SIGNATURE-----";
    let start = memchr::memmem::find_iter(text, BEGIN)
        .find(|at| at.checked_sub(1).is_none_or(|before| text.get(before) == Some(&b'\n')))?;
    let from = text.get(start..)?;
    from.get(..memchr::memmem::find(from, END)? + END.len())
}

/// What reading a message brings to light besides its content.
pub(super) struct State<'s> {
    pub(super) signers: &'s [Certificate],
    pub(super) now: i64,
    pub(super) signatures: Vec<Signature>,
    pub(super) bounds: Bounds,
    pub(super) weak: bool,
}

/// What comes of a run with nothing to give back.
trait Outcome {
    type With;
    fn with(self, signatures: Vec<Signature>) -> Self::With;
}

impl Outcome for () {
    type With = Vec<Signature>;
    fn with(self, signatures: Vec<Signature>) -> Vec<Signature> {
        signatures
    }
}

impl Outcome for Option<Vec<u8>> {
    type With = (Vec<Signature>, Self);
    fn with(self, signatures: Vec<Signature>) -> Self::With {
        (signatures, self)
    }
}

impl<'s> State<'s> {
    pub(super) fn new(signers: &'s [Certificate], now: i64) -> Self {
        Self { signers, now, signatures: Vec::new(), bounds: Bounds::default(), weak: false }
    }

    fn outcome<T: Outcome>(self, outcome: Result<T>) -> std::result::Result<T::With, UnsealError> {
        match (self.bounds.refused, outcome) {
            (Some(refused), _) => Err(refused),
            (None, Ok(_)) if self.signatures.is_empty() => Err(UnsealError::NotSigned),
            (None, Ok(content)) => Ok(content.with(self.signatures)),
            (None, Err(_)) => Err(UnsealError::Damaged),
        }
    }

    pub(super) fn certs(&self, ids: &[KeyHandle]) -> Vec<Cert> {
        let of = |cert: &Cert| cert.keys().any(|key| ids.iter().any(|id| id.aliases(key.key().key_handle())));
        self.signers.iter().map(Certificate::cert).filter(|cert| of(cert)).cloned().collect()
    }

    pub(super) fn take(&mut self, structure: MessageStructure<'_>, policy: &dyn Policy) {
        for layer in structure {
            match layer {
                // What was signed was the ciphertext: anybody can sign somebody else's.
                MessageLayer::Encryption { sym_algo, .. } => {
                    self.signatures.clear();
                    self.weak |= super::policy::is_weak(sym_algo);
                }
                MessageLayer::SignatureGroup { results } => {
                    self.signatures.extend(results.into_iter().map(|result| judge(result, policy, self.now)));
                }
                MessageLayer::Compression { .. } => {}
            }
        }
    }
}

struct Checker<'a, 's> {
    state: &'a mut State<'s>,
    policy: &'a dyn Policy,
}

impl VerificationHelper for Checker<'_, '_> {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> Result<()> {
        self.state.bounds.inspect(packet, false)
    }

    fn get_certs(&mut self, ids: &[KeyHandle]) -> Result<Vec<Cert>> {
        Ok(self.state.certs(ids))
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> Result<()> {
        self.state.take(structure, self.policy);
        Ok(())
    }
}

/// Sequoia judges each signature by what was true of the key when it was made; hard revocations count for all time.
fn judge(result: VerificationResult<'_>, policy: &dyn Policy, now: i64) -> Signature {
    match result {
        Ok(good) => {
            let verdict = since(good.ka.cert(), policy, now);
            describe(good.sig, Some(good.ka.cert()), verdict)
        }
        Err(VerificationError::MissingKey { sig }) => {
            let weak = policy.signature(sig, Default::default()).is_err();
            describe(sig, None, if weak { Verdict::Weak } else { Verdict::Unknown })
        }
        Err(VerificationError::UnboundKey { sig, cert, .. }) => {
            describe(sig, Some(cert), bound_later(sig, cert, policy, now))
        }
        Err(VerificationError::BadKey { sig, ka, .. }) => {
            let revoked = |status| matches!(status, RevocationStatus::Revoked(_));
            let verdict = if revoked(ka.valid_cert().revocation_status()) || revoked(ka.revocation_status()) {
                Verdict::Revoked
            } else if [ka.valid_cert().alive(), ka.alive()].into_iter().any(|alive| has_expired(&alive)) {
                Verdict::Expired
            } else {
                Verdict::NotLive
            };
            describe(sig, Some(ka.cert()), verdict)
        }
        Err(VerificationError::BadSignature { sig, ka, .. }) => {
            let made = sig.signature_creation_time().map(seconds);
            let verdict = if made.is_some_and(|made| made > now.saturating_add(DAY)) {
                Verdict::FromFuture
            } else if policy.signature(sig, Default::default()).is_err() {
                Verdict::Weak
            } else if has_expired(&sig.signature_alive(time(now.saturating_add(DAY)), Duration::ZERO)) {
                Verdict::Expired
            } else {
                Verdict::Bad
            };
            describe(sig, Some(ka.cert()), verdict)
        }
        Err(VerificationError::MalformedSignature { sig, .. }) => describe(sig, None, Verdict::Bad),
        Err(_) => Signature {
            issuers: Vec::new(),
            issuer: None,
            signer: None,
            made_at: None,
            verdict: Verdict::Unsupported,
            intended: Vec::new(),
            algorithm: String::new(),
        },
    }
}

fn has_expired(alive: &Result<()>) -> bool {
    let error = alive.as_ref().err().and_then(|error| error.downcast_ref::<sequoia_openpgp::Error>());
    matches!(error, Some(sequoia_openpgp::Error::Expired(_)))
}

/// What has happened since a good signature was made.
fn since(cert: &Cert, policy: &dyn Policy, now: i64) -> Verdict {
    let Ok(valid) = cert.with_policy(policy, time(now)) else {
        return Verdict::GoodThen("the key is not valid any more".into());
    };
    if matches!(valid.revocation_status(), RevocationStatus::Revoked(_)) {
        Verdict::GoodThen("the key has been revoked since".into())
    } else if valid.alive().is_err() {
        Verdict::GoodThen("the key has expired since".into())
    } else {
        Verdict::Good
    }
}

/// Programs that renew a key often send only its newest self-signature. Then nothing says what held when an older message
/// was signed, and the key is judged by what holds now, if it was made by then.
fn bound_later(sig: &Packet, cert: &Cert, policy: &dyn Policy, now: i64) -> Verdict {
    let Some(made) = sig.signature_creation_time() else { return Verdict::Bad };
    if policy.signature(sig, Default::default()).is_err() {
        return Verdict::Weak;
    }
    if sig.signature_alive(time(now.saturating_add(DAY)), Duration::ZERO).is_err() {
        return Verdict::NotLive;
    }
    let issuers = sig.get_issuers();
    for key in cert.keys().key_handles(issuers) {
        let Ok(key) = key.with_policy(policy, time(now)) else { continue };
        if matches!(key.valid_cert().revocation_status(), RevocationStatus::Revoked(_))
            || matches!(key.revocation_status(), RevocationStatus::Revoked(_))
        {
            return Verdict::Revoked;
        }
        let fit = lived(key.key().creation_time(), key.cert(), made)
            && key.valid_cert().alive().is_ok()
            && key.alive().is_ok()
            && key.for_signing();
        if fit {
            return if sig.verify_document(key.key()).is_ok() { Verdict::Good } else { Verdict::Bad };
        }
    }
    Verdict::NotLive
}

/// Whether the key and its certificate had been made by then.
fn lived(key: SystemTime, cert: &Cert, then: SystemTime) -> bool {
    key <= then && cert.primary_key().key().creation_time() <= then
}

fn describe(sig: &Packet, cert: Option<&Cert>, verdict: Verdict) -> Signature {
    let mut issuers: Vec<KeyId> = Vec::new();
    for issuer in sig.get_issuers() {
        let id = KeyId::of_handle(&issuer);
        if issuers.len() < 8 && !issuers.contains(&id) {
            issuers.push(id);
        }
    }
    let hash = match sig.hash_algo() {
        HashAlgorithm::SHA1 => "SHA1".to_owned(),
        other => other.to_string(),
    };
    let key = sig.pk_algo().to_string();
    Signature {
        issuers,
        issuer: sig.issuer_fingerprints().next().map(Fingerprint::of),
        signer: cert.map(|cert| Fingerprint::of(&cert.fingerprint())),
        made_at: sig.signature_creation_time().map(seconds),
        verdict,
        intended: sig.intended_recipients().take(1024).map(Fingerprint::of).collect(),
        algorithm: format!("{}, {hash}", key.split(" (").next().unwrap_or_default()),
    }
}
