//! Alice's machines are killed at any step of what they say to each other: nothing is lost, and nothing is done twice. The provider
//! between them and the mailbox kills them, so that each step that shows on the wire is met. `MAILKEEP_STEPS=all` meets all of
//! them; by default some, by chance.

use crate::support::machines::{Machine, kind, meets, pair, two, until};
use crate::support::provider::{Deed, Provider, Seen, When};
use crate::support::world::signal;
use crate::support::{Chance, Lab, wait_until};
use mailkeep::mail::sma::Kind;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn all_steps() -> bool {
    std::env::var("MAILKEEP_STEPS").is_ok_and(|steps| steps == "all")
}

/// A step on the wire after which, or before which, something is different in a store or in the mailbox.
fn is_step(seen: &Seen) -> bool {
    let changes = ["APPEND", "UID STORE", "UID EXPUNGE", "EXPUNGE"].contains(&seen.verb.as_str());
    seen.folder.contains("_Autocrypt_SMA") && (seen.when == When::Handed || changes)
}

/// What is to be killed, and when.
#[derive(Default)]
struct Plan {
    pid: Option<u32>,
    /// So many steps are let pass.
    left: usize,
    /// Where it was killed.
    at: Option<String>,
}

/// Kills at a step, once.
fn kills(
    provider: &Provider,
    plan: &Arc<Mutex<Plan>>,
    mut is_it: impl FnMut(&Seen) -> bool + Send + 'static,
) {
    let plan = Arc::clone(plan);
    provider.does(move |seen| {
        if !is_it(seen) {
            return Deed::Pass;
        }
        let mut plan = plan.lock().unwrap();
        let Some(pid) = plan.pid else { return Deed::Pass };
        if plan.left > 0 {
            plan.left -= 1;
            return Deed::Pass;
        }
        signal(pid, rustix::process::Signal::KILL);
        plan.pid = None;
        plan.at =
            Some(format!("{:?} {} {:?}", seen.when, seen.verb, kind(&seen.message).map(|(kind, _)| kind)));
        Deed::Cut
    });
}

/// Switches on again what was killed.
fn revive(machines: &[&Machine]) {
    for machine in machines {
        if !machine.runs() {
            machine.on();
        }
    }
}

#[test]
fn killed_at_a_step_of_an_update_nothing_is_lost_or_done_twice() {
    let mut chance = Chance::new("kill updates");
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    pair(&home, &laptop);
    let both = [&home, &laptop];
    let mut imap = lab.imap(&alice);
    let mut at_rest =
        || [&home, &laptop].iter().all(|it| imap.weight(&format!("_Autocrypt_SMA_{}", it.id)).0 == 0);
    until("all to be taken", &both, &mut at_rest);
    let undisturbed = meets(&home, "undisturbed");
    until("the laptop to hear", &both, || laptop.knows(&undisturbed)["trust"] == "verified");
    let effects =
        [home.knows(&undisturbed)["decisions"].clone(), laptop.knows(&undisturbed)["decisions"].clone()];
    let (mut met, mut changes) = (Vec::new(), 0);
    for (killed, provider) in [(&home, &providers[0]), (&laptop, &providers[1])] {
        let mut step = if all_steps() { 0 } else { chance.below(6) as usize };
        loop {
            until("all to be taken", &both, &mut at_rest);
            let plan = Arc::new(Mutex::new(Plan { pid: Some(killed.pid()), left: step, at: None }));
            // The owner does something, on one and the other machine by turns.
            changes += 1;
            let teller = both[changes % 2];
            // The mailbox is away until it is done, so that no step of it is over before.
            for provider in &providers {
                provider.does(|_| Deed::Cut);
            }
            let friend = meets(teller, &format!("friend{changes}"));
            for provider in &providers {
                provider.relents();
            }
            kills(provider, &plan, is_step);
            wait_until("both to know", || {
                revive(&both);
                for machine in both {
                    machine.sync();
                }
                revive(&both);
                both.iter().all(|it| it.knows(&friend)["trust"] == "verified")
            });
            until("all to be taken", &both, || {
                revive(&both);
                at_rest()
            });
            provider.relents();
            revive(&both);
            let [here, there] = if changes % 2 == 0 { [&home, &laptop] } else { [&laptop, &home] };
            assert_eq!(here.knows(&friend)["decisions"], effects[0], "{friend}");
            assert_eq!(there.knows(&friend)["decisions"], effects[1], "{friend}");
            let Some(at) = plan.lock().unwrap().at.clone() else { break };
            met.push(at);
            if !all_steps() {
                break;
            }
            step += 1;
        }
    }
    for machine in both {
        assert!(machine.devices().iter().all(|device| device["state"] == "paired"));
    }
    assert_eq!(home.keys(), laptop.keys());
    eprintln!("{} kills, {changes} changes, each known once on both: {met:#?}", met.len());
    assert!(!met.is_empty());
}

/// What a person does who wants two devices paired, whatever happened before.
fn persist(home: &Machine, laptop: &Machine) {
    let mut round = 0;
    wait_until("both to be paired", || {
        revive(&[home, laptop]);
        for machine in [home, laptop] {
            machine.sync();
        }
        revive(&[home, laptop]);
        let states = (home.sees(laptop), laptop.sees(home));
        if states == ("paired".into(), "paired".into()) && home.keys() == laptop.keys() {
            return true;
        }
        let run = |machine: &Machine, args: &[&str]| {
            revive(&[machine]);
            machine.world.run_json(args).code() == 0
        };
        if let Some(string) = laptop.string() {
            let typed = run(home, &["device", "confirm", &laptop.id, "--sas", &string]);
            let said = typed && run(laptop, &["device", "confirm", &home.id, "--sas", &string]);
            if !said {
                run(laptop, &["device", "pair"]);
            }
        } else if !run(home, &["device", "accept", &laptop.id]) {
            if round % 8 == 0 {
                run(laptop, &["device", "pair"]);
            }
            round += 1;
        }
        false
    });
}

/// Whether this is the step of a message: laid or not, handed out or taken away.
fn step_of(which: Kind, part: usize) -> impl FnMut(&Seen) -> bool + Send {
    let mut handed = false;
    move |seen| {
        let is_it = matches!(kind(&seen.message), Some((kind, _)) if kind == which);
        handed |= is_it && seen.when == When::Handed;
        match part {
            0 => is_it && seen.verb == "APPEND" && seen.when == When::Asked,
            1 => is_it && seen.verb == "APPEND" && seen.when == When::Done,
            2 => is_it && seen.when == When::Handed,
            3 => handed && seen.verb == "UID STORE" && seen.when == When::Asked,
            _ => handed && seen.verb == "UID EXPUNGE" && seen.when == When::Done,
        }
    }
}

#[test]
fn killed_at_a_step_of_a_pairing_two_devices_can_be_paired_all_the_same() {
    let mut chance = Chance::new("kill pairing");
    let lab = Lab::shared();
    // Who writes it: the laptop is the new one.
    let messages = [
        (Kind::Announce, true),
        (Kind::PairRequest, true),
        (Kind::PairAccept, false),
        (Kind::PairReveal, true),
        (Kind::PairMac, false),
        (Kind::PairMac, true),
        (Kind::Update, false),
        (Kind::Update, true),
    ];
    let mut points: Vec<(usize, usize)> =
        (0..messages.len()).flat_map(|message| (0..5).map(move |part| (message, part))).collect();
    if !all_steps() {
        points = (0..1).map(|_| points[chance.below(points.len() as u64) as usize]).collect();
    }
    let mut met = 0;
    for (message, part) in points.iter().copied() {
        let (which, by_laptop) = messages[message];
        let alice = lab.person("alice");
        let (providers, home, laptop) = two(lab, &alice);
        // Who writes is killed while it lays, who reads while it takes.
        let at_laptop = by_laptop == (part < 2);
        let (killed, provider) = if at_laptop { (&laptop, &providers[1]) } else { (&home, &providers[0]) };
        let plan = Arc::new(Mutex::new(Plan { pid: Some(killed.pid()), left: 0, at: None }));
        kills(provider, &plan, step_of(which, part));
        persist(&home, &laptop);
        provider.relents();
        revive(&[&home, &laptop]);
        let at = plan.lock().unwrap().at.clone();
        eprintln!(
            "{which:?} of the {}, part {part}: killed at {at:?}",
            if by_laptop { "laptop" } else { "home" }
        );
        met += usize::from(at.is_some());
        assert_eq!((home.keys().len(), laptop.keys()), (1, home.keys()));
        assert_eq!((home.devices().len(), laptop.devices().len()), (2, 2), "each knows the other once");
        let wish = laptop.change_wish();
        until("home to hear", &[&home, &laptop], || home.wish() == wish);
    }
    eprintln!("{met} kills at {} points", points.len());
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &to),
            kind if kind.is_file() => drop(std::fs::copy(entry.path(), to).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn killed_while_sessions_begin_anew_nothing_is_lost() {
    let mut chance = Chance::new("kill resets");
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    pair(&home, &laptop);
    let both = [&home, &laptop];
    let mut imap = lab.imap(&alice);
    let mut settled = |which: &str| {
        until(which, &both, || {
            revive(&both);
            both.iter().all(|it| imap.weight(&format!("_Autocrypt_SMA_{}", it.id)).0 == 0)
        });
    };
    let parts: Vec<usize> = if all_steps() { (0..5).collect() } else { vec![chance.below(5) as usize] };
    let (old, now) = (laptop.world.path("old"), laptop.world.data().to_owned());
    for part in parts {
        settled("all to be taken");
        laptop.off();
        copy(&now, &old);
        laptop.on();
        // What they say to each other meanwhile is in no backup.
        let lost = [&home, &laptop].map(|teller| meets(teller, &format!("lost{part}by{}", teller.id)));
        for friend in &lost {
            until("both to know", &both, || both.iter().all(|it| it.knows(friend)["trust"] == "verified"));
        }
        for (teller, listener) in [(&home, &laptop), (&laptop, &home), (&home, &laptop)] {
            let wish = teller.change_wish();
            until("the other one to hear", &both, || listener.wish() == wish);
        }
        settled("all of it to be taken");
        // The laptop's disk breaks; it is put back to what it was.
        laptop.off();
        std::fs::remove_dir_all(&now).unwrap();
        std::fs::rename(&old, &now).unwrap();
        laptop.on();
        // The laptop lays the message with which a session begins anew, home takes it.
        let (killed, provider) = if part < 2 { (&laptop, &providers[1]) } else { (&home, &providers[0]) };
        let plan = Arc::new(Mutex::new(Plan { pid: Some(killed.pid()), left: 0, at: None }));
        kills(provider, &plan, step_of(Kind::Reset, part));
        let friend = meets(&home, &format!("friend{part}"));
        wait_until("a session to begin anew, and both to know", || {
            revive(&both);
            for machine in both {
                machine.sync();
            }
            revive(&both);
            plan.lock().unwrap().at.is_some()
                && both.iter().all(|it| it.runs() && it.knows(&friend)["trust"] == "verified")
        });
        provider.relents();
        for friend in &lost {
            until("the laptop to hear again", &both, || laptop.knows(friend)["trust"] == "verified");
        }
        let wish = laptop.change_wish();
        until("home to hear", &both, || home.wish() == wish);
        settled("both to be silent");
        assert!(both.iter().all(|it| it.devices().iter().all(|device| device["state"] == "paired")));
        assert_eq!(home.keys(), laptop.keys());
        eprintln!("part {part}: killed at {:?}", plan.lock().unwrap().at);
    }
}

#[test]
fn killed_while_it_removes_a_device_it_is_removed_once_it_runs_again() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(lab, &alice);
    pair(&home, &laptop);
    let plan = Arc::new(Mutex::new(Plan { pid: Some(home.pid()), left: 0, at: None }));
    kills(&providers[0], &plan, step_of(Kind::Removed, 0));
    home.world.run_json(&["device", "remove", &laptop.id]);
    wait_until("home to be killed", || !home.runs());
    let plan = Arc::new(Mutex::new(Plan { pid: Some(laptop.pid()), left: 0, at: None }));
    kills(&providers[1], &plan, step_of(Kind::Removed, 2));
    wait_until("the laptop to know", || {
        revive(&[&home, &laptop]);
        for machine in [&home, &laptop] {
            machine.sync();
        }
        revive(&[&home, &laptop]);
        laptop.this()["state"] == "removed"
    });
    assert!(plan.lock().unwrap().at.is_some());
    assert_eq!(home.sees(&laptop), "removed");
    assert!(laptop.world.fails(1, &["device", "pair"]).contains("removed"));
    let mut imap = lab.imap(&alice);
    until("its folder to go", &[&home, &laptop], || {
        !imap.folders().contains(&format!("_Autocrypt_SMA_{}", laptop.id))
    });
}
