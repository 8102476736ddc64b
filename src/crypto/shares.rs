//! The recovery key in shares (Shamir's secret sharing over GF(256)): any `k` of `n` give it back, `k - 1` say nothing.
//!
//! A share is printed or dictated, so it is text with a checksum that notices typing errors; and it carries a commitment to
//! the secret, so that shares which do not belong together, or were forged, are noticed when they are joined.

use super::letters::{self, Misread, digest};
use super::secret::random;
use blahaj::Sharks;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const PAYLOAD_BYTES: usize = 32;
const COMMITMENT_BYTES: usize = 8;
const CHECK_BYTES: usize = 4;
/// Version, set, index, threshold, commitment, payload.
const BYTES: usize = 1 + 8 + 1 + 1 + COMMITMENT_BYTES + PAYLOAD_BYTES;
/// What the checksum of a share is made over.
const WHAT: &[u8] = b"mailkeep 1 share";

/// Why a secret cannot be split or joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// The numbers make no sense.
    #[error("a secret is split into 2 to 255 shares, of which at least 2 and at most all are needed")]
    Numbers,
    /// The text is no share.
    #[error("this is not a recovery share")]
    Unreadable,
    /// A letter is wrong or missing.
    #[error("this share is mistyped or damaged")]
    Mistyped,
    /// A later Mailkeep made it.
    #[error("this share was made by a newer Mailkeep")]
    TooNew,
    /// There are not enough.
    #[error("{have} different shares are here, and {need} are needed")]
    TooFew {
        /// How many different ones there are.
        have: usize,
        /// How many it takes.
        need: usize,
    },
    /// They come from different splits.
    #[error("these shares do not belong together")]
    Mixed,
    /// They say that they belong together, and what they give is not what was split.
    #[error("one of these shares is not genuine")]
    Forged,
}

/// One share of a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    set: [u8; 8],
    index: u8,
    threshold: u8,
    commitment: [u8; COMMITMENT_BYTES],
    payload: Zeroizing<[u8; PAYLOAD_BYTES]>,
}

impl Share {
    /// Which split it comes from; all shares of one have the same.
    #[must_use]
    pub const fn set(&self) -> [u8; 8] {
        self.set
    }

    /// Its number, from 1.
    #[must_use]
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// How many shares give the secret back.
    #[must_use]
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }

    /// The share in letters and digits, in groups of four, with its checksum at the end.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES));
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.set);
        bytes.extend_from_slice(&[self.index, self.threshold]);
        bytes.extend_from_slice(&self.commitment);
        bytes.extend_from_slice(&*self.payload);
        letters::write::<CHECK_BYTES>(WHAT, &bytes)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    /// Reads a share as it was printed or typed: in either case, with any blanks and dashes; `O` for 0, `I` and `L` for 1.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let bytes = letters::read::<CHECK_BYTES>(WHAT, text, BYTES).map_err(|misread| match misread {
            Misread::SomethingElse => ShareError::Unreadable,
            Misread::Mistyped => ShareError::Mistyped,
        })?;
        let (&version, rest) = bytes.split_first().ok_or(ShareError::Unreadable)?;
        if version != VERSION {
            return Err(ShareError::TooNew);
        }
        let (&set, rest) = rest.split_first_chunk::<8>().ok_or(ShareError::Unreadable)?;
        let (&[index, threshold], rest) = rest.split_first_chunk::<2>().ok_or(ShareError::Unreadable)?;
        let (&commitment, rest) =
            rest.split_first_chunk::<COMMITMENT_BYTES>().ok_or(ShareError::Unreadable)?;
        let payload = rest.try_into().map_err(|_| ShareError::Unreadable)?;
        if index == 0 || threshold < 2 {
            return Err(ShareError::Unreadable);
        }
        Ok(Self { set, index, threshold, commitment, payload: Zeroizing::new(payload) })
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} of a set where {} are needed, …)", self.index, self.threshold)
    }
}

/// Splits a secret into `n` shares of which any `k` give it back.
///
/// # Errors
/// [`ShareError::Numbers`] unless 2 ≤ k ≤ n.
pub fn split(secret: &[u8; 32], k: u8, n: u8) -> Result<Vec<Share>, ShareError> {
    if k < 2 || k > n {
        return Err(ShareError::Numbers);
    }
    let set = random();
    let commitment = commit(&set, secret);
    let shares = Sharks(k).dealer(secret).take(n.into()).map(|share| {
        let bytes = Zeroizing::new(Vec::from(&share));
        let (&index, payload) = bytes.split_first().ok_or(ShareError::Numbers)?;
        let payload = payload.try_into().map_err(|_| ShareError::Numbers)?;
        Ok(Share { set, index, threshold: k, commitment, payload: Zeroizing::new(payload) })
    });
    shares.collect()
}

/// Gives the secret back.
///
/// # Errors
/// [`ShareError`]: too few, from different sets, or one of them forged.
pub fn join(shares: &[Share]) -> Result<Zeroizing<[u8; 32]>, ShareError> {
    let first = shares.first().ok_or(ShareError::TooFew { have: 0, need: 2 })?;
    let mut different: BTreeMap<u8, &Share> = BTreeMap::new();
    for share in shares {
        if (share.set, share.threshold, share.commitment) != (first.set, first.threshold, first.commitment) {
            return Err(ShareError::Mixed);
        }
        // The library takes a number that is there twice for two numbers.
        if different.insert(share.index, share).is_some_and(|other| other != share) {
            return Err(ShareError::Forged);
        }
    }
    let need = usize::from(first.threshold);
    if different.len() < need {
        return Err(ShareError::TooFew { have: different.len(), need });
    }
    let points: Vec<blahaj::Share> = different
        .values()
        .take(need)
        .map(|share| {
            let mut bytes = Zeroizing::new(vec![share.index]);
            bytes.extend_from_slice(&*share.payload);
            blahaj::Share::try_from(bytes.as_slice()).map_err(|_| ShareError::Unreadable)
        })
        .collect::<Result<_, _>>()?;
    let found = Sharks(first.threshold).recover(&points).map_err(|_| ShareError::Forged)?;
    let found = Zeroizing::new(found);
    let secret: Zeroizing<[u8; 32]> =
        Zeroizing::new(found.as_slice().try_into().map_err(|_| ShareError::Forged)?);
    if commit(&first.set, &secret) == first.commitment { Ok(secret) } else { Err(ShareError::Forged) }
}

/// A commitment to a secret of 256 random bits tells nothing about it.
fn commit(set: &[u8; 8], secret: &[u8; 32]) -> [u8; COMMITMENT_BYTES] {
    digest(b"mailkeep 1 share commitment", &[set, secret])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: [u8; 32] = *b"thirty-two bytes of recovery key";

    #[test]
    fn every_three_of_five_give_the_secret_and_no_two_do() {
        let shares = split(&SECRET, 3, 5).unwrap();
        for chosen in 0u8..32 {
            let some: Vec<Share> =
                shares.iter().filter(|share| chosen & (1 << (share.index - 1)) != 0).cloned().collect();
            match join(&some) {
                Ok(secret) => assert!(some.len() >= 3 && *secret == SECRET),
                Err(error) => {
                    assert!(some.len() < 3, "{some:?}");
                    let need = if some.is_empty() { 2 } else { 3 };
                    assert_eq!(error, ShareError::TooFew { have: some.len(), need });
                }
            }
        }
    }

    #[test]
    fn one_share_given_twice_is_still_one() {
        let shares = split(&SECRET, 3, 5).unwrap();
        let twice = [shares[0].clone(), shares[1].clone(), shares[1].clone()];
        assert_eq!(join(&twice), Err(ShareError::TooFew { have: 2, need: 3 }));
    }

    #[test]
    fn two_shares_that_lie_about_the_threshold_give_nothing() {
        let mut two: Vec<Share> = split(&SECRET, 3, 5).unwrap().into_iter().take(2).collect();
        for share in &mut two {
            share.threshold = 2;
        }
        assert_eq!(join(&two), Err(ShareError::Forged));
    }

    #[test]
    fn shares_of_two_sets_and_a_forged_one_are_noticed() {
        let (one, other) = (split(&SECRET, 2, 3).unwrap(), split(&SECRET, 2, 3).unwrap());
        assert_eq!(join(&[one[0].clone(), other[1].clone()]), Err(ShareError::Mixed));
        let mut forged = one[1].clone();
        forged.payload[0] ^= 1;
        assert_eq!(join(&[one[0].clone(), forged.clone()]), Err(ShareError::Forged));
        assert_eq!(join(&[one[1].clone(), forged, one[0].clone()]), Err(ShareError::Forged));
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for (k, n) in [(0, 0), (0, 3), (1, 3), (4, 3)] {
            assert_eq!(split(&SECRET, k, n), Err(ShareError::Numbers), "{k} of {n}");
        }
        let most = split(&SECRET, 255, 255).unwrap();
        assert_eq!(*join(&most).unwrap(), SECRET);
        assert_eq!(join(&most[1..]), Err(ShareError::TooFew { have: 254, need: 255 }));
    }

    #[test]
    fn a_share_survives_handwriting() {
        let share = split(&SECRET, 2, 3).unwrap().remove(0);
        let text = share.to_text();
        assert_eq!(text.parse::<Share>().as_ref(), Ok(&share));
        let scribbled = text.to_lowercase().replace(' ', "").replace('0', "o").replace('1', "l");
        assert_eq!(scribbled.parse::<Share>(), Ok(share));
        assert_eq!("a line of poetry".parse::<Share>(), Err(ShareError::Unreadable));
    }

    proptest! {
        #[test]
        fn a_wrong_letter_is_noticed(at: prop::sample::Index, by in 1usize..32) {
            let alphabet: Vec<char> = "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().collect();
            let mut letters: Vec<char> = split(&SECRET, 2, 2).unwrap()[0].to_text().replace(' ', "").chars().collect();
            let at = at.index(letters.len());
            let was = alphabet.iter().position(|letter| *letter == letters[at]).unwrap();
            letters[at] = alphabet[(was + by) % 32];
            let typed: String = letters.into_iter().collect();
            prop_assert_eq!(typed.parse::<Share>(), Err(ShareError::Mistyped));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            prop_assert!(text.parse::<Share>().is_err());
        }
    }
}
