//! Alice reads her mail from a café by its onion address, with Debian's `tor` for her Tor Browser, on a Tor network of the tests'
//! own. Mallory has the address, too.

use crate::remote_access::Phone;
use crate::support::mail::plain;
use crate::support::tor::TorNet;
use crate::support::tor_client::{Far, KEY_MISSING, KEY_WRONG, TorClient, UNKNOWN};
use crate::support::world::PASSPHRASE;
use crate::support::{Lab, World, wait_until};
use std::io::Read;

const BOB: &str = "Bob <bob@lab.test>";

/// What a stream of events says until `mark` stands in it.
fn read_until(stream: &mut impl Read, mark: &str) -> String {
    let mut said = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&said).contains(mark) {
        let n = stream.read(&mut piece).unwrap();
        assert!(n > 0, "it ended before {mark}: {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&piece[..n]);
    }
    String::from_utf8_lossy(&said).into_owned()
}

fn standing(world: &World) -> serde_json::Value {
    world.ok(&["remote", "status"])["onion"].clone()
}

/// Waits until it answers.
fn answers(tor: &TorClient, onion: &str) {
    wait_until("the onion to answer", || {
        tor.forget();
        tor.reach(onion).is_ok()
    });
}

#[test]
#[ignore = "Tor takes minutes to spread changed keys: tests/run onion:: --ignored"]
fn the_mail_at_home_is_read_by_an_onion_address() {
    let lab = Lab::shared();
    let net = TorNet::shared(lab.port("IMAP"));
    let tor = TorClient::begin(net);
    let alice = lab.person("alice");
    let world = World::new();
    world.ok(&["config", "set", "tor.config", &net.toml]);
    world.ok(&["config", "set", "tor.mode", "embedded"]);
    lab.deliver(&alice, &plain(BOB, &alice.address, "the long table", "hello"));
    world.add_account(lab, &alice);
    let mut phone = Phone::set_up(&world);
    let device = world.ok(&["remote", "device", "add", "Laptop"]);
    let server = world.serve_with(&["--onion"]);
    let onion = standing(&world)["address"].as_str().unwrap().to_owned();
    wait_until("the onion to be announced", || standing(&world)["reachable"] == true);
    let line = format!("Mailkeep is reachable at http://{onion}/");
    wait_until("the terminal to say so", || server.said().contains(&line));

    // Only who has the key of a device finds it.
    wait_until("Mallory to find nothing without a key", || {
        tor.forget();
        tor.reach(&onion).err() == Some(KEY_MISSING)
    });
    tor.learn(device["auth_private"].as_str().unwrap());
    answers(&tor, &onion);
    wait_until("mail", || world.count("subject:table") == 1);

    // One of the two is not enough, and what is said does not tell which it was.
    let far = Far::of(&tor, &onion);
    let refused = far.try_in("/unlock", "", "not the passphrase", &phone.code());
    for answer in [
        &refused,
        &far.try_in("/unlock", "", PASSPHRASE, "000000"),
        &far.get("/threads/1", ""),
        &far.get("/", ""),
    ] {
        let status = if answer.header("location").is_some() { 303 } else { 401 };
        assert_eq!((answer.status, answer.cookies().as_str()), (status, ""));
        assert!(!answer.text().contains("the long table"), "{}", answer.text());
    }
    assert_eq!(far.try_in("/unlock", "", PASSPHRASE, "").text(), refused.text());
    let by_name = far.request("GET", "/unlock").host("localhost").send();
    assert_eq!(by_name.status, 403, "by Tor it has no other name");

    // With both it is the same mailbox, and a new mail is there by itself.
    let answer = far.try_in("/unlock", "", PASSPHRASE, &phone.spare());
    assert_eq!(answer.status, 303, "{}", answer.text());
    let jar = answer.cookies();
    assert!(!answer.header("set-cookie").unwrap().contains("Secure"), "an onion has no TLS, and needs none");
    assert!(far.get("/", &jar).text().contains("the long table"));
    let mut news = far.request("GET", "/events").cookie(&jar).open();
    read_until(&mut news, "event: standing");
    lab.deliver(&alice, &plain(BOB, &alice.address, "the short table", "hello again"));
    read_until(&mut news, "event: mail");
    assert!(far.get("/", &jar).text().contains("the short table"));

    // The device is known by its address.
    let way_in =
        device["address"].as_str().unwrap().strip_prefix(&format!("http://{onion}")).unwrap().to_owned();
    let known = far.get(&way_in, "").cookies();
    assert!(known.starts_with("mailkeep-device="), "{known}");
    let laptop = far.try_in("/unlock", &known, PASSPHRASE, &phone.spare()).cookies();
    assert_eq!(far.get("/", &laptop).status, 200);
    let sessions = world.ok(&["remote", "session", "list"]);
    assert!(sessions.as_array().unwrap().iter().any(|session| session["name"] == "Laptop"), "{sessions}");

    // A locked store has no onion; unlocked at home it is back where it was.
    let home = server.sign_in();
    let page = server.request("GET", "/settings/remote").cookie(&home).send().text();
    assert!(page.contains("While Mailkeep is locked") && page.contains(&onion), "{page}");
    world.ok(&["lock"]);
    let mut rest = Vec::new();
    news.read_to_end(&mut rest).unwrap();
    wait_until("nothing to be there", || {
        tor.forget();
        tor.reach(&onion).is_err()
    });
    let home = server.sign_in();
    answers(&tor, &onion);
    assert_eq!(far.get("/", &laptop).status, 303, "what was locked is over");

    // A device that is removed is shut out: its session at once, its key as soon as Tor has heard of it.
    let answer = far.try_in("/unlock", &known, PASSPHRASE, &phone.spare());
    let laptop = format!("{}; {known}", answer.cookies());
    assert_eq!(far.get("/", &laptop).status, 200);
    world.ok(&["remote", "device", "remove", "Laptop"]);
    assert_eq!(world.ok(&["remote", "session", "list"]).as_array().unwrap().len(), 0);
    wait_until("the device to find nothing", || {
        tor.forget();
        matches!(tor.reach(&onion), Err(KEY_WRONG | UNKNOWN))
    });
    let page = server.request("GET", "/settings/remote").cookie(&home).send().text();
    assert!(page.contains("None yet."), "{page}");
}
