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

/// Which of two devices' trust counts. The latest decision of a person does. Where nobody decided, a pin wins over none, a key
/// over the one that vouched for it (`follows(new, old)`), and otherwise the key that was there first: that is what trust on
/// first use means.
#[must_use]
pub fn merged_trust<'a>(one: &'a Trust, other: &'a Trust, follows: impl Fn(&str, &str) -> bool) -> &'a Trust {
    if compared(one, other, follows) == Ordering::Less { other } else { one }
}

fn compared(one: &Trust, other: &Trust, follows: impl Fn(&str, &str) -> bool) -> Ordering {
    let decided = one.decided_at.cmp(&other.decided_at);
    if decided.is_ne() {
        return decided;
    }
    if one.decided_at == 0
        && let (Some(a), Some(b)) = (&one.pinned, &other.pinned)
        && a != b
    {
        match (follows(a, b), follows(b, a)) {
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            _ => {}
        }
    }
    rank(one).cmp(&rank(other))
}

type Rank<'a> = (bool, Reverse<i64>, Option<&'a str>, i64, &'a str);

fn rank(trust: &Trust) -> Rank<'_> {
    let since = Reverse(trust.pinned_at);
    (trust.pinned.is_some(), since, trust.pinned.as_deref(), trust.verified_at, &trust.refused)
}
