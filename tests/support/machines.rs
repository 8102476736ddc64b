//! Machines of one person, each with a Mailkeep of its own, that share a mailbox.

use super::provider::Provider;
use super::{Lab, Person, Server, World, wait_for, wait_until};
use mailkeep::crypto::openpgp::SecretKey;
use mailkeep::mail::sma::{Kind, Letter, Payload};
use serde_json::Value;
use std::cell::RefCell;

/// One machine; it may be off.
pub struct Machine {
    // Ends before its store goes.
    server: RefCell<Option<Server<'static>>>,
    pub world: World,
    ahead: std::cell::Cell<u32>,
    pub id: String,
}

impl Machine {
    /// Switched on, its device made.
    pub fn start(world: World) -> Self {
        let mut machine = Self { world, server: RefCell::default(), ahead: 0.into(), id: String::new() };
        machine.on();
        wait_until("this device to be made", || {
            machine.sync();
            !machine.devices().is_empty()
        });
        machine.sync();
        machine.id = machine.this()["id"].as_str().unwrap().to_owned();
        machine
    }

    /// Switches it on, after whatever became of it.
    pub fn on(&self) {
        self.on_ahead(self.ahead.get());
    }

    /// The same when so many days have passed.
    pub fn on_ahead(&self, days: u32) {
        self.off();
        self.ahead.set(days);
        let started = wait_for("the program to start", || {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.world.serve_ahead(days))).ok()
        });
        *self.server.borrow_mut() = Some(started);
    }

    /// Switches it off.
    pub fn off(&self) {
        drop(self.server.borrow_mut().take());
    }

    /// The process, to be killed.
    pub fn pid(&self) -> u32 {
        self.server.borrow().as_ref().unwrap().pid()
    }

    /// Its owner signs in, after it was locked.
    pub fn unlock(&self) {
        self.server.borrow().as_ref().unwrap().sign_in();
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.server.borrow_mut().as_mut().is_some_and(Server::is_running)
    }

    /// Looks at the server, which may be away.
    pub fn sync(&self) {
        self.world.run_json(&["sync"]);
    }

    /// Asks it something; where it is killed just then, once more.
    fn tells(&self, args: &[&str]) -> Value {
        wait_for("an answer", || {
            let told = self.world.run_json(args);
            (told.code() == 0).then(|| told.json())
        })
    }

    pub fn devices(&self) -> Vec<Value> {
        self.tells(&["device", "list"]).as_array().unwrap().clone()
    }

    pub fn this(&self) -> Value {
        self.devices().into_iter().find(|device| device["this"] == true).unwrap()
    }

    /// Another device as this one sees it.
    pub fn sees(&self, other: &Self) -> String {
        let found = self.devices().into_iter().find(|device| device["id"] == other.id.as_str());
        found.map_or_else(String::new, |device| device["state"].as_str().unwrap().to_owned())
    }

    /// The string that it shows.
    pub fn string(&self) -> Option<String> {
        self.this()["sas"].as_str().map(str::to_owned)
    }

    /// The owner's keys on it.
    pub fn keys(&self) -> Vec<String> {
        let listed = self.tells(&["key", "list"]);
        let own = listed.as_array().unwrap().iter().filter(|key| key["secret"] == true);
        let mut own: Vec<String> = own.map(|key| key["fingerprint"].to_string()).collect();
        own.sort();
        own
    }

    /// What the owner wishes of the account.
    pub fn wish(&self) -> String {
        self.tells(&["account", "list"])[0]["prefer_encrypt"].as_str().unwrap().to_owned()
    }

    /// The owner changes that to the other thing.
    pub fn change_wish(&self) -> String {
        let new = if self.wish() == "mutual" { "nopreference" } else { "mutual" };
        let address = self.tells(&["account", "list"])[0]["email"].as_str().unwrap().to_owned();
        self.world.ok(&["account", "prefer", &address, new]);
        new.to_owned()
    }

    /// A correspondent as this machine knows them: key, trust, and how often somebody decided.
    pub fn knows(&self, address: &str) -> Value {
        let shown = self.world.run_json(&["peer", "show", address]);
        if shown.code() != 0 {
            return Value::Null;
        }
        let shown = shown.json();
        let fields =
            ["public_key_fingerprint", "pinned_fingerprint", "pinned_since", "verified_since", "trust"];
        let mut known: serde_json::Map<String, Value> =
            fields.iter().map(|field| ((*field).to_owned(), shown[field].clone())).collect();
        known.insert("decisions".into(), shown["history"].as_array().map_or(0, Vec::len).into());
        known.into()
    }
}

/// Both look at the server until it is so.
pub fn until(what: &str, machines: &[&Machine], mut is_so: impl FnMut() -> bool) {
    wait_until(what, || {
        for machine in machines {
            machine.sync();
        }
        is_so()
    });
}

/// Asks at the new one and lets it on at the old one; gives the string that the new one shows.
pub fn ask(old: &Machine, new: &Machine) -> String {
    until("the old one to be known", &[old, new], || !new.sees(old).is_empty() && !old.sees(new).is_empty());
    new.world.ok(&["device", "pair"]);
    until("the request to be there", &[new], || {
        old.world.ok(&["device", "requests"]).as_array().unwrap().iter().any(|it| it["id"] == new.id.as_str())
    });
    old.world.ok(&["device", "accept", &new.id]);
    wait_for("the string", || {
        new.sync();
        new.string()
    })
}

/// The person types what the new one shows, and says so there.
pub fn confirm(old: &Machine, new: &Machine, string: &str) {
    old.world.ok(&["device", "confirm", &new.id, "--sas", string]);
    new.world.ok(&["device", "confirm", &old.id, "--sas", string]);
}

/// Pairs two, and waits until both have the keys.
pub fn pair(old: &Machine, new: &Machine) {
    let string = ask(old, new);
    confirm(old, new, &string);
    paired(old, new);
}

/// Waits until both are paired and have the keys.
pub fn paired(old: &Machine, new: &Machine) {
    until("both to be paired", &[old, new], || {
        (old.sees(new), new.sees(old)) == ("paired".into(), "paired".into())
            && old.keys() == new.keys()
            && !old.keys().is_empty()
    });
}

/// Two machines of somebody's, not paired yet, each behind a provider of its own that outlives it: the one at home, and the laptop.
pub fn two(lab: &Lab, person: &Person) -> ([Provider; 2], Machine, Machine) {
    let providers = [Provider::before(lab), Provider::before(lab)];
    let home = Machine::start(store(lab, person, &providers[0]));
    let laptop = Machine::start(store(lab, person, &providers[1]));
    (providers, home, laptop)
}

/// A store of somebody's behind a provider. The first one with an account makes its key; a later one finds the other's folders
/// and waits for it.
pub fn store(lab: &Lab, person: &Person, provider: &Provider) -> World {
    let world = World::new();
    let args = provider.account_args(lab, person);
    world.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    world
}

/// Of which kind a message is, if it is one that devices write, and from whom.
pub fn kind(message: &[u8]) -> Option<(Kind, Payload)> {
    let letter = Letter::read(message).ok()?;
    Some((letter.marker.kind, Payload::parse(&letter.signed.payload).ok()?))
}

/// A contact of the owner's whom they compared keys with, on this machine: address and fingerprint.
pub fn meets(machine: &Machine, name: &str) -> String {
    let address = format!("{name}@stories.test");
    let (secret, _) = SecretKey::generate(&address, jiff::Timestamp::now().as_second() - 100).unwrap();
    let certificate = secret.certificate();
    let path = machine.world.file(&format!("{name}.pgp"), certificate.armored());
    machine.world.ok(&["key", "import", &path]);
    machine.world.ok(&["peer", "verify", &address, &certificate.fingerprint().to_string()]);
    address
}

/// How many messages lie in the devices' folders, and how many bytes.
pub fn weight(lab: &Lab, person: &Person) -> (usize, usize) {
    let mut imap = lab.imap(person);
    let folders = imap.folders();
    let ours = folders.iter().filter(|name| name.contains("_Autocrypt_SMA"));
    ours.map(|name| imap.weight(name)).fold((0, 0), |(n, bytes), (more, size)| (n + more, bytes + size))
}
