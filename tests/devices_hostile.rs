//! The provider of Alice's mailbox would like to be one of her devices. It stands between each machine and the mailbox, and does
//! to what they write whatever it likes.

use crate::support::machines::{Machine, ask, kind, meets, pair, paired, two, until};
use crate::support::provider::{Deed, Provider, Seen, When};
use crate::support::{Lab, Person};
use mailkeep::crypto::devices::{Device, Handshake, hash};
use mailkeep::mail::sma::{
    Accept, Announce, Body, DeviceId, Kind, Letter, Marker, OneTimeKey, Payload, Request, Reveal, Statement,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A mail with this payload, signed by a device of the provider's.
fn mail(device: &Device, payload: &Payload) -> Vec<u8> {
    let letter = Letter { marker: Marker { kind: payload.kind() }, signed: device.sign(payload) };
    letter.write(&payload.account, [7; 16], payload.created).1
}

/// Another character in the middle of what was signed.
fn altered(raw: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let at = text.find("application/vnd.autocrypt-sma").unwrap();
    let at = at + text[at..].find("\r\n\r\n").unwrap() + 150;
    let mut raw = text.into_bytes();
    let at = (at..).find(|at| raw[*at].is_ascii_alphanumeric()).unwrap();
    raw[at] = if raw[at] == b'A' { b'B' } else { b'A' };
    raw
}

/// How many updates went to devices through a provider.
fn count_updates(provider: &Provider) -> Arc<AtomicUsize> {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    provider.does(move |seen| {
        note_update(seen, &counted);
        Deed::Pass
    });
    count
}

fn note_update(seen: &Seen, count: &AtomicUsize) {
    let is_update = seen.verb == "APPEND" && matches!(kind(&seen.message), Some((Kind::Update, _)));
    if is_update && seen.when == When::Asked {
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the provider needs to be the laptop towards home, and home towards the laptop.
struct Middle {
    as_new: (Device, Handshake),
    as_old: (Device, Handshake),
    request: [u8; 32],
    accept: [u8; 32],
}

impl Middle {
    /// What home gets instead of what the laptop wrote.
    fn for_home(&mut self, payload: Payload) -> Option<Vec<u8>> {
        let (device, handshake) = &self.as_new;
        let body = match &payload.body {
            Body::Request(request) => {
                self.request = hash(&payload.to_bytes());
                let commitment = handshake.commitment(device.id(), &device.keys());
                let name = request.name.clone();
                Body::Request(Request { keys: device.keys(), commitment, name, proof: None })
            }
            Body::Reveal(_) => Body::Reveal(handshake.reveal(self.accept)),
            _ => return None,
        };
        Some(mail(device, &Payload { body, ..payload }))
    }

    /// What the laptop gets instead of what home wrote.
    fn for_laptop(&mut self, payload: Payload) -> Option<Vec<u8>> {
        let (device, handshake) = &self.as_old;
        let Body::Accept(_) = &payload.body else { return None };
        self.accept = hash(&payload.to_bytes());
        let accept = Accept { keys: device.keys(), ephemeral: handshake.ephemeral(), request: self.request };
        Some(mail(device, &Payload { body: Body::Accept(accept), ..payload }))
    }
}

fn swaps(
    provider: &Provider,
    updates: &Arc<AtomicUsize>,
    swap: impl Fn(Payload) -> Option<Vec<u8>> + Send + 'static,
) {
    let updates = Arc::clone(updates);
    provider.does(move |seen| {
        note_update(seen, &updates);
        let handed = (seen.when == When::Handed).then(|| kind(&seen.message)).flatten();
        handed.and_then(|(_, payload)| swap(payload)).map_or(Deed::Pass, Deed::Swap)
    });
}

#[test]
fn a_provider_that_puts_itself_between_two_devices_is_found_out_by_the_string() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    let id = |machine: &Machine| -> DeviceId { machine.id.parse().unwrap() };
    let middle = Arc::new(Mutex::new(Middle {
        as_new: (Device::new(id(&laptop)), Handshake::new()),
        as_old: (Device::new(id(&home)), Handshake::new()),
        request: [0; 32],
        accept: [0; 32],
    }));
    let updates = Arc::default();
    let between = Arc::clone(&middle);
    swaps(&providers[0], &updates, move |payload| between.lock().unwrap().for_home(payload));
    let between = Arc::clone(&middle);
    swaps(&providers[1], &updates, move |payload| between.lock().unwrap().for_laptop(payload));
    let string = ask(&home, &laptop);
    assert_ne!(middle.lock().unwrap().accept, [0; 32], "the provider took part");
    // Alice types what her laptop shows: it is not what home reckons with the provider.
    let said = home.world.fails(1, &["device", "confirm", &laptop.id, "--sas", &string]);
    assert!(said.contains("not the same") && said.contains("interfered"), "{said}");
    for _ in 0..3 {
        home.sync();
        laptop.sync();
    }
    assert_eq!(updates.load(Ordering::SeqCst), 0, "nothing was told to anybody");
    assert!(laptop.keys().is_empty());
    assert_eq!(home.sees(&laptop), "waiting");
    assert_eq!(home.devices().len(), 2, "nobody was let in: {:?}", home.devices());
    // Without it, the same two pair.
    for provider in &providers {
        provider.relents();
    }
    pair(&home, &laptop);
}

/// One pairing as far as it gets.
fn attempt(home: &Machine, laptop: &Machine) {
    laptop.world.ok(&["device", "pair"]);
    let go_round = || {
        for machine in [home, laptop, home, laptop] {
            machine.sync();
        }
    };
    go_round();
    home.world.run_json(&["device", "accept", &laptop.id]);
    go_round();
    let Some(string) = laptop.string() else { return };
    home.world.run_json(&["device", "confirm", &laptop.id, "--sas", &string]);
    laptop.world.run_json(&["device", "confirm", &home.id, "--sas", &string]);
    go_round();
}

#[test]
fn whatever_is_lost_or_altered_in_a_pairing_no_key_goes_out_and_asking_again_helps() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    until("both to know of each other", &[&home, &laptop], || {
        (home.sees(&laptop), laptop.sees(&home)) == ("waiting".into(), "waiting".into())
    });
    let [of_home, of_laptop] = &providers;
    let each = [
        (of_laptop, Kind::PairRequest, false),
        (of_home, Kind::PairAccept, true),
        (of_laptop, Kind::PairRequest, true),
        (of_home, Kind::PairAccept, false),
        (of_laptop, Kind::PairReveal, true),
        // Home lets the laptop in and the laptop does not know; then the laptop believes home, and home does not know.
        (of_home, Kind::PairMac, true),
        (of_laptop, Kind::PairMac, false),
    ];
    for (provider, which, alters) in each {
        let met = Arc::<AtomicUsize>::default();
        let meets = Arc::clone(&met);
        provider.does(move |seen| {
            let is_it = seen.verb == "APPEND"
                && seen.when == When::Asked
                && matches!(kind(&seen.message), Some((kind, _)) if kind == which);
            if !is_it {
                return Deed::Pass;
            }
            meets.fetch_add(1, Ordering::SeqCst);
            if alters { Deed::Swap(altered(&seen.message)) } else { Deed::Swallow }
        });
        attempt(&home, &laptop);
        assert!(met.load(Ordering::SeqCst) > 0, "{which:?} was laid");
        assert!(laptop.keys().is_empty(), "no key came to the laptop without {which:?}");
        assert_ne!(laptop.sees(&home), "paired", "{which:?}");
        provider.relents();
    }
    pair(&home, &laptop);
}

#[test]
fn repeated_and_reordered_messages_of_a_pairing_do_it_no_harm() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    // All that was laid before comes again, the newest first, each time something is laid.
    let laid = Arc::<Mutex<Vec<(String, Vec<u8>)>>>::default();
    for provider in &providers {
        let (laid, mut imap) = (Arc::clone(&laid), lab.imap(&alice));
        provider.does(move |seen| {
            if seen.verb == "APPEND" && seen.when == When::Done && seen.folder.contains("_Autocrypt_SMA_") {
                let mut laid = laid.lock().unwrap();
                for (folder, message) in laid.iter().rev().take(6) {
                    imap.append(folder, "\\Seen", message);
                }
                laid.push((seen.folder.clone(), seen.message.clone()));
            }
            Deed::Pass
        });
    }
    pair(&home, &laptop);
    let wish = home.change_wish();
    until("the laptop to hear", &[&home, &laptop], || laptop.wish() == wish);
    assert!(laid.lock().unwrap().len() > 6);
    assert_eq!(home.devices().len(), 2, "one device was let in, once");
}

/// A paired pair, all told.
fn settled(lab: &Lab, alice: &Person, home: &Machine, laptop: &Machine) {
    let mut imap = lab.imap(alice);
    until("all to be taken", &[home, laptop], || {
        [home, laptop].iter().all(|it| imap.weight(&format!("_Autocrypt_SMA_{}", it.id)).0 == 0)
    });
}

#[test]
fn what_is_done_to_updates_and_folders_heals_and_puts_nobody_out() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (_providers, home, laptop) = two(lab, &alice);
    pair(&home, &laptop);
    settled(lab, &alice, &home, &laptop);
    let both = [&home, &laptop];
    let folder = format!("_Autocrypt_SMA_{}", laptop.id);
    let mut imap = lab.imap(&alice);

    // Three updates, handed out backwards and each of them twice.
    laptop.off();
    for _ in 0..3 {
        home.change_wish();
        home.sync();
    }
    let wish = home.wish();
    let held = imap.held(&folder);
    assert_eq!(held.len(), 3);
    for held in &held {
        imap.expunge(&folder, held.uid);
    }
    for held in held.iter().rev().chain(&held) {
        imap.append(&folder, "\\Seen", &held.bytes);
    }
    laptop.on();
    until("the laptop to hear", &both, || laptop.wish() == wish);
    settled(lab, &alice, &home, &laptop);

    // One is altered; what comes after it tells that something is missing.
    laptop.off();
    let wish = home.change_wish();
    home.sync();
    for held in imap.held(&folder) {
        imap.expunge(&folder, held.uid);
        imap.append(&folder, "\\Seen", &altered(&held.bytes));
    }
    laptop.on();
    laptop.sync();
    laptop.sync();
    assert_ne!(laptop.wish(), wish, "it was lost");
    let friend = meets(&home, "after");
    until("the laptop to hear of both", &both, || {
        laptop.wish() == wish && laptop.knows(&friend)["trust"] == "verified"
    });
    settled(lab, &alice, &home, &laptop);

    // All folders go.
    for name in imap.folders().into_iter().filter(|name| name.contains("_Autocrypt_SMA")) {
        imap.select("INBOX");
        imap.command(&format!("DELETE \"{name}\""));
    }
    // Who made the folder again says at once that it is there, the other one after a day.
    until("the folders to be there again", &both, || {
        let folders = imap.folders();
        folders.iter().filter(|name| name.contains("_Autocrypt_SMA")).count() == 3
            && imap.weight("_Autocrypt_SMA").0 >= 1
    });
    let wish = laptop.change_wish();
    until("home to hear", &both, || home.wish() == wish);

    // The last thing said is lost, and nothing comes after it: a day later it is said again by itself.
    settled(lab, &alice, &home, &laptop);
    laptop.off();
    let wish = home.change_wish();
    home.sync();
    for held in imap.held(&folder) {
        imap.expunge(&folder, held.uid);
    }
    laptop.on_ahead(2);
    laptop.sync();
    assert_ne!(laptop.wish(), wish);
    home.on_ahead(2);
    until("the laptop to hear", &both, || laptop.wish() == wish);
    until("both to say that they are there", &both, || imap.weight("_Autocrypt_SMA").0 == 2);
    for machine in both {
        assert!(
            machine.devices().iter().all(|device| device["state"] == "paired"),
            "{:?}",
            machine.devices()
        );
    }
}

#[test]
fn a_provider_that_writes_itself_lets_nobody_in_and_puts_nobody_out() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    pair(&home, &laptop);
    settled(lab, &alice, &home, &laptop);
    let ids: [DeviceId; 2] = [home.id.parse().unwrap(), laptop.id.parse().unwrap()];
    let now = jiff::Timestamp::now().as_second();
    let mut imap = lab.imap(&alice);
    let updates = count_updates(&providers[0]);
    let mut laid = 0;
    for (from, to) in [(ids[0], ids[1]), (ids[1], ids[0])] {
        // Under the number of the one it says to the other: I have new keys; the other is out; here is news; hear me anew.
        let mut false_one = Device::new(from);
        let fallback = false_one.fallback_key().unwrap();
        let key: OneTimeKey = false_one.one_time_key().unwrap();
        let out: Statement =
            false_one.state(&alice.address, to, mailkeep::mail::sma::Deed::Remove, now, vec![[3; 32]]);
        let announce = Announce { keys: false_one.keys(), fallback, program: "Mailkeep/9".into() };
        let request =
            Request { keys: false_one.keys(), commitment: [1; 32], name: "Home".into(), proof: None };
        let reveal = Reveal { ephemeral: [9; 32], nonce: [9; 32], accept: [9; 32] };
        for (to, body) in [
            (None, Body::Announce(announce)),
            (None, Body::Removed(out)),
            (Some(to), Body::Reset(key)),
            (Some(to), Body::Request(request)),
            (Some(to), Body::Reveal(reveal)),
        ] {
            let folder = to.map_or_else(|| "_Autocrypt_SMA".to_owned(), |to| to.inbox());
            let expires = now + 3000;
            let payload = Payload {
                account: alice.address.clone(),
                from,
                to,
                seq: 1 << 40,
                created: now,
                expires,
                roster: None,
                body,
            };
            imap.append(&folder, "\\Seen", &mail(&false_one, &payload));
            laid += 1;
        }
    }
    // What no device wrote, and what is far too large.
    imap.append(&ids[0].inbox(), "", b"Subject: hello\r\n\r\nNot for you.\r\n");
    imap.append(
        &ids[1].inbox(),
        "",
        &[&b"Subject: large\r\n\r\n"[..], &b"long\r\n".repeat(100_000)].concat(),
    );
    settled(lab, &alice, &home, &laptop);
    for _ in 0..2 {
        home.sync();
        laptop.sync();
    }
    assert_eq!((home.sees(&laptop), laptop.sees(&home)), ("paired".into(), "paired".into()));
    assert_eq!(home.world.ok(&["device", "requests"]), serde_json::json!([]), "nobody asks");
    assert_eq!(updates.load(Ordering::SeqCst), 0, "nothing was said to the {laid} messages");
    let wish = home.change_wish();
    until("the laptop to hear", &[&home, &laptop], || laptop.wish() == wish);
    paired(&home, &laptop);
}
