//! Sending through a real submission server: the outbox is durable, patient and never doubles anything.

use crate::support::{Lab, Person, World, wait_for, wait_until};
use serde_json::Value;

/// Queues a message and gives its id.
fn send(world: &World, to: &[&str], extra: &[&str], subject: &str) -> String {
    let body = world.file("body.txt", format!("The body of {subject}.\n"));
    let mut args = vec!["send", "--to"];
    args.extend(to);
    args.extend(extra);
    args.extend(["--subject", subject, "--body-file", &body]);
    world.ok(&args)["id"].as_str().unwrap().to_owned()
}

fn entry(world: &World, id: &str) -> Value {
    let list = world.ok(&["outbox", "list"]);
    let found = list.as_array().unwrap().iter().find(|e| e["id"] == id).cloned();
    found.unwrap_or_else(|| panic!("{id} is not in the outbox: {list}"))
}

/// Flushes until the entry has the state. `flush` may come while the time to undo still runs.
fn until_state(world: &World, id: &str, state: &str) -> Value {
    wait_for(&format!("{id} to be {state}"), || {
        world.ok(&["outbox", "flush"]);
        let entry = entry(world, id);
        (entry["state"] == state).then_some(entry)
    })
}

fn with_subject(lab: &Lab, person: &Person, folder: &str, subject: &str) -> Vec<String> {
    let wanted = format!("\r\nSubject: {subject}\r\n");
    let held = lab.imap(person).held(folder);
    held.iter()
        .map(|h| format!("\r\n{}", String::from_utf8_lossy(&h.bytes)))
        .filter(|text| text.contains(&wanted))
        .collect()
}

#[test]
fn a_message_arrives_and_its_copy_in_sent_is_one() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(lab, &alice);
    let pdf = world.file("Größe.pdf", "%PDF-1.4 the size of things");
    let id = send(&world, &[&format!("Bob Á <{}>", bob.address)], &["--attach", &pdf], "Grüße aus Łódź");
    assert!(["waiting", "queued"].contains(&entry(&world, &id)["state"].as_str().unwrap()));
    let sent = until_state(&world, &id, "sent");
    assert_eq!(sent["recipients"][0]["address"], bob.address.as_str(), "{sent}");
    assert_eq!(sent["recipients"][0]["state"], "accepted", "{sent}");
    wait_until("bob's mail", || lab.imap(&bob).held("INBOX").len() == 1);
    world.ok(&["sync"]);
    world.ok(&["sync"]);
    let copies = lab.imap(&alice).held("Sent");
    assert_eq!(copies.len(), 1, "one copy in Sent");
    assert!(copies[0].has("\\Seen"));
    assert_eq!(world.count("in:sent"), 1, "and one here");
    assert_eq!(world.only("in:sent"), id, "the outbox entry's id is the message's");
    assert_eq!(world.raw(&id), copies[0].bytes);
    let shown = world.ok(&["show", &id]);
    assert_eq!(shown["subject"], "Grüße aus Łódź");
    assert_eq!(shown["from"]["address"], alice.address.as_str());
    assert!(shown["text"].as_str().unwrap().contains("The body of Grüße aus Łódź."));
    let part = shown["parts"].as_array().unwrap().iter().find(|p| p["name"] == "Größe.pdf");
    assert!(part.is_some(), "{shown}");
    // What bob got is well-formed mail: 7-bit headers, a Date, one Message-ID, MIME.
    let got = &lab.imap(&bob).held("INBOX")[0].bytes;
    let head = String::from_utf8_lossy(got).split("\r\n\r\n").next().unwrap().to_owned();
    assert!(head.is_ascii(), "{head}");
    for header in ["Date: ", "Message-ID: ", "MIME-Version: ", "From: "] {
        let lines = head.lines().filter(|l| l.to_lowercase().starts_with(&header.to_lowercase())).count();
        assert_eq!(lines, 1, "{header} in {head}");
    }
    assert!(
        !head.contains("localhost") || head.matches("localhost").count() <= head.matches("Received").count()
    );
}

#[test]
fn those_in_bcc_get_it_and_nobody_sees_them() {
    let lab = Lab::shared();
    let (alice, bob, carol) = (lab.person("alice"), lab.person("bob"), lab.person("carol"));
    let world = World::with_account(lab, &alice);
    let id = send(&world, &[&bob.address], &["--bcc", &carol.address], "secretly copied");
    until_state(&world, &id, "sent");
    for person in [&bob, &carol] {
        wait_until("their mail", || lab.imap(person).held("INBOX").len() == 1);
        let bytes = lab.imap(person).held("INBOX").remove(0).bytes;
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let own_words = text.split("\r\nfrom:").nth(1).unwrap();
        assert!(!text.contains("\r\nbcc:"), "{text}");
        assert!(!own_words.contains(&carol.address), "{text}");
    }
}

#[test]
fn a_deferred_message_stays_and_is_tried_at_growing_intervals() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let id = send(&world, &["defer@lab.test"], &[], "later");
    let first = wait_for("the first attempt", || {
        world.ok(&["outbox", "flush"]);
        let entry = entry(&world, &id);
        (entry["attempts"] == 1).then_some(entry)
    });
    assert_eq!(first["state"], "queued", "{first}");
    assert_eq!(first["recipients"][0]["state"], "deferred", "{first}");
    assert!(first["recipients"][0]["reply"].as_str().unwrap().contains("try again later"), "{first}");
    let in_seconds = |entry: &Value| -> i64 {
        let at: jiff::Timestamp = entry["next_attempt"].as_str().unwrap().parse().unwrap();
        at.as_second() - jiff::Timestamp::now().as_second()
    };
    let mut waits = vec![in_seconds(&first)];
    for _ in 0..4 {
        world.ok(&["outbox", "retry", &id]);
        world.ok(&["outbox", "flush"]);
        waits.push(in_seconds(&entry(&world, &id)));
    }
    assert!(waits[0] >= 20, "not sooner than about a minute: {waits:?}");
    assert!(waits[4] > 2 * waits[0], "they grow: {waits:?}");
    assert!(waits[4] <= 24 * 3600, "{waits:?}");
    assert_eq!(entry(&world, &id)["attempts"], 5);
    // It can still be taken back.
    world.ok(&["outbox", "cancel", &id]);
    assert_eq!(entry(&world, &id)["state"], "cancelled");
}

#[test]
fn a_deferral_that_ends_lets_the_message_through() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(lab, &alice);
    lab.fault(&bob.address, "450 4.2.1 busy for the moment");
    let id = send(&world, &[&bob.address], &[], "in the end");
    wait_until("the first attempt", || {
        world.ok(&["outbox", "flush"]);
        entry(&world, &id)["attempts"] == 1
    });
    assert!(entry(&world, &id)["recipients"][0]["reply"].as_str().unwrap().contains("busy for the moment"));
    lab.unfault(&bob.address);
    world.ok(&["outbox", "retry", &id]);
    until_state(&world, &id, "sent");
    wait_until("bob's mail", || with_subject(lab, &bob, "INBOX", "in the end").len() == 1);
}

#[test]
fn a_refused_message_fails_at_once_with_the_servers_words() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    for (to, words) in [("reject@lab.test", "the lab says: no"), ("reject-data@lab.test", "after DATA: no")] {
        let id = send(&world, &[to], &[], &format!("to {to}"));
        let failed = until_state(&world, &id, "failed");
        assert_eq!(failed["attempts"], 1, "{failed}");
        assert_eq!(failed["recipients"][0]["state"], "refused", "{failed}");
        assert!(failed["recipients"][0]["reply"].as_str().unwrap().contains(words), "{failed}");
        let notice = world.ids("in:inbox");
        assert!(!notice.is_empty(), "a notice lies in the inbox");
    }
}

#[test]
fn each_recipient_has_a_state_of_their_own() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(lab, &alice);
    let id = send(&world, &[&bob.address, "defer@lab.test", "reject@lab.test"], &[], "to three");
    let entry = wait_for("the first attempt", || {
        world.ok(&["outbox", "flush"]);
        let entry = entry(&world, &id);
        (entry["attempts"] == 1).then_some(entry)
    });
    let state = |address: &str| {
        let all = entry["recipients"].as_array().unwrap();
        all.iter().find(|r| r["address"] == address).unwrap()["state"].clone()
    };
    assert_eq!(state(&bob.address), "accepted", "{entry}");
    assert_eq!(state("defer@lab.test"), "deferred", "{entry}");
    assert_eq!(state("reject@lab.test"), "refused", "{entry}");
    wait_until("bob's mail", || with_subject(lab, &bob, "INBOX", "to three").len() == 1);
    // Trying the one again sends nothing to the other once more.
    world.ok(&["outbox", "retry", &id]);
    world.ok(&["outbox", "flush"]);
    assert_eq!(with_subject(lab, &bob, "INBOX", "to three").len(), 1);
    world.ok(&["sync"]);
    assert_eq!(with_subject(lab, &alice, "Sent", "to three").len(), 1);
}

#[test]
fn what_bounces_later_comes_back_as_mail() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let id = send(&world, &["bounce@lab.test"], &[], "will bounce");
    until_state(&world, &id, "sent");
    wait_until("the delivery report", || {
        world.ok(&["sync"]);
        world.count("subject:undelivered") == 1
    });
}

#[test]
fn a_message_can_be_taken_back_while_it_waits() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(lab, &alice);
    let id = send(&world, &[&bob.address], &[], "regretted");
    assert_eq!(entry(&world, &id)["state"], "waiting");
    assert_eq!(world.ok(&["outbox", "cancel", &id])[0]["state"], "cancelled");
    assert_eq!(entry(&world, &id)["state"], "cancelled");
    world.ok(&["outbox", "flush"]);
    let second = send(&world, &[&bob.address], &[], "not regretted");
    until_state(&world, &second, "sent");
    wait_until("bob's mail", || !with_subject(lab, &bob, "INBOX", "not regretted").is_empty());
    assert!(with_subject(lab, &bob, "INBOX", "regretted").is_empty());
    assert_ne!(world.run_json(&["outbox", "cancel", &second]).code(), 0, "what is gone is gone");
    world.fails(4, &["outbox", "cancel", "nobody-has-this-id"]);
    world.fails(4, &["outbox", "retry", "nobody-has-this-id"]);
}

#[test]
fn a_running_server_sends_by_itself_after_the_time_to_undo() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(lab, &alice);
    world.ok(&["config", "set", "writing.undo-seconds", "30"]);
    let _server = world.serve();
    let id = send(&world, &[&bob.address], &[], "by itself");
    assert_eq!(entry(&world, &id)["state"], "waiting");
    assert!(with_subject(lab, &bob, "INBOX", "by itself").is_empty());
    wait_until("bob's mail", || with_subject(lab, &bob, "INBOX", "by itself").len() == 1);
    wait_until("the state", || entry(&world, &id)["state"] == "sent");
}

#[test]
fn a_submission_server_that_is_away_is_waited_for() {
    let lab = Lab::own(None);
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::with_account(&lab, &alice);
    lab.switch("stop", "smtp");
    let id = send(&world, &[&bob.address], &[], "patience");
    wait_until("an attempt in vain", || {
        world.ok(&["outbox", "flush"]);
        entry(&world, &id)["attempts"].as_u64().unwrap() >= 1
    });
    assert_eq!(entry(&world, &id)["state"], "queued");
    lab.switch("start", "smtp");
    world.ok(&["outbox", "retry", &id]);
    until_state(&world, &id, "sent");
    wait_until("bob's mail", || with_subject(&lab, &bob, "INBOX", "patience").len() == 1);
}

#[test]
fn an_answer_joins_the_thread_and_marks_what_it_answers() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let question = crate::support::mail::plain(&bob.address, &alice.address, "a question", "Is it so?");
    lab.imap(&alice).append("INBOX", "", &question);
    let world = World::with_account(lab, &alice);
    world.ok(&["sync"]);
    let asked = world.only("subject:\"a question\"");
    let id = send(&world, &[&bob.address], &["--reply-to-id", &asked], "Re: a question");
    until_state(&world, &id, "sent");
    world.ok(&["sync"]);
    let mid = crate::support::mail::message_id("a question");
    wait_until("bob's mail", || !with_subject(lab, &bob, "INBOX", "Re: a question").is_empty());
    let got = with_subject(lab, &bob, "INBOX", "Re: a question").remove(0);
    assert!(got.contains(&format!("In-Reply-To: <{mid}>")), "{got}");
    assert!(got.contains("References:") && got.matches(&mid).count() >= 2, "{got}");
    assert_eq!(world.count(&format!("thread:{asked}")), 2);
    assert_eq!(world.count("is:replied"), 1);
    assert!(lab.imap(&alice).held("INBOX")[0].has("\\Answered"));
}

#[test]
fn what_cannot_be_sent_is_refused_before_it_is_queued() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let body = world.file("body.txt", "x\n");
    world.fails(2, &["send", "--to", "no address at all", "--subject", "x", "--body-file", &body]);
    world.fails(1, &["send", "--to", "bob@lab.test", "--subject", "x", "--body-file", "/nowhere/body"]);
    world.fails(
        1,
        &["send", "--to", "bob@lab.test", "--subject", "x", "--body-file", &body, "--attach", "/nowhere/a"],
    );
    world.fails(
        4,
        &[
            "send",
            "--from",
            "stranger@lab.test",
            "--to",
            "bob@lab.test",
            "--subject",
            "x",
            "--body-file",
            &body,
        ],
    );
    // A line break in a subject makes no header.
    let id = send(&world, &["bob1@lab.test"], &[], "one\r\nX-Injected: yes");
    let raw = String::from_utf8_lossy(&world.raw(&id)).into_owned();
    let head = raw.split_once("\r\n\r\n").unwrap().0;
    assert!(!head.to_lowercase().contains("\nx-injected:"), "{raw}");
    world.ok(&["outbox", "cancel", &id]);
    assert_eq!(world.ok(&["outbox", "list"]).as_array().unwrap().len(), 1);
}
