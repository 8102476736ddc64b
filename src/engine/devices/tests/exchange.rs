//! Who is told what.

use crate::crypto::devices::{Device, Roster};
use crate::engine::devices::exchange::{SILENT, due, name, recipients, version};
use crate::mail::autocrypt::Peer;
use crate::mail::sma::{CONTENTS_MAX, Contents, DeviceId, ENTRY_MAX, Entry, PeerState, Trust};
use std::collections::{BTreeMap, HashMap};

fn device(number: u64) -> Device {
    Device::new(number.to_string().parse().unwrap())
}

fn peer(last_seen: i64, key: &str) -> Entry {
    let state =
        Peer { last_seen, autocrypt_timestamp: last_seen, key: Some(key.repeat(40)), ..Peer::default() };
    Entry::Peer(PeerState { address: "bob@example.org".into(), state, trust: Trust::default() })
}

#[test]
fn only_members_that_were_heard_of_are_told_anything() {
    let (one, two, three, four) = (device(1), device(2), device(3), device(4));
    let mut roster = Roster::found(&one, "alice@example.org", "Home", 1);
    for other in [&two, &three] {
        roster.add(&one, other.id(), other.keys(), "Laptop", 2).unwrap();
    }
    let now = 2 * SILENT;
    let seen: BTreeMap<DeviceId, i64> =
        [(two.id(), now - 10), (three.id(), now - SILENT), (four.id(), now)].into_iter().collect();
    let told = |roster: &Roster, me: &Device| recipients(roster, me.id(), &seen, now);
    assert_eq!(told(&roster, &one), vec![(two.id(), two.keys())], "three was silent, four was never let in");
    // The thief signs a rival roster: while branches differ nobody that is missing from either is told anything.
    let mut rival = roster.clone();
    rival.remove(&two, one.id(), 3).unwrap();
    roster.remove(&one, two.id(), 3).unwrap();
    assert!(told(&roster, &one).is_empty(), "who was seen removed is told nothing");
    roster.take_all(rival.statements().map(|(_, statement)| statement));
    assert!(told(&roster, &one).is_empty());
    assert!(told(&roster, &three).is_empty());
}

#[test]
fn that_somebody_wrote_again_is_no_news() {
    let (before, after, other) = (peer(1, "A"), peer(9, "A"), peer(9, "B"));
    assert_eq!((name(&before), version(&before)), (name(&after), version(&after)));
    assert_eq!(name(&before), name(&other));
    assert_ne!(version(&before), version(&other));
    let told: HashMap<_, _> = [(name(&before), (version(&before), 3))].into_iter().collect();
    assert!(due(&[after], &told).is_empty());
    assert_eq!(due(std::slice::from_ref(&other), &told), vec![vec![other]]);
}

#[test]
fn what_is_due_is_split_into_messages() {
    let certificate =
        |n: usize, size: usize| Entry::Certificate { fingerprint: format!("{n:040X}"), bytes: vec![0; size] };
    let mut entries: Vec<Entry> = (0..20).map(|n| certificate(n, 40_000)).collect();
    // Between what fits into a message and what its reader takes for a key.
    entries.extend([70_000, 95_000, ENTRY_MAX].map(|size| certificate(size, size)));
    let pieces = due(&entries, &HashMap::new());
    assert_eq!(pieces.iter().map(Vec::len).sum::<usize>(), 20, "three are too large for any reader");
    for entries in pieces {
        let contents = Contents { entries, ..Contents::default() };
        let bytes = contents.to_bytes();
        assert!(bytes.len() <= CONTENTS_MAX);
        assert_eq!(Contents::parse(&bytes).unwrap(), contents, "nothing is passed over");
    }
}
