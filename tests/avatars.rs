//! Pictures of correspondents: looked for once the owner says so, through Tor or not at all, drawn anew; letters otherwise.

use crate::support::avatars::{Avatars, NEVER};
use crate::support::mail::with_headers;
use crate::support::resolver;
use crate::support::{Lab, Response, Server, World, wait_for, wait_until};
use image::{ImageFormat, RgbImage};
use serde_json::Value;
use std::io::Cursor;

const GRAVATAR: &str = "gravatar.com";
const LIBRAVATAR: &str = "seccdn.libravatar.org";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: image/png";

/// A picture of somebody, larger than it is shown.
fn face(format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(160, 120, |x, y| image::Rgb([x as u8, y as u8, 90]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn point(world: &World, avatars: &Avatars) {
    world.ok(&["config", "set", "extra-ca", &world.file("ca.pem", &avatars.onion.ca_pem)]);
    world.ok(&["config", "set", "dkim.resolver", &resolver::address()]);
    world.ok(&["config", "set", "tor.socks", &format!("127.0.0.1:{}", avatars.onion.port)]);
    world.ok(&["config", "set", "tor.mode", "socks"]);
}

fn letter(world: &World, from: &str, headers: &str) {
    let subject = format!("from {from}");
    let raw = with_headers(from, "alice@lab.test", &subject, headers, "The nets are dry.");
    world.ok(&["import", &world.file(&format!("{from}.eml"), raw)]);
}

struct Reader<'w> {
    server: Server<'w>,
    cookie: String,
}

impl<'w> Reader<'w> {
    fn new(world: &'w World) -> Self {
        let server = world.serve();
        let cookie = server.sign_in();
        Self { server, cookie }
    }

    fn get(&self, path: &str) -> Response {
        self.server.request("GET", path).cookie(&self.cookie).send()
    }

    fn page(&self, path: &str) -> String {
        let page = self.get(path);
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        page.text()
    }

    /// Where the picture of whoever wrote lies, as the list of all mail shows it.
    fn picture_of(&self, address: &str) -> Option<String> {
        let page = self.page("/search?q=*");
        let row = page.split("<article class=\"row").find(|row| row.contains(&format!("from {address}<")))?;
        let rest = row.split("<img src=\"").nth(1)?;
        Some(rest.split('"').next().unwrap().to_owned())
    }
}

fn log(world: &World) -> Vec<Value> {
    world.ok(&["network", "log", "--limit", "1000"]).as_array().unwrap().clone()
}

#[test]
fn pictures_are_looked_for_once_the_owner_says_so_and_drawn_anew() {
    let people = ["bob", "carol", "dave", "erin", "frank", "kim", "weekly", "spammer", "sealed"]
        .map(|name| format!("{name}@far.example"));
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let [bob, carol, dave, erin, frank, kim, weekly, spammer, sealed] = people[..] else { panic!("nine") };
    let avatars = Avatars::begin(&[GRAVATAR, "elsewhere.example"]);
    let png = face(ImageFormat::Png);
    avatars.put(GRAVATAR, bob, OK, &png);
    avatars.put(GRAVATAR, kim, OK, &face(ImageFormat::Jpeg));
    // More than any picture, no picture, and a way to another server.
    avatars.put(GRAVATAR, dave, OK, &vec![0x89; 3 << 20]);
    avatars.put(GRAVATAR, erin, OK, b"\x89PNG\r\n\x1a\n and no more");
    let led = "HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/avatar/frank";
    avatars.put(GRAVATAR, frank, led, b"");
    for silent in [weekly, spammer, sealed] {
        avatars.put(GRAVATAR, silent, OK, &png);
    }
    let world = World::new();
    point(&world, &avatars);
    let reader = Reader::new(&world);
    for person in [bob, carol, dave, erin, frank, spammer] {
        letter(&world, person, "");
    }
    letter(&world, weekly, "List-Id: <weekly.far.example>\r\n");
    world.ok(&["tag", "+spam", "--", "from:spammer"]);
    let parts = "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\n\
                 Content-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nAAAA\r\n\
                 -----END PGP MESSAGE-----\r\n--b--";
    let shut = with_headers(sealed, "alice@lab.test", &format!("from {sealed}"), "", parts);
    let shut = String::from_utf8(shut).unwrap().replace(
        "text/plain; charset=utf-8",
        "multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b",
    );
    world.ok(&["import", &world.file("sealed.eml", shut)]);

    // Off, as it is from the beginning: letters, and nothing goes out.
    assert_eq!(world.ok(&["config", "get", "avatars"])["value"], "off");
    let look = || {
        for path in ["/search?q=*", "/search?q=in:spam", "/contacts", "/contacts/bob@far.example"] {
            reader.page(path);
        }
    };
    look();
    assert!(!reader.page("/search?q=*").contains("/avatars/"));
    assert_eq!(log(&world), Vec::<Value>::new());

    // On, in the settings. A page waits for nobody.
    let settings = reader.get("/settings");
    let form = settings.form_with("action=\"/settings/avatars\"");
    assert!(settings.text().contains("learns that somebody writes with each of these people"));
    let mut fields = form.fields.clone();
    fields.push(("avatars".into(), "gravatar".into()));
    let post = reader.server.request("POST", &form.action).cookie(&reader.cookie);
    assert_eq!(post.origin(&reader.server.origin()).form(&fields).send().status, 303);
    look();
    let place = wait_for("bob's picture", || reader.picture_of(bob));
    let all = [bob, carol, dave, erin, frank].map(|one| format!("{GRAVATAR} {one}"));
    wait_until("everybody to be asked for", || avatars.asked(&people).len() >= all.len());
    assert_eq!(avatars.asked(&people), all);

    // What is shown was drawn here, small, without what else was in the file; it wants the session.
    let picture = reader.get(&place);
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
    assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(picture.header("cache-control"), Some("no-store"));
    assert_ne!(picture.body, png);
    let seen = image::load_from_memory_with_format(&picture.body, ImageFormat::Png).unwrap();
    assert_eq!((seen.width(), seen.height()), (96, 72));
    assert_ne!(reader.server.get(&place).status, 200);
    assert_eq!(reader.get("/avatars/0123456789abcdef").status, 404);
    assert!(!place.contains("bob"), "{place}");
    let id = world.only("from:bob");
    for path in
        ["/contacts", "/contacts/bob@far.example", &format!("/threads/{id}"), &format!("/messages/{id}")]
    {
        assert!(reader.page(path).contains(&place), "{path}");
    }

    // Nobody is asked for twice, and whoever misbehaved has letters. Kim comes in a later batch than all of them.
    letter(&world, kim, "");
    look();
    wait_until("kim's picture", || reader.picture_of(kim).is_some());
    let mut more = all.to_vec();
    more.push(format!("{GRAVATAR} {kim}"));
    assert_eq!(avatars.asked(&people), more);
    for letters in [carol, dave, erin, frank, weekly, sealed] {
        assert_eq!(reader.picture_of(letters), None, "{letters}");
    }
    let mut circuits: Vec<_> = avatars.onion.all().into_iter().map(|question| question.circuit).collect();
    circuits.sort();
    circuits.dedup();
    assert_eq!(circuits.len(), more.len(), "nothing ties two people together");
    for question in avatars.onion.all() {
        let head = question.head.join("\n").to_lowercase();
        for telling in ["cookie", "referer", "mailkeep", "far.example", "bob"] {
            assert!(!head.contains(telling), "{head}");
        }
    }
    for entry in log(&world) {
        assert_eq!((&entry["purpose"], &entry["route"]), (&"avatar".into(), &"tor".into()), "{entry}");
    }

    // A picture goes with the mail of its person, and all go when they are no longer wanted.
    let kims = reader.picture_of(kim).unwrap();
    world.ok(&["tag", "+trash", "--", "from:bob"]);
    world.ok(&["delete", &id]);
    assert_eq!((reader.get(&place).status, reader.get(&kims).status), (404, 200));
    world.ok(&["config", "set", "avatars", "off"]);
    assert_eq!(reader.get(&kims).status, 404);
    assert!(!reader.page("/search?q=*").contains("/avatars/"));
}

#[test]
fn who_never_answers_keeps_nobody_from_being_found() {
    let (bob, grace) = ("bob@far.example", "grace@far.example");
    let avatars = Avatars::begin(&["faces.example"]);
    avatars.put("faces.example", bob, OK, &face(ImageFormat::Png));
    avatars.put("faces.example", grace, NEVER, b"");
    let world = World::new();
    point(&world, &avatars);
    letter(&world, bob, "");
    letter(&world, grace, "");
    for bad in ["http://faces.example", "faces.example"] {
        assert_eq!(world.run(&["config", "set", "avatars.server", bad]).code(), 2, "{bad}");
    }
    world.ok(&["config", "set", "avatars.server", "https://faces.example"]);
    world.ok(&["config", "set", "avatars", "gravatar"]);
    let reader = Reader::new(&world);
    wait_until("bob's picture", || reader.picture_of(bob).is_some());
    assert_eq!(reader.picture_of(grace), None);
    assert!(log(&world).iter().all(|entry| entry["host"] == "faces.example"), "another server was named");
}

#[test]
fn without_tor_there_are_letters_and_nobody_is_asked() {
    let bob = "bob@far.example";
    let avatars = Avatars::begin(&[GRAVATAR]);
    avatars.put(GRAVATAR, bob, OK, &face(ImageFormat::Png));
    let world = World::new();
    point(&world, &avatars);
    letter(&world, bob, "");
    avatars.onion.end();
    world.ok(&["config", "set", "avatars", "gravatar"]);
    let reader = Reader::new(&world);
    assert_eq!(reader.picture_of(bob), None);
    wait_until("the first to be tried", || !log(&world).is_empty());
    assert_eq!(reader.picture_of(bob), None);
    assert!(reader.page("/search?q=*").contains("aria-hidden=\"true\">B"), "letters are drawn");
    for entry in log(&world) {
        assert_eq!((&entry["purpose"], &entry["route"]), (&"avatar".into(), &"tor".into()), "{entry}");
        assert_ne!(entry["outcome"], "connected", "{entry}");
    }
    assert_eq!(avatars.onion.all().len(), 0);
}

#[test]
fn a_domain_s_own_server_is_asked_about_those_whom_the_owner_wrote_to() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let (bob, carol, dave, erin) =
        ("bob@far.example", "carol@far.example", "dave@odd.example", "erin@near.example");
    let hidden = "hidden@far.example";
    let people = [bob, carol, dave, erin, hidden];
    let own = "faces.far.example";
    let avatars = Avatars::begin(&[LIBRAVATAR, own, "odd.example"]);
    avatars.name("_avatars-sec._tcp.far.example", 443, own);
    avatars.name("_avatars-sec._tcp.odd.example", 8443, "odd.example");
    let picture = face(ImageFormat::Png);
    for (host, address) in
        [(own, bob), (own, hidden), (LIBRAVATAR, carol), (LIBRAVATAR, dave), (LIBRAVATAR, erin)]
    {
        avatars.put(host, address, OK, &picture);
    }
    let world = World::with_account(lab, &alice);
    point(&world, &avatars);
    for to in [bob, dave, erin] {
        let bcc = format!("Bcc: {hidden}\r\n");
        let sent = with_headers(&alice.address, to, &format!("to {to}"), &bcc, "Hello");
        world.ok(&["import", &world.file(&format!("to-{to}.eml"), sent)]);
    }
    for from in [bob, carol, dave, erin] {
        letter(&world, from, "");
    }
    world.ok(&["config", "set", "avatars", "libravatar"]);
    let reader = Reader::new(&world);
    for (at, person) in [bob, carol, erin].into_iter().enumerate() {
        wait_until(&format!("picture {at}"), || reader.picture_of(person).is_some());
    }
    // Dave's house names a server on a port of its own, which is not asked, and nobody else in its place.
    let expected = [format!("{own} {bob}"), format!("{LIBRAVATAR} {carol}"), format!("{LIBRAVATAR} {erin}")];
    assert_eq!(avatars.asked(&people), expected);
    // A stranger learns nothing by their own server: it was looked for on account of those three only.
    wait_until("all three houses to be asked about", || avatars.onion.asked(resolver::RESOLVER).len() == 3);
    for entry in log(&world).iter().filter(|entry| entry["purpose"] == "avatar") {
        assert_eq!(entry["route"], "tor", "{entry}");
    }
}
