//! Alice reads her mail on two machines of her own: they find each other through the mailbox, she pairs them, and from then on
//! they know the same keys and trust the same people.

use crate::private::Side;
use crate::support::{Lab, Person, Server, World, wait_for};
use serde_json::Value;

/// One of Alice's machines, running.
struct Machine<'w> {
    world: &'w World,
    _server: Server<'w>,
}

impl<'w> Machine<'w> {
    fn start(world: &'w World) -> Self {
        let server = world.serve();
        let machine = Self { world, _server: server };
        wait_for("the background tasks to run", || {
            machine.world.ok(&["sync"]);
            (!machine.devices().is_empty()).then_some(())
        });
        machine
    }

    fn devices(&self) -> Vec<Value> {
        self.world.ok(&["device", "list"]).as_array().unwrap().clone()
    }

    fn this(&self) -> Value {
        self.devices().into_iter().find(|device| device["this"] == true).unwrap()
    }

    fn id(&self) -> String {
        self.this()["id"].as_str().unwrap().to_owned()
    }

    /// The state of another device as this one sees it.
    fn sees(&self, id: &str) -> Option<String> {
        let found = self.devices().into_iter().find(|device| device["id"] == id)?;
        Some(found["state"].as_str().unwrap().to_owned())
    }

    fn string(&self) -> String {
        wait_for("the string to be shown", || self.this()["sas"].as_str().map(str::to_owned))
    }

    fn keys(&self) -> Vec<String> {
        let listed = self.world.ok(&["key", "list"]);
        let own = listed.as_array().unwrap().iter().filter(|key| key["secret"] == true);
        let mut own: Vec<String> = own.map(|key| key["fingerprint"].to_string()).collect();
        own.sort();
        own
    }
}

/// Up to where the new one shows its string.
fn ask(old: &Machine<'_>, new: &Machine<'_>) -> String {
    let asked = new.world.ok(&["device", "pair"]);
    assert_eq!((asked["id"].as_str(), asked["state"].as_str()), (Some(new.id().as_str()), Some("waiting")));
    let requests = old.world.ok(&["device", "requests"]);
    assert_eq!(requests[0]["id"], asked["id"], "{requests}");
    assert_eq!(old.this()["sas"], Value::Null, "the old device never shows the string");
    old.world.ok(&["device", "accept", &new.id()]);
    new.string()
}

fn pair(old: &Machine<'_>, new: &Machine<'_>) {
    let string = ask(old, new);
    old.world.ok(&["device", "confirm", &new.id(), "--sas", &string]);
    new.world.ok(&["device", "confirm", &old.id(), "--sas", &string]);
    wait_for("both to be paired", || {
        old.world.ok(&["sync"]);
        new.world.ok(&["sync"]);
        let both = (old.sees(&new.id()), new.sees(&old.id()));
        (both == (Some("paired".into()), Some("paired".into()))).then_some(())
    });
}

/// Two machines of one person; the second one finds the first one's folders and makes no key of its own.
fn two_worlds(lab: &Lab) -> (Person, World, World) {
    let alice = lab.person("alice");
    let first = World::with_account(lab, &alice);
    (alice, first, World::new())
}

#[test]
fn two_devices_pair_and_keep_keys_and_trust_in_step() {
    let lab = Lab::shared();
    let (alice, first, second) = two_worlds(lab);
    let home = Machine::start(&first);
    second.add_account(lab, &alice);
    assert_eq!(
        second.ok(&["key", "list"]),
        Value::Array(Vec::new()),
        "the key of the first one is waited for"
    );
    let laptop = Machine::start(&second);
    wait_for("the first one to notice the second", || {
        home.world.ok(&["sync"]);
        (home.sees(&laptop.id()) == Some("waiting".into())).then_some(())
    });

    // Bob's key is known at home before the laptop is there.
    let bob = Side::new(lab, "bob");
    let to_alice = Side { person: alice.clone(), world: World::new() };
    bob.writes(&[&to_alice], "a key", "Here is mine.\n", &[]);
    wait_for("Bob's message", || {
        home.world.ok(&["sync"]);
        (home.world.count("subject:\"a key\"") == 1).then_some(())
    });

    pair(&home, &laptop);
    wait_for("the laptop to know the keys", || {
        home.world.ok(&["sync"]);
        laptop.world.ok(&["sync"]);
        (laptop.keys() == home.keys() && !home.keys().is_empty()).then_some(())
    });
    let known = |machine: &Machine<'_>| {
        let peer = machine.world.run_json(&["peer", "show", &bob.person.address]);
        if peer.code() == 0 { peer.json() } else { Value::Null }
    };
    assert_eq!(known(&laptop)["public_key_fingerprint"], bob.fingerprint());

    // A decision on one shows on the other.
    home.world.ok(&["peer", "verify", &bob.person.address, &bob.fingerprint()]);
    wait_for("the trust to reach the laptop", || {
        home.world.ok(&["sync"]);
        laptop.world.ok(&["sync"]);
        (known(&laptop)["trust"] == "verified").then_some(())
    });
    for field in ["pinned_fingerprint", "pinned_since", "verified_since", "prefer_encrypt", "trust"] {
        assert_eq!(known(&laptop)[field], known(&home)[field], "{field}");
    }

    // Private mail to her is read on both.
    let key = home.world.run(&["key", "export", &alice.address]).done().stdout;
    let key = bob.world.file("alice.asc", key);
    bob.world.ok(&["key", "import", &key]);
    bob.writes(&[&to_alice], "in private", "At the old harbour.\n", &["--encrypt", "yes"]);
    for machine in [&home, &laptop] {
        let id = wait_for("the private message", || {
            machine.world.ok(&["sync"]);
            machine.world.ids("subject:\"in private\"").first().cloned()
        });
        let shown = machine.world.ok(&["show", &id]);
        assert_eq!(shown["privacy"], "private", "{shown}");
        assert!(shown["text"].as_str().unwrap().contains("old harbour"), "{shown}");
    }

    // Nothing of what the devices write is mail.
    for machine in [&home, &laptop] {
        assert_eq!(machine.world.count("subject:autocrypt"), 0);
        assert_eq!(machine.world.count("folder:_Autocrypt_SMA"), 0);
    }

    // Removed, the laptop knows it and keeps its mail.
    let removed = home.world.ok(&["device", "remove", &laptop.id()]);
    assert!(removed["words"].as_str().unwrap().contains("stays on it"), "{removed}");
    assert_eq!(home.sees(&laptop.id()), Some("removed".into()));
    wait_for("the laptop to know that it was removed", || {
        laptop.world.ok(&["sync"]);
        (laptop.this()["state"] == "removed").then_some(())
    });
    assert_eq!(laptop.world.count("subject:\"in private\""), 1);
    assert!(home.world.fails(4, &["device", "remove", "12"]).contains("no device 12"));
}

#[test]
fn a_wrong_string_ends_the_pairing_and_nothing_is_shared() {
    let lab = Lab::shared();
    let (alice, first, second) = two_worlds(lab);
    let home = Machine::start(&first);
    second.add_account(lab, &alice);
    let laptop = Machine::start(&second);
    home.world.ok(&["sync"]);
    let string = ask(&home, &laptop);
    let wrong: String = string
        .chars()
        .map(|c| {
            if c == '9' {
                '1'
            } else if c.is_ascii_digit() {
                '9'
            } else {
                c
            }
        })
        .collect();
    let said = home.world.fails(1, &["device", "confirm", &laptop.id(), "--sas", &wrong]);
    assert!(said.contains("not the same"), "{said}");
    wait_for("the laptop to know", || {
        laptop.world.ok(&["sync"]);
        (laptop.this()["sas"] == Value::Null).then_some(())
    });
    home.world.fails(4, &["device", "confirm", &laptop.id(), "--sas", &string]);
    laptop.world.fails(4, &["device", "confirm", &home.id(), "--sas", &string]);
    home.world.ok(&["sync"]);
    laptop.world.ok(&["sync"]);
    assert!(laptop.keys().is_empty(), "no key went to it");
    assert_eq!(home.sees(&laptop.id()), Some("waiting".into()));
}

#[test]
fn without_a_running_program_nothing_pairs() {
    let world = World::new();
    for command in [&["device", "pair"][..], &["device", "accept", "1"]] {
        assert!(world.fails(1, command).contains("mailkeep serve"));
    }
    assert_eq!(world.ok(&["device", "requests"]), Value::Array(Vec::new()));
    assert_eq!(world.ok(&["device", "list"]), Value::Array(Vec::new()));
}
