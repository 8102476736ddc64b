//! Who is told what: pure rules over the roster and over what was told before.

use crate::crypto::devices::{Roster, Standing, hash};
use crate::mail::sma::{CONTENTS_MAX, DeviceId, ENTRY_MAX, Entry, Keys, PeerState};
use std::collections::{BTreeMap, HashMap};

/// A device that was silent for longer is told nothing, in seconds.
pub(super) const SILENT: i64 = 90 * 24 * 3600;
/// The folder of one that was silent for longer goes, in seconds.
pub(super) const GONE: i64 = 180 * 24 * 3600;
/// Room for what is around the entries of an update, in bytes.
const AROUND: usize = 1 << 10;

/// The devices that may be told secrets now: members of a roster that this device is a member of itself, which it has seen
/// removed by nobody, which nobody disputes, and which were heard of lately.
pub(super) fn recipients(
    roster: &Roster,
    me: DeviceId,
    last_seen: &BTreeMap<DeviceId, i64>,
    now: i64,
) -> Vec<(DeviceId, Keys)> {
    let devices = roster.devices();
    // Where no statement fits any more, a removal could not be heard.
    if roster.is_full() || !matches!(devices.get(&me), Some(Standing::Member { .. })) {
        return Vec::new();
    }
    let told = devices.into_iter().filter_map(|(device, standing)| match standing {
        Standing::Member { keys, .. } if device != me => Some((device, keys)),
        _ => None,
    });
    told.filter(|(device, _)| last_seen.get(device).is_some_and(|seen| now - seen < SILENT)).collect()
}

/// What a thing is known by among entries, so that a newer one takes the place of an older: a hash, which tells nobody whose
/// key it is about.
pub(super) fn name(entry: &Entry) -> Vec<u8> {
    let words = match entry {
        Entry::Statement(statement) => {
            format!("statement {}", data_encoding::HEXLOWER.encode(&hash(&statement.signed_bytes())))
        }
        Entry::Certificate { fingerprint, .. } => format!("certificate {fingerprint}"),
        Entry::OwnKey(key) => format!("own-key {}", key.fingerprint),
        Entry::Preference(it) => format!("preference {}", it.address),
        Entry::Peer(peer) => format!("peer {}", peer.address),
        Entry::Shared(shared) => format!("shared {}", shared.name),
    };
    hash(words.as_bytes()).to_vec()
}

/// What makes an entry news. That a correspondent wrote again with the same key does not: every device sees that itself, and
/// what devices say must not grow with mail.
pub(super) fn version(entry: &Entry) -> Vec<u8> {
    let bytes = match entry {
        Entry::Peer(peer) => {
            let mut state = peer.state.clone();
            (state.last_seen, state.autocrypt_timestamp, state.gossip_timestamp) = (0, 0, 0);
            Entry::Peer(PeerState { state, ..peer.clone() }).to_bytes()
        }
        other => other.to_bytes(),
    };
    hash(&bytes).to_vec()
}

/// Those entries whose version a device was not told yet, split so that each piece fits into a message.
pub(super) fn due(entries: &[Entry], told: &HashMap<Vec<u8>, (Vec<u8>, u64)>) -> Vec<Vec<Entry>> {
    let mut pieces: Vec<Vec<Entry>> = Vec::new();
    let mut room = 0;
    for entry in entries {
        if told.get(&name(entry)).is_some_and(|(known, _)| *known == version(entry)) {
            continue;
        }
        let bytes = entry.to_bytes();
        let size = bytes.len() + 4;
        // By the reader's own rule: a key may be longer than one goes into a message, an address longer than one is.
        if size > ENTRY_MAX || !matches!(Entry::parse(&bytes), Ok(Some(_))) {
            tracing::warn!("Something is too large to be told to another device");
            continue;
        }
        match pieces.last_mut() {
            Some(piece) if size <= room && piece.len() < 500 => piece.push(entry.clone()),
            _ => {
                room = CONTENTS_MAX - AROUND;
                pieces.push(vec![entry.clone()]);
            }
        }
        room = room.saturating_sub(size);
    }
    pieces
}
