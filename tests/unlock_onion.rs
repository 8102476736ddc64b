//! Alice's machine restarts while she is away. She unlocks it from a café by its unlock address, with Debian's `tor` for her Tor
//! Browser, on a Tor network of the tests' own. Mallory has the address, too, and Trudy takes a look at the disk.

use crate::remote_access::Phone;
use crate::support::mail::plain;
use crate::support::tor::TorNet;
use crate::support::tor_client::{Far, KEY_MISSING, TorClient};
use crate::support::world::PASSPHRASE;
use crate::support::{Lab, Response, World, wait_for, wait_until};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;

const SUBJECT: &str = "the long table";
const UNLOCKED: &str = "Your mail is unlocked";

fn standing(world: &World) -> Value {
    world.ok(&["remote", "status"])["unlock_onion"].clone()
}

/// A store with a message, codes and an unlock address; how it is with a Tor that this store may use.
fn world() -> (World, Phone) {
    let world = World::new();
    let mail = plain("Bob <bob@lab.test>", "alice@lab.test", SUBJECT, "hello");
    world.ok(&["import", &world.file("a.eml", mail)]);
    let phone = Phone::set_up(&world);
    world.ok(&["config", "set", "remote.onion", "on"]);
    (world, phone)
}

/// Waits until it answers, or no more.
fn answers(tor: &TorClient, onion: &str, there: bool) {
    wait_until(if there { "the onion to answer" } else { "the onion to be gone" }, || {
        tor.forget();
        tor.reach(onion).is_ok() == there
    });
}

/// All that an answer says, but for the time of day.
fn said(answer: &Response) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    (answer.status, headers, answer.text())
}

#[test]
#[ignore = "Tor takes minutes to spread two addresses: tests/run unlock_onion:: --ignored"]
fn a_locked_store_is_unlocked_from_afar() {
    let lab = Lab::shared();
    let net = TorNet::shared(lab.port("IMAP"));
    let tor = TorClient::begin(net);
    let (world, mut phone) = world();
    world.ok(&["config", "set", "tor.config", &net.toml]);
    world.ok(&["config", "set", "tor.mode", "embedded"]);
    world.ok(&["config", "set", "remote.unlock", "on"]);
    let device = world.ok(&["remote", "device", "add", "Laptop"]);
    let unlock = standing(&world)["address"].as_str().unwrap().to_owned();
    let mailbox = world.ok(&["remote", "status"])["onion"]["address"].as_str().unwrap().to_owned();
    assert_ne!(unlock, mailbox);
    tor.learn_as("mailbox", device["auth_private"].as_str().unwrap());

    // Unlocked, there is the mailbox and no other door.
    let server = world.serve();
    answers(&tor, &mailbox, true);
    let log = world.ok(&["network", "log"]).to_string();
    assert!(log.contains("onion address") && !log.contains("unlock address"), "{log}");
    assert!(server.stop().success());

    // The machine restarts. Only who has the key of a device finds the form.
    let server = world.serve_locked();
    let lines = server.said();
    assert!(lines.iter().any(|line| line.contains("the one by which it is unlocked")), "{lines:?}");
    wait_until("Mallory to find nothing without a key", || {
        tor.forget();
        tor.reach(&unlock).err() == Some(KEY_MISSING)
    });
    tor.learn_as("unlock", device["unlock_auth_private"].as_str().unwrap());
    answers(&tor, &unlock, true);
    assert!(server.get("/health").json()["locked"].as_bool().unwrap());
    assert!(tor.reach(&mailbox).is_err(), "its key is locked in");

    // There is one form and nothing else, and what is wrong is not said.
    let far = Far::of(&tor, &unlock);
    let form = far.request("GET", "/").send();
    assert_eq!((form.status, form.cookies().as_str()), (200, ""));
    for path in ["/unlock", "/settings", "/api/v1/status", "/setup"] {
        assert_eq!(far.request("GET", path).send().status, 404, "{path}");
    }
    let wrong = said(&far.try_in("/", "", "not the passphrase", &phone.code()));
    assert_eq!((wrong.0, said(&far.try_in("/", "", PASSPHRASE, "000000"))), (401, wrong.clone()));
    assert!(!wrong.2.contains(&mailbox) && server.get("/health").json()["locked"].as_bool().unwrap());

    // Somebody at home asks something: for that call the store is open, and the form stays where it is.
    assert_eq!(world.count("*"), 1);
    answers(&tor, &unlock, true);

    // With both it is unlocked. On a machine that is too busy a try is given up, and the code after it is tried.
    let answer = wait_for("the store to be unlocked", || {
        Some(far.try_in("/", "", PASSPHRASE, &phone.code())).filter(|answer| answer.text().contains(UNLOCKED))
    });
    assert_eq!((answer.status, answer.cookies().as_str()), (200, ""));
    assert!(answer.text().contains(&format!("http://{mailbox}/")), "{}", answer.text());
    assert_eq!(server.get("/health").json()["locked"], false);
    answers(&tor, &mailbox, true);
    let inbox = Far::of(&tor, &mailbox);
    let signed_in = inbox.try_in("/unlock", "", PASSPHRASE, &phone.spare());
    assert_eq!(signed_in.status, 303, "{}", signed_in.text());
    let page = inbox.request("GET", "/search?q=*").cookie(&signed_in.cookies()).send();
    assert!(page.text().contains(SUBJECT), "{}", page.text());
    answers(&tor, &unlock, false);
    let log = world.ok(&["network", "log"]);
    let told = |purpose: &str| {
        log.as_array().unwrap().iter().any(|e| e["purpose"] == purpose && e["outcome"] == "announced")
    };
    assert!(told("unlock address") && told("onion address"), "{log}");
    let log = server.log();
    assert!(log.contains("Mailkeep was unlocked from afar"), "{log}");
    for secret in [&unlock, &mailbox, PASSPHRASE, SUBJECT] {
        assert!(!log.contains(secret.trim_end_matches(".onion")), "{log}");
    }

    // Locked again it is back; switched off by a call at home meanwhile, it goes, and its key with it.
    world.ok(&["lock"]);
    answers(&tor, &unlock, true);
    world.ok(&["config", "set", "remote.unlock", "off"]);
    answers(&tor, &unlock, false);
    assert!(!world.data().join("unlock-onion").exists());
}

#[test]
fn one_file_is_readable_while_it_is_on_and_gone_when_it_is_off() {
    let (world, _) = world();
    world.ok(&["config", "set", "tor.mode", "embedded"]);
    let file = world.data().join("unlock-onion");
    world.ok(&["config", "set", "remote.unlock", "on"]);
    assert!(!file.exists(), "nobody could find it yet");
    let device = world.ok(&["remote", "device", "add", "Zanzibar"]);
    let standing = standing(&world);
    assert_eq!((&standing["ready"], &standing["wanted"]), (&true.into(), &true.into()), "{standing}");
    let address = standing["address"].as_str().unwrap();
    assert_eq!(device["unlock_address"], format!("http://{address}/"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&written["tor"], written["devices"].as_array().unwrap().len()), (&"".into(), 1));
    let key = written["key"].as_str().unwrap();
    let seen = [
        key,
        written["devices"][0].as_str().unwrap(),
        address.trim_end_matches(".onion"),
        device["key"].as_str().unwrap(),
        PASSPHRASE,
        SUBJECT,
        "Zanzibar",
        "remote.unlock",
    ];
    for folder in [world.data().to_path_buf(), world.data().join("packs"), world.data().join("snapshots")] {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let bytes = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            for (n, word) in seen.iter().enumerate() {
                let may = path == file && n < 2;
                assert_eq!(bytes.contains(&word.to_ascii_lowercase()), may, "{word} in {}", path.display());
            }
        }
    }
    for (setting, off, on) in [("network.offline", "on", "off"), ("tor.mode", "off", "embedded")] {
        world.ok(&["config", "set", setting, off]);
        assert!(!file.exists(), "{setting}");
        world.ok(&["config", "set", setting, on]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{setting}");
    }
    let renewed = world.ok(&["remote", "address"]);
    assert_ne!(renewed["address"], standing["address"]);
    assert!(!std::fs::read_to_string(&file).unwrap().contains(key), "both addresses are new ones");
    world.ok(&["config", "set", "remote.unlock", "off"]);
    assert!(!file.exists());
    assert!(world.fails(2, &["config", "set", "remote.unlock", "perhaps"]).contains("remote.unlock"));
}

#[test]
fn the_page_says_what_it_costs_and_asks_for_the_passphrase() {
    let world = World::new();
    let server = world.serve();
    let home = server.sign_in();
    let page = || server.request("GET", "/settings/remote").cookie(&home).send();
    let post = |fields: &[(&str, &str)]| {
        let mut all = page().form_with("/settings/remote/onion").fields;
        all.extend(fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let request = server.request("POST", "/settings/remote/unlock").cookie(&home);
        request.origin(&server.origin()).form(&all).send()
    };
    let before = page().text();
    assert!(before.contains("lie readable on this machine") && before.contains("It needs codes"), "{before}");
    assert!(!before.contains("action=\"/settings/remote/unlock\""));
    let refused = post(&[("deed", "on"), ("passphrase", PASSPHRASE)]);
    assert_eq!((refused.status, standing(&world)["wanted"].as_bool()), (422, Some(false)));
    assert!(world.fails(1, &["config", "set", "remote.unlock", "on"]).contains("remote.onion"));
    world.ok(&["config", "set", "remote.onion", "on"]);
    assert!(world.fails(1, &["config", "set", "remote.unlock", "on"]).contains("codes"));
    Phone::set_up(&world);
    page().form_with("action=\"/settings/remote/unlock\"");
    assert_eq!(post(&[("deed", "on"), ("passphrase", "wrong")]).status, 422);
    assert_eq!(standing(&world)["wanted"], false);
    assert_eq!(post(&[("deed", "on"), ("passphrase", PASSPHRASE)]).status, 303);
    let after = page().text();
    assert!(after.contains("It needs the Tor inside Mailkeep") && after.contains("Switch it off"), "{after}");
    assert!(!world.data().join("unlock-onion").exists(), "there is no Tor here to announce it");
    assert_eq!(post(&[("deed", "off")]).status, 303);
    assert_eq!(standing(&world)["wanted"], false);
}
