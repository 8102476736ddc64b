//! Alice reads her mail from the train. She comes by a door of its own, with her passphrase and a code; Mallory, who knows one
//! of the two, gets nothing, not even to know which. Here a web server stands before Mailkeep, played by the story; what comes by
//! an onion address goes through the same door.

use crate::support::mail::plain;
use crate::support::world::PASSPHRASE;
use crate::support::{Request, Response, Server, World, wait_until};
use serde_json::Value;
use std::io::Read;
use totp_rs::{Builder, Secret, Totp};

const WORD: &str = "zanzibarian";
const HOST: &str = "mail.alice.test";
const ORIGIN: &str = "https://mail.alice.test";
const FRAMES: &str = "frames.alice.test";
const AFAR: &[&str] = &["--remote-listen", "127.0.0.1:0", "--remote-host", HOST];
const AFAR_FRAMED: &[&str] =
    &["--remote-listen", "127.0.0.1:0", "--remote-host", HOST, "--remote-content", FRAMES];

/// The program on Alice's phone.
pub struct Phone {
    totp: Totp,
    pub spare: Vec<String>,
}

impl Phone {
    pub fn set_up(world: &World) -> Self {
        let begun = world.ok(&["remote", "factor", "begin"]);
        let letters = begun["secret"].as_str().unwrap().replace(' ', "");
        assert!(begun["address"].as_str().unwrap().contains(&letters));
        let totp = Builder::new().with_secret(Secret::try_from_base32(letters).unwrap()).build_noncompliant();
        let made = world.ok(&["remote", "factor", "confirm", &totp.generate(now()).to_string()]);
        let spare: Vec<String> = made["spare_codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|code| code.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(spare.len(), 10);
        Self { totp, spare }
    }

    /// The code of the next half minute: that of this one was shown when it was set up, and none works twice.
    pub fn code(&self) -> String {
        self.totp.generate(now() + 30).to_string()
    }

    pub fn spare(&mut self) -> String {
        self.spare.pop().unwrap()
    }
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// The way from afar.
struct Afar<'a> {
    port: String,
    server: &'a Server<'a>,
}

impl<'a> Afar<'a> {
    fn of(server: &'a Server<'a>) -> Self {
        let line = format!("Mailkeep answers for {ORIGIN}/ at ");
        let port = server.said().iter().find_map(|said| said.strip_prefix(&line)).unwrap().to_owned();
        assert_ne!(port, server.address, "a socket of its own");
        Self { port, server }
    }

    fn request(&self, method: &str, path: &str) -> Request {
        Request::new(&self.port, method, path).host(HOST)
    }

    fn get(&self, path: &str, jar: &str) -> Response {
        self.request("GET", path).cookie(jar).send()
    }

    fn post(&self, path: &str, jar: &str, fields: &[(String, String)]) -> Response {
        self.request("POST", path).cookie(jar).origin(ORIGIN).form(fields).send()
    }

    /// Fills in the form, as whoever has these cookies.
    fn try_in(&self, jar: &str, passphrase: &str, code: &str, more: &[(&str, &str)]) -> Response {
        let mut fields = self.get("/unlock", jar).form_with("type=\"password\"").fields;
        let typed = [("passphrase", passphrase), ("code", code)];
        fields.extend(typed.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        self.post("/unlock", jar, &fields)
    }

    /// Guesses until the next guess has to wait for a while; gives how many were looked at.
    fn held_up(&self, jar: &str) -> usize {
        let mut looked_at = 0;
        loop {
            let answer = self.try_in(jar, "a guess", "000000", &[]);
            match (answer.status, answer.header("retry-after").map(|wait| wait.parse::<u64>().unwrap())) {
                (401, None) => looked_at += 1,
                (429, Some(8..)) => return looked_at,
                (429, Some(wait)) => std::thread::sleep(std::time::Duration::from_secs(wait)),
                other => panic!("{other:?}"),
            }
            assert!(looked_at < 20, "guesses are held up");
        }
    }

    fn sign_in(&self, jar: &str, code: &str, more: &[(&str, &str)]) -> String {
        let answer = self.try_in(jar, PASSPHRASE, code, more);
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.cookies()
    }
}

fn world_with_mail() -> (World, String) {
    let world = World::new();
    let mail = plain("Bob <bob@lab.test>", "alice@lab.test", WORD, &format!("<p>{WORD}</p>"));
    let mail = String::from_utf8(mail).unwrap().replace("text/plain", "text/html");
    world.ok(&["import", &world.file("a.eml", mail)]);
    let id = world.only("*");
    (world, id)
}

fn shows_nothing(answer: &Response, what: &str) {
    let text = answer.text();
    assert!(!text.contains(WORD), "{what} shows mail: {text}");
    assert!(answer.cookies().is_empty(), "{what} sets {}", answer.cookies());
}

#[test]
fn nothing_is_served_without_both_and_nobody_learns_which_was_wrong() {
    let (world, id) = world_with_mail();
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    // Before there are codes nobody gets in, and the page is the same.
    let before = afar.get("/unlock", "").text();
    let refused = afar.try_in("", PASSPHRASE, "000000", &[]);
    assert_eq!(refused.status, 401);
    shows_nothing(&refused, "without codes");
    let phone = Phone::set_up(&world);
    assert_eq!(afar.get("/unlock", "").text(), before);
    let code = phone.code();
    let wrong = [
        ("no code", afar.try_in("", PASSPHRASE, "", &[])),
        ("a wrong code", afar.try_in("", PASSPHRASE, "000000", &[])),
        ("a wrong passphrase", afar.try_in("", "not the passphrase", &code, &[])),
    ];
    for (what, answer) in &wrong {
        assert_eq!(answer.status, 401, "{what}");
        assert_eq!(answer.text(), refused.text(), "{what} is answered like everything else");
        assert_eq!(answer.headers.len(), refused.headers.len());
        shows_nothing(answer, what);
    }
    for page in ["/", "/search?q=*", "/settings", "/events", "/nowhere", &format!("/messages/{id}")] {
        let answer = afar.get(page, "");
        assert_eq!(answer.status, 303, "{page}");
        assert!(answer.header("location").unwrap().starts_with("/unlock"), "{page}");
        shows_nothing(&answer, page);
    }
    // The wrong ones took time; theirs was not used up by them.
    let code = phone.code();
    let jar = afar.sign_in("", &code, &[]);
    assert!(afar.get(&format!("/messages/{id}"), &jar).text().contains(WORD));
    let again = afar.try_in("", PASSPHRASE, &code, &[]);
    assert_eq!(again.status, 401, "the code was used");
    assert_eq!(again.text(), refused.text());
    // By TLS, and by nothing else.
    let set = afar.try_in("", PASSPHRASE, &phone.spare[0], &[]);
    let cookie = set.header("set-cookie").unwrap();
    for part in ["__Host-mailkeep-remote=", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(set.header("strict-transport-security").is_some());
}

#[test]
fn the_doors_share_neither_cookies_nor_names() {
    let (world, _) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let home = server.sign_in();
    let (_, secret) = home.split_once('=').unwrap();
    for jar in [home.clone(), format!("__Host-mailkeep-remote={secret}"), format!("mailkeep-remote={secret}")]
    {
        let answer = afar.get("/", &jar);
        assert_eq!(answer.status, 303, "a cookie of home opens nothing from afar");
        shows_nothing(&answer, &jar);
    }
    let jar = afar.sign_in("", &phone.spare(), &[]);
    let (_, secret) = jar.split_once('=').unwrap();
    let (name, _) = home.split_once('=').unwrap();
    for jar in [jar.clone(), format!("{name}={secret}")] {
        let answer = server.request("GET", "/").cookie(&jar).send();
        assert_eq!(answer.status, 303, "nor the other way round");
        shows_nothing(&answer, &jar);
    }
    let home_name = server.address.clone();
    for host in [home_name.as_str(), "localhost", "evil.test", "mail.alice.test.", "mail.alice.test:80", ""] {
        let answer = afar.request("GET", "/unlock").host(host).cookie(&jar).send();
        assert_eq!(answer.status, 403, "{host:?}");
        shows_nothing(&answer, host);
    }
    assert_eq!(server.request("GET", "/unlock").host(HOST).send().status, 403);
    let fields = afar.get("/settings", &jar).form_with("/settings/writing").fields;
    let form = |origin: &str| {
        let request = afar.request("POST", "/settings/writing").cookie(&jar).form(&fields);
        request.origin(origin).send().status
    };
    for origin in ["null", "http://mail.alice.test", "https://evil.test", &server.origin()] {
        assert_eq!(form(origin), 403, "{origin}");
    }
    assert_eq!(form(ORIGIN), 303);
    // A form of the home door is none here, whoever sends it.
    let theirs =
        server.request("GET", "/settings").cookie(&home).send().form_with("/settings/writing").fields;
    assert_eq!(afar.post("/settings/writing", &jar, &theirs).status, 403);
}

#[test]
fn neither_set_up_nor_the_api_is_reached_from_afar() {
    let world = World::bare();
    let server = world.serve_locked_with(&[&["--listen", "127.0.0.1:0"], AFAR].concat());
    let afar = Afar::of(&server);
    for path in ["/", "/setup", "/unlock/shares"] {
        let answer = afar.get(path, "");
        assert_eq!(
            (answer.status, answer.header("location").unwrap().contains("/unlock")),
            (303, true),
            "{path}"
        );
    }
    let door = afar.get("/unlock", "");
    assert_eq!(door.status, 503);
    assert!(!door.text().contains("<form") && !door.text().contains("set up"), "{}", door.text());
    let csrf = server.get("/setup").form_with("passphrase").fields;
    for csrf in [csrf, Vec::new()] {
        let typed = [("passphrase", PASSPHRASE), ("again", PASSPHRASE)];
        let mut fields = csrf;
        fields.extend(typed.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(afar.post("/setup/passphrase", "", &fields).status, 303);
        assert!(!world.data().join("vault").exists(), "no store was made");
    }
    drop(server);
    let (world, _) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    let token =
        world.ok(&["token", "create", "admin", "--scope", "admin"])["token"].as_str().unwrap().to_owned();
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let jar = afar.sign_in("", &phone.spare(), &[]);
    for path in ["/api/v1/search?q=*", "/api/v1/openapi.json", "/health", "/setup"] {
        let stranger = afar.request("GET", path).bearer(&token).send();
        assert_eq!(stranger.status, 303, "a token is no second factor: {path}");
        shows_nothing(&stranger, path);
        assert_eq!(afar.request("GET", path).bearer(&token).cookie(&jar).send().status, 404, "{path}");
    }
    assert_eq!(
        server.request("GET", "/api/v1/search?q=*").bearer(&token).send().status,
        200,
        "at home it works"
    );
}

#[test]
fn while_it_is_locked_nothing_is_asked() {
    let (world, _) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    let server = world.serve_locked_with(&[&["--listen", "127.0.0.1:0"], AFAR].concat());
    let afar = Afar::of(&server);
    let door = afar.get("/unlock", "");
    assert_eq!((door.status, door.text().contains("<form")), (503, false));
    let local = server.get("/unlock").form_with("type=\"password\"").fields;
    let typed = [("passphrase".to_owned(), PASSPHRASE.to_owned()), ("code".to_owned(), phone.spare())];
    for csrf in [local, Vec::new()] {
        let fields = [csrf, typed.to_vec()].concat();
        assert_ne!(afar.post("/unlock", "", &fields).status, 303);
    }
    assert_eq!(
        server.get("/health").json()["locked"],
        true,
        "the right passphrase unlocks nothing from afar"
    );
    server.sign_in();
    let jar = afar.sign_in("", &phone.spare(), &[]);
    assert_eq!(afar.get("/", &jar).status, 200);
    world.ok(&["lock"]);
    assert_eq!(afar.get("/", &jar).status, 303);
    assert_eq!(afar.get("/unlock", &jar).status, 503);
    server.sign_in();
    assert_eq!(afar.get("/", &jar).status, 303, "what was locked is over");
}

/// The address of the frame on a message's page.
fn frame(page: &Response) -> String {
    let html = page.text();
    let tag = html.split("<iframe").nth(1).unwrap().split('>').next().unwrap();
    tag.split(" src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn content_has_names_of_its_own_or_a_path_that_is_blind_to_cookies() {
    let (world, id) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    {
        let server = world.serve_with(AFAR_FRAMED);
        let afar = Afar::of(&server);
        let jar = afar.sign_in("", &phone.spare(), &[]);
        let page = afar.get(&format!("/messages/{id}?view=html"), &jar);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-src 'self' https://*.frames.alice.test;"), "{policy}");
        let frame = frame(&page);
        let host = frame.strip_prefix("https://").unwrap().trim_end_matches('/');
        let capability = host.strip_suffix(&format!(".{FRAMES}")).unwrap();
        let framed = afar.request("GET", "/").host(host).send();
        assert_eq!((framed.status, framed.text().contains(WORD)), (200, true), "without a cookie");
        let policy = framed.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("sandbox") && policy.contains(&format!("frame-ancestors {ORIGIN}")),
            "{policy}"
        );
        assert_eq!(afar.request("GET", "/settings").host(host).cookie(&jar).send().status, 404);
        assert_eq!(afar.get(&format!("/content/{capability}/"), &jar).status, 404, "one place, never both");
        let port = server.port();
        let local = server.request("GET", "/").host(&format!("{capability}.localhost:{port}")).send();
        assert_eq!(local.status, 404, "the other door knows nothing of it");
        let fields = afar.get("/", &jar).form_with("/lock").fields;
        assert_eq!(afar.post("/lock", &jar, &fields).status, 303);
        assert_eq!(afar.request("GET", "/").host(host).send().status, 404, "it ends with its session");
        assert_eq!(server.get("/health").json()["locked"], false, "to sign out from afar locks nothing");
    }
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let jar = afar.sign_in("", &phone.spare(), &[]);
    let frame = frame(&afar.get(&format!("/messages/{id}?view=html"), &jar));
    assert!(frame.starts_with("/content/"), "{frame}");
    let framed = afar.get(&frame, "");
    assert_eq!((framed.status, framed.text().contains(WORD)), (200, true));
    assert!(framed.header("content-security-policy").unwrap().starts_with("sandbox"));
}

#[test]
fn sessions_are_listed_named_and_ended() {
    let (world, _) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let listed = || -> Vec<Value> { world.ok(&["remote", "session", "list"]).as_array().unwrap().clone() };
    assert!(listed().is_empty());
    server.sign_in();
    assert!(listed().is_empty(), "who is at home is no remote session");
    let train = afar.sign_in("", &phone.spare(), &[("name", "On the train")]);
    let hotel = afar.sign_in("", &phone.spare(), &[]);
    let names: Vec<String> = listed().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect();
    assert!(names.contains(&"On the train".to_owned()) && names.len() == 2, "{names:?}");
    let id =
        |name: &str| listed().iter().find(|s| s["name"] == name).unwrap()["id"].as_str().unwrap().to_owned();
    let session = &listed()[0];
    assert_eq!(session["host"], HOST);
    assert!(session["began"].as_str().unwrap().ends_with('Z') && session["last_seen"].is_string());
    let said = listed().iter().map(ToString::to_string).collect::<String>();
    for jar in [&train, &hotel] {
        assert!(!said.contains(jar.split_once('=').unwrap().1), "what is listed opens nothing");
    }
    let page = afar.get("/settings/remote", &hotel).text();
    assert!(page.contains("On the train") && page.contains("This one,"), "{page}");
    world.ok(&["remote", "session", "name", &id("On the train"), "In the dining car"]);
    // What streams to a session ends with it.
    let mut news = afar.request("GET", "/events").cookie(&train).open();
    let mut begun = [0; 12];
    news.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    world.ok(&["remote", "session", "end", &id("In the dining car")]);
    let mut rest = Vec::new();
    news.read_to_end(&mut rest).unwrap();
    assert_eq!(afar.get("/", &train).status, 303);
    assert_eq!(afar.get("/", &hotel).status, 200, "the other goes on");
    world.fails(4, &["remote", "session", "end", "000000000000"]);
    world.fails(2, &["remote", "session", "name", &id("A browser"), ""]);
    let token =
        world.ok(&["token", "create", "admin", "--scope", "admin"])["token"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/remote/sessions/{}", id("A browser"));
    assert_eq!(server.request("DELETE", &path).bearer(&token).send().status, 200);
    assert_eq!(afar.get("/", &hotel).status, 303);
    let jar = afar.sign_in("", &phone.spare(), &[]);
    world.ok(&["remote", "factor", "forget"]);
    assert_eq!(afar.get("/", &jar).status, 303, "nobody is in any more");
    assert_eq!(afar.try_in("", PASSPHRASE, &phone.spare(), &[]).status, 401);
}

#[test]
fn strangers_who_guess_hold_up_neither_a_known_browser_nor_home() {
    let (world, _) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let remembered = afar.sign_in("", &phone.spare(), &[("name", "Laptop"), ("remember", "1")]);
    let device = remembered.split("; ").find(|cookie| cookie.starts_with("__Host-mailkeep-device=")).unwrap();
    let devices = world.ok(&["remote", "device", "list"]);
    assert_eq!((&devices[0]["name"], &devices[0]["has_key"]), (&"Laptop".into(), &false.into()));
    assert!(afar.held_up("") >= 5, "five wrong ones cost nothing");
    assert!(afar.held_up("__Host-mailkeep-device=made-up") < 5, "a device that is none is a stranger");
    let late = afar.try_in("", PASSPHRASE, &phone.spare(), &[]);
    assert_eq!(late.status, 429, "with both right, too");
    let jar = afar.sign_in(device, &phone.spare(), &[]);
    assert_eq!(afar.get("/", &jar).status, 200);
    server.sign_in();
    assert!(afar.held_up(device) >= 5, "a stolen device guesses no faster");
    server.sign_in();
    world.ok(&["remote", "device", "remove", "Laptop"]);
    assert_eq!(afar.get("/", &jar).status, 303, "removing it signs it out");
}

#[test]
fn codes_are_set_up_on_the_page() {
    let (world, _) = world_with_mail();
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let home = server.sign_in();
    let get = |path: &str| server.request("GET", path).cookie(&home).send();
    let post = |page: &Response, action: &str, typed: &[(&str, &str)]| {
        let mut fields = page.form_with(&format!("action=\"{action}\"")).fields;
        fields.extend(typed.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        server.request("POST", action).cookie(&home).origin(&server.origin()).form(&fields).send()
    };
    assert!(get("/settings").text().contains("nobody gets in from afar"));
    let page = get("/settings/remote");
    let wrong = post(&page, "/settings/remote/factor", &[("passphrase", "wrong"), ("deed", "begin")]);
    assert_eq!(wrong.status, 422);
    assert!(!wrong.text().contains("class=\"qr\""));
    let shown = post(&page, "/settings/remote/factor", &[("passphrase", PASSPHRASE), ("deed", "begin")]);
    let html = shown.text();
    assert!(html.contains("class=\"qr\""));
    let secret = html.split("class=\"token\" dir=\"ltr\">").nth(1).unwrap().split('<').next().unwrap();
    let letters: String = secret.split_whitespace().collect();
    let totp = Builder::new().with_secret(Secret::try_from_base32(letters).unwrap()).build_noncompliant();
    let again = post(&shown, "/settings/remote/factor/confirm", &[("code", "12")]);
    assert_eq!((again.status, again.text().contains(secret)), (422, true), "it is shown again");
    let code = totp.generate(now()).to_string();
    let codes = post(&again, "/settings/remote/factor/confirm", &[("code", &code)]);
    let html = codes.text();
    let spare: Vec<&str> =
        html.split("<li><code dir=\"ltr\">").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
    assert_eq!(spare.len(), 10, "{html}");
    assert!(!get("/settings/remote").text().contains(spare[0]), "they are shown once");
    let jar = afar.sign_in("", spare[0], &[]);
    wait_until("the session is listed", || get("/settings/remote").text().contains("A browser"));
    let page = get("/settings/remote");
    let ended = post(&page, "/settings/remote/session/end", &[]);
    assert_eq!(ended.status, 303);
    assert_eq!(afar.get("/", &jar).status, 303);
    assert_eq!(afar.server.request("GET", "/").cookie(&home).send().status, 200);
}

#[test]
fn from_afar_no_device_is_let_in_or_removed_without_the_passphrase() {
    let (world, _) = world_with_mail();
    let mut phone = Phone::set_up(&world);
    let server = world.serve_with(AFAR);
    let afar = Afar::of(&server);
    let jar = afar.sign_in("", &phone.spare(), &[]);
    let token = afar.get("/devices", &jar).form_with("name=\"announce\"").fields;
    let post = |path: &str, passphrase: &str| {
        let mut fields = token.clone();
        let typed = [("id", "27"), ("account", "alice@lab.test"), ("passphrase", passphrase)];
        fields.extend(typed.map(|(k, v)| (k.to_owned(), v.to_owned())));
        afar.post(path, &jar, &fields).text()
    };
    for path in ["/devices/accept", "/devices/confirm", "/devices/remove", "/devices/settings"] {
        assert!(post(path, "").contains("That is not the passphrase"), "{path}");
    }
    assert!(post("/devices/remove", PASSPHRASE).contains("There is no device 27"));
}
