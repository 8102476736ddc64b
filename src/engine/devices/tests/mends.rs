//! Alice's devices where a word is lost, a clock is wrong, both wrote something, or one of them does not show itself.

use super::stories::{ALICE, Laid, Machine, agree, bobs_key, pair, removes, settle, settles};
use crate::crypto::devices::{Handshake, Standing};
use crate::engine::devices::hear::{self, Fate};
use crate::engine::devices::pairing::{Event, Shown};
use crate::engine::devices::{
    ANNOUNCE, Mine, SHARE, accept, begin_anew, cancel, deeds, list, remove, rename, round, shared,
};
use crate::engine::failure::Kind;
use crate::engine::{accounts, senders, settings};
use crate::mail::sma::ANNOUNCEMENTS;
use crate::storage::database::{DecisionRow, commit, devices as table, keys};
use std::sync::atomic::Ordering;

const DAY: i64 = 24 * 3600;

async fn signature(on: &Machine) -> String {
    settings::get(&on.app, "writing.signature").await.unwrap()
}

async fn signs(on: &Machine, text: &str) {
    settings::set(&on.app, "writing.signature", text).await.unwrap();
}

async fn shares(on: &Machine, value: &str) {
    settings::set(&on.app, SHARE, value).await.unwrap();
}

async fn name_of(device: &Machine, on: &Machine) -> String {
    let all = list(&on.app).await.unwrap();
    all.into_iter().find(|shape| shape.id == device.id.to_string()).unwrap().name
}

/// The laptop takes home's word, and the provider loses what the laptop says of it.
async fn half_paired(home: &Machine, laptop: &Machine) {
    let all = [home, laptop];
    settle(&all).await;
    let devices = vec![(home.id, Handshake::new())];
    laptop.does(Event::Ask { devices, name: "Laptop".into() }).await;
    settle(&all).await;
    home.does(Event::Accept(laptop.id, Handshake::new())).await;
    settle(&all).await;
    let Shown::Comparing { string: Some(string), .. } = laptop.shown() else {
        panic!("{:?}", laptop.shown())
    };
    hear::confirm(&home.app, &home.account, &string).await.unwrap();
    settle(&all).await;
    hear::confirm(&laptop.app, &laptop.account, &string).await.unwrap();
    settles(&all, |(folder, _): &Laid| *folder != home.id.inbox()).await;
    assert!(laptop.mine().await.joined().is_some());
}

#[tokio::test]
async fn who_waits_for_what_was_lost_ends_it_and_asks_again() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    half_paired(&home, &laptop).await;
    laptop.app.devices.runs.store(true, Ordering::Relaxed);
    assert_eq!(cancel(&laptop.app, Some(ALICE)).await.unwrap().cancelled, 1);
    assert!(laptop.mine().await.joined().is_none());
    assert_eq!(
        cancel(&laptop.app, Some(ALICE)).await.unwrap().cancelled,
        0,
        "there is nothing to end any more"
    );
    settle(&[&home, &laptop]).await;
    assert_eq!(home.shown(), Shown::Nothing, "the other one does not wait, either");
    pair(&home, &laptop, &[&home, &laptop]).await;
    agree(&[&home, &laptop]).await;
    assert!(matches!(home.standing(&laptop).await, Standing::Member { .. }));
}

#[tokio::test]
async fn what_a_wrong_clock_dated_is_neither_told_for_ever_nor_lost() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    home.meets(&bobs_key(home.app.now())).await;
    pair(&home, &laptop, &all).await;
    // The laptop's clock is a day ahead while its owner names it, decides about Bob and says what she wishes.
    accounts::prefer(&laptop.app, ALICE, "nopreference").await.unwrap();
    {
        let ahead = laptop.app.now() + DAY;
        let writer = laptop.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        shared::rename(&mut c, laptop.id, laptop.id, "Kitchen", ahead).await.unwrap();
        let decision = DecisionRow {
            at: ahead,
            address: "bob@lab.test".into(),
            fingerprint: String::new(),
            deed: "changed".into(),
            way: "accepted by you".into(),
        };
        keys::decide(&mut c, &decision).await.unwrap();
        let mut mine = Mine::load(&mut c, &laptop.account).await.unwrap().unwrap();
        (mine.row.mutual, mine.row.mutual_at) = (false, ahead);
        mine.save(&mut c).await.unwrap();
        commit(c).await.unwrap();
    }
    // Or they would never stop talking.
    settle(&all).await;
    assert!(settle(&all).await.is_empty());
    agree(&all).await;
    assert_eq!(name_of(&laptop, &home).await, "Kitchen");
    assert_eq!(accounts::list(&home.app).await.unwrap()[0].prefer_encrypt, "nopreference");
    // What is said later counts.
    rename(&home.app, &laptop.id.to_string(), "Attic").await.unwrap();
    settle(&all).await;
    assert_eq!(
        (name_of(&laptop, &home).await, name_of(&laptop, &laptop).await),
        ("Attic".into(), "Attic".into())
    );
}

#[tokio::test]
async fn no_signature_of_hers_is_lost() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    pair(&home, &laptop, &all).await;
    // Both have one before they share.
    signs(&home, "Alice at home").await;
    signs(&laptop, "Alice\nOld Harbour").await;
    for machine in all {
        shares(machine, "on").await;
    }
    settle(&all).await;
    let kept = signature(&home).await;
    assert_eq!(signature(&laptop).await, kept);
    let (lost_on, lost) =
        if kept == "Alice at home" { (&laptop, "Alice\nOld Harbour") } else { (&home, "Alice at home") };
    let before = deeds::signatures(&lost_on.app).await.unwrap();
    let found = before.iter().find(|before| before.text == lost).expect("it is kept where it was");
    deeds::use_signature(&lost_on.app, found.number).await.unwrap();
    settle(&all).await;
    assert_eq!((signature(&home).await, signature(&laptop).await), (lost.to_owned(), lost.to_owned()));
    assert!(deeds::signatures(&lost_on.app).await.unwrap().iter().all(|before| before.text != lost));

    // Cleared at home while the laptop does not share and has another one: that one counts, and so does a decision.
    shares(&laptop, "off").await;
    signs(&laptop, "From the laptop").await;
    let pictures = senders::Change { pictures: Some(true), view: None };
    senders::set(&home.app, "news@lab.test", &pictures).await.unwrap();
    settle(&all).await;
    signs(&home, "").await;
    senders::forget(&home.app, "news@lab.test").await.unwrap();
    senders::set(&laptop.app, "news@lab.test", &pictures).await.unwrap();
    settle(&all).await;
    assert_eq!(
        (signature(&home).await, signature(&laptop).await),
        (String::new(), "From the laptop".to_owned())
    );
    shares(&laptop, "on").await;
    settle(&all).await;
    for machine in all {
        assert_eq!(signature(machine).await, "From the laptop");
        let all = senders::list(&machine.app).await.unwrap();
        assert!(all.iter().any(|sender| sender.address == "news@lab.test"));
    }
    // Cleared where all share it, it is cleared on both.
    signs(&laptop, "").await;
    settle(&all).await;
    assert_eq!(signature(&home).await, "");
}

#[tokio::test]
async fn who_does_not_show_itself_removes_and_lets_in_nobody() {
    let (home, laptop, phone) = (Machine::new().await, Machine::new().await, Machine::new().await);
    pair(&home, &laptop, &[&home, &laptop]).await;
    // A phone asks, and one is removed, before it falls silent.
    settle(&[&home, &laptop, &phone]).await;
    phone.does(Event::Ask { devices: vec![(home.id, Handshake::new())], name: "Phone".into() }).await;
    settle(&[&home, &phone]).await;
    assert!(matches!(home.shown(), Shown::Asked { .. }));
    removes(&home, &laptop).await;
    settings::set(&home.app, ANNOUNCE, "off").await.unwrap();
    home.app.devices.runs.store(true, Ordering::Relaxed);
    let refused = accept(&home.app, &phone.id.to_string()).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Refused);
    let refused = remove(&home.app, &laptop.id.to_string()).await.unwrap_err();
    assert!(refused.words.contains("devices.announce"), "{}", refused.words);
    // The server is away, and yet nothing goes on here; what was removed is to be said all the same.
    assert!(round::round(&home.app, &home.account).await.is_err());
    assert_eq!(home.shown(), Shown::Nothing);
    let letters = table::letters(&mut home.app.reader.get().await.unwrap(), home.account.id).await.unwrap();
    assert!(letters.iter().any(|letter| letter.folder == ANNOUNCEMENTS), "the removal");
    assert!(letters.iter().any(|letter| letter.folder == phone.id.inbox()), "the end of the pairing");
    assert!(letters.iter().all(|letter| letter.folder != laptop.id.inbox()));
}

#[tokio::test]
async fn who_begins_anew_knows_what_it_was() {
    let (home, phone) = (Machine::new().await, Machine::new().await);
    let all = [&home, &phone];
    let said = settle(&all).await;
    pair(&home, &phone, &all).await;
    removes(&home, &phone).await;
    settle(&all).await;
    assert_eq!(phone.standing(&phone).await, Standing::Removed);
    begin_anew(&phone.app, ALICE).await.unwrap();
    let now = phone.mine().await.device.id();
    assert_ne!(now, phone.id);
    // Its own announcement of before is no other program's, and goes.
    let mut gone = 0;
    for (_, raw) in said.iter().filter(|(folder, _)| folder == ANNOUNCEMENTS) {
        gone += usize::from(hear::announced(&phone.app, &phone.account, raw).await.unwrap() == Fate::Goes);
    }
    assert_eq!(gone, 1);
    let known = list(&phone.app).await.unwrap();
    assert!(known.iter().all(|shape| shape.id != phone.id.to_string()));
    assert!(known.iter().any(|shape| shape.id == home.id.to_string()));
}

#[tokio::test]
async fn whose_roster_is_full_tells_no_secret_and_begins_anew() {
    let (home, laptop) = (Machine::new().await, Machine::new().await);
    let all = [&home, &laptop];
    pair(&home, &laptop, &all).await;
    {
        let writer = home.app.writer.lock().await;
        let mut c = writer.begin().await.unwrap();
        let mut mine = Mine::load(&mut c, &home.account).await.unwrap().unwrap();
        let mut number = 1;
        while !mine.roster.is_full() {
            let (id, keys) = (number.to_string().parse().unwrap(), mine.device.keys());
            mine.roster.add(&mine.device, id, keys, "One of many", home.app.now()).unwrap();
            number += 1;
        }
        mine.save(&mut c).await.unwrap();
        commit(c).await.unwrap();
    }
    crate::engine::keyring::make(&home.app, ALICE).await.unwrap();
    let said = home.lays().await;
    assert!(said.iter().all(|(folder, _)| folder == ANNOUNCEMENTS), "nobody is told anything");
    let here = list(&home.app).await.unwrap().into_iter().find(|shape| shape.this).unwrap();
    assert_eq!(here.state, "inactive");
    assert!(here.words.starts_with("Too many devices"), "{}", here.words);
    let refused = remove(&home.app, &laptop.id.to_string()).await.unwrap_err();
    assert!(refused.words.contains("begin anew"), "{}", refused.words);
    begin_anew(&home.app, ALICE).await.unwrap();
    let here = list(&home.app).await.unwrap().into_iter().find(|shape| shape.this).unwrap();
    assert!(here.id != home.id.to_string() && here.state == "paired", "{here:?}");
}
