//! Looking for other people's keys: in directories and at key servers, through Tor or not at all, and what is made of it.

use crate::private::Side;
use crate::support::keyserver::{KeyServers, key_of};
use crate::support::mail::with_headers;
use crate::support::{Lab, Server, World, wait_until};
use mailkeep::crypto::openpgp::{Certificate, SecretKey, hashed_local_part, seal};
use serde_json::Value;

const KEYS: &str = "keys.example.net";
const VELOPE: &str = "velope.example.net";
const POOL: &str = "pool.example.net";

/// Everybody's house and the servers; the directory of `direct.example` lies on its own name only.
const NAMES: [&str; 6] = ["openpgpkey.wkd.example", "wkd.example", "direct.example", KEYS, VELOPE, POOL];

fn alice(servers: &KeyServers) -> World {
    let world = World::new();
    point(&world, servers);
    world
}

/// Lets a store ask the servers of a story.
fn point(world: &World, servers: &KeyServers) {
    let ca = world.file("ca.pem", &servers.onion.ca_pem);
    world.ok(&["config", "set", "extra-ca", &ca]);
    world.ok(&["config", "set", "tor.socks", &format!("127.0.0.1:{}", servers.onion.port)]);
    world.ok(&["config", "set", "tor.mode", "socks"]);
    let list = format!("vks+https://{KEYS} mailvelope+https://{VELOPE} hkp+http://{POOL}:11371");
    world.ok(&["config", "set", "lookup.servers", &list]);
}

fn fingerprint(key: &SecretKey) -> String {
    key.certificate().fingerprint().to_string()
}

fn one(found: &Value) -> &Value {
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    &found[0]
}

#[test]
fn a_key_is_found_wherever_it_lies_and_only_through_tor() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    let bob = key_of("bob@wkd.example");
    servers.put_wkd("bob@wkd.example", true, &bob.certificate().bytes());
    let carol = key_of("carol@direct.example");
    servers.put_wkd("carol@direct.example", false, &carol.certificate().bytes());
    let dave = key_of("dave@far.example");
    servers.put_vks(KEYS, "dave@far.example", &dave.certificate().armored());
    let erin = key_of("erin@far.example");
    servers.put_mailvelope(VELOPE, "erin@far.example", &erin.certificate().armored());
    let frank = key_of("frank@far.example");
    servers.put_hkp(POOL, "frank@far.example", &frank.certificate().armored());
    // One program asks all of it, so that circuits can be compared.
    let _server = world.serve();
    for (address, key, source, server) in [
        ("bob@wkd.example", &bob, "wkd", "wkd.example"),
        ("carol@direct.example", &carol, "wkd", "direct.example"),
        ("dave@far.example", &dave, "vks", KEYS),
        ("erin@far.example", &erin, "mailvelope", VELOPE),
        ("frank@far.example", &frank, "hkp", POOL),
    ] {
        let found = world.ok(&["key", "lookup", address]);
        let found = one(&found);
        assert_eq!(found["fingerprint"], fingerprint(key).as_str(), "{address}");
        assert_eq!(found["addresses"], serde_json::json!([address]));
        assert_eq!((&found["source"], &found["server"]), (&source.into(), &server.into()), "{address}");
        assert_eq!(
            (&found["secret"], &found["revoked"], &found["usable"]),
            (&false.into(), &false.into(), &true.into())
        );
        // It waits: nothing is relied on.
        let peer = world.ok(&["peer", "show", address]);
        assert_eq!((&peer["trust"], &peer["pinned_fingerprint"]), (&"none".into(), &Value::Null), "{peer}");
        assert_eq!(peer["keys"][0]["way"], format!("lookup {source} {server}"));
    }
    // Where the advanced name exists, the direct one is not asked; each domain and each address has a circuit of its own.
    assert!(!servers.asked().iter().any(|asked| asked.starts_with("wkd.example/")), "{:?}", servers.asked());
    let all = servers.onion.all();
    let circuit = |host: &str| all.iter().find(|q| q.host == host).unwrap().circuit.clone();
    assert_ne!(circuit("openpgpkey.wkd.example").1, circuit("direct.example").1);
    let mut at_keys: Vec<String> =
        all.iter().filter(|q| q.host == KEYS).map(|q| q.circuit.1.clone()).collect();
    let questions = at_keys.len();
    at_keys.sort();
    at_keys.dedup();
    assert_eq!((questions, at_keys.len()), (5, 5), "nothing ties two addresses together");
    for question in &all {
        assert_eq!(question.port, if question.host == POOL { 11371 } else { 443 });
        let head = question.head.join("\n").to_lowercase();
        assert!(
            !head.contains("cookie") && !head.contains("referer") && !head.contains("mailkeep"),
            "{head}"
        );
    }
    let log = world.ok(&["network", "log"]);
    assert!(log.as_array().unwrap().len() >= all.len(), "{log}");
    for entry in log.as_array().unwrap() {
        assert_eq!((&entry["purpose"], &entry["route"]), (&"key lookup".into(), &"tor".into()), "{entry}");
    }
}

#[test]
fn several_sources_are_merged_and_their_differences_shown() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    let (mine, other) = (key_of("bob@wkd.example"), key_of("bob@wkd.example"));
    servers.put_wkd("bob@wkd.example", true, &mine.certificate().bytes());
    servers.put_vks(KEYS, "bob@wkd.example", &mine.certificate().armored());
    servers.put_hkp(POOL, "bob@wkd.example", &other.certificate().armored());
    let found = world.ok(&["key", "lookup", "bob@wkd.example"]);
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found[0]["sources"], serde_json::json!(["wkd wkd.example", format!("vks {KEYS}")]));
    assert_eq!((&found[1]["fingerprint"], &found[1]["source"]), (&fingerprint(&other).into(), &"hkp".into()));
}

#[test]
fn whoever_lies_is_not_believed() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    let eve = key_of("eve@evil.example");
    let is_nobody = |address: &str| {
        let before = servers.asked().len();
        let said = world.fails(4, &["key", "lookup", address]);
        assert!(said.contains(address), "{said}");
        assert!(servers.asked().len() > before);
        world.fails(4, &["peer", "show", address]);
    };
    is_nobody("nobody@wkd.example");
    // Another's key, garbage, more than any key, a way into the house, and a body that never was one.
    servers.put_wkd("bob@wkd.example", true, &eve.certificate().bytes());
    servers.put_vks(KEYS, "bob@wkd.example", &eve.certificate().armored());
    servers.put_mailvelope(VELOPE, "bob@wkd.example", &eve.certificate().armored());
    is_nobody("bob@wkd.example");
    servers.put_vks(KEYS, "carol@direct.example", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n=AAAA\n");
    let place = format!("{VELOPE}/api/v1/key?email=carol%40direct.example");
    servers.put(&place, "HTTP/1.1 200 OK", b"{\"publicKeyArmored\": 7}");
    is_nobody("carol@direct.example");
    servers.put_wkd("dave@wkd.example", true, &vec![0xc6; 3 << 20]);
    is_nobody("dave@wkd.example");
    let led = "HTTP/1.1 302 Found\r\nLocation: http://192.168.1.1/router";
    servers.put(&format!("{KEYS}/vks/v1/by-email/erin@far.example"), led, b"");
    is_nobody("erin@far.example");
    let away = "HTTP/1.1 301 Moved\r\nLocation: https://velope.example.net/elsewhere";
    servers.put(&format!("{KEYS}/vks/v1/by-email/frank@far.example"), away, b"");
    is_nobody("frank@far.example");
    assert!(
        servers.onion.all().iter().all(|q| !q.host.starts_with("192.") && !q.head[0].contains("elsewhere"))
    );
    // What is no address, or leads home, is asked of nobody's directory.
    let before = servers.asked().len();
    assert_eq!(world.run(&["key", "lookup", "not an address"]).code(), 2);
    assert_eq!(servers.asked().len(), before);
    world.fails(4, &["key", "lookup", "root@printer.local"]);
    assert!(
        !servers
            .asked()
            .iter()
            .any(|asked| asked.starts_with("printer") || asked.starts_with("openpgpkey.printer"))
    );
}

#[test]
fn without_tor_nobody_is_asked() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    servers.put_wkd("bob@wkd.example", true, &key_of("bob@wkd.example").certificate().bytes());
    world.ok(&["config", "set", "tor.mode", "off"]);
    let said = world.fails(1, &["key", "lookup", "bob@wkd.example"]);
    assert!(said.contains("Tor is not there"), "{said}");
    world.ok(&["config", "set", "tor.mode", "socks"]);
    servers.onion.end();
    let server = world.serve();
    let said = world.fails(1, &["key", "lookup", "bob@wkd.example"]);
    assert!(said.contains("Tor is not there"), "{said}");
    let cookie = server.sign_in();
    let page = server.request("GET", "/compose?to=carol@wkd.example").cookie(&cookie).send();
    assert_eq!(page.status, 200);
    wait_until("the composer to try", || world.ok(&["network", "log"]).as_array().unwrap().len() > 1);
    for entry in world.ok(&["network", "log"]).as_array().unwrap() {
        assert_eq!(entry["route"], "tor", "{entry}");
        assert_ne!(entry["outcome"], "connected", "{entry}");
    }
    assert_eq!(servers.asked(), Vec::<String>::new());
}

#[test]
fn nobody_is_named_and_so_nobody_asked() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    world.ok(&["config", "set", "lookup.servers", ""]);
    world.ok(&["config", "set", "lookup.wkd", "off"]);
    let said = world.fails(1, &["key", "lookup", "bob@wkd.example"]);
    assert!(said.contains("lookup.servers"), "{said}");
    assert_eq!(world.run(&["config", "set", "lookup.servers", "https://keys.openpgp.org"]).code(), 2);
    assert_eq!(world.run(&["config", "set", "lookup.wkd", "maybe"]).code(), 2);
    // By default the onion stands first.
    let fresh = World::new();
    let list = fresh.ok(&["config", "get", "lookup.servers"])["value"].as_str().unwrap().to_owned();
    assert!(list.split(' ').next().unwrap().ends_with(".onion"), "{list}");
}

struct Page<'w> {
    server: Server<'w>,
    cookie: String,
}

impl<'w> Page<'w> {
    fn new(world: &'w World) -> Self {
        let server = world.serve();
        let cookie = server.sign_in();
        Self { server, cookie }
    }

    fn get(&self, path: &str) -> String {
        let page = self.server.request("GET", path).cookie(&self.cookie).send();
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        page.text()
    }

    /// Presses the button of the form that leads to `action`; gives the page that follows.
    fn press(&self, path: &str, action: &str, more: &[(&str, &str)]) -> String {
        let page = self.server.request("GET", path).cookie(&self.cookie).send();
        let form = page.form_with(action);
        let mut fields = form.fields.clone();
        fields.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let post =
            self.server.request("POST", &form.action).cookie(&self.cookie).origin(&self.server.origin());
        let answer = post.form(&fields).send();
        match answer.header("location") {
            Some(next) => self.get(next.split('#').next().unwrap()),
            None => answer.text(),
        }
    }
}

#[test]
fn whoever_writes_looks_and_whoever_reads_does_not() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    let bob = key_of("bob@wkd.example");
    servers.put_wkd("bob@wkd.example", true, &bob.certificate().bytes());
    let letter =
        with_headers("Bob <bob@wkd.example>", "alice@lab.test", "seeds", "", "Have you any seeds left?");
    world.ok(&["import", &world.file("a.eml", letter)]);
    let page = Page::new(&world);
    let id = world.only("*");
    page.get(&format!("/messages/{id}"));
    page.get(&format!("/threads/{id}"));
    let contact = page.get("/contacts/bob@wkd.example");
    assert!(contact.contains("Look for a key"), "{contact}");
    page.get("/contacts");
    assert_eq!(servers.asked(), Vec::<String>::new(), "reading asks nobody");
    // Writing does, and does not wait for it.
    let writing = page.get("/compose?to=bob@wkd.example");
    assert!(writing.contains("Looking for a key"), "{writing}");
    wait_until("the key to be there", || {
        page.get("/compose?to=bob@wkd.example").contains("wkd.example gives out a key for them")
    });
    let asked = servers.asked();
    assert_eq!(asked.len(), 1, "its own house has it, and nobody else is told: {asked:?}");
    // It is kept for a day: writing again asks nobody.
    let writing = page.get("/compose?to=bob@wkd.example");
    assert!(!writing.contains("Looking for a key"));
    assert_eq!(servers.asked().len(), 1);
    // Found out for nobody else either, and not again for six hours.
    page.get("/compose?to=nobody@wkd.example");
    wait_until("the answer that there is none", || {
        page.get("/compose?to=nobody@wkd.example").contains("No key server that answered has one")
    });
    let asked = servers.asked().len();
    page.get("/compose?to=nobody@wkd.example");
    assert_eq!(servers.asked().len(), asked);
    // What is still being typed is nobody's address.
    let compose = page.server.request("GET", "/compose").cookie(&page.cookie).send();
    let csrf =
        compose.form_with("data-composer").fields.into_iter().find(|(name, _)| name == "csrf").unwrap();
    let plan = |typing: &str, to: &str| {
        let fields =
            [csrf.clone(), ("to".to_owned(), to.to_owned()), ("typing".to_owned(), typing.to_owned())];
        let post = page.server.request("POST", "/compose/plan").cookie(&page.cookie);
        post.origin(&page.server.origin()).form(&fields).send().text()
    };
    assert!(!plan("to", "carol@direct.exam").contains("Looking for a key"));
    assert!(!plan("to", "bob@wkd.example, carol@direct.exam").contains("Looking for a key"));
    assert_eq!(servers.asked().len(), asked);
    assert!(plan("", "carol@direct.example").contains("Looking for a key"));
}

#[test]
fn the_contact_s_page_shows_what_was_found_and_the_owner_chooses() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    let frank = key_of("frank@far.example");
    servers.put_hkp(POOL, "frank@far.example", &frank.certificate().armored());
    let letter = with_headers("Frank <frank@far.example>", "alice@lab.test", "nets", "", "The nets are dry.");
    world.ok(&["import", &world.file("a.eml", letter)]);
    let page = Page::new(&world);
    let shown = page.press("/contacts/frank@far.example", "/look\"", &[]);
    assert!(shown.contains(&format!("Found at {POOL}, where anybody can put a key")), "{shown}");
    assert!(shown.contains("Use this key") && shown.contains("Last asked on"), "{shown}");
    // What anybody can have put there is not even proposed.
    let peer = world.ok(&["peer", "show", "frank@far.example"]);
    assert_eq!((&peer["recommendation"], &peer["trust"]), (&"disable".into(), &"none".into()), "{peer}");
    let print = fingerprint(&frank);
    let shown =
        page.press("/contacts/frank@far.example", "value=\"use\"", &[("do", "use"), ("fingerprint", &print)]);
    assert!(shown.contains("chosen by you, found at") && !shown.contains("Use this key"), "{shown}");
    let peer = world.ok(&["peer", "show", "frank@far.example"]);
    assert_eq!((&peer["pinned_fingerprint"], &peer["trust"]), (&print.as_str().into(), &"same".into()));
    assert_ne!(peer["recommendation"], "disable", "{peer}");
}

#[test]
fn a_look_up_never_takes_the_place_of_a_key_and_brings_its_revocation() {
    let servers = KeyServers::begin(&NAMES);
    let world = alice(&servers);
    let now = jiff::Timestamp::now().as_second();
    let (bob, revocation) = SecretKey::generate("bob@wkd.example", now - 3600).unwrap();
    let rival = key_of("bob@wkd.example");
    servers.put_wkd("bob@wkd.example", true, &bob.certificate().bytes());
    world.ok(&["key", "lookup", "bob@wkd.example"]);
    let said = world.fails(4, &["peer", "accept", "bob@wkd.example", "--key", &fingerprint(&rival)]);
    assert!(said.contains("No server named"), "{said}");
    world.ok(&["peer", "accept", "bob@wkd.example", "--key", &fingerprint(&bob)]);
    // His house and a server turn over at once.
    servers.put_wkd("bob@wkd.example", true, &rival.certificate().bytes());
    servers.put_vks(KEYS, "bob@wkd.example", &rival.certificate().armored());
    let found = world.ok(&["key", "lookup", "bob@wkd.example"]);
    assert_eq!(one(&found)["fingerprint"], fingerprint(&rival).as_str());
    let peer = world.ok(&["peer", "show", "bob@wkd.example"]);
    assert_eq!((&peer["pinned_fingerprint"], &peer["trust"]), (&fingerprint(&bob).into(), &"same".into()));
    assert_eq!(peer["waiting_fingerprint"], Value::Null, "what a server says does not even ask: {peer}");
    // He takes his key back; the server that is asked knows of it.
    let revoked = with_revocation(&bob.certificate().bytes(), &revocation);
    servers.put_wkd("bob@wkd.example", true, &revoked);
    let found = world.ok(&["key", "lookup", "bob@wkd.example"]);
    let taken_back = &found[0];
    assert_eq!((&taken_back["revoked"], &taken_back["usable"]), (&true.into(), &false.into()), "{found}");
    let peer = world.ok(&["peer", "show", "bob@wkd.example"]);
    assert_eq!(peer["recommendation"], "disable");
    assert!(peer["words"].as_str().unwrap().contains("revoked"), "{peer}");
    world.fails(1, &["peer", "accept", "bob@wkd.example", "--key", &fingerprint(&bob)]);
}

/// A certificate with the signature that takes it back behind its primary key.
fn with_revocation(certificate: &[u8], armored: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(armored.to_vec()).unwrap();
    let body: String = text
        .split("\n\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.starts_with('=') && !line.starts_with('-'))
        .collect();
    let signature = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    assert_eq!(certificate[0], 0xc6, "a public key in the new form");
    let (head, length) = match certificate[1] {
        one @ 0..=191 => (2, usize::from(one)),
        two @ 192..=223 => (3, (usize::from(two) - 192) * 256 + usize::from(certificate[2]) + 192),
        _ => panic!("a longer key than any of ours"),
    };
    let end = head + length;
    [&certificate[..end], &signature, &certificate[end..]].concat()
}

/// The mail of a server, in clear or sealed to the key that it is about.
fn asks(server: &str, to: &str, subject: &str, link: &str, sealed_to: Option<&Certificate>) -> Vec<u8> {
    let from = format!("Key server <noreply@{server}>");
    let text = format!("Please verify your address by opening this link:\r\n\r\n{link}\r\n");
    let Some(key) = sealed_to else { return with_headers(&from, to, subject, "", &text) };
    let inner = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}");
    let now = jiff::Timestamp::now().as_second();
    let (armoured, _) = seal(inner.as_bytes(), std::slice::from_ref(key), &[], None, now).unwrap();
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Fri, 17 May 2024 09:30:00 +0000\r\nMessage-ID: <{subject}@stories.test>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n\
         {}\r\n--b--\r\n",
        armoured.replace("\r\n", "\n").replace('\n', "\r\n")
    )
    .into_bytes()
}

fn state(all: &Value, server: &str) -> String {
    let one = all.as_array().unwrap().iter().find(|one| one["server"].as_str().unwrap().contains(server));
    one.unwrap_or_else(|| panic!("nothing of {server} in {all}"))["state"].as_str().unwrap().to_owned()
}

#[test]
fn the_owner_s_key_is_published_confirmed_and_removed_at_a_click() {
    let lab = Lab::shared();
    let alice = Side::new(lab, "alice");
    let (world, address) = (&alice.world, alice.person.address.clone());
    let servers = KeyServers::begin(&NAMES);
    point(world, &servers);
    world.fails(4, &["key", "publish", "nobody@lab.test"]);
    let print = alice.fingerprint();
    world.ok(&["config", "set", "tor.mode", "off"]);
    let said = world.fails(1, &["key", "publish", &address]);
    assert!(said.contains("Tor is not there"), "{said}");
    assert_eq!(servers.asked(), Vec::<String>::new());
    assert_eq!(world.ok(&["key", "publications"]), Value::Array(Vec::new()));
    world.ok(&["config", "set", "tor.mode", "socks"]);
    // Nothing began here, and so a mail has nothing to press.
    let early =
        format!("https://{VELOPE}/api/v1/key?op=verify&keyId={}&nonce={}", "0".repeat(16), "0".repeat(32));
    lab.deliver(&alice.person, &asks(VELOPE, &address, "too early", &early, None));
    let got = alice.reads("too early");
    world.fails(1, &["key", "confirm", got["id"].as_str().unwrap()]);

    let told = world.ok(&["key", "publish", &address]);
    assert_eq!((state(&told, KEYS), state(&told, VELOPE)), ("waiting".into(), "waiting".into()), "{told}");
    assert_eq!(told.as_array().unwrap().len(), 2, "an HKP server asks nobody, so nothing is laid there");
    assert_eq!((servers.published(KEYS, &address), servers.published(VELOPE, &address)), (None, None));
    let (at_keys, at_velope) =
        (servers.links(KEYS, &address).remove(0), servers.links(VELOPE, &address).remove(0));
    let own = Certificate::parse(&world.run(&["key", "export", &address]).done().stdout).unwrap();
    lab.deliver(&alice.person, &asks(KEYS, &address, "Verify for your key", &at_keys, None));
    lab.deliver(&alice.person, &asks(VELOPE, &address, "Verify your address", &at_velope, Some(&own)));
    let (first, second) = (alice.reads("Verify for your key"), alice.reads("Verify your address"));
    let id = |shown: &Value| shown["id"].as_str().unwrap().to_owned();
    assert_eq!(second["privacy"], "unconfirmed", "it came sealed: {second}");

    // The page says what it is, outside of the message, and asks nobody until it is pressed.
    let page = Page::new(world);
    let before = servers.asked().len();
    let shown = page.get(&format!("/messages/{}", id(&second)));
    assert!(shown.contains(&format!("{VELOPE} asks whether {address} is yours")), "{shown}");
    let shown = page.get(&format!("/messages/{}", id(&got)));
    assert!(shown.contains("It is not yours. Do nothing.") && !shown.contains("/keys/confirm"), "{shown}");
    assert_eq!(servers.asked().len(), before, "looking at it asks nobody");
    let shown = page.press(&format!("/messages/{}", id(&second)), "/keys/confirm", &[]);
    assert!(shown.contains(&format!("{VELOPE} gives the key to whoever asks for {address}.")), "{shown}");
    assert_eq!(servers.published(VELOPE, &address).as_deref(), Some(print.as_str()));
    let told = world.ok(&["key", "confirm", &id(&first)]);
    assert_eq!(
        (&told["state"], &told["fingerprint"]),
        (&"published".into(), &print.as_str().into()),
        "{told}"
    );
    assert_eq!(servers.published(KEYS, &address).as_deref(), Some(print.as_str()));
    world.fails(1, &["key", "confirm", &id(&first)]);
    let again = world.ok(&["key", "publish", &address]);
    assert_eq!(state(&again, KEYS), "published", "it is there already: {again}");
    for entry in world.ok(&["network", "log", "--limit", "1000"]).as_array().unwrap() {
        let own = entry["purpose"] == "imap" || entry["purpose"] == "submission";
        assert!(own || entry["route"] == "tor", "{entry}");
    }

    // And away again.
    let link = servers.links(VELOPE, &address).pop().unwrap();
    lab.deliver(&alice.person, &asks(VELOPE, &address, "Verify it anew", &link, None));
    world.ok(&["key", "confirm", &id(&alice.reads("Verify it anew"))]);
    let told = world.ok(&["key", "unpublish", &address]);
    assert_eq!((state(&told, VELOPE), state(&told, KEYS)), ("removing".into(), "removing".into()), "{told}");
    let told = world.ok(&["key", "unpublish", &address]);
    assert_eq!((state(&told, VELOPE), state(&told, KEYS)), ("removing".into(), "failed".into()), "{told}");
    assert!(told.to_string().contains("asked a short while ago"), "{told}");
    for (server, subject, start) in
        [(VELOPE, "Verify removal", "/api/v1/key?op=verifyRemove"), (KEYS, "Manage your key", "/manage/")]
    {
        let link = servers.links(server, &address).pop().unwrap();
        assert!(link.starts_with(&format!("https://{server}{start}")), "{link}");
        lab.deliver(&alice.person, &asks(server, &address, subject, &link, None));
        let message = id(&alice.reads(subject));
        let shown = page.get(&format!("/messages/{message}"));
        assert!(shown.contains(&format!("{server} asks whether the key of {address} shall go")), "{shown}");
        let told = world.ok(&["key", "confirm", &message]);
        assert_eq!(told["state"], "removed", "{told}");
        assert_eq!(servers.published(server, &address), None);
        world.fails(1, &["key", "confirm", &message]);
    }
    world.fails(4, &["key", "unpublish", &address]);
}

#[test]
fn only_what_was_begun_here_can_be_confirmed_and_the_server_must_hold_to_it() {
    let lab = Lab::shared();
    let alice = Side::new(lab, "alice");
    let (world, address) = (&alice.world, alice.person.address.clone());
    let servers = KeyServers::begin(&NAMES);
    point(world, &servers);
    world.ok(&["key", "publish", &address]);
    let link = servers.links(VELOPE, &address).remove(0);
    let other_key = link
        .split('&')
        .map(|piece| if piece.starts_with("keyId=") { "keyId=0011223344556677" } else { piece });
    let other_key = other_key.collect::<Vec<_>>().join("&");
    let asked = servers.asked().len();
    for (subject, from, link) in [
        ("of a stranger", VELOPE, other_key.as_str()),
        ("from elsewhere", "evil.example", link.as_str()),
        ("to elsewhere", VELOPE, "https://evil.example/api/v1/key?op=verify"),
        ("to a look-alike", VELOPE, &link.replace(VELOPE, "velope.example.net.evil.example")),
    ] {
        lab.deliver(&alice.person, &asks(from, &address, subject, link, None));
        let got = alice.reads(subject);
        world.fails(1, &["key", "confirm", got["id"].as_str().unwrap()]);
    }
    assert_eq!(servers.asked().len(), asked, "nobody was asked");
    // The server takes it, and gives out somebody else's key.
    lab.deliver(&alice.person, &asks(VELOPE, &address, "a turncoat", &link, None));
    let got = alice.reads("a turncoat");
    servers.take_over(VELOPE, &address, &key_of(&address).certificate());
    let said = world.fails(1, &["key", "confirm", got["id"].as_str().unwrap()]);
    assert!(said.contains("another key"), "{said}");
    assert_eq!(state(&world.ok(&["key", "publications"]), VELOPE), "waiting");
    // Another one holds to it, and gives out somebody else's key as well. A link for removing was not asked for.
    let link = servers.links(KEYS, &address).remove(0);
    lab.deliver(&alice.person, &asks(KEYS, &address, "two tongues", &link, None));
    let removes = link.replace("/verify/", "/manage/");
    lab.deliver(&alice.person, &asks(KEYS, &address, "nobody asked", &removes, None));
    servers.put_vks(KEYS, &address, &key_of(&address).certificate().armored());
    let (got, other) = (alice.reads("two tongues"), alice.reads("nobody asked"));
    world.fails(1, &["key", "confirm", other["id"].as_str().unwrap()]);
    let told = world.ok(&["key", "confirm", got["id"].as_str().unwrap()]);
    assert_eq!(told["state"], "published", "{told}");
    assert!(told["words"].as_str().unwrap().contains("another one"), "{told}");
}

#[test]
fn a_directory_for_one_s_own_domain_is_written() {
    let lab = Lab::shared();
    let alice = Side::new(lab, "alice");
    let (world, address) = (&alice.world, alice.person.address.clone());
    let folder = world.path("www");
    World::new().fails(4, &["key", "wkd-export", folder.to_str().unwrap()]);
    let told = world.ok(&["key", "wkd-export", folder.to_str().unwrap()]);
    let (local, domain) = address.split_once('@').unwrap();
    assert_eq!((&told["domains"], &told["keys"]), (&serde_json::json!([domain]), &1.into()));
    let place = folder.join(".well-known/openpgpkey").join(domain);
    assert!(place.join("policy").is_file());
    let bytes = std::fs::read(place.join("hu").join(hashed_local_part(local).unwrap())).unwrap();
    let key = Certificate::parse(&bytes).unwrap();
    assert_eq!(key.fingerprint().to_string(), alice.fingerprint());
}
