//! Alice pairs her Mailkeeps on their pages, in a real browser: two, then a third, then one is removed. `MAILKEEP_SHOTS=FOLDER`
//! also takes pictures of every step.

use crate::browser::script;
use crate::private::Side;
use crate::support::mail::plain;
use crate::support::world::PASSPHRASE;
use crate::support::{Lab, Person, Server, World, wait_for, wait_until};
use serde_json::Value;

/// One of Alice's machines, running.
struct Machine<'w> {
    world: &'w World,
    server: Server<'w>,
}

impl<'w> Machine<'w> {
    fn start(world: &'w World) -> Self {
        let machine = Self { world, server: world.serve() };
        wait_for("the device to be there", || {
            machine.world.ok(&["sync"]);
            (!machine.devices().is_empty()).then_some(())
        });
        machine
    }

    fn base(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn devices(&self) -> Vec<Value> {
        self.world.ok(&["device", "list"]).as_array().unwrap().clone()
    }

    /// Which devices there are, what they are called and how they stand.
    fn roster(&self) -> Vec<(String, String, String)> {
        let text = |device: &Value, field: &str| device[field].as_str().unwrap().to_owned();
        let devices = self.devices();
        let mut all: Vec<_> =
            devices.iter().map(|d| (text(d, "id"), text(d, "name"), text(d, "state"))).collect();
        all.sort();
        all
    }

    fn keys(&self) -> Vec<String> {
        let listed = self.world.ok(&["key", "list"]);
        let own = listed.as_array().unwrap().iter().filter(|key| key["secret"] == true);
        let mut own: Vec<String> = own.map(|key| key["fingerprint"].to_string()).collect();
        own.sort();
        own
    }

    /// What is known of a correspondent, but for what every mail changes.
    fn peer(&self, address: &str) -> Value {
        let peer = self.world.run_json(&["peer", "show", address]);
        if peer.code() != 0 {
            return Value::Null;
        }
        let peer = peer.json();
        let fields = [
            "public_key_fingerprint",
            "pinned_fingerprint",
            "pinned_since",
            "verified_since",
            "prefer_encrypt",
            "trust",
        ];
        fields
            .iter()
            .map(|field| ((*field).to_owned(), peer[*field].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// Waits until all machines say the same.
fn agree<'w, T: PartialEq + std::fmt::Debug>(
    what: &str,
    machines: &[&Machine<'w>],
    say: impl Fn(&Machine<'w>) -> T,
    sound: impl Fn(&T) -> bool,
) -> T {
    wait_for(what, || {
        machines.iter().for_each(|machine| drop(machine.world.ok(&["sync"])));
        let mut said: Vec<T> = machines.iter().map(|machine| say(machine)).collect();
        let first = said.remove(0);
        (sound(&first) && said.iter().all(|other| *other == first)).then_some(first)
    })
}

/// Pairs two on their pages. Where `wrong` is asked for, other numbers are typed first, and the inbox is looked at.
fn pair(old: &Machine<'_>, new: &Machine<'_>, javascript: bool, wrong: bool, name: &str) {
    let pictures = old.world.path("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let shots = std::env::var("MAILKEEP_SHOTS").ok().filter(|_| javascript).unwrap_or_default();
    let first = wrong || !shots.is_empty() && name == "Laptop";
    script(
        "devices.mjs",
        &[
            ("OLD", old.base()),
            ("NEW", new.base()),
            ("PASSPHRASE", PASSPHRASE.to_owned()),
            ("JAVASCRIPT", if javascript { "on" } else { "off" }.to_owned()),
            ("FIRST", if first { "yes" } else { "no" }.to_owned()),
            ("NAME", name.to_owned()),
            ("PICTURES", pictures.to_str().unwrap().to_owned()),
            ("SHOTS", if first { shots } else { String::new() }),
        ],
    );
}

/// Another store of the same person; it waits for the key of the first one.
fn another(lab: &Lab, alice: &Person) -> World {
    let world = World::new();
    world.add_account(lab, alice);
    world.ok(&["config", "set", "tor.mode", "off"]);
    world
}

#[test]
fn three_mailkeeps_are_paired_on_their_pages() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let first = World::with_account(lab, &alice);
    let home = Machine::start(&first);
    // Bob's key is known at home before the others are there.
    let bob = Side::new(lab, "bob");
    let to_alice = Side { person: alice.clone(), world: World::new() };
    bob.writes(&[&to_alice], "a key", "Here is mine.\n", &[]);
    wait_for("Bob's message", || {
        home.world.ok(&["sync"]);
        (home.world.count("subject:\"a key\"") == 1).then_some(())
    });

    let second = another(lab, &alice);
    let laptop = Machine::start(&second);
    pair(&home, &laptop, true, false, "Laptop");
    let third = another(lab, &alice);
    let desk = Machine::start(&third);
    // The third is let in by the second.
    pair(&laptop, &desk, true, false, "Desk");

    let all = [&home, &laptop, &desk];
    let whole = |roster: &Vec<(String, String, String)>| {
        roster.len() == 3 && roster.iter().all(|(_, _, state)| state == "paired")
    };
    let roster = agree("the same devices on all", &all, Machine::roster, whole);
    let mut names: Vec<&str> = roster.iter().map(|(_, name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert!(names.contains(&"Desk") && names.contains(&"Laptop"), "{names:?}");
    agree("the same keys on all", &all, Machine::keys, |keys| !keys.is_empty());
    let address = &bob.person.address;
    let known = agree("the same of Bob on all", &all, |m| m.peer(address), |peer| !peer.is_null());
    assert_eq!(known["public_key_fingerprint"], bob.fingerprint());

    // A decision on one shows on the others.
    desk.world.ok(&["peer", "verify", address, &bob.fingerprint()]);
    agree("the decision on all", &all, |m| m.peer(address), |peer| peer["trust"] == "verified");

    // Private mail to her is read on all.
    let key = home.world.run(&["key", "export", &alice.address]).done().stdout;
    bob.world.ok(&["key", "import", &bob.world.file("alice.asc", key)]);
    bob.writes(&[&to_alice], "in private", "At the old harbour.\n", &["--encrypt", "yes"]);
    for machine in all {
        let id = wait_for("the private message", || {
            machine.world.ok(&["sync"]);
            machine.world.ids("subject:\"in private\"").first().cloned()
        });
        let shown = machine.world.ok(&["show", &id]);
        assert_eq!(shown["privacy"], "private", "{shown}");
        assert!(shown["text"].as_str().unwrap().contains("old harbour"), "{shown}");
    }

    // Removed on a page, it says so, keeps its mail, and may ask anew.
    script(
        "devices_removed.mjs",
        &[
            ("KEPT", home.base()),
            ("GONE", desk.base()),
            ("NAME", "Desk".to_owned()),
            ("PASSPHRASE", PASSPHRASE.to_owned()),
            ("SHOTS", std::env::var("MAILKEEP_SHOTS").unwrap_or_default()),
        ],
    );
    assert_eq!(desk.world.count("subject:\"in private\""), 1);
}

#[test]
fn two_mailkeeps_are_paired_on_pages_without_javascript() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let first = World::with_account(lab, &alice);
    let home = Machine::start(&first);
    let second = another(lab, &alice);
    let laptop = Machine::start(&second);
    pair(&home, &laptop, false, true, "Laptop");
    agree("the same keys on both", &[&home, &laptop], Machine::keys, |keys| !keys.is_empty());
}

/// Two paired by the command line.
fn paired<'w>(home: &Machine<'w>, laptop: &Machine<'w>) {
    let id = |machine: &Machine<'_>| {
        let this = machine.devices().into_iter().find(|device| device["this"] == true).unwrap();
        (this["id"].as_str().unwrap().to_owned(), this["sas"].as_str().map(str::to_owned))
    };
    wait_for("the first one to notice the second", || {
        home.world.ok(&["sync"]);
        laptop.world.ok(&["sync"]);
        (home.devices().len() == 2 && laptop.devices().len() == 2).then_some(())
    });
    laptop.world.ok(&["device", "pair"]);
    home.world.ok(&["device", "requests"]);
    home.world.ok(&["device", "accept", &id(laptop).0]);
    let sas = wait_for("the numbers", || id(laptop).1);
    home.world.ok(&["device", "confirm", &id(laptop).0, "--sas", &sas]);
    laptop.world.ok(&["device", "confirm", &id(home).0, "--sas", &sas]);
    agree("both to be paired", &[home, laptop], Machine::roster, |roster| {
        roster.len() == 2 && roster.iter().all(|(_, _, state)| state == "paired")
    });
}

#[test]
fn what_is_shared_beyond_keys_is_the_same_on_both_in_the_end() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (first, second) = (World::with_account(lab, &alice), another(lab, &alice));
    let signature =
        |machine: &Machine<'_>| machine.world.ok(&["config", "get", "writing.signature"])["value"].clone();
    let senders = |machine: &Machine<'_>| machine.world.ok(&["sender", "list"]);
    first.ok(&["config", "set", "writing.signature", "Alice\nOld Harbour"]);
    first.ok(&["config", "set", "devices.share", "on"]);
    first.ok(&["sender", "set", "news@lab.test", "--view", "text"]);
    let (home, laptop) = (Machine::start(&first), Machine::start(&second));
    paired(&home, &laptop);
    let both = [&home, &laptop];

    // As long as the second one was not told to, it keeps to itself; then it catches up.
    laptop.world.ok(&["sync"]);
    assert_eq!((signature(&laptop), senders(&laptop)), ("".into(), Value::Array(Vec::new())));
    laptop.world.ok(&["config", "set", "devices.share", "on"]);
    agree("the signature on both", &both, signature, |it| it == "Alice\nOld Harbour");
    agree("the sender on both", &both, senders, |it| it[0]["view"] == "text");

    // A change on either side counts on both, and so does taking one back.
    laptop.world.ok(&["config", "set", "writing.signature", "A."]);
    home.world.ok(&["sender", "forget", "news@lab.test"]);
    agree("the later signature on both", &both, signature, |it| it == "A.");
    agree("no sender on both", &both, senders, |it| it.as_array().is_some_and(Vec::is_empty));
    // Names are shared in any case.
    let id =
        laptop.devices().into_iter().find(|d| d["this"] == true).unwrap()["id"].as_str().unwrap().to_owned();
    home.world.ok(&["device", "name", &id, "Kitchen"]);
    agree("the name on both", &both, Machine::roster, |roster| {
        roster.iter().any(|(device, name, _)| *device == id && name == "Kitchen")
    });
    assert!(home.world.fails(2, &["device", "name", &id, " "]).contains("name"));
    assert!(home.world.fails(4, &["device", "name", "12", "Phone"]).contains("no paired device"));
}

#[test]
fn a_mailkeep_that_does_not_show_itself_leaves_nothing_in_the_mailbox() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let machine = Machine::start(&world);
    let ours = || {
        let folders = lab.imap(&alice).folders();
        folders.into_iter().filter(|name| name.contains("_Autocrypt_SMA")).collect::<Vec<_>>()
    };
    wait_until("the folders to be there", || ours().len() == 2);

    // A copy of what lies there, among her mail, is not shown and does nothing; a mail that only bears the marker is mail.
    let announced = || lab.imap(&alice).held("_Autocrypt_SMA").into_iter().next();
    let copy = wait_for("the announcement", announced).bytes;
    lab.imap(&alice).append("INBOX", "", &copy);
    let mail =
        String::from_utf8(plain("bob@lab.test", &alice.address, "Your contract ends", "On Friday.")).unwrap();
    let marked = format!("Autocrypt-SMA: v=1; type=announce\r\n{mail}");
    lab.imap(&alice).append("INBOX", "", marked.as_bytes());
    wait_for("the marked mail", || {
        machine.world.ok(&["sync"]);
        (machine.world.count("subject:\"Your contract ends\" in:inbox") == 1).then_some(())
    });
    assert_eq!(machine.world.count("*"), 1);
    let cookie = machine.server.sign_in();
    let page = || machine.server.request("GET", "/devices").cookie(&cookie).send().text();
    assert!(page().contains("1 message lies among your mail"), "{}", page());
    assert_eq!(lab.imap(&alice).held("INBOX").len(), 2, "it stays where it is");
    let status = machine.world.ok(&["status"]);
    assert_eq!(status["accounts"][0]["skipped"], Value::Array(Vec::new()), "it is no trouble: {status}");
    let path = machine.world.file("stray.eml", &copy);
    assert_eq!(machine.world.ok(&["import", &path])["messages"], 0);

    machine.world.ok(&["config", "set", "devices.announce", "off"]);
    wait_until("the folders to be gone", || ours().is_empty());
    let refused = machine.world.fails(1, &["device", "pair"]);
    assert!(refused.contains("devices.announce"), "{refused}");
    // A removal that no other device would hear of is not said to be done.
    assert!(machine.world.fails(1, &["device", "remove", "27"]).contains("devices.announce"));
    machine.world.ok(&["sync"]);
    assert!(ours().is_empty(), "they are not made again");
    machine.world.ok(&["config", "set", "devices.announce", "on"]);
    wait_until("the folders to be there again", || ours().len() == 2);
}
