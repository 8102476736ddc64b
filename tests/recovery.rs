//! Alice forgets her passphrase: the sheet brings her back, and so do three of five pieces, in the shell and in the browser;
//! two pieces never do, and a letter that was mistyped is named as such.

use crate::support::world::PASSPHRASE;
use crate::support::{Lab, Person, Response, Server, World, wait_for};
use serde_json::Value;

fn make(world: &World) -> String {
    world.ok(&["recovery", "make"])["recovery_key"].as_str().unwrap().to_owned()
}

/// From here on the passphrase is said to be this.
fn say(world: &World, words: &str) {
    world.file("passphrase", format!("{words}\n"));
}

fn mistyped(text: &str) -> String {
    let last = if text.ends_with('7') { "8" } else { "7" };
    format!("{}{last}", &text[..text.len() - 1])
}

fn split(world: &World, key: &str) -> Vec<String> {
    let made = world.ok(&["recovery", "split", "--key-file", &world.file("key", key)]);
    assert_eq!((&made["need"], &made["of"]), (&3.into(), &5.into()), "{made}");
    made["shares"].as_array().unwrap().iter().map(|share| share.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_key_from_the_sheet_opens_the_store_and_sets_a_new_passphrase() {
    let world = World::new();
    let key = make(&world);
    assert_eq!(key.split(' ').map(str::len).collect::<Vec<_>>(), [4; 14], "{key}");
    assert_eq!(
        world
            .run(&["recovery", "split", "--key-file", &world.file("key", &key)])
            .done()
            .stdout
            .split(|b| *b == b'\n')
            .count(),
        6
    );

    say(&world, "what was it, something with birds");
    assert!(world.fails(3, &["status"]).contains("passphrase is wrong"));
    say(&world, &mistyped(&key));
    assert!(world.fails(3, &["status"]).contains("mistyped"));
    // Copied by hand: small letters, on two lines.
    say(&world, &key.to_lowercase().replacen(" ", "\n", 7).replacen('\n', " ", 6));
    world.ok(&["status"]);
    let new = world.file("new", "four grey owls in the old barn");
    world.ok(&["passphrase", "change", "--new-passphrase-file", &new]);

    say(&world, PASSPHRASE);
    world.fails(3, &["status"]);
    say(&world, "four grey owls in the old barn");
    world.ok(&["status"]);
    say(&world, &key);
    world.ok(&["status"]);
    // A new sheet, asked for with the old one, ends it.
    let newer = make(&world);
    assert!(world.fails(3, &["status"]).contains("a newer one was made"));
    assert!(world.fails(3, &["recovery", "split", "--key-file", &world.file("key", &key)]).contains("newer"));
    say(&world, &newer);
    world.ok(&["status"]);
    assert_eq!(world.ok(&["check"])["damaged"], 0);
}

#[test]
fn a_running_server_makes_the_key_and_forgets_the_one_before() {
    let world = World::new();
    let first = make(&world);
    let server = world.serve();
    say(&world, &first);
    world.ok(&["status"]);
    let second = make(&world);
    assert!(
        world.fails(3, &["status"]).contains("a newer one was made"),
        "what was proved a moment ago is no proof"
    );
    say(&world, &second);
    world.ok(&["status"]);
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn three_of_five_pieces_give_the_key_back_and_two_never_do() {
    let world = World::new();
    let key = make(&world);
    let pieces = split(&world, &key);
    let file = |n: usize| world.file(&format!("piece-{n}"), &pieces[n]);
    // On a machine that holds no store.
    let elsewhere = World::bare();
    for [a, b, c] in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
        let joined = elsewhere.ok(&["recovery", "join", &file(a), &file(b), &file(c)]);
        assert_eq!(joined["recovery_key"], key.as_str());
    }
    for (a, b) in [(0, 1), (3, 4)] {
        let said = elsewhere.fails(1, &["recovery", "join", &file(a), &file(b), &file(a)]);
        assert!(said.contains("2 different shares are here, and 3 are needed"), "{said}");
    }
    let wrong = world.file("wrong", mistyped(&pieces[2]));
    assert!(elsewhere.fails(1, &["recovery", "join", &file(0), &file(1), &wrong]).contains("mistyped"));
    let other = world.file("other", &split(&world, &key)[2]);
    assert!(
        elsewhere
            .fails(1, &["recovery", "join", &file(0), &file(1), &other])
            .contains("do not belong together")
    );
    world
        .fails(2, &["recovery", "split", "--need", "4", "--of", "3", "--key-file", &world.file("key", &key)]);

    // In the browser, at the locked door.
    let server = world.serve_locked();
    let door = server.get("/unlock/shares");
    assert_eq!(door.status, 200);
    let form = door.form_with("/unlock/shares");
    let bring = |text: String| {
        let mut fields = form.fields.clone();
        fields.push(("shares".to_owned(), text));
        server
            .request("POST", &form.action)
            .cookie(&door.cookies())
            .origin(&server.origin())
            .form(&fields)
            .send()
    };
    let refused = bring(format!("{}\n\n{}", pieces[0], pieces[1]));
    assert_eq!(refused.status, 401);
    assert!(refused.text().contains("3 are needed") && refused.cookies().is_empty(), "{}", refused.text());
    let let_in =
        bring(format!("From Bob:\n> {}\n\n{}\nand {}\n\n{}", pieces[4], pieces[1], "a word", pieces[3]));
    assert_eq!(
        (let_in.status, let_in.header("location")),
        (303, Some("/settings#passphrase")),
        "{}",
        let_in.text()
    );
}

/// A browser that is signed in.
struct Browser<'a> {
    server: &'a Server<'a>,
    cookie: String,
}

impl Browser<'_> {
    fn page(&self, path: &str) -> Response {
        self.server.request("GET", path).cookie(&self.cookie).send()
    }

    fn post(&self, action: &str, more: &[(&str, &str)]) -> Response {
        let mut fields = self.page("/settings/recovery").form_with("/settings/recovery/sheet").fields;
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.server
            .request("POST", action)
            .cookie(&self.cookie)
            .origin(&self.server.origin())
            .form(&fields)
            .send()
    }

    /// Makes a sheet; gives the key on it.
    fn sheet(&self) -> String {
        let made = self.post("/settings/recovery/sheet", &[("passphrase", PASSPHRASE)]);
        assert_eq!(made.status, 200, "{}", made.text());
        let html = made.text();
        let key = html.split("aria-label=\"Recovery key\">").nth(1).unwrap().split("</p>").next().unwrap();
        let groups: Vec<&str> = key.split("<span>").skip(1).map(|piece| &piece[..4]).collect();
        assert!(html.contains("class=\"qr\"") && groups.len() == 14, "{html}");
        groups.join(" ")
    }
}

/// Every file of a folder with its bytes.
fn held(folder: &std::path::Path, found: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => held(&entry.path(), found),
            kind if kind.is_file() => found.extend(std::fs::read(entry.path()).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn the_sheet_is_shown_once_to_who_knows_the_passphrase_and_is_kept_nowhere() {
    let world = World::new();
    let server = world.serve();
    let browser = Browser { server: &server, cookie: server.sign_in() };
    assert!(browser.page("/settings").text().contains("No recovery sheet was made yet"));
    let refused = browser.post("/settings/recovery/sheet", &[("passphrase", "guessed")]);
    assert_eq!(refused.status, 422);
    let key = browser.sheet();
    assert!(browser.page("/settings").text().contains("A recovery sheet was made on"));
    let again = browser.page("/settings/recovery");
    assert!(!again.text().contains(&key[..9]) && !again.text().contains("Recovery key\">"));
    assert_eq!(again.header("cache-control"), Some("no-store"));
    assert_eq!(server.stop().code(), Some(0));
    let mut bytes = Vec::new();
    held(world.data(), &mut bytes);
    for piece in [key.as_bytes(), key.replace(' ', "").as_bytes()] {
        assert!(!bytes.windows(piece.len()).any(|window| window == piece), "it lies in the data directory");
    }
    // At the door it does for the passphrase, and leads to where a new one is chosen.
    let server = world.serve_locked();
    let door = server.get("/unlock");
    let form = door.form_with("type=\"password\"");
    let enter = |words: &str| {
        let mut fields = form.fields.clone();
        fields.push((form.password_name.clone(), words.to_owned()));
        server
            .request("POST", &form.action)
            .cookie(&door.cookies())
            .origin(&server.origin())
            .form(&fields)
            .send()
    };
    let typo = enter(&mistyped(&key));
    assert_eq!(typo.status, 401);
    assert!(typo.text().contains("mistyped"), "{}", typo.text());
    assert_eq!(enter(&key.replace(' ', "")).header("location"), Some("/settings#passphrase"));
}

/// Fetches until a message of this subject is there; gives its id.
fn arrived(world: &World, subject: &str) -> String {
    wait_for(&format!("{subject:?} to arrive"), || {
        world.ok(&["sync"]);
        let found = world.ok(&["search", &format!("subject:\"{subject}\" in:inbox")]);
        found["messages"][0]["id"].as_str().map(str::to_owned)
    })
}

fn write(world: &World, to: &Person, subject: &str, more: &[&str]) -> Value {
    let body = world.file("body.txt", "Hello.\n");
    let mut args = vec!["send", "--to", &to.address, "--subject", subject, "--body-file", &body];
    args.extend(more);
    let queued = world.ok(&args);
    world.ok(&["outbox", "flush"]);
    queued
}

#[test]
fn pieces_go_to_contacts_in_private_and_come_back_as_the_key() {
    let lab = Lab::shared();
    let people = ["alice", "bob", "carol"].map(|name| lab.person(name));
    let worlds: Vec<World> = people.iter().map(|person| World::with_account(lab, person)).collect();
    let [alice, bob, carol] = &worlds[..] else { unreachable!() };
    for world in &worlds {
        world.ok(&["config", "set", "writing.undo-seconds", "0"]);
    }
    for (other, person) in [(bob, &people[1]), (carol, &people[2])] {
        let subject = format!("hello of {}", person.address);
        write(other, &people[0], &subject, &[]);
        let id = arrived(alice, &subject);
        let answer = write(alice, person, "an answer", &["--encrypt", "yes", "--reply-to-id", &id]);
        assert_eq!(answer["encrypted"], true, "{answer}");
    }
    let server = alice.serve();
    let browser = Browser { server: &server, cookie: server.sign_in() };
    assert!(browser.page("/").text().contains("Prepare for it"), "the inbox reminds of it");
    let key = browser.sheet();
    assert!(!browser.page("/").text().contains("Prepare for it"), "and no more");
    let (to_bob, to_carol) = (people[1].address.as_str(), people[2].address.as_str());
    let chosen = [("holder", to_bob), ("holder", to_carol), ("need", "2")];
    let with = |key: &str, need: &str| {
        let mut fields = chosen.to_vec();
        fields[2].1 = need;
        fields.push(("key", key));
        browser.post("/settings/recovery/shares", &fields)
    };
    for refused in [with(&mistyped(&key), "2"), with(&key, "3"), with(&key, "1")] {
        assert_eq!(refused.status, 422);
    }
    let stranger = [("holder", to_bob), ("holder", "mallory@lab.test"), ("need", "2"), ("key", key.as_str())];
    assert_eq!(browser.post("/settings/recovery/shares", &stranger).status, 422);
    let subject = "A piece of a key";
    assert_eq!(alice.count(&format!("to:{to_bob} in:sent")), 1, "nothing of that left");
    let done = with(&key, "2");
    assert!(done.status == 200 && done.text().contains("2 pieces are on their way"), "{}", done.text());
    assert!(done.text().contains("Any 2 of them give it back"), "{}", done.text());
    alice.ok(&["outbox", "flush"]);
    let mut files = Vec::new();
    for (n, world) in [bob, carol].into_iter().enumerate() {
        let shown = world.ok(&["show", &arrived(world, subject)]);
        assert_eq!(shown["privacy"], "private", "{shown}");
        let text = shown["text"].as_str().unwrap();
        let other = if n == 0 { to_carol } else { to_bob };
        assert!(text.contains("Any 2 of the 2 pieces") && !text.contains(other), "{text}");
        files.push(alice.file(&format!("letter-{n}"), text));
    }
    let joined = World::bare().ok(&["recovery", "join", &files[0], &files[1]]);
    assert_eq!(joined["recovery_key"], key.as_str());
    assert!(World::bare().fails(1, &["recovery", "join", &files[0]]).contains("2 are needed"));
    // She keeps nothing that she, or who gets at her keys, could join.
    assert_eq!(alice.count("pieces"), 0);
    let sent = alice.ok(&["search", &format!("to:{to_bob} in:sent")]);
    let closed = sent["messages"].as_array().unwrap().iter().filter(|m| m["privacy"] == "closed").count();
    assert_eq!(closed, 1, "{sent}");
}
