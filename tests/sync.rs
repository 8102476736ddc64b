//! Synchronisation with a real IMAP server, both ways, byte for byte.

use crate::support::mail::{plain, with_attachment};
use crate::support::{Lab, World, wait_for, wait_until};
use std::collections::BTreeSet;

const BOB: &str = "Bob <bob@lab.test>";
const ALICE: &str = "Alice <alice@lab.test>";

/// Each message is there once, with the very bytes of the server.
fn same_as(world: &World, bytes: &[Vec<u8>]) {
    let ids = world.ids("*");
    let ours: BTreeSet<Vec<u8>> = ids.iter().map(|id| world.raw(id)).collect();
    let theirs: BTreeSet<Vec<u8>> = bytes.iter().cloned().collect();
    assert_eq!(ids.len(), theirs.len(), "as many messages as different ones on the server");
    assert!(ours == theirs, "some message differs from what the server holds");
}

#[test]
fn what_is_fetched_is_what_the_server_holds() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    lab.deliver(&alice, &plain(BOB, ALICE, "delivered", "by SMTP"));
    wait_until("delivery", || !lab.imap(&alice).held("INBOX").is_empty());
    let mut imap = lab.imap(&alice);
    imap.append(
        "INBOX",
        "",
        &with_attachment(BOB, ALICE, "with a part", "see it", "plan.pdf", "%PDF-1.4 not really"),
    );
    imap.append("INBOX", "", b"no header at all\r\n");
    imap.append(
        "INBOX",
        "",
        b"Subject: raw \xe9\xff bytes\r\nFrom: \xc3\r\n\r\n\x80\x81\xfe body, bare CR \r here\r\n",
    );
    imap.append("Archive", "\\Seen", &plain(BOB, ALICE, "archived", "long ago"));
    imap.command("CREATE \"Deep/Er/Folder\"");
    imap.append("Deep/Er/Folder", "", &plain(BOB, ALICE, "deep down", "in a folder"));
    imap.command("CREATE \"Entw&APw-rfe\"");
    imap.append("Entw&APw-rfe", "", &plain(BOB, ALICE, "umlaut", "in the folder's name"));
    let mut all = Vec::new();
    for folder in imap.folders() {
        all.extend(imap.held(&folder).into_iter().map(|h| h.bytes));
    }
    assert_eq!(all.len(), 7);
    let world = World::with_account(lab, &alice);
    let passed = world.ok(&["sync"]);
    assert_eq!(passed["fetched"], 7, "{passed}");
    assert_eq!(passed["failed"], 0, "{passed}");
    same_as(&world, &all);
    assert_eq!(world.count("folder:Entwürfe"), 1);
    assert_eq!(world.count("folder:Deep/Er/Folder"), 1);
    let again = world.ok(&["sync", &alice.address]);
    assert_eq!(again["fetched"], 0, "a second pass has nothing to do: {again}");
    world.fails(4, &["sync", "nobody@lab.test"]);
    let shown = world.ok(&["show", &world.only("subject:archived")]);
    assert_eq!(shown["places"][0]["folder"], "Archive", "{shown}");
    assert_eq!(shown["places"][0]["account"], alice.address.as_str(), "{shown}");
    assert!(shown["places"][0]["uid"].is_number(), "{shown}");
    // Reading for ourselves left no mark on the server.
    assert!(imap.held("INBOX").iter().all(|h| !h.has("\\Seen")));
}

#[test]
fn flags_go_both_ways() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    let read = imap.append("INBOX", "", &plain(BOB, ALICE, "read there", "x"));
    imap.append("INBOX", "", &plain(BOB, ALICE, "read here", "x"));
    let starred = imap.append("INBOX", "\\Seen", &plain(BOB, ALICE, "starred there", "x"));
    let answered = imap.append("INBOX", "\\Flagged", &plain(BOB, ALICE, "answered there", "x"));
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    assert_eq!(world.count("is:unread"), 3);
    assert_eq!(world.count("is:starred"), 1);
    imap.store("INBOX", read, '+', "\\Seen");
    imap.store("INBOX", starred, '+', "\\Flagged");
    imap.store("INBOX", answered, '+', "\\Answered");
    imap.store("INBOX", answered, '-', "\\Flagged");
    assert_eq!(world.ok(&["tag", "-unread", "--", "subject:\"read here\""])["changed"], 1);
    assert_eq!(world.ok(&["tag", "+starred", "--", "subject:\"read here\""])["changed"], 1);
    world.ok(&["sync"]);
    assert_eq!(world.count("is:unread subject:\"read there\""), 0);
    assert_eq!(world.count("is:starred subject:\"starred there\""), 1);
    assert_eq!(world.count("is:replied subject:\"answered there\""), 1);
    assert_eq!(world.count("is:starred subject:\"answered there\""), 0);
    let held = imap.held("INBOX");
    assert!(held[1].has("\\Seen") && held[1].has("\\Flagged"), "{:?}", held[1].flags);
    // And back again.
    world.ok(&["tag", "+unread", "-starred", "--", "subject:\"read here\""]);
    world.ok(&["sync"]);
    let held = imap.held("INBOX");
    assert!(!held[1].has("\\Seen") && !held[1].has("\\Flagged"), "{:?}", held[1].flags);
}

#[test]
fn own_tags_travel_as_keywords() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    let uid = imap.append("INBOX", "Ledger", &plain(BOB, ALICE, "tagged", "x"));
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    assert_eq!(world.count("tag:ledger"), 1);
    world.ok(&["tag", "+herons", "--", "subject:tagged"]);
    world.ok(&["sync"]);
    assert!(imap.held("INBOX")[0].has("herons"), "{:?}", imap.held("INBOX")[0].flags);
    imap.store("INBOX", uid, '-', "herons");
    world.ok(&["sync"]);
    assert_eq!(world.count("tag:herons"), 0);
}

#[test]
fn moves_and_deletes_go_to_the_server_and_come_from_it() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    for subject in ["to archive", "to trash", "moved there", "expunged there", "stays"] {
        imap.append("INBOX", "", &plain(BOB, ALICE, subject, "x"));
    }
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    let uids: Vec<u32> = imap.held("INBOX").iter().map(|h| h.uid).collect();
    imap.move_to("INBOX", uids[2], "Junk");
    imap.expunge("INBOX", uids[3]);
    world.ok(&["tag", "+archive", "-inbox", "--", "subject:\"to archive\""]);
    world.ok(&["tag", "+trash", "-inbox", "--", "subject:\"to trash\""]);
    assert_eq!(world.count("in:inbox"), 3, "the change is seen here at once");
    world.ok(&["sync"]);
    let subjects = |held: Vec<crate::support::imap::Held>| -> Vec<String> {
        held.iter().map(|h| String::from_utf8_lossy(&h.bytes).lines().nth(2).unwrap().to_owned()).collect()
    };
    assert_eq!(subjects(imap.held("Archive")), ["Subject: to archive"]);
    assert_eq!(subjects(imap.held("Trash")), ["Subject: to trash"]);
    assert_eq!(subjects(imap.held("INBOX")), ["Subject: stays"]);
    assert_eq!(world.count("in:spam subject:\"moved there\""), 1);
    assert_eq!(world.count("in:inbox"), 1);
    assert_eq!(world.count("in:inbox subject:\"expunged there\""), 0);
    // Removed for ever, here and at the next sync there.
    let trashed = world.only("in:trash subject:\"to trash\"");
    assert_eq!(world.ok(&["delete", &trashed])["deleted"], 1);
    world.fails(4, &["show", &trashed]);
    world.ok(&["sync"]);
    assert!(imap.held("Trash").is_empty());
    assert_eq!(world.count("subject:\"to trash\""), 0);
}

#[test]
fn a_message_that_is_not_in_the_trash_is_not_deleted_for_ever() {
    let world = World::new();
    world.ok(&["import", &world.file("a.eml", plain(BOB, ALICE, "still wanted", "x"))]);
    let id = world.only("*");
    let answer = world.run_json(&["delete", &id]);
    assert!(answer.code() != 0 || answer.json()["deleted"] == 0, "{answer}");
    assert_eq!(world.count("*"), 1);
}

#[test]
fn a_folder_with_a_new_uidvalidity_starts_over_without_doubles() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    let (first, second) = (plain(BOB, ALICE, "first life", "x"), plain(BOB, ALICE, "second life", "x"));
    imap.command("CREATE Ledgers");
    imap.append("Ledgers", "", &first);
    imap.append("Ledgers", "", &second);
    let before = imap.uid_validity("Ledgers");
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    assert_eq!(world.count("*"), 2);
    let id = world.only("subject:\"second life\"");
    imap.command("SELECT INBOX");
    imap.command("DELETE Ledgers");
    // A generation is a second of the clock: the same name must get another one.
    wait_until("a new UIDVALIDITY", || {
        imap.command("CREATE Ledgers");
        let new = imap.uid_validity("Ledgers");
        imap.command("SELECT INBOX");
        if new == before {
            imap.command("DELETE Ledgers");
        }
        new != before
    });
    imap.append("Ledgers", "\\Flagged", &second);
    world.ok(&["sync"]);
    assert_eq!(world.only("subject:\"second life\""), id, "the same bytes are the same message");
    assert_eq!(world.count("folder:Ledgers"), 1);
    assert_eq!(world.count("folder:Ledgers is:starred"), 1);
    assert_eq!(world.count("folder:Ledgers subject:\"first life\""), 0);
}

#[test]
fn a_folder_that_vanished_takes_its_places_along() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    imap.command("CREATE Soon-gone");
    imap.append("Soon-gone", "", &plain(BOB, ALICE, "in two places", "x"));
    imap.append("INBOX", "", &plain(BOB, ALICE, "in two places", "x"));
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    imap.command("DELETE Soon-gone");
    world.ok(&["sync"]);
    assert_eq!(world.count("folder:Soon-gone"), 0);
    let shown = world.ok(&["show", &world.only("subject:\"in two places\"")]);
    assert_eq!(shown["places"].as_array().unwrap().len(), 1, "{shown}");
}

#[test]
fn the_same_bytes_in_two_folders_and_two_accounts_are_one_message() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let bytes = plain(BOB, ALICE, "everywhere", "the very same");
    let mut imap = lab.imap(&alice);
    let uid = imap.append("INBOX", "", &bytes);
    imap.copy_to("INBOX", uid, "Archive");
    lab.imap(&bob).append("INBOX", "\\Flagged", &bytes);
    let world = World::with_account(lab, &alice);
    world.add_account(lab, &bob);
    world.ok(&["sync"]);
    let id = world.only("*");
    let shown = world.ok(&["show", &id]);
    let mut places: Vec<String> = shown["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| format!("{} {}", p["account"].as_str().unwrap(), p["folder"].as_str().unwrap()))
        .collect();
    places.sort();
    let wanted = [
        format!("{} Archive", alice.address),
        format!("{} INBOX", alice.address),
        format!("{} INBOX", bob.address),
    ];
    assert_eq!(places, wanted);
    assert_eq!(world.count(&format!("account:{}", bob.address)), 1);
    // Another copy with the same Message-ID but other bytes is a message of its own, in the same thread.
    let list_copy = [b"List-Id: <herons.lab.test>\r\n".to_vec(), bytes].concat();
    imap.append("INBOX", "", &list_copy);
    world.ok(&["sync"]);
    let ids = world.ids("subject:everywhere");
    assert_eq!(ids.len(), 2);
    assert_eq!(world.count(&format!("thread:{id}")), 2);
}

#[test]
fn a_running_server_hears_of_new_mail_by_itself() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let _server = world.serve();
    world.ok(&["sync"]);
    lab.deliver(&alice, &plain(BOB, ALICE, "while you were reading", "x"));
    wait_until("IDLE to bring the message", || world.count("subject:\"while you were reading\"") == 1);
}

#[test]
fn a_server_that_goes_away_and_comes_back_loses_nothing() {
    let lab = Lab::own(None);
    let alice = lab.person("alice");
    let world = World::with_account(&lab, &alice);
    let mut server = world.serve();
    lab.deliver(&alice, &plain(BOB, ALICE, "before", "x"));
    wait_until("the first message", || world.count("subject:before") == 1);
    lab.switch("stop", "imap");
    world.fails(1, &["sync"]);
    let status = wait_for("the trouble in words", || {
        let status = world.run_json(&["status"]).done().json().to_string();
        status.contains("localhost").then_some(status)
    });
    assert!(!status.contains(lab.password()));
    assert!(server.is_running());
    lab.switch("start", "imap");
    lab.deliver(&alice, &plain(BOB, ALICE, "after", "x"));
    wait_until("the message after the break", || {
        world.run_json(&["sync"]);
        world.count("subject:after") == 1
    });
    assert_eq!(world.count("*"), 2);
}

#[test]
fn newest_mail_is_fetched_first() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let mut imap = lab.imap(&alice);
    let filler = "x".repeat(70);
    for i in 0..400 {
        let body = format!("{filler}\r\n").repeat(50);
        imap.append("INBOX", "", &plain(BOB, ALICE, &format!("number {i:04}"), &body));
    }
    let world = World::with_account(lab, &alice);
    let server = world.serve();
    // While the old ones are still on their way, the newest is there. (Its words are in the index a moment later.)
    let first = wait_for("the first messages", || {
        let found = world.ok(&["search", "*", "--limit", "10000"]);
        (found["total"] != 0).then_some(found)
    });
    let came: Vec<&str> =
        first["messages"].as_array().unwrap().iter().map(|m| m["subject"].as_str().unwrap()).collect();
    assert!(came.contains(&"number 0399"), "the newest is not among {came:?}");
    wait_until("all messages", || world.count("*") == 400);
    drop(server);
}
