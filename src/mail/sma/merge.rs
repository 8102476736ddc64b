//! How two devices come to the same state: of two values for the same thing both choose the same one, whichever came first.

use super::contents::Trust;
use crate::mail::autocrypt::Peer;
use std::cmp::Reverse;

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

/// Which of two devices' trust counts. The latest decision of a person does. Where both have the same one, or nobody decided, a
/// pin wins over none; then the one that followed the contact through more changes of key; then the key that was there first:
/// that is what trust on first use means.
#[must_use]
pub fn merged_trust<'a>(one: &'a Trust, other: &'a Trust) -> &'a Trust {
    if rank(one) < rank(other) { other } else { one }
}

type Rank<'a> = (i64, bool, u32, Reverse<i64>, Option<&'a str>, i64, &'a str);

fn rank(trust: &Trust) -> Rank<'_> {
    let since = Reverse(trust.pinned_at);
    let pinned = trust.pinned.as_deref();
    (trust.decided_at, pinned.is_some(), trust.changes, since, pinned, trust.verified_at, &trust.refused)
}
