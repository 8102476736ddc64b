//! Alice pairs her machines by a code: the old one shows it, and she types it into the new one. `MAILKEEP_SHOTS=FOLDER` also takes
//! pictures of every step on the pages.

use crate::browser::script;
use crate::support::machines::{Machine, kind, meets, paired, two, until};
use crate::support::provider::{Deed, Provider, Seen, When};
use crate::support::world::PASSPHRASE;
use crate::support::{Lab, Person, World, wait_for, wait_until};
use mailkeep::crypto::devices::{Code, Device, Handshake};
use mailkeep::mail::sma::{Accept, Body, Keys, Kind, Letter, Marker, Payload, Request};
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The code that a machine shows.
fn shows(machine: &Machine) -> String {
    let shown = machine.world.ok(&["device", "code"]);
    assert_eq!(shown["id"], machine.id.as_str(), "{shown}");
    let now = jiff::Timestamp::now();
    let expires: jiff::Timestamp = shown["expires"].as_str().unwrap().parse().unwrap();
    assert!(expires > now && expires <= now + jiff::SignedDuration::from_mins(10), "{shown}");
    shown["code"].as_str().unwrap().to_owned()
}

/// Tells a machine a code, which lets it in.
fn joins(machine: &Machine, code: &str) {
    let joined = machine.world.ok(&["device", "join", code]);
    assert_eq!(
        (joined["id"].as_str(), joined["state"].as_str()),
        (Some(&*machine.id), Some("paired")),
        "{joined}"
    );
}

fn know_each_other(home: &Machine, laptop: &Machine) {
    until("both to know of each other", &[home, laptop], || {
        (home.sees(laptop), laptop.sees(home)) == ("waiting".into(), "waiting".into())
    });
}

/// What a device says its keys are.
fn announced(lab: &Lab, person: &Person, machine: &Machine) -> Keys {
    wait_for("the announcement", || {
        let held = lab.imap(person).held("_Autocrypt_SMA");
        held.iter().find_map(|held| match kind(&held.bytes)? {
            (_, Payload { from, body: Body::Announce(announce), .. }) if from.to_string() == machine.id => {
                Some(announce.keys)
            }
            _ => None,
        })
    })
}

/// Which devices there are, and how they stand.
fn roster(machine: &Machine) -> Vec<(String, String)> {
    let text = |device: &Value, field: &str| device[field].as_str().unwrap().to_owned();
    let mut all: Vec<_> = machine.devices().iter().map(|d| (text(d, "id"), text(d, "state"))).collect();
    all.sort();
    all
}

/// Which key a machine relies on for somebody, since when, and whether it was compared. Each decided for itself, or was told.
fn relies_on(machine: &Machine, address: &str) -> Value {
    let mut known = machine.knows(address);
    if let Some(known) = known.as_object_mut() {
        known.remove("decisions");
    }
    known
}

/// Everything that lies in a folder.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            all.extend(all_bytes(&path));
        } else if path.is_file() {
            all.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    all
}

/// Whether a code, or the secret in it, stands in this.
fn tells(code: &str, bytes: &[u8]) -> bool {
    let read: Code = code.parse().unwrap();
    let letters: String = code.chars().skip(5).filter(|c| *c != '-').collect();
    let end = letters.get(letters.len() - 24..).unwrap();
    let needles: [&[u8]; 3] =
        [read.secret(), end.as_bytes(), code.get(code.len() - 24..).unwrap().as_bytes()];
    needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == *needle))
}

#[test]
fn two_machines_pair_by_a_code_and_are_equal() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    let friend = meets(&home, "carol");
    know_each_other(&home, &laptop);
    let written = Arc::<Mutex<Vec<u8>>>::default();
    for provider in &providers {
        let written = Arc::clone(&written);
        provider.does(move |seen| {
            // As it was signed, without what a mail makes of it.
            let payload = Letter::read(&seen.message).map(|letter| letter.signed.payload);
            written.lock().unwrap().extend(payload.unwrap_or_default());
            Deed::Pass
        });
    }
    assert!(laptop.keys().is_empty() && laptop.knows(&friend).is_null());

    let code = shows(&home);
    assert!(code.starts_with("sma1:"), "{code}");
    assert_eq!(home.this()["sas"], Value::Null);
    // As somebody types it.
    joins(&laptop, &code.to_lowercase().replace('-', " "));
    paired(&home, &laptop);
    until("both to know the same people", &[&home, &laptop], || {
        relies_on(&laptop, &friend) == relies_on(&home, &friend) && laptop.wish() == home.wish()
    });
    assert_eq!(laptop.knows(&friend)["trust"], "verified");
    assert_eq!(roster(&home), roster(&laptop));
    // It goes both ways.
    let other = meets(&laptop, "dave");
    until("home to know, too", &[&home, &laptop], || relies_on(&home, &other) == relies_on(&laptop, &other));
    let wish = laptop.change_wish();
    until("home to hear", &[&home, &laptop], || home.wish() == wish);

    // Who is paired asks for nothing more, and the code is worth nothing.
    assert!(laptop.world.fails(1, &["device", "join", &code]).contains("paired already"));
    // Nothing of it was kept or sent.
    let written = written.lock().unwrap().clone();
    assert!(written.len() > 1000 && !tells(&code, &written), "a message tells it");
    for machine in [&home, &laptop] {
        machine.off();
        assert!(!tells(&code, &all_bytes(machine.world.data())), "the store tells it");
    }
    assert!(tells(&code, code.as_bytes()), "it would be found");
}

#[test]
fn a_wrong_code_lets_nobody_in_and_burns_the_right_one() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (_providers, home, laptop) = two(lab, &alice);
    know_each_other(&home, &laptop);
    // Home looks into its folder rarely where it shows no code.
    let told = |code: &str| {
        let world = &laptop.world;
        let ended = std::thread::scope(|scope| {
            let joins = scope.spawn(|| world.run_json(&["device", "join", code]));
            while !joins.is_finished() {
                home.sync();
            }
            joins.join().unwrap()
        });
        ended.fails(1)
    };
    let nobody = || {
        home.sync();
        laptop.sync();
        assert!(laptop.keys().is_empty(), "no key went to it");
        assert_eq!((home.sees(&laptop), laptop.sees(&home)), ("waiting".into(), "waiting".into()));
    };

    let code = shows(&home);
    // A letter is wrong: nobody is asked, and the code stays good.
    let mistyped: String = code
        .char_indices()
        .map(|(at, c)| if at == 40 { if c == '7' { '8' } else { '7' } } else { c })
        .collect();
    assert_ne!(mistyped, code);
    assert!(laptop.world.fails(2, &["device", "join", &mistyped]).contains("mistyped"));
    assert!(laptop.world.fails(2, &["device", "join", "7815 5714 5413"]).contains("sma1:"));
    // Nothing on the command line, and nothing on standard input.
    assert!(laptop.world.fails(2, &["device", "join"]).contains("standard input"));

    // Somebody who knows all but the secret guesses.
    let device = home.id.parse().unwrap();
    let keys = announced(lab, &alice, &home);
    let guess = Code::new(device, &keys).to_text();
    let said = told(guess.expose());
    assert!(said.contains("wrong, used already, or shown more than ten minutes ago"), "{said}");
    assert_eq!(told(&code), said, "the right one is burnt");
    nobody();

    // It does not outlive a lock.
    let code = shows(&home);
    home.world.ok(&["lock"]);
    home.unlock();
    wait_until("home to look after its devices", || home.world.run_json(&["device", "cancel"]).code() == 0);
    assert_eq!(told(&code), said);
    nobody();

    // A device that is not there, as far as this mailbox says.
    let nowhere = Code::new("4812330175".parse().unwrap(), &keys).to_text();
    assert!(told(nowhere.expose()).contains("does not show itself"));
    joins(&laptop, &shows(&home));
    paired(&home, &laptop);
}

/// A mail with this payload, signed by a device of the provider's.
fn mail(device: &Device, payload: &Payload) -> Vec<u8> {
    let letter = Letter { marker: Marker { kind: payload.kind() }, signed: device.sign(payload) };
    letter.write(&payload.account, [7; 16], payload.created).1
}

/// The provider puts another message into the place of what it hands out, and counts what is told to anybody.
fn swaps(
    provider: &Provider,
    count: &Arc<AtomicUsize>,
    swap: impl Fn(Payload) -> Option<Vec<u8>> + Send + 'static,
) {
    let count = Arc::clone(count);
    provider.does(move |seen: &Seen| {
        let Some((which, payload)) = kind(&seen.message) else { return Deed::Pass };
        if which == Kind::Update && seen.when == When::Asked {
            count.fetch_add(1, Ordering::SeqCst);
        }
        if seen.when != When::Handed {
            return Deed::Pass;
        }
        swap(payload).map_or(Deed::Pass, Deed::Swap)
    });
}

#[test]
fn a_provider_that_swaps_keys_gets_no_grant() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    know_each_other(&home, &laptop);
    let updates = Arc::<AtomicUsize>::default();
    let met = Arc::<AtomicUsize>::default();
    let nobody = |times: usize| {
        for _ in 0..3 {
            home.sync();
            laptop.sync();
        }
        assert_eq!(met.swap(0, Ordering::SeqCst), times, "the provider took part");
        assert_eq!(updates.load(Ordering::SeqCst), 0, "nothing was told to anybody");
        assert!(laptop.keys().is_empty());
        assert_eq!((home.sees(&laptop), laptop.sees(&home)), ("waiting".into(), "waiting".into()));
    };

    // Towards the laptop it is home, under keys of its own.
    let (id, counted) = (home.id.parse().unwrap(), Arc::clone(&met));
    let as_home = Device::new(id);
    swaps(&providers[0], &updates, |_| None);
    swaps(&providers[1], &updates, move |payload| match payload.body.clone() {
        Body::Accept(accept) => {
            counted.fetch_add(1, Ordering::SeqCst);
            let accept = Accept { keys: as_home.keys(), ephemeral: Handshake::new().ephemeral(), ..accept };
            Some(mail(&as_home, &Payload { body: Body::Accept(accept), ..payload }))
        }
        _ => None,
    });
    let said = laptop.world.fails(1, &["device", "join", &shows(&home)]);
    assert!(said.contains("disturbed"), "{said}");
    nobody(1);

    // Towards home it is the laptop.
    let (id, counted) = (laptop.id.parse().unwrap(), Arc::clone(&met));
    let as_laptop = Device::new(id);
    swaps(&providers[1], &updates, |_| None);
    swaps(&providers[0], &updates, move |payload| match payload.body.clone() {
        Body::Request(request) => {
            counted.fetch_add(1, Ordering::SeqCst);
            let request = Request { keys: as_laptop.keys(), ..request };
            Some(mail(&as_laptop, &Payload { body: Body::Request(request), ..payload }))
        }
        _ => None,
    });
    let code = shows(&home);
    let said = laptop.world.fails(1, &["device", "join", &code]);
    assert!(said.contains("code was wrong"), "{said}");
    nobody(1);

    // Without it, the same two pair; what was burnt stays burnt.
    for provider in &providers {
        provider.relents();
    }
    assert!(laptop.world.fails(1, &["device", "join", &code]).contains("code was wrong"));
    joins(&laptop, &shows(&home));
    paired(&home, &laptop);
}

/// Pairs two on their pages.
fn on_pages(javascript: bool) {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let worlds = [World::with_account(lab, &alice), World::new()];
    let home = worlds[0].serve_loud();
    wait_until("the old device to be there", || {
        worlds[0].ok(&["sync"]);
        !worlds[0].ok(&["device", "list"]).as_array().unwrap().is_empty()
    });
    worlds[1].add_account(lab, &alice);
    let laptop = worlds[1].serve_loud();
    wait_until("both to know of each other", || {
        worlds.iter().for_each(|world| drop(world.ok(&["sync"])));
        worlds.iter().all(|world| world.ok(&["device", "list"]).as_array().unwrap().len() == 2)
    });
    let shots = std::env::var("MAILKEEP_SHOTS").ok().filter(|_| javascript).unwrap_or_default();
    let pictures = worlds[0].path("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    script(
        "devices_code.mjs",
        &[
            ("OLD", format!("http://{}", home.address)),
            ("NEW", format!("http://{}", laptop.address)),
            ("PASSPHRASE", PASSPHRASE.to_owned()),
            ("JAVASCRIPT", if javascript { "on" } else { "off" }.to_owned()),
            ("PICTURES", pictures.to_str().unwrap().to_owned()),
            ("SHOTS", shots),
        ],
    );
    wait_until("both to have the same keys", || {
        worlds.iter().for_each(|world| drop(world.ok(&["sync"])));
        let keys = |world: &World| {
            let listed = world.ok(&["key", "list"]);
            let own = listed.as_array().unwrap().iter().filter(|key| key["secret"] == true);
            own.map(|key| key["fingerprint"].to_string()).collect::<Vec<_>>()
        };
        !keys(&worlds[0]).is_empty() && keys(&worlds[0]) == keys(&worlds[1])
    });
    // Whatever is logged: not a code that is shown, nor one that is typed.
    let code = worlds[0].ok(&["device", "code"])["code"].as_str().unwrap().to_owned();
    assert!(worlds[1].fails(1, &["device", "join", &code]).contains("paired already"));
    let logs = [home.log(), laptop.log()].concat();
    assert!(!tells(&code, logs.as_bytes()), "the logs tell it");
}

#[test]
fn two_mailkeeps_are_paired_by_a_code_on_their_pages() {
    on_pages(true);
}

#[test]
fn two_mailkeeps_are_paired_by_a_code_on_pages_without_javascript() {
    on_pages(false);
}
