//! Alice's laptop lies in a drawer for months. What devices say to each other grows with what changed, not with time or mail, and
//! only she puts a device out. `MAILKEEP_MAILS` says how many mails come in meanwhile (1,000 by default; 10,000 by hand).

use crate::private::Side;
use crate::support::machines::{Machine, pair, two, until, weight};
use crate::support::{Lab, World};

/// Mail that brings no news of keys: from Bob with the key that is known, and from people without one.
fn mails(number: usize, to: &str, bob: &str, autocrypt: &str) -> Vec<Vec<u8>> {
    let start = jiff::Timestamp::now().as_second();
    let letter = |n: usize| {
        let at = jiff::Timestamp::from_second(start + n as i64).unwrap();
        let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
        let stranger = format!("somebody{}@stories.test", n % 50);
        let (from, field) = if n.is_multiple_of(2) { (bob, autocrypt) } else { (stranger.as_str(), "") };
        format!(
            "From: {from}\r\nTo: {to}\r\nSubject: mail {n}\r\nDate: {date}\r\nMessage-ID: <away-{n}@stories.test>\r\n\
             {field}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nNothing new, for the {n}th time.\r\n"
        )
        .into_bytes()
    };
    (0..number).map(letter).collect()
}

/// The Autocrypt field of a message, with its line ends.
fn autocrypt(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let at = text.find("\r\nAutocrypt:").unwrap() + 2;
    let mut field = String::new();
    for line in text[at..].split_inclusive("\r\n") {
        if !field.is_empty() && !line.starts_with([' ', '\t']) {
            break;
        }
        field.push_str(line);
    }
    field
}

#[test]
fn after_seventy_days_and_much_mail_the_laptop_comes_back_in_step() {
    let number: usize = std::env::var("MAILKEEP_MAILS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (_providers, home, laptop) = two(lab, &alice);
    let bob = Side::new(lab, "bob");
    let to_alice = Side { person: alice.clone(), world: World::bare() };
    bob.writes(&[&to_alice], "a key", "Here is mine.\n", &[]);
    pair(&home, &laptop);
    let known = |machine: &Machine| machine.knows(&bob.person.address);
    until("Bob's key", &[&home, &laptop], || {
        [&home, &laptop].iter().all(|it| known(it)["public_key_fingerprint"] == bob.fingerprint())
    });
    let field = autocrypt(&lab.imap(&alice).held("INBOX")[0].bytes);
    laptop.off();

    // Ten weeks of changes.
    home.on_ahead(10);
    home.world.ok(&["peer", "verify", &bob.person.address, &bob.fingerprint()]);
    home.sync();
    home.on_ahead(35);
    let wish = home.change_wish();
    home.sync();
    home.on_ahead(60);
    home.world.ok(&["key", "renew", &alice.address]);
    home.sync();
    home.on_ahead(70);
    home.sync();
    home.sync();
    let before = weight(lab, &alice);

    // And mail, that changes nothing.
    let had = home.world.count("*");
    lab.pour(&alice, mails(number, &alice.address, &bob.person.address, &field).into_iter());
    until("the mail", &[&home], || home.world.count("*") == had + number as u64);
    home.sync();
    let after = weight(lab, &alice);
    assert_eq!(before, after, "what devices say does not grow with mail");

    laptop.on_ahead(70);
    until("the laptop to be in step", &[&home, &laptop], || {
        laptop.wish() == wish
            && laptop.keys() == home.keys()
            && known(&laptop)["trust"] == "verified"
            && laptop.world.count("*") == home.world.count("*")
    });
    assert_eq!(home.keys().len(), 2);
    assert_eq!((home.sees(&laptop), laptop.sees(&home)), ("paired".into(), "paired".into()));
    let end = {
        until("all to be taken", &[&home, &laptop], || weight(lab, &alice).0 == 2);
        weight(lab, &alice)
    };
    eprintln!(
        "{number} mails: (messages, bytes) before {before:?}, after {after:?}, with the laptop back {end:?}"
    );
}

#[test]
fn who_is_silent_for_long_is_told_nothing_and_stays_a_device() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (_providers, home, laptop) = two(lab, &alice);
    pair(&home, &laptop);
    let folder = format!("_Autocrypt_SMA_{}", laptop.id);
    let mut imap = lab.imap(&alice);
    until("all to be taken", &[&home, &laptop], || weight(lab, &alice).0 == 2);
    laptop.off();

    home.on_ahead(89);
    home.sync();
    assert_eq!(home.sees(&laptop), "paired");
    home.on_ahead(91);
    let wish = home.change_wish();
    home.sync();
    home.sync();
    assert_eq!(home.sees(&laptop), "inactive");
    assert_eq!(imap.weight(&folder), (0, 0), "it is told nothing");
    home.on_ahead(179);
    home.sync();
    assert!(imap.folders().contains(&folder));
    home.on_ahead(181);
    home.sync();
    assert!(!imap.folders().contains(&folder), "its folder goes");
    assert_eq!(home.sees(&laptop), "inactive", "it stays on the roster: only a person removes it");

    home.on_ahead(182);
    laptop.on_ahead(182);
    until("the laptop to be in step", &[&home, &laptop], || {
        laptop.wish() == wish && home.sees(&laptop) == "paired"
    });
    assert!(imap.folders().contains(&folder), "it made its folder again");
    assert_eq!((laptop.keys(), laptop.this()["state"].as_str()), (home.keys(), Some("paired")));
}
