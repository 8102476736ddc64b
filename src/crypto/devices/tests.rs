//! Alice pairs her laptop with her server, and writes from one to the other.

mod coded;
mod roster;
mod vectors;

use super::*;
use crate::mail::sma::{Announce, Body, DeviceId, Keys, Payload, Reveal, Sealed, Signed};

const ALICE: &str = "alice@example.org";

fn id(number: u64) -> DeviceId {
    number.to_string().parse().unwrap()
}

fn device(number: u64) -> Device {
    Device::new(id(number))
}

fn says(from: &Device, body: Body) -> Signed {
    let to = (!body.kind().is_for_all()).then(|| id(99));
    let (created, expires) = (1_700_000_000, 1_700_003_600);
    from.sign(&Payload {
        account: ALICE.into(),
        from: from.id(),
        to,
        seq: 1,
        created,
        expires,
        roster: None,
        body,
    })
}

#[test]
fn only_the_device_itself_signs_for_it() {
    let (mut laptop, mallory) = (device(1), device(2));
    let reset = laptop.one_time_key().unwrap();
    let signed = says(&laptop, Body::Reset(reset));
    let read = verified(&signed, &laptop.keys().signing).unwrap();
    assert_eq!(read.body, Body::Reset(reset));
    assert_eq!(verified(&signed, &mallory.keys().signing), Err(DeviceError::Signature));
    let mut altered = signed.clone();
    *altered.payload.last_mut().unwrap() ^= 1;
    assert_eq!(verified(&altered, &laptop.keys().signing), Err(DeviceError::Signature));
    assert!(verified(&signed, &[0; 32]).is_err());
    let again = Device::from_kept(laptop.id(), &laptop.to_kept().unwrap()).unwrap();
    assert_eq!(again.keys(), laptop.keys());
    assert_eq!(Device::from_kept(id(1), "{}").unwrap_err(), DeviceError::Kept);
}

#[test]
fn an_announcement_speaks_for_itself_and_its_key() {
    let (mut laptop, mut mallory) = (device(1), device(2));
    let (fallback, foreign) = (laptop.fallback_key().unwrap(), mallory.fallback_key().unwrap());
    let announce = |fallback| Announce { keys: laptop.keys(), fallback, program: "Mailkeep/1".into() };
    let signed = says(&laptop, Body::Announce(announce(fallback)));
    assert_eq!(verified_announcement(&signed).unwrap().1, announce(fallback));
    let foreign = says(&laptop, Body::Announce(announce(foreign)));
    assert_eq!(verified_announcement(&foreign).unwrap_err(), DeviceError::Signature);
    let stolen = says(&mallory, Body::Announce(announce(fallback)));
    assert_eq!(verified_announcement(&stolen).unwrap_err(), DeviceError::Signature);
}

/// The two sides of a pairing; `swap` is what somebody in between makes of the laptop's agreement key on its way.
fn compared(swap: impl Fn([u8; 32]) -> [u8; 32]) -> (Comparison, Comparison, Device, Device) {
    let (server, laptop) = (device(1), device(27));
    let (old, new) = (Handshake::new(), Handshake::new());
    let commitment = new.commitment(laptop.id(), &laptop.keys());
    let reveal = new.reveal([4; 32]);
    assert!(Transcript::commits(laptop.id(), &laptop.keys(), &reveal, &commitment));
    let (at_server, ephemeral) = (reveal.ephemeral, old.ephemeral());
    let seen_by_server = Keys { agreement: swap(laptop.keys().agreement), ..laptop.keys() };
    let transcript = |new_keys: Keys| Transcript {
        account: ALICE,
        old: (server.id(), server.keys(), ephemeral),
        new: (laptop.id(), new_keys, at_server),
        request: [3; 32],
        accept: [4; 32],
    };
    let on_server = old.compare(at_server, &transcript(seen_by_server)).unwrap();
    let on_laptop = new.compare(ephemeral, &transcript(laptop.keys())).unwrap();
    (on_server, on_laptop, server, laptop)
}

#[test]
fn the_strings_are_the_same_only_if_all_was_the_same() {
    let (on_server, on_laptop, server, laptop) = compared(|key| key);
    assert_eq!(on_server.string(), on_laptop.string());
    assert_eq!(on_server.string().len(), 14, "three numbers of four digits");
    assert!(on_server.is(&on_laptop.string().replace(' ', "-")));
    for wrong in
        ["", "1", "0000 0000 0000", on_laptop.string().get(1..).unwrap(), &format!("{}1", on_laptop.string())]
    {
        assert!(!on_server.is(wrong), "{wrong}");
    }
    let mac = on_laptop.mac(laptop.id(), &laptop.keys());
    assert!(on_server.proves(laptop.id(), &laptop.keys(), &mac));
    assert!(!on_server.proves(server.id(), &laptop.keys(), &mac), "it is not the other side's own");
    assert!(!on_server.proves(laptop.id(), &server.keys(), &mac));
    let (on_server, on_laptop, ..) = compared(|_| device(5).keys().agreement);
    assert_ne!(on_server.string(), on_laptop.string(), "a key was swapped on the way");
}

#[test]
fn a_commitment_binds() {
    let laptop = device(27);
    let (new, other) = (Handshake::new(), Handshake::new());
    let commitment = new.commitment(laptop.id(), &laptop.keys());
    let commits = |device, keys, reveal: Reveal| Transcript::commits(device, &keys, &reveal, &commitment);
    assert!(commits(laptop.id(), laptop.keys(), new.reveal([0; 32])));
    assert!(!commits(id(28), laptop.keys(), new.reveal([0; 32])));
    assert!(!commits(laptop.id(), device(27).keys(), new.reveal([0; 32])));
    assert!(!commits(laptop.id(), laptop.keys(), other.reveal([0; 32])));
    let transcript = Transcript {
        account: ALICE,
        old: (id(1), device(1).keys(), [0; 32]),
        new: (id(2), device(2).keys(), [0; 32]),
        request: [0; 32],
        accept: [0; 32],
    };
    assert_eq!(other.compare([0; 32], &transcript).unwrap_err(), DeviceError::Key, "nothing to agree on");
}

#[test]
fn sessions_go_both_ways_survive_the_store_and_heal() {
    let (mut server, mut laptop) = (device(1), device(27));
    let (server_keys, laptop_keys) = (server.keys(), laptop.keys());
    let key = laptop.one_time_key().unwrap();
    let (mut at_server, mut at_laptop) = (Sessions::default(), Sessions::default());
    assert_eq!(at_server.encrypt(b"x").unwrap_err(), DeviceError::Closed);
    let foreign = device(5).one_time_key().unwrap();
    let refused = at_server.begin(&server, laptop.id(), &laptop_keys, &foreign);
    assert_eq!(refused, Err(DeviceError::Signature), "its key is not signed by the compared one");
    at_server.begin(&server, laptop.id(), &laptop_keys, &key).unwrap();
    let first = at_server.encrypt(b"keys").unwrap();
    assert!(first.begins);
    assert!(at_laptop.decrypt(&mut device(9), &server_keys, &first).is_err(), "it is for the laptop");
    assert!(at_laptop.decrypt(&mut laptop, &device(8).keys(), &first).is_err(), "it is from the server");
    assert_eq!(&*at_laptop.decrypt(&mut laptop, &server_keys, &first).unwrap(), b"keys");
    assert!(at_laptop.decrypt(&mut laptop, &server_keys, &first).is_err(), "a message opens once");
    // What is lost is skipped; what is late still opens.
    let (second, third) = (at_server.encrypt(b"2").unwrap(), at_server.encrypt(b"3").unwrap());
    assert_eq!(&*at_laptop.decrypt(&mut laptop, &server_keys, &third).unwrap(), b"3");
    assert_eq!(&*at_laptop.decrypt(&mut laptop, &server_keys, &second).unwrap(), b"2");
    let mut at_laptop = Sessions::from_kept(&at_laptop.to_kept().unwrap()).unwrap();
    let answer = at_laptop.encrypt(b"heard").unwrap();
    assert_eq!(&*at_server.decrypt(&mut server, &laptop_keys, &answer).unwrap(), b"heard");
    assert!(!at_server.encrypt(b"4").unwrap().begins, "the session is established");
    let junk = Sealed { begins: false, olm: vec![3; 100] };
    assert_eq!(at_server.decrypt(&mut server, &laptop_keys, &junk).unwrap_err(), DeviceError::Closed);
    // The laptop lost its sessions and asks for a new one: with a fallback key it goes on.
    let fallback = laptop.fallback_key().unwrap();
    let mut at_laptop = Sessions::default();
    at_server.begin(&server, laptop.id(), &laptop_keys, &fallback).unwrap();
    let anew = at_server.encrypt(b"again").unwrap();
    assert_eq!(&*at_laptop.decrypt(&mut laptop, &server_keys, &anew).unwrap(), b"again");
}

#[test]
fn two_that_begin_at_once_find_each_other() {
    let (mut server, mut laptop) = (device(1), device(27));
    let (server_keys, laptop_keys) = (server.keys(), laptop.keys());
    let (mut at_server, mut at_laptop) = (Sessions::default(), Sessions::default());
    let (of_server, of_laptop) = (server.fallback_key().unwrap(), laptop.fallback_key().unwrap());
    at_server.begin(&server, laptop.id(), &laptop_keys, &of_laptop).unwrap();
    at_laptop.begin(&laptop, server.id(), &server_keys, &of_server).unwrap();
    let (a, b) = (at_server.encrypt(b"a").unwrap(), at_laptop.encrypt(b"b").unwrap());
    assert_eq!(&*at_laptop.decrypt(&mut laptop, &server_keys, &a).unwrap(), b"a");
    assert_eq!(&*at_server.decrypt(&mut server, &laptop_keys, &b).unwrap(), b"b");
    for n in 0..6_u8 {
        let there = at_server.encrypt(&[n]).unwrap();
        assert_eq!(&*at_laptop.decrypt(&mut laptop, &server_keys, &there).unwrap(), &[n]);
        let back = at_laptop.encrypt(&[n]).unwrap();
        assert_eq!(&*at_server.decrypt(&mut server, &laptop_keys, &back).unwrap(), &[n]);
    }
}
