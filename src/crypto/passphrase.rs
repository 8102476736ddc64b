//! The owner's passphrase: stretched by Argon2id to open the vault, or proved cheaply while the vault is open.

use super::master_key::keyed_hash;
use super::secret::{Key, SecretText};
use argon2::{Algorithm, Argon2, Params, Version};
use hmac::Mac;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// One Argon2 runs at a time, so that fifty sign-ins at once do not eat the memory.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

const MIB: u32 = 1024;

/// How long and with how much memory Argon2id (RFC 9106) stretches a passphrase, in one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
}

/// These Argon2 parameters are outside of what a vault may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these stretching parameters are refused")]
pub struct RefusedParameters;

impl Cost {
    /// The least that is ever accepted: 64 MiB and one pass. For tests; a real vault is [calibrated](Self::calibrate).
    pub const MINIMUM: Self = Self { memory_kib: 64 * MIB, passes: 1 };

    const MAXIMUM: Self = Self { memory_kib: 2048 * MIB, passes: 16 };

    /// A cost from its parts, as a vault names them.
    ///
    /// # Errors
    /// [`RefusedParameters`] outside 64 MiB to 2 GiB and 1 to 16 passes: a forged vault may neither make
    /// guessing cheap nor eat the machine.
    pub fn new(memory_kib: u32, passes: u32) -> Result<Self, RefusedParameters> {
        let memory = Self::MINIMUM.memory_kib..=Self::MAXIMUM.memory_kib;
        let turns = Self::MINIMUM.passes..=Self::MAXIMUM.passes;
        if memory.contains(&memory_kib) && turns.contains(&passes) {
            Ok(Self { memory_kib, passes })
        } else {
            Err(RefusedParameters)
        }
    }

    /// Measures this machine and picks the cost that takes about `target` (half a second is usual) here.
    ///
    /// At least RFC 9106's second choice (64 MiB, three passes) even where that takes longer; never more than
    /// 128 MiB, because the server is to run where memory is scarce, and passes are as good for half a second.
    #[must_use]
    pub fn calibrate(target: Duration) -> Self {
        let started = Instant::now();
        let measured = stretch(&SecretText::new("how fast is it".into()), &[0; 16], Self::MINIMUM);
        drop(measured);
        let minimum_passes_in_target = target.as_secs_f64() / started.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number; the cast saturates"
        )]
        let in_target = minimum_passes_in_target.round() as u32;
        if in_target >= 6 {
            Self { memory_kib: 128 * MIB, passes: (in_target / 2).min(Self::MAXIMUM.passes) }
        } else {
            Self { memory_kib: 64 * MIB, passes: in_target.max(3) }
        }
    }
}

/// Stretches a passphrase to a key. Waits while another thread is at it.
pub(super) fn stretch(passphrase: &SecretText, salt: &[u8; 16], cost: Cost) -> Key {
    let normal = normalise(passphrase);
    let mut out = Zeroizing::new([0; 32]);
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    #[expect(clippy::expect_used, reason = "Cost holds only what Argon2 accepts")]
    let parameters =
        Params::new(cost.memory_kib, cost.passes, 1, Some(32)).expect("a cost is within Argon2's limits");
    #[expect(
        clippy::expect_used,
        reason = "it fails only where 64 MiB cannot be had or a passphrase is over 4 GiB"
    )]
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(normal.as_bytes(), salt, &mut *out)
        .expect("there is memory for Argon2");
    drop(turn);
    Key::from_bytes(*out)
}

/// One keyboard sends `é` as one character, another as two: both are the same passphrase (RFC 8265 §4.2.2).
fn normalise(passphrase: &SecretText) -> Zeroizing<String> {
    let text = passphrase.expose();
    // Room for the worst expansion (UAX #15), so that no unwiped copy is left behind by a growing string.
    let mut normal = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    normal.extend(text.nfc());
    normal
}

/// Recognises the passphrase again while the vault is open, without stretching it anew.
///
/// It lives in memory only, beside the keys that it would lead to.
pub struct PassphraseProof {
    key: Key,
    proof: Zeroizing<[u8; 32]>,
}

impl PassphraseProof {
    /// Remembers a passphrase that has just opened the vault.
    #[must_use]
    pub fn new(passphrase: &SecretText) -> Self {
        let key = Key::random();
        let proof = Zeroizing::new(Self::digest(&key, passphrase).finalize().into_bytes().into());
        Self { key, proof }
    }

    /// Whether this is that passphrase; takes the same time whatever the answer is.
    #[must_use]
    pub fn matches(&self, passphrase: &SecretText) -> bool {
        Self::digest(&self.key, passphrase).verify_slice(&*self.proof).is_ok()
    }

    fn digest(key: &Key, passphrase: &SecretText) -> hmac::Hmac<sha2::Sha256> {
        keyed_hash(key).chain_update(normalise(passphrase).as_bytes())
    }
}

impl std::fmt::Debug for PassphraseProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PassphraseProof(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_outside_the_limits_is_refused() {
        assert_eq!(Cost::new(64 * MIB, 1), Ok(Cost::MINIMUM));
        assert!(Cost::new(2048 * MIB, 16).is_ok());
        for (memory, passes) in [
            (64 * MIB - 1, 1),
            (2048 * MIB + 1, 1),
            (64 * MIB, 0),
            (64 * MIB, 17),
            (0, 0),
            (u32::MAX, u32::MAX),
        ] {
            assert_eq!(Cost::new(memory, passes), Err(RefusedParameters), "{memory} KiB, {passes} passes");
        }
    }

    #[test]
    fn a_calibrated_cost_is_within_the_limits_however_short_or_long_the_target() {
        for target in [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(3600)] {
            let cost = Cost::calibrate(target);
            assert_eq!(Cost::new(cost.memory_kib, cost.passes), Ok(cost));
            assert!(cost.passes >= 3);
        }
    }

    #[test]
    fn a_passphrase_is_proved_however_the_keyboard_composes_it() {
        let proof = PassphraseProof::new(&SecretText::new("Caf\u{e9} in \u{c5}rhus".into()));
        assert!(proof.matches(&SecretText::new("Cafe\u{301} in A\u{30a}rhus".into())));
        assert!(!proof.matches(&SecretText::new("Cafe in Arhus".into())));
        assert!(!proof.matches(&SecretText::default()));
    }
}
