//! What is advised before a message is written (Autocrypt 1.1, "Provide a recommendation for message encryption").

use super::peer::Peer;

/// A key whose owner has not sent it along for longer than this is doubtful, in seconds.
const SILENT: i64 = 35 * 24 * 60 * 60;

/// Whether to encrypt. Ordered by how much speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recommendation {
    /// It is impossible: some key is missing.
    Disable,
    /// It is possible, but some reader may not be able to open it.
    Discourage,
    /// It is possible.
    Available,
    /// It should be done.
    Encrypt,
}

impl Recommendation {
    /// The word for it on every surface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Discourage => "discourage",
            Self::Available => "available",
            Self::Encrypt => "encrypt",
        }
    }
}

/// What is advised for one recipient, and the key to encrypt to. `key_usable` says whether a key can be encrypted to now:
/// one that is revoked or expired counts as none.
#[must_use]
pub fn one<K: Clone>(
    peer: Option<&Peer<K>>,
    key_usable: impl Fn(&K) -> bool,
    own_mutual: bool,
    replying_to_encrypted: bool,
) -> (Recommendation, Option<K>) {
    let Some(peer) = peer else { return (Recommendation::Disable, None) };
    let own = peer.key.as_ref().filter(|key| key_usable(key));
    let gossiped = || peer.gossip_key.as_ref().filter(|key| key_usable(key));
    let (preliminary, key) = match own {
        Some(key) if peer.last_seen.saturating_sub(peer.autocrypt_timestamp) > SILENT => {
            (Recommendation::Discourage, key)
        }
        Some(key) => (Recommendation::Available, key),
        None => match gossiped() {
            Some(key) => (Recommendation::Discourage, key),
            None => return (Recommendation::Disable, None),
        },
    };
    let both_wish = preliminary == Recommendation::Available && peer.mutual && own_mutual;
    let advice = if replying_to_encrypted || both_wish { Recommendation::Encrypt } else { preliminary };
    (advice, Some(key.clone()))
}

/// What is advised for all recipients together. None at all: nobody to encrypt to.
#[must_use]
pub fn all(each: impl IntoIterator<Item = Recommendation>) -> Recommendation {
    // Encrypting is for all or for none, so the least of them counts.
    each.into_iter().min().unwrap_or(Recommendation::Disable)
}
