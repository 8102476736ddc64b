//! Promise 2 of the store: what was acknowledged survives `kill -9` at any instant, once and byte for byte, and nothing is
//! sent twice. `MAILKEEP_KILLS` says how many kills there are in all (12 by default; 200 by hand).

use crate::support::mail::{lf, plain};
use crate::support::world::signal;
use crate::support::{Chance, Lab, World, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

fn kills() -> usize {
    std::env::var("MAILKEEP_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

fn letter(n: usize) -> Vec<u8> {
    let body =
        format!("Letter {n}.\r\n{}", format!("line {n} of many, to make it last\r\n").repeat(40 + n % 200));
    plain("Bob <bob@lab.test>", "Alice <alice@lab.test>", &format!("letter {n}"), &body)
}

/// Lets a process run for a while and kills it, unless it was done before. Whether it had ended well.
fn killed_after(mut child: Child, pause: Duration) -> bool {
    std::thread::sleep(pause);
    signal(child.id(), rustix::process::Signal::KILL);
    child.wait().unwrap().success()
}

fn clean(world: &World) {
    let checked = world.ok(&["check"]);
    assert_eq!((&checked["damaged"], &checked["lost"]), (&0.into(), &0.into()), "{checked}");
}

#[test]
fn a_sync_that_is_killed_goes_on_where_it_was() {
    let mut chance = Chance::new("kill sync");
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    let letters: BTreeSet<Vec<u8>> = (0..300).map(letter).collect();
    for (n, letter) in letters.iter().enumerate() {
        imap.append(if n % 3 == 0 { "Archive" } else { "INBOX" }, "", letter);
    }
    let world = World::with_account(lab, &alice);
    for _ in 0..kills().div_ceil(4) {
        let child =
            world.global_first(&["sync"], true).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        killed_after(child, Duration::from_millis(300 + chance.below(2500)));
        let have = world.count("*");
        assert!(have <= 300);
        if chance.below(3) == 0 {
            clean(&world);
        }
    }
    world.ok(&["sync"]);
    let ids = world.ids("*");
    assert_eq!(ids.len(), 300, "each message once");
    let server = world.serve();
    let ours: BTreeSet<Vec<u8>> = ids.iter().map(|id| world.raw(id)).collect();
    assert!(ours == letters, "byte for byte");
    for (folder, n) in [("INBOX", 200), ("Archive", 100)] {
        assert_eq!(world.count(&format!("folder:{folder}")), n, "{folder}");
    }
    drop(server);
    clean(&world);
    assert_eq!(world.ok(&["sync"])["fetched"], 0);
}

#[test]
fn an_import_that_is_killed_can_be_run_again() {
    let mut chance = Chance::new("kill import");
    let world = World::new();
    let letters: Vec<Vec<u8>> = (0..3000).map(|n| lf(&letter(n))).collect();
    let path = world.file("big.mbox", crate::support::mail::mbox(&letters));
    let mut before = 0;
    for _ in 0..kills().div_ceil(4) {
        let child = world
            .global_first(&["import", &path], true)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        killed_after(child, Duration::from_millis(300 + chance.below(4000)));
        let have = world.count("*");
        assert!(have >= before, "{have} messages after there were {before}");
        before = have;
    }
    let done = world.ok(&["import", &path]);
    assert_eq!(done["failed"], 0, "{done}");
    assert_eq!(world.count("*"), 3000);
    let out = world.path("out");
    world.ok(&["export", out.to_str().unwrap(), "--format", "eml"]);
    clean(&world);
    // Every one is there as it was: read back all of them at once.
    let back = World::new();
    back.ok(&["import", out.to_str().unwrap()]);
    assert_eq!(back.count("*"), 3000);
    let again = back.ok(&["import", &path]);
    assert_eq!(again["duplicates"], 3000, "the bytes are the same: {again}");
}

/// What was acknowledged while the server was being killed under our hands.
#[derive(Default)]
struct Ledger {
    imported: Mutex<BTreeSet<usize>>,
    /// Letter and tag.
    tagged: Mutex<BTreeSet<(usize, String)>>,
    /// Outbox id by subject.
    sent: Mutex<BTreeMap<String, String>>,
}

/// What the workers are told. Between two servers they wait: a command that finds none opens the store by itself, and one
/// after the other they would keep the next server out.
#[derive(Default)]
struct Work {
    may_go_on: AtomicBool,
    over: AtomicBool,
}

impl Work {
    /// Waits until there is a server again; false when all is over.
    fn goes_on(&self) -> bool {
        while !self.may_go_on.load(Ordering::SeqCst) && !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
        !self.over.load(Ordering::SeqCst)
    }
}

/// Says that all is over when it ends, in a panic too: nobody works on for ever.
struct Over<'w>(&'w AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn what_was_acknowledged_by_a_killed_server_is_there_and_nothing_is_sent_twice() {
    let mut chance = Chance::new("kill serve");
    let lab = Lab::own(None);
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(&lab, &alice);
    let ledger = Ledger::default();
    let (work, next) = (Work::default(), AtomicUsize::new(10_000));
    std::thread::scope(|scope| {
        let _over = Over(&work.over);
        scope.spawn(|| importing(&world, &ledger, &work, &next));
        scope.spawn(|| tagging(&world, &ledger, &work));
        scope.spawn(|| sending(&world, &ledger, &work, &bob.address));
        for _ in 0..kills().div_ceil(2) {
            let server = start_again(&world);
            work.may_go_on.store(true, Ordering::SeqCst);
            // Long enough for some to get past the time to undo.
            std::thread::sleep(Duration::from_millis(200 + chance.below(14_000)));
            server.kill();
            work.may_go_on.store(false, Ordering::SeqCst);
        }
    });
    clean(&world);
    let server = start_again(&world);
    // With many kills there are thousands of letters: they are asked for by the hundred and read back all at once.
    let imported: Vec<usize> = ledger.imported.lock().unwrap().iter().copied().collect();
    once_each(&world, &imported, "");
    let out = world.path("out");
    world.ok(&["export", out.to_str().unwrap(), "--format", "eml"]);
    let kept: BTreeSet<Vec<u8>> =
        std::fs::read_dir(&out).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    for n in &imported {
        assert!(kept.contains(&lf(&letter(*n))), "letter {n} byte for byte");
    }
    let mut tagged: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    let acknowledged = ledger.tagged.lock().unwrap().clone();
    for (n, tag) in &acknowledged {
        tagged.entry(tag).or_default().push(*n);
    }
    for (tag, letters) in &tagged {
        once_each(&world, letters, &format!("tag:{tag} "));
    }
    let sent = ledger.sent.lock().unwrap().clone();
    eprintln!(
        "{} imported, {} tagged, {} sent",
        ledger.imported.lock().unwrap().len(),
        ledger.tagged.lock().unwrap().len(),
        sent.len()
    );
    assert!(!sent.is_empty(), "some were sent");
    // All reach their end: sent, or waiting for the person's word because it may have gone out already.
    wait_until("the outbox to come to rest", || {
        world.ok(&["outbox", "flush"]);
        let list = world.ok(&["outbox", "list"]);
        list.as_array()
            .unwrap()
            .iter()
            .all(|e| !["waiting", "queued"].contains(&e["state"].as_str().unwrap()) || e["attempts"] != 0)
    });
    let outbox = world.ok(&["outbox", "list"]);
    let state_of =
        |id: &str| outbox.as_array().unwrap().iter().find(|e| e["id"] == id).map(|e| e["state"].clone());
    for (subject, id) in &sent {
        assert!(state_of(id).is_some(), "{subject} is still in the outbox's list");
    }
    let all_sent: Vec<&String> =
        sent.iter().filter(|(_, id)| state_of(id).unwrap() == "sent").map(|(s, _)| s).collect();
    let arrived = || -> Vec<String> {
        let held = lab.imap(&bob).held("INBOX");
        held.iter()
            .map(|h| {
                String::from_utf8_lossy(&h.bytes)
                    .split("\r\nSubject: ")
                    .nth(1)
                    .unwrap()
                    .lines()
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    wait_until("bob's mail", || all_sent.iter().all(|s| arrived().contains(s)));
    let arrived = arrived();
    let different: BTreeSet<&String> = arrived.iter().collect();
    assert_eq!(different.len(), arrived.len(), "something arrived twice: {arrived:?}");
    // One copy of each in Sent, on the server and here.
    world.ok(&["sync"]);
    let copies = lab.imap(&alice).held("Sent");
    for subject in all_sent {
        let wanted = format!("\r\nSubject: {subject}\r\n");
        let n = copies.iter().filter(|h| String::from_utf8_lossy(&h.bytes).contains(&wanted)).count();
        assert_eq!(n, 1, "copies of {subject} in Sent");
    }
    drop(server);
    clean(&world);
}

/// Asserts that each of these letters is there once among what `query` finds.
fn once_each(world: &World, letters: &[usize], query: &str) {
    for hundred in letters.chunks(100) {
        let ids: Vec<String> = hundred.iter().map(|n| format!("id:letter-{n}@stories.test")).collect();
        assert_eq!(
            world.count(&format!("{query}({})", ids.join(" OR "))),
            hundred.len() as u64,
            "{query}{hundred:?}"
        );
    }
}

/// Starts the server; the command line may hold the store for the moment, so it may take a few tries.
fn start_again(world: &World) -> crate::support::Server<'_> {
    crate::support::wait_for("the server to start", || {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.serve())).ok()
    })
}

fn importing(world: &World, ledger: &Ledger, work: &Work, next: &AtomicUsize) {
    while work.goes_on() {
        let n = next.fetch_add(1, Ordering::SeqCst);
        let path = world.file(&format!("letter-{n}.eml"), lf(&letter(n)));
        let done = world.run_json(&["import", &path]);
        if done.code() == 0 {
            assert_eq!(done.json()["failed"], 0);
            ledger.imported.lock().unwrap().insert(n);
        }
    }
}

fn tagging(world: &World, ledger: &Ledger, work: &Work) {
    let mut round = 0;
    while work.goes_on() {
        let last = ledger.imported.lock().unwrap().iter().next_back().copied();
        let Some(n) = last else {
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        round += 1;
        let tag = format!("round{}", round % 7);
        let done = world.run_json(&["tag", &format!("+{tag}"), "--", &format!("id:letter-{n}@stories.test")]);
        if done.code() == 0 {
            ledger.tagged.lock().unwrap().insert((n, tag));
        }
    }
}

fn sending(world: &World, ledger: &Ledger, work: &Work, to: &str) {
    let body = world.file("body.txt", "hello bob\n");
    let mut round = 0;
    while work.goes_on() {
        round += 1;
        let subject = format!("note {round}");
        let done = world.run_json(&["send", "--to", to, "--subject", &subject, "--body-file", &body]);
        if done.code() == 0 {
            ledger.sent.lock().unwrap().insert(subject, done.json()["id"].as_str().unwrap().to_owned());
        }
        std::thread::sleep(Duration::from_millis(700));
    }
}
