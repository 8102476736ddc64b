//! How a new device is let in: both agree on a secret, and a person carries a few digits of it from one to the other. The new
//! device commits to its half before it sees the other one's, so that nobody in between can try halves until the digits fit.

use super::device::{DeviceError, hash};
use crate::crypto::secret::random;
use crate::mail::sma::{DeviceId, Keys, Reveal, Writer};
use data_encoding::BASE64_NOPAD;
use subtle::ConstantTimeEq;
use vodozemac::Curve25519PublicKey;
use vodozemac::sas::{EstablishedSas, Mac, Sas};

/// One device's half of a pairing, for this pairing alone. It is never kept: a program that ends has ended the pairing.
pub struct Handshake {
    sas: Sas,
    nonce: [u8; 32],
}

impl Handshake {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        Self { sas: Sas::new(), nonce: random() }
    }

    /// The half that the other device may see.
    #[must_use]
    pub fn ephemeral(&self) -> [u8; 32] {
        self.sas.public_key().to_bytes()
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

    /// The comparison, once both halves are known. `theirs` is the other device's half.
    ///
    /// # Errors
    /// Where the other half is none.
    pub fn compare(self, theirs: [u8; 32], transcript: &Transcript<'_>) -> Result<Comparison, DeviceError> {
        let theirs = Curve25519PublicKey::from_bytes(theirs);
        let established = self.sas.diffie_hellman(theirs).map_err(|_| DeviceError::Key)?;
        Ok(Comparison { established, transcript: transcript.digest() })
    }
}

impl Default for Handshake {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshake(…)")
    }
}

/// What a device commits to.
pub(super) fn commitment(device: DeviceId, keys: &Keys, ephemeral: &[u8; 32], nonce: &[u8; 32]) -> [u8; 32] {
    hash(
        &Writer::new("autocrypt-sma/1 commitment")
            .text(&device.to_string())
            .bytes(&keys.signing)
            .bytes(&keys.agreement)
            .bytes(ephemeral)
            .bytes(nonce)
            .done(),
    )
}

/// All that two devices must have seen alike.
#[derive(Clone, Debug)]
pub struct Transcript<'a> {
    /// The account, as its canonical address.
    pub account: &'a str,
    /// The device that lets in: number, keys, half.
    pub old: (DeviceId, Keys, [u8; 32]),
    /// The device that is let in: number, keys, half.
    pub new: (DeviceId, Keys, [u8; 32]),
    /// The hash of the request's payload.
    pub request: [u8; 32],
    /// The hash of the acceptance's payload.
    pub accept: [u8; 32],
}

impl Transcript<'_> {
    /// Whether what the new device revealed is what it had committed to.
    #[must_use]
    pub fn commits(device: DeviceId, keys: &Keys, reveal: &Reveal, commitment_was: &[u8; 32]) -> bool {
        let is = commitment(device, keys, &reveal.ephemeral, &reveal.nonce);
        is.ct_eq(commitment_was).into()
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        let mut writer = Writer::new("autocrypt-sma/1 transcript").text(self.account);
        for (device, keys, ephemeral) in [&self.old, &self.new] {
            writer =
                writer.text(&device.to_string()).bytes(&keys.signing).bytes(&keys.agreement).bytes(ephemeral);
        }
        hash(&writer.bytes(&self.request).bytes(&self.accept).done())
    }
}

/// A secret that two devices agreed on, and the digits that tell whether it is the same one.
pub struct Comparison {
    established: EstablishedSas,
    transcript: [u8; 32],
}

impl Comparison {
    /// The string that the person compares: three numbers of four digits (39 bits).
    #[must_use]
    pub fn string(&self) -> String {
        let (a, b, c) = self.established.bytes(&string_info(&self.transcript)).decimals();
        format!("{a} {b} {c}")
    }

    /// Whether what was typed is that string. Anything but digits is passed over.
    #[must_use]
    pub fn is(&self, typed: &str) -> bool {
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).collect::<Vec<u8>>();
        digits(&self.string()).ct_eq(&digits(typed)).into()
    }

    /// What a device sends to prove that its keys are the compared ones.
    #[must_use]
    pub fn mac(&self, device: DeviceId, keys: &Keys) -> [u8; 32] {
        let mac = self.established.calculate_mac(&mac_input(keys), &mac_info(&self.transcript, device));
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(mac.as_bytes()).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// Whether the other device proved it.
    #[must_use]
    pub fn proves(&self, device: DeviceId, keys: &Keys, mac: &[u8; 32]) -> bool {
        let info = mac_info(&self.transcript, device);
        self.established.verify_mac(&mac_input(keys), &info, &Mac::from_slice(mac)).is_ok()
    }
}

impl std::fmt::Debug for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Comparison(…)")
    }
}

pub(super) fn string_info(transcript: &[u8; 32]) -> String {
    format!("autocrypt-sma/1 string {}", BASE64_NOPAD.encode(transcript))
}

pub(super) fn mac_info(transcript: &[u8; 32], device: DeviceId) -> String {
    format!("autocrypt-sma/1 mac {} {device}", BASE64_NOPAD.encode(transcript))
}

/// The library takes text.
pub(super) fn mac_input(keys: &Keys) -> String {
    format!("{} {}", BASE64_NOPAD.encode(&keys.signing), BASE64_NOPAD.encode(&keys.agreement))
}
