//! How two devices come to the same state: of two values for the same thing both choose the same one, whichever came first.

use super::contents::Trust;
use crate::mail::autocrypt::Peer;
use std::cmp::{Ordering, Reverse};

/// What is remembered of a correspondent when two devices remember different things: field by field the newer one. The same
/// whoever asks and in whichever order, and merging again changes nothing.
#[must_use]
pub fn merged_peer(one: &Peer, other: &Peer) -> Peer {
    let header = |peer: &Peer| (peer.autocrypt_timestamp, peer.key.clone(), peer.mutual);
    let gossip = |peer: &Peer| (peer.gossip_timestamp, peer.gossip_key.clone());
    let (autocrypt_timestamp, key, mutual) = header(one).max(header(other));
    let (gossip_timestamp, gossip_key) = gossip(one).max(gossip(other));
    Peer {
        last_seen: one.last_seen.max(other.last_seen),
        autocrypt_timestamp,
        key,
        mutual,
        gossip_timestamp,
        gossip_key,
    }
}

/// Which of two devices' trust counts. The latest decision of a person does. Where nobody decided, a pin wins over none, the key
/// that one device saw take the place of the other's wins over that one, and otherwise the key that was there first: that is
/// what trust on first use means.
#[must_use]
pub fn merged_trust<'a>(one: &'a Trust, other: &'a Trust) -> &'a Trust {
    if compared(one, other) == Ordering::Less { other } else { one }
}

fn compared(one: &Trust, other: &Trust) -> Ordering {
    let decided = one.decided_at.cmp(&other.decided_at);
    if decided.is_ne() {
        return decided;
    }
    if one.decided_at == 0 && one.pinned != other.pinned {
        match (replaces(one, other), replaces(other, one)) {
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            _ => {}
        }
    }
    rank(one).cmp(&rank(other))
}

/// Whether the one key took the place of the other.
fn replaces(one: &Trust, other: &Trust) -> bool {
    one.pinned.is_some() && other.pinned.as_ref() == Some(&one.refused)
}

type Rank<'a> = (bool, Reverse<i64>, Option<&'a str>, i64, &'a str);

fn rank(trust: &Trust) -> Rank<'_> {
    let since = Reverse(trust.pinned_at);
    (trust.pinned.is_some(), since, trust.pinned.as_deref(), trust.verified_at, &trust.refused)
}
