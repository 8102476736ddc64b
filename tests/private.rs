//! Private mail between two people who never heard of a key: two stores on real servers, four messages, and what somebody
//! in between can and cannot do to it.

use crate::support::{Lab, Person, World, wait_for};
use serde_json::Value;

/// Somebody with a store of their own.
pub struct Side {
    pub person: Person,
    pub world: World,
}

impl Side {
    pub fn new(lab: &Lab, name: &str) -> Self {
        let person = lab.person(name);
        let world = World::with_account(lab, &person);
        world.ok(&["config", "set", "writing.undo-seconds", "0"]);
        Self { world, person }
    }

    /// Writes to somebody; gives what was said of it.
    pub fn writes(&self, to: &[&Self], subject: &str, body: &str, extra: &[&str]) -> Value {
        let body = self.world.file("body.txt", body);
        let mut args = vec!["send", "--subject", subject, "--body-file", &body];
        for side in to {
            args.extend(["--to", &side.person.address]);
        }
        args.extend(extra);
        let queued = self.world.ok(&args);
        self.world.ok(&["outbox", "flush"]);
        queued
    }

    /// Fetches until a message of this subject is there; gives it as it is shown.
    pub fn reads(&self, subject: &str) -> Value {
        let query = format!("subject:\"{subject}\" in:inbox");
        let id = wait_for(&format!("{subject:?} to arrive"), || {
            self.world.ok(&["sync"]);
            let found = self.world.ok(&["search", &query]);
            found["messages"][0]["id"].as_str().map(str::to_owned)
        });
        self.world.ok(&["show", &id])
    }

    pub fn peer(&self, other: &Self) -> Value {
        self.world.ok(&["peer", "show", &other.person.address])
    }

    pub fn fingerprint(&self) -> String {
        self.world.ok(&["key", "list"])[0]["fingerprint"].as_str().unwrap().to_owned()
    }
}

fn raw(world: &World, shown: &Value) -> String {
    String::from_utf8_lossy(&world.raw(shown["id"].as_str().unwrap())).into_owned()
}

#[test]
fn from_the_second_message_on_mail_is_private_and_nobody_was_asked() {
    let lab = Lab::shared();
    let (alice, bob) = (Side::new(lab, "alice"), Side::new(lab, "bob"));

    let first = alice.writes(&[&bob], "herons", "Shall we count herons?\n", &[]);
    assert_eq!((&first["encrypted"], &first["signed"]), (&false.into(), &true.into()), "{first}");
    assert_eq!(first["recommendation"], "disable", "{first}");
    let got = bob.reads("herons");
    assert_eq!((&got["privacy"], &got["assurance"]), (&"none".into(), &"new-key".into()), "{got}");
    assert_eq!(got["signer"], alice.fingerprint(), "{got}");
    let known = bob.peer(&alice);
    assert_eq!(known["public_key_fingerprint"], alice.fingerprint(), "{known}");
    assert_eq!(
        (&known["prefer_encrypt"], &known["trust"], &known["recommendation"]),
        (&"mutual".into(), &"first".into(), &"encrypt".into()),
        "{known}"
    );

    let id = got["id"].as_str().unwrap();
    let second = bob.writes(&[&alice], "Re: herons", "At the old harbour.\n", &["--reply-to-id", id]);
    assert_eq!(
        (&second["encrypted"], &second["recommendation"]),
        (&true.into(), &"encrypt".into()),
        "{second}"
    );
    let got = alice.reads("Re: herons");
    assert_eq!((&got["privacy"], &got["assurance"]), (&"private".into(), &"new-key".into()), "{got}");
    assert!(got["text"].as_str().unwrap().contains("At the old harbour."), "{got}");
    assert!(
        !got["text"].as_str().unwrap().contains("Subject:"),
        "the help for older programs is hidden: {got}"
    );
    let lies = raw(&alice.world, &got);
    assert!(
        lies.contains("BEGIN PGP MESSAGE") && !lies.contains("harbour") && !lies.contains("herons"),
        "{lies}"
    );
    assert!(lies.contains("Subject: [...]"), "{lies}");
    assert_eq!(alice.world.count("harbour"), 1, "what was opened is found");
    assert_eq!(alice.world.count("is:encrypted"), 1);

    let id = got["id"].as_str().unwrap();
    let third = alice.writes(&[&bob], "Re: herons at dawn", "Then at dawn.\n", &["--reply-to-id", id]);
    assert_eq!(third["encrypted"], true, "{third}");
    let got = bob.reads("Re: herons at dawn");
    assert_eq!((&got["privacy"], &got["assurance"]), (&"private".into(), &"same-key".into()), "{got}");
    let fourth = bob.writes(&[&alice], "bring boots", "It is muddy there.\n", &[]);
    assert_eq!(fourth["encrypted"], true, "a new conversation is private as well: {fourth}");
    let got = alice.reads("bring boots");
    assert_eq!((&got["privacy"], &got["assurance"]), (&"private".into(), &"same-key".into()), "{got}");
    let known = alice.peer(&bob);
    assert_eq!((&known["trust"], &known["private_messages"]), (&"same".into(), &2.into()), "{known}");

    // The writer reads it too, and it lies sealed in Sent.
    let sent = bob.world.ok(&["show", fourth["id"].as_str().unwrap()]);
    assert_eq!((&sent["privacy"], &sent["subject"]), (&"private".into(), &"bring boots".into()), "{sent}");
    let held = lab.imap(&bob.person).held("Sent");
    assert_eq!(held.len(), 2);
    assert!(held.iter().all(|held| !String::from_utf8_lossy(&held.bytes).contains("muddy")));
}

#[test]
fn those_with_a_hidden_copy_get_one_of_their_own() {
    let lab = Lab::shared();
    let (alice, bob, carol) = (Side::new(lab, "alice"), Side::new(lab, "bob"), Side::new(lab, "carol"));
    bob.writes(&[&alice], "hello of bob", "hello\n", &[]);
    carol.writes(&[&alice], "hello of carol", "hello\n", &[]);
    alice.reads("hello of bob");
    alice.reads("hello of carol");
    let sent =
        alice.writes(&[&bob], "seen by three", "Nobody sees carol.\n", &["--bcc", &carol.person.address]);
    assert_eq!(sent["encrypted"], true, "{sent}");
    let (to_bob, to_carol) = (bob.reads("seen by three"), carol.reads("seen by three"));
    for (side, got) in [(&bob, &to_bob), (&carol, &to_carol)] {
        assert_eq!(got["privacy"], "private", "{got}");
        let all = format!("{got}{}", raw(&side.world, got)).to_lowercase();
        let named = all.replace("for <", "").matches(&carol.person.address).count();
        // Her own address stands only where her server wrote that it delivered to it.
        assert!(side.person.address == carol.person.address || named == 0, "{all}");
    }
    assert_ne!(raw(&bob.world, &to_bob), raw(&carol.world, &to_carol));
    let mine = alice.world.ok(&["show", sent["id"].as_str().unwrap()]);
    assert_eq!(mine["bcc"][0]["address"], carol.person.address, "the writer sees whom it went to: {mine}");
}

#[test]
fn a_changed_key_waits_for_its_owner_and_a_compared_one_stops_everything() {
    let lab = Lab::shared();
    let (alice, bob) = (Side::new(lab, "alice"), Side::new(lab, "bob"));
    bob.writes(&[&alice], "one", "one\n", &[]);
    let got = alice.reads("one");
    alice.writes(&[&bob], "two", "two\n", &["--reply-to-id", got["id"].as_str().unwrap()]);
    let old = bob.fingerprint();
    assert_eq!(alice.peer(&bob)["trust"], "same");

    // Bob loses everything and begins anew; for Alice that looks like somebody else who took his mailbox.
    let again = World::with_account(lab, &bob.person);
    again.ok(&["config", "set", "writing.undo-seconds", "0"]);
    assert_eq!(
        again.ok(&["key", "list"]).as_array().unwrap().len(),
        0,
        "what lies in Sent tells of another program"
    );
    again.ok(&["key", "make", &bob.person.address]);
    let bob = Side { world: again, person: bob.person };
    let new = bob.fingerprint();
    assert_ne!(old, new);
    bob.writes(&[&alice], "three", "three\n", &[]);
    let got = alice.reads("three");
    assert_eq!(got["assurance"], "different-key", "{got}");
    let known = alice.peer(&bob);
    assert_eq!(
        (&known["trust"], &known["pinned_fingerprint"], &known["public_key_fingerprint"]),
        (&"changed".into(), &old.as_str().into(), &new.as_str().into()),
        "{known}"
    );
    let sent = alice.writes(&[&bob], "four", "four\n", &["--encrypt", "yes"]);
    assert_eq!(sent["encrypted"], true, "to the old key, which nothing took away: {sent}");
    let closed = bob_cannot_open(&bob);
    assert_eq!(closed["privacy"], "closed", "{closed}");

    alice.world.ok(&["peer", "accept", &bob.person.address]);
    assert_eq!(alice.peer(&bob)["pinned_fingerprint"], new);
    alice.writes(&[&bob], "five", "five\n", &["--encrypt", "yes"]);
    assert_eq!(bob.reads("five")["privacy"], "private");

    assert!(
        alice.world.run(&["peer", "verify", &bob.person.address, &old[8..]]).code() != 0,
        "no short forms"
    );
    alice.world.ok(&["peer", "verify", &bob.person.address, &new.to_lowercase()]);
    bob.writes(&[&alice], "six", "six\n", &[]);
    assert_eq!(alice.reads("six")["assurance"], "verified");
    let other = World::with_account(lab, &bob.person);
    other.ok(&["config", "set", "writing.undo-seconds", "0"]);
    other.ok(&["key", "make", &bob.person.address]);
    let third = Side { world: other, person: bob.person.clone() };
    third.writes(&[&alice], "seven", "seven\n", &[]);
    assert_eq!(alice.reads("seven")["assurance"], "different-key");
    let body = alice.world.file("body.txt", "eight\n");
    let words = alice.world.fails(
        1,
        &[
            "send",
            "--to",
            &bob.person.address,
            "--subject",
            "eight",
            "--body-file",
            &body,
            "--encrypt",
            "yes",
        ],
    );
    assert!(words.contains("another key than the one you compared"), "{words}");
    let history = alice.peer(&bob)["history"].to_string();
    for deed in ["pinned", "changed", "verified"] {
        assert!(history.contains(deed), "{history}");
    }
}

/// The newest message that Bob has no key for.
fn bob_cannot_open(bob: &Side) -> Value {
    let id = wait_for("the closed message", || {
        bob.world.ok(&["sync"]);
        let found = bob.world.ok(&["search", "is:encrypted"]);
        let closed = found["messages"].as_array().unwrap().iter().find(|m| m["privacy"] == "closed").cloned();
        closed.and_then(|m| m["id"].as_str().map(str::to_owned))
    });
    bob.world.ok(&["show", &id])
}

#[test]
fn an_answer_to_private_mail_stays_private_or_carries_nothing_of_it() {
    let lab = Lab::shared();
    let (alice, bob, carol) = (Side::new(lab, "alice"), Side::new(lab, "bob"), Side::new(lab, "carol"));
    alice.writes(&[&bob], "hello", "hello\n", &[]);
    let got = bob.reads("hello");
    bob.writes(
        &[&alice],
        "Re: hello",
        "the secret is a cormorant\n",
        &["--reply-to-id", got["id"].as_str().unwrap()],
    );
    let got = alice.reads("Re: hello");
    let id = got["id"].as_str().unwrap();
    // Carol has told nobody her key.
    let quoting = alice.world.file("quoting.txt", "look!\n\n> the secret is a cormorant\n");
    let args = [
        "send",
        "--to",
        &carol.person.address,
        "--subject",
        "Re: hello",
        "--body-file",
        &quoting,
        "--reply-to-id",
        id,
    ];
    let words = alice.world.fails(1, &args);
    assert!(words.contains(&carol.person.address) && words.contains("nothing was sent"), "{words}");
    let sent = alice.world.ok(&[&args[..], &["--encrypt", "no"]].concat());
    alice.world.ok(&["outbox", "flush"]);
    assert_eq!(sent["encrypted"], false, "{sent}");
    let got = carol.reads("Re: [...]");
    let lies = raw(&carol.world, &got);
    assert!(!lies.contains("cormorant") && lies.contains("look!"), "{lies}");
}

#[test]
fn a_private_message_that_is_deleted_leaves_no_word_behind() {
    let lab = Lab::shared();
    let (alice, bob) = (Side::new(lab, "alice"), Side::new(lab, "bob"));
    alice.writes(&[&bob], "hello", "hello\n", &[]);
    bob.reads("hello");
    bob.writes(&[&alice], "zanzibarquince", "the mellowpumpernickel is ready\n", &[]);
    let got = alice.reads("zanzibarquince");
    let id = got["id"].as_str().unwrap();
    alice.world.ok(&["tag", "+trash", "-inbox", "--", "subject:zanzibarquince"]);
    alice.world.ok(&["delete", id]);
    alice.world.ok(&["sync"]);
    assert_eq!(alice.world.count("mellowpumpernickel"), 0);
    assert_eq!(alice.world.count("zanzibarquince"), 0);
    // No list names it either. That no table and no index holds a word of it is shown beside the engine.
    let all = alice.world.ok(&["search", "*"]).to_string();
    assert!(!all.contains("zanzibarquince"), "{all}");
}

#[test]
fn a_key_that_the_old_one_signed_is_gone_over_to_without_a_word() {
    let lab = Lab::shared();
    let (alice, bob) = (Side::new(lab, "alice"), Side::new(lab, "bob"));
    bob.writes(&[&alice], "one", "one\n", &[]);
    let got = alice.reads("one");
    alice.writes(&[&bob], "two", "two\n", &["--reply-to-id", got["id"].as_str().unwrap()]);
    bob.reads("two");
    let old = bob.fingerprint();
    let new =
        bob.world.ok(&["key", "renew", &bob.person.address])["fingerprint"].as_str().unwrap().to_owned();
    assert_ne!(old, new);
    bob.writes(&[&alice], "three", "with a new key\n", &[]);
    alice.reads("three");
    let known = alice.peer(&bob);
    assert_eq!(
        (&known["trust"], &known["pinned_fingerprint"]),
        (&"same".into(), &new.as_str().into()),
        "{known}"
    );
    assert!(known["history"].to_string().contains("signed by the key before it"), "{known}");
    alice.writes(&[&bob], "four", "to the new key\n", &[]);
    assert_eq!(bob.reads("four")["privacy"], "private");
    assert_eq!(bob.reads("two")["privacy"], "private", "the old key still reads");
    assert_eq!(bob.reads("four")["assurance"], "same-key");
}

#[test]
fn a_setup_message_takes_a_key_to_another_program() {
    let lab = Lab::shared();
    let alice = Side::new(lab, "alice");
    let made = alice.world.ok(&["key", "setup-message", "make", &alice.person.address]);
    alice.world.ok(&["outbox", "flush"]);
    wait_for("the message to oneself", || (!lab.imap(&alice.person).held("INBOX").is_empty()).then_some(()));
    // Another store on the same account is offered the key before it makes one.
    let other = World::with_account(lab, &alice.person);
    assert_eq!(other.ok(&["key", "list"]).as_array().unwrap().len(), 0, "no key of its own yet");
    let id = wait_for("the setup message", || {
        other.ok(&["sync"]);
        let found = other.ok(&["search", "subject:Autocrypt in:inbox"]);
        found["messages"][0]["id"].as_str().map(str::to_owned)
    });
    let wrong = other.file("wrong", "1111-2222-3333-4444-5555-6666-7777-8888-9999");
    let words = other.fails(1, &["key", "setup-message", "open", &id, "--code-file", &wrong]);
    assert!(words.contains("code"), "{words}");
    let code = other.file("code", made["code"].as_str().unwrap());
    other.ok(&["key", "setup-message", "open", &id, "--code-file", &code]);
    let taken = other.ok(&["key", "list"]);
    assert_eq!(
        (&taken[0]["fingerprint"], &taken[0]["secret"], &taken[0]["current"]),
        (&alice.fingerprint().as_str().into(), &true.into(), &true.into()),
        "{taken}"
    );
    let copy = other.path("keys.asc");
    other.ok(&["key", "backup", copy.to_str().unwrap()]);
    assert!(std::fs::read_to_string(copy).unwrap().starts_with("-----BEGIN PGP MESSAGE-----"));
}

#[test]
fn a_draft_lies_sealed_on_the_server_as_long_as_it_is_one() {
    let lab = Lab::shared();
    let alice = Side::new(lab, "alice");
    alice.world.ok(&["sync"]);
    let token = alice.world.ok(&["token", "create", "drafts", "--scope", "write"])["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let server = alice.world.serve();
    let write = |method: &str, path: &str, body: &str| {
        let content = serde_json::json!({"to": "bob@lab.test", "subject": "quiet cormorants", "text": body});
        server.request(method, path).bearer(&token).json(&content).send().json()
    };
    let draft = write("POST", "/api/v1/drafts", "first thoughts");
    let path = format!("/api/v1/drafts/{}", draft["id"].as_str().unwrap());
    let lying = || lab.imap(&alice.person).held("Drafts");
    let first = wait_for("the copy", || (lying().len() == 1).then(|| lying().remove(0)));
    let text = String::from_utf8_lossy(&first.bytes).into_owned();
    assert!(
        text.contains("BEGIN PGP MESSAGE") && text.contains("Autocrypt-Draft-State: encrypt=no"),
        "{text}"
    );
    assert!(!text.contains("cormorants") && !text.contains("first thoughts"), "{text}");
    write("PUT", &path, "second thoughts");
    wait_for("the copy of what was changed", || {
        let held = lying();
        (held.len() == 1 && held[0].bytes != first.bytes).then_some(())
    });
    alice.world.ok(&["sync"]);
    assert_eq!(alice.world.count("in:draft"), 1, "the copy is not fetched");
    assert_eq!(alice.world.ok(&["status"])["accounts"][0]["skipped"], serde_json::json!([]));
    // Another program of Alice's, with the same key, goes on with it.
    let other = World::with_account(lab, &alice.person);
    let key = alice.world.run(&["key", "export", &alice.person.address, "--secret"]).done().stdout;
    other.run(&["key", "import", &other.file("key.asc", key)]);
    other.ok(&["sync"]);
    let there = other.ok(&["show", &other.only("in:draft")]);
    assert_eq!(
        (&there["subject"], &there["text"]),
        (&"quiet cormorants".into(), &"second thoughts\n".into()),
        "{there}"
    );
    assert_eq!(server.request("DELETE", &path).bearer(&token).send().status, 200);
    wait_for("the copy to go", || lying().is_empty().then_some(()));
}
