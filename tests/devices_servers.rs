//! Alice's machines pair and stay in step on servers of every kind: where all folders lie below the inbox, where single messages
//! cannot be removed and nobody is told of news, and where the mailbox is full.

use crate::support::Lab;
use crate::support::machines::{Machine, meets, pair, two, until};
use crate::support::mail::plain;

/// One tells the other, both ways, and then nothing lies in either's folder.
fn in_step(
    lab: &Lab,
    alice: &crate::support::Person,
    home: &Machine,
    laptop: &Machine,
    (name, prefix): (&str, &str),
) {
    for (teller, listener) in [(home, laptop), (laptop, home)] {
        let wish = teller.change_wish();
        until("the other one to hear", &[home, laptop], || listener.wish() == wish);
    }
    let friend = meets(home, name);
    until("the friend to be known", &[home, laptop], || laptop.knows(&friend)["trust"] == "verified");
    assert_eq!(laptop.knows(&friend)["pinned_fingerprint"], home.knows(&friend)["pinned_fingerprint"]);
    let mut imap = lab.imap(alice);
    until("all to be taken", &[home, laptop], || {
        [home, laptop].iter().all(|it| imap.weight(&format!("{prefix}_Autocrypt_SMA_{}", it.id)).0 == 0)
    });
    until("each to say once that it is there", &[home, laptop], || {
        imap.weight(&format!("{prefix}_Autocrypt_SMA")).0 == 2
    });
}

#[test]
fn below_the_inbox_and_with_a_server_that_can_do_little() {
    let lab = Lab::of_another_kind(&[("LAB_PREFIX", "INBOX."), ("LAB_LACKS", "UIDPLUS IDLE MOVE")]);
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(&lab, &alice);
    pair(&home, &laptop);
    in_step(&lab, &alice, &home, &laptop, ("friend", "INBOX."));
    let mut imap = lab.imap(&alice);
    let folders = imap.folders();
    let ours: Vec<&String> = folders.iter().filter(|name| name.contains("Autocrypt")).collect();
    assert_eq!(ours.len(), 3, "{ours:?}");
    assert!(ours.iter().all(|name| name.starts_with("INBOX._Autocrypt_SMA")), "{ours:?}");
    let subscribed = imap.command("LSUB \"\" *");
    assert!(!subscribed.iter().any(|reply| reply.text.contains("Autocrypt")), "{subscribed:?}");
    for provider in &providers {
        let said = provider.said();
        assert!(said.iter().any(|command| command == "EXPUNGE"));
        for word in ["UID EXPUNGE", "UID MOVE", "IDLE"] {
            assert!(!said.iter().any(|command| command.starts_with(word)), "the server cannot do {word}");
        }
    }
    for machine in [&home, &laptop] {
        assert_eq!(machine.world.count("subject:autocrypt"), 0, "what devices write is no mail");
    }
}

#[test]
fn a_full_mailbox_loses_nothing_and_says_so() {
    let lab = Lab::of_another_kind(&[("LAB_QUOTA", "1M")]);
    let alice = lab.person("alice");
    let (providers, home, laptop) = two(&lab, &alice);
    pair(&home, &laptop);
    in_step(&lab, &alice, &home, &laptop, ("friend", ""));
    let mut imap = lab.imap(&alice);
    for size in [300_000, 30_000, 3_000, 300] {
        let line = "much to say, and little room\r\n";
        let body = line.repeat(size / line.len());
        for n in 0..12 {
            if !imap.offer("INBOX", &plain("a@stories.test", &alice.address, &format!("{size} {n}"), &body)) {
                break;
            }
        }
    }
    let wish = home.change_wish();
    let friend = meets(&home, "late");
    for _ in 0..2 {
        until("the words", &[&home], || home.this()["words"].as_str().unwrap().contains("is full"));
        assert_eq!(home.sees(&laptop), "paired");
        laptop.sync();
        assert_ne!(laptop.wish(), wish, "nothing more went in");
        // It is kept over a restart.
        home.off();
        home.on();
    }
    // One thing after the other waits; there is no more of it however long that lasts.
    let appends = providers[0].said().iter().filter(|command| command.starts_with("APPEND")).count();
    home.sync();
    let more = providers[0].said().iter().filter(|command| command.starts_with("APPEND")).count() - appends;
    assert!(more <= 3, "{more} messages were tried in one round");
    for held in imap.held("INBOX") {
        imap.expunge("INBOX", held.uid);
    }
    until("the other one to hear", &[&home, &laptop], || {
        laptop.wish() == wish && laptop.knows(&friend)["trust"] == "verified"
    });
    assert_eq!(home.this()["words"], "");
    in_step(&lab, &alice, &home, &laptop, ("other", ""));
}
