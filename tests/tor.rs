//! The Tor inside, on a Tor network of the tests' own: what goes through it arrives, what should not meet does not, and where
//! it is not there nothing goes direct instead.

use crate::support::mail::plain;
use crate::support::tor::{TorNet, Witnesses};
use crate::support::{Lab, Person, Server, World, wait_for, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const BOB: &str = "Bob <bob@lab.test>";

fn world_on(net: &TorNet) -> World {
    let world = World::new();
    world.ok(&["config", "set", "tor.config", &net.toml]);
    world.ok(&["config", "set", "tor.mode", "embedded"]);
    world
}

fn args<'a>(from: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    from.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

/// `account add` with both servers at one of the witnesses, who turn everybody away.
fn ask(world: &World, lab: &Lab, host: &str, port: u16) -> String {
    let at = format!("{host}:{port}");
    let password = lab.password_file();
    world.fails(
        1,
        &[
            "account",
            "add",
            "alice@lab.test",
            "--imap",
            &at,
            "--imap-security",
            "none",
            "--smtp",
            &at,
            "--smtp-security",
            "none",
            "--password-file",
            &password,
            "--route",
            "tor",
        ],
    )
}

/// `account add`, tried until it works: exits of a network that was just started turn some streams away.
fn add(world: &World, args: &[&str]) -> Value {
    wait_for("an account by Tor", || {
        let done = world.run_json(args);
        (done.code() == 0).then(|| done.json())
    })
}

fn log(world: &World) -> Vec<Value> {
    world.ok(&["network", "log", "--limit", "1000"]).as_array().unwrap().clone()
}

/// All files below a folder that Tor works in, with what they hold; what goes meanwhile is left out.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    found
}

#[test]
fn mail_comes_through_the_tor_inside_by_address_and_by_onion() {
    let lab = Lab::shared();
    let net = TorNet::shared(lab.port("IMAP"));
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = world_on(net);
    let _server = world.serve();
    assert_eq!(world.ok(&["network", "status"])["tor"]["state"], "resting", "nothing needed it yet");
    assert!(!world.data().join("tor").exists());

    lab.deliver(&alice, &plain(BOB, &alice.address, "through three relays", "hello"));
    let servers = lab.account_args_at(&alice, "127.0.0.1", "tls", lab.port("IMAPS"), lab.port("SUBMISSIONS"));
    let added = add(&world, &args(&servers, &["--route", "tor"]));
    assert_eq!(added["route"], "tor", "{added}");
    wait_until("alice's mail", || world.count("subject:relays") == 1);
    let status = world.ok(&["network", "status"]);
    assert_eq!(status["tor"]["state"], "ready", "{status}");

    // An onion needs neither a name server nor a certificate.
    lab.deliver(&bob, &plain(BOB, &bob.address, "through six relays", "hello"));
    let (imap, smtp) = (format!("{}:143", net.onion), format!("127.0.0.1:{}", lab.port("SUBMISSIONS")));
    let password = lab.password_file();
    let by_onion = [
        "account",
        "add",
        &bob.address,
        "--imap",
        &imap,
        "--imap-security",
        "none",
        "--smtp",
        &smtp,
        "--smtp-security",
        "tls",
        "--password-file",
        &password,
        "--ca-file",
        lab.ca(),
        "--route",
        "tor",
    ];
    add(&world, &by_onion);
    wait_until("bob's mail", || world.count("subject:six") == 1);

    let log = log(&world);
    for purpose in ["imap", "submission"] {
        let arrived = log.iter().any(|e| e["purpose"] == purpose && e["outcome"] == "connected");
        assert!(arrived, "{purpose}: {log:?}");
    }
    assert!(log.iter().all(|entry| entry["route"] == "tor"), "{log:?}");

    // What Tor keeps on the disk says nothing of whom it was for.
    let kept = files(&world.data().join("tor"));
    assert!(kept.iter().any(|(name, _)| name.contains("guards")), "{:?}", kept.iter().map(|k| &k.0));
    for secret in ["lab.test", &alice.user, &bob.user, net.onion.trim_end_matches(".onion")] {
        for (name, bytes) in &kept {
            assert!(
                !bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes()),
                "{secret} in {name}"
            );
        }
    }
}

#[test]
fn two_servers_are_never_asked_by_one_circuit() {
    let lab = Lab::shared();
    let net = TorNet::shared(lab.port("IMAP"));
    let world = world_on(net);
    let server = world.serve();
    let witnesses = Witnesses::begin(12);
    for n in 1..=12 {
        wait_until("an exit leads there", || {
            let said = ask(&world, lab, &Witnesses::host(n), witnesses.port);
            assert!(said.contains(&Witnesses::host(n)), "{said}");
            !witnesses.callers(&Witnesses::host(n)).is_empty()
        });
    }
    let callers: Vec<u32> = (1..=12).flat_map(|n| witnesses.callers(&Witnesses::host(n))).collect();
    assert!(callers.len() >= 12, "each of them was asked: {callers:?}");
    assert!(callers.iter().all(|pid| net.pids.contains(pid)), "by a relay alone, never by {}", server.pid());
    // Four exits: were it one circuit, all would have come from one of them. By chance they do once in four million times.
    let exits: BTreeSet<u32> = callers.iter().copied().collect();
    assert!(exits.len() > 1, "{exits:?}");
}

#[test]
fn without_its_network_tor_says_so_nothing_goes_direct_and_other_mail_goes_on() {
    let lab = Lab::shared();
    let net = TorNet::own(lab.port("IMAP"));
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = world_on(&net);
    let server = world.serve();
    let witnesses = Witnesses::begin(1);
    let witness = Witnesses::host(1);
    world.add_account(lab, &alice);
    let servers = lab.account_args_at(&bob, "127.0.0.1", "tls", lab.port("IMAPS"), lab.port("SUBMISSIONS"));
    add(&world, &args(&servers, &["--route", "tor"]));
    wait_until("an exit leads to the witness", || {
        ask(&world, lab, &witness, witnesses.port);
        !witnesses.callers(&witness).is_empty()
    });
    let before = witnesses.callers(&witness);
    assert!(before.iter().all(|pid| net.pids.contains(pid)), "{before:?}");

    net.kill();
    // Neither does a Tor that never got anywhere let anything out another way.
    let fresh = world_on(&net);
    let said = std::thread::scope(|meanwhile| {
        let said = meanwhile.spawn(|| ask(&fresh, lab, &witness, witnesses.port));
        tor_says_so(&world, &server, lab, &witness, witnesses.port, &bob);
        said.join().unwrap()
    });
    assert!(said.contains("Tor is not there"), "{said}");

    // Alice's account goes direct, as it always did.
    lab.deliver(&alice, &plain(BOB, &alice.address, "still here", "hello"));
    wait_until("mail goes on", || world.count("subject:still") == 1);
    assert_eq!(witnesses.callers(&witness), before, "nobody came since the network is gone");
    for entry in log(&world) {
        let direct = entry["host"] == "localhost";
        assert_eq!(entry["route"], if direct { "direct" } else { "tor" }, "{entry}");
    }
}

/// Once the relays are gone, whatever needs Tor says so, and the page does.
fn tor_says_so(world: &World, server: &Server<'_>, lab: &Lab, witness: &str, port: u16, bob: &Person) {
    // A look-up has half the time that a login has, and says so all the same.
    let said = world.fails(1, &["key", "lookup", "carol@wonderland.example"]);
    assert!(said.contains("Tor"), "{said}");
    let said = ask(world, lab, witness, port);
    assert!(said.contains("Tor is not there"), "{said}");
    let checked = world.run_json(&["account", "check", &bob.address]);
    assert_eq!((checked.code(), &checked.json()[0]["ok"]), (1, &false.into()), "{checked}");
    let stuck = wait_for("Tor notices", || {
        let status = world.ok(&["network", "status"]);
        (status["tor"]["state"] == "stuck").then(|| status["tor"]["words"].as_str().unwrap().to_owned())
    });
    assert!(stuck.starts_with("Tor is not there: "), "{stuck}");
    let cookie = server.sign_in();
    let page = server.request("GET", "/network").cookie(&cookie).send().text();
    assert!(page.contains("Tor is not there") && page.contains("by Tor"), "{page}");
}
