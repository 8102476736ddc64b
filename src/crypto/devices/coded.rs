//! How two devices prove to each other that they know the same code, and saw the same pairing. What the proofs are made with is
//! agreed on anew for each pairing, so that a code that is found later opens nothing.

use super::code::Code;
use super::comparison::{Transcript, commitment};
use super::device::{DeviceError, verify_one_time};
use crate::crypto::secret::random;
use crate::mail::sma::{DeviceId, Keys, OneTimeKey, Request, Reveal, Writer};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vodozemac::{Curve25519PublicKey, Curve25519SecretKey};
use zeroize::Zeroizing;

/// One device's half of a pairing by code, for this pairing alone. It is never kept.
pub struct CodeHandshake {
    half: Curve25519SecretKey,
    nonce: [u8; 32],
}

impl CodeHandshake {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self { half: Curve25519SecretKey::new(), nonce: random() }
    }

    /// The half that the other device may see.
    #[must_use]
    pub fn ephemeral(&self) -> [u8; 32] {
        Curve25519PublicKey::from(&self.half).to_bytes()
    }

    /// What the new device sends first.
    #[must_use]
    pub fn commitment(&self, device: DeviceId, keys: &Keys) -> [u8; 32] {
        commitment(device, keys, &self.ephemeral(), &self.nonce)
    }

    /// What the new device sends when the other half is there.
    #[must_use]
    pub fn reveal(&self, accept: [u8; 32]) -> Reveal {
        Reveal { ephemeral: self.ephemeral(), nonce: self.nonce, accept }
    }

    /// What proofs are made with, once both halves are known. `theirs` is the other device's half, `reveal` the hash of the
    /// payload in which the new device opened its own.
    ///
    /// # Errors
    /// Where the other half is none.
    pub fn agree(
        self,
        theirs: [u8; 32],
        code: &Code,
        transcript: &Transcript<'_>,
        reveal: [u8; 32],
    ) -> Result<CodeProof, DeviceError> {
        let theirs = Curve25519PublicKey::from_bytes(theirs);
        let shared = self.half.diffie_hellman(&theirs).ok_or(DeviceError::Key)?;
        let key = proof_key(code, shared.as_bytes());
        Ok(CodeProof { key, transcript: transcript.digest(), reveal })
    }
}

impl Default for CodeHandshake {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for CodeHandshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeHandshake(…)")
    }
}

/// What two devices prove themselves to each other with: both know the code and agreed on a secret, and what they say covers
/// all that was said before.
pub struct CodeProof {
    key: Zeroizing<[u8; 32]>,
    transcript: [u8; 32],
    reveal: [u8; 32],
}

impl CodeProof {
    fn covers(&self, role: &str, rest: &[&[u8]]) -> Hmac<Sha256> {
        let writer = Writer::new("autocrypt-sma/1 code proof").text(role);
        let writer = writer.bytes(&self.transcript).bytes(&self.reveal);
        over(&self.key, &rest.iter().fold(writer, |writer, field| writer.bytes(field)).done())
    }

    /// What the new device sends, with the key that its first session begins with.
    #[must_use]
    pub fn of_new(&self, one_time: &OneTimeKey) -> [u8; 32] {
        self.covers("new", &[&one_time.key, &one_time.signature]).finalize().into_bytes().into()
    }

    /// What the old device answers. `said` is the hash of the payload that held the new one's proof.
    #[must_use]
    pub fn of_old(&self, said: &[u8; 32]) -> [u8; 32] {
        self.covers("old", &[said]).finalize().into_bytes().into()
    }

    /// Whether the new device of this number and these keys proved itself, and signed the key that its first session begins with.
    #[must_use]
    pub fn is_of_new(&self, device: DeviceId, keys: &Keys, one_time: &OneTimeKey, mac: &[u8; 32]) -> bool {
        self.covers("new", &[&one_time.key, &one_time.signature]).verify_slice(mac).is_ok()
            && verify_one_time(device, keys, one_time).is_ok()
    }

    /// Whether the old device proved itself.
    #[must_use]
    pub fn is_of_old(&self, said: &[u8; 32], mac: &[u8; 32]) -> bool {
        self.covers("old", &[said]).verify_slice(mac).is_ok()
    }
}

impl std::fmt::Debug for CodeProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeProof(…)")
    }
}

/// What a request bears that is made by a code: that the device of this number, which makes it, knows the secret.
#[must_use]
pub fn request_proof(code: &Code, account: &str, device: DeviceId, request: &Request) -> [u8; 32] {
    request_mac(code, account, device, request).finalize().into_bytes().into()
}

/// Whether a request bears that.
#[must_use]
pub fn proves_request(code: &Code, account: &str, device: DeviceId, request: &Request) -> bool {
    let mac = request_mac(code, account, device, request);
    request.proof.is_some_and(|proof| mac.verify_slice(&proof).is_ok())
}

fn request_mac(code: &Code, account: &str, device: DeviceId, request: &Request) -> Hmac<Sha256> {
    let fields = Writer::new("autocrypt-sma/1 code request")
        .text(account)
        .text(&code.device().to_string())
        .bytes(code.fingerprint())
        .text(&device.to_string())
        .bytes(&request.keys.signing)
        .bytes(&request.keys.agreement)
        .bytes(&request.commitment)
        .text(&request.name);
    over(&derived(code.secret(), "autocrypt-sma/1 code request"), &fields.done())
}

pub(super) fn proof_key(code: &Code, shared: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let mut both = Zeroizing::new([0; 48]);
    both.iter_mut().zip(code.secret().iter().chain(shared)).for_each(|(to, from)| *to = *from);
    derived(&*both, "autocrypt-sma/1 code proof")
}

fn derived(secret: &[u8], info: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8160 bytes")]
    Hkdf::<Sha256>::new(None, secret).expand(info.as_bytes(), &mut *key).expect("32 bytes can be expanded");
    key
}

fn over(key: &[u8; 32], bytes: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of 32 bytes is taken");
    mac.chain_update(bytes)
}
