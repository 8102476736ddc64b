//! Synchronisation with servers that refuse, renumber, or lack what others have: no mail is lost, and nothing that the
//! owner did is.

use crate::support::mail::plain;
use crate::support::stubborn::Stubborn;
use crate::support::{Lab, World, wait_until};
use serde_json::Value;

const BOB: &str = "Bob <bob@lab.test>";
const ALICE: &str = "Alice <alice@lab.test>";
/// What a server of today can do.
const ALL: &str = "UIDPLUS MOVE NAMESPACE";

fn world(server: &Stubborn) -> World {
    let lab = Lab::shared();
    let world = World::new();
    let args = server.account_args(lab, &lab.person("alice"));
    world.ok(&args.iter().map(String::as_str).collect::<Vec<_>>());
    world
}

fn letter(subject: &str) -> Vec<u8> {
    plain(BOB, ALICE, subject, "x")
}

#[track_caller]
fn sync(world: &World) -> Value {
    world.run_json(&["sync"]).done().json()
}

#[test]
fn what_an_overloaded_server_refuses_comes_when_it_is_well_again() {
    let server = Stubborn::start(ALL);
    for n in 0..3 {
        server.hold("INBOX", &letter(&format!("number {n}")));
    }
    let world = world(&server);
    for answer in ["NO [UNAVAILABLE] overloaded", "NO not now"] {
        server.refuse("BODY.PEEK", answer);
        let passed = sync(&world);
        assert_eq!((&passed["fetched"], passed["failed"] != 0), (&Value::from(0), true), "{passed}");
        server.relent();
    }
    // It is asked for again in a while, not at once each time; what is new since is not kept waiting.
    let asked = server.heard("BODY.PEEK");
    server.hold("INBOX", &letter("newer"));
    sync(&world);
    assert_eq!(world.count("subject:newer"), 1);
    assert_eq!(server.heard("BODY.PEEK") - asked, 1, "only the new one was asked for");
}

#[test]
fn a_refused_message_is_asked_for_again_and_keeps_no_other_waiting() {
    let server = Stubborn::start(ALL);
    for n in 1..=3 {
        server.hold("INBOX", &letter(&format!("number {n}")));
    }
    let world = world(&server);
    server.refuse("UID FETCH 1:3 (UID FLAGS INTERNALDATE BODY", "NO one of them is broken");
    server.refuse("UID FETCH 2 (UID BODY", "NO this one");
    let passed = sync(&world);
    assert_eq!((&passed["fetched"], &passed["failed"]), (&Value::from(2), &Value::from(1)), "{passed}");
    server.relent();
    assert_eq!(sync(&world)["fetched"], 1);
    assert_eq!(world.count("*"), 3);
    assert_eq!(sync(&world)["failed"], 0);
}

#[test]
fn what_was_too_large_says_nothing_about_another_numbering() {
    let server = Stubborn::start(ALL);
    let uid = server.hold("INBOX", &letter("huge"));
    server.state().folders.get_mut("INBOX").unwrap().messages.get_mut(&uid).unwrap().size = Some(1 << 40);
    let world = world(&server);
    assert_eq!(sync(&world)["failed"], 1);
    assert_eq!(world.count("*"), 0);
    server.state().folders.get_mut("INBOX").unwrap().messages.get_mut(&uid).unwrap().size = None;
    assert_eq!(sync(&world)["fetched"], 0, "it is not asked for again");
    server.renumber("INBOX");
    assert_eq!(sync(&world)["fetched"], 1);
}

#[test]
fn what_was_deleted_for_ever_stays_deleted_when_its_folder_is_numbered_or_named_anew() {
    for renamed in [false, true] {
        let server = Stubborn::start(ALL);
        server.folder("Trash");
        server.hold("Trash", &letter("never again"));
        server.folder("Work");
        server.hold("Work", &letter("to keep"));
        let world = world(&server);
        sync(&world);
        world.ok(&["delete", &world.only("in:trash")]);
        world.ok(&["tag", "+archive", "--", "subject:\"to keep\""]);
        if renamed {
            let mut state = server.state();
            for (old, new) in [("Trash", "Old trash"), ("Work", "Old work")] {
                let folder = state.folders.remove(old).unwrap();
                state.folders.insert(new.into(), folder);
            }
        } else {
            server.renumber("Trash");
            server.renumber("Work");
        }
        sync(&world);
        assert_eq!(world.count("subject:\"never again\""), 0, "renamed: {renamed}");
        assert_eq!(world.count("in:archive subject:\"to keep\""), 1);
        sync(&world);
        assert_eq!(world.count("*"), 1);
        let there = if renamed { "Old trash" } else { "Trash" };
        assert!(server.flags(there).is_empty(), "the server heard of it");
        assert_eq!(server.flags("Archive").len(), 1);
        sync(&world);
        assert_eq!(world.count("*"), 1);
    }
}

#[test]
fn flags_that_the_server_refuses_are_not_forgotten() {
    let server = Stubborn::start(ALL);
    server.hold("INBOX", &letter("read"));
    let world = world(&server);
    sync(&world);
    world.ok(&["tag", "-unread", "--", "*"]);
    server.refuse("UID STORE", "NO [UNAVAILABLE] later");
    assert_eq!(sync(&world)["failed"], 1);
    assert_eq!(world.count("is:unread"), 0);
    server.relent();
    assert_eq!(sync(&world)["flags_pushed"], 1);
    assert_eq!(server.flags("INBOX"), [(1, vec!["\\Seen".to_owned()])]);
}

#[test]
fn what_left_one_folder_is_not_taken_for_deleted_before_all_were_seen() {
    let server = Stubborn::start(ALL);
    server.folder("Work");
    server.hold("INBOX", &letter("moved by phone"));
    server.hold("INBOX", &letter("expunged by phone"));
    let world = world(&server);
    sync(&world);
    {
        let mut state = server.state();
        let inbox = state.folders.get_mut("INBOX").unwrap();
        let moved = std::mem::take(&mut inbox.messages).remove(&1).unwrap();
        state.folders.get_mut("Work").unwrap().messages.insert(9, moved);
    }
    server.refuse("SELECT \"Work\"", "NO [UNAVAILABLE] later");
    sync(&world);
    assert_eq!(world.count("in:trash"), 0, "nobody looked into Work");
    assert_eq!(world.count("in:inbox"), 0);
    server.relent();
    sync(&world);
    assert_eq!(world.count("folder:Work subject:moved"), 1);
    assert_eq!(world.count("in:trash"), 1, "what another pass saw leave is settled by this one");
    assert_eq!(world.count("in:trash subject:expunged"), 1);
}

#[test]
fn archiving_makes_the_folder_where_the_server_wants_it_and_knows_what_lies_there() {
    let server = Stubborn::start(ALL);
    server.state().prefix = "INBOX.".into();
    server.hold("INBOX", &letter("done"));
    let world = world(&server);
    sync(&world);
    world.ok(&["tag", "+archive", "-inbox", "--", "*"]);
    let passed = sync(&world);
    assert_eq!((&passed["moved"], &passed["failed"]), (&Value::from(1), &Value::from(0)), "{passed}");
    assert_eq!(passed["fetched"], 0, "the server said where it is: {passed}");
    assert_eq!(server.flags("INBOX.Archive").len(), 1);
    assert_eq!((world.count("in:archive"), world.count("in:trash")), (1, 0));
    assert_eq!(world.count("folder:INBOX.Archive"), 1);
    sync(&world);
    assert_eq!((world.count("in:archive"), world.count("in:trash")), (1, 0));
}

#[test]
fn a_server_that_can_only_mark_keeps_nothing_in_the_inbox_here() {
    let server = Stubborn::start("");
    server.folder("Archive");
    server.folder("Trash");
    server.hold("INBOX", &letter("done"));
    server.hold("Trash", &letter("never again"));
    let world = world(&server);
    sync(&world);
    world.ok(&["tag", "+archive", "-inbox", "--", "subject:done"]);
    world.ok(&["delete", &world.only("in:trash")]);
    // The copy is made once, however often marking the old one fails.
    server.refuse("UID STORE", "NO [UNAVAILABLE] later");
    sync(&world);
    sync(&world);
    server.relent();
    for _ in 0..3 {
        sync(&world);
        assert_eq!((world.count("in:inbox"), world.count("in:archive")), (0, 1));
        assert_eq!(world.count("*"), 1);
    }
    assert_eq!(server.heard("UID COPY"), 1);
    assert_eq!(server.heard("EXPUNGE"), 0, "others may have marked messages, too");
    assert_eq!(server.flags("Archive").len(), 1);
    assert_eq!(
        server.heard("UID STORE 1 +FLAGS.SILENT (\\Deleted)"),
        6,
        "two refused, one taken, in each folder"
    );
    // What another program marks as deleted is in the trash here, until it takes that back.
    server
        .state()
        .folders
        .get_mut("Archive")
        .unwrap()
        .messages
        .get_mut(&1)
        .unwrap()
        .flags
        .insert("\\Deleted".into());
    sync(&world);
    assert_eq!((world.count("in:archive"), world.count("in:trash")), (0, 1));
    server.state().folders.get_mut("Archive").unwrap().messages.get_mut(&1).unwrap().flags.clear();
    sync(&world);
    assert_eq!((world.count("in:archive"), world.count("in:trash")), (1, 0));
}

#[test]
fn a_copy_that_the_phone_deletes_does_not_stay_in_sent() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let to = lab.person("bob").address;
    let body = world.file("body", "for Bob\n");
    world.ok(&["send", "--to", &to, "--subject", "sent and deleted", "--body-file", &body]);
    let mut imap = lab.imap(&alice);
    wait_until("the copy in Sent", || {
        world.ok(&["outbox", "flush"]);
        !imap.held("Sent").is_empty()
    });
    world.ok(&["sync"]);
    assert_eq!(world.count("in:sent"), 1);
    let uid = imap.held("Sent")[0].uid;
    imap.expunge("Sent", uid);
    world.ok(&["sync"]);
    assert_eq!((world.count("in:sent"), world.count("in:trash")), (0, 1));
}

#[test]
fn a_change_is_pushed_to_every_account_that_holds_the_message() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let bytes = letter("for both");
    lab.imap(&alice).append("INBOX", "", &bytes);
    lab.imap(&bob).append("INBOX", "", &bytes);
    let world = World::with_account(lab, &alice);
    world.add_account(lab, &bob);
    world.ok(&["sync"]);
    world.ok(&["tag", "+starred", "--", "*"]);
    world.ok(&["sync", &alice.address]);
    assert!(lab.imap(&alice).held("INBOX")[0].has("\\Flagged"));
    world.ok(&["sync", &bob.address]);
    assert!(lab.imap(&bob).held("INBOX")[0].has("\\Flagged"));
    assert_eq!(world.count("is:starred"), 1);
}

#[test]
fn an_undone_deletion_puts_the_message_back_into_its_own_folder() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    imap.command("CREATE Projects");
    imap.append("Projects", "", &letter("the plan"));
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    let id = world.only("subject:plan");
    let server = world.serve_locked();
    let cookie = server.sign_in();
    let page = server.request("GET", "/").cookie(&cookie).send().text();
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let post = |path: &str, fields: &[(&str, &str)]| {
        let mut all = vec![("csrf".to_owned(), csrf.clone())];
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let request = server.request("POST", path).cookie(&cookie).origin(&server.origin());
        let answer = request.header("Accept", "application/json").form(&all).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_str::<Value>(&answer.text()).unwrap()
    };
    // Once before the server heard of it or just then, once long after.
    for heard in [false, true] {
        let done = post("/actions", &[("action", "delete"), ("id", &id), ("back", "/")]);
        if heard {
            wait_until("the server to hear of it", || !imap.held("Trash").is_empty());
        }
        post("/undo", &[("token", done["undo"].as_str().unwrap()), ("back", "/")]);
        wait_until("the message to be back", || {
            imap.held("Projects").len() == 1 && imap.held("Trash").is_empty()
        });
        assert!(imap.held("INBOX").is_empty());
    }
}
