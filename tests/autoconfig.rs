//! Finding the servers of an address: through Tor or not at all, told no more than the domain, and without a password for
//! servers that nobody answers for.

use crate::support::onion::{Onion, Question};
use crate::support::resolver::{self, RESOLVER, Services};
use crate::support::{Lab, Person, World};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const DATABASE: &str = "db.example.net";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/xml";

/// Everything that a story's Internet knows.
const NAMES: [&str; 8] = [
    "autoconfig.far.example",
    "far.example",
    "imap.far.example",
    "smtp.far.example",
    "mail.far.example",
    "mail.elsewhere.example",
    DATABASE,
    RESOLVER,
];

/// `clientConfig` with one server for reading and one for sending.
fn file(socket: &str, authentication: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><clientConfig version=\"1.1\"><emailProvider id=\"far.example\">\
         <incomingServer type=\"imap\"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port>\
         <socketType>{socket}</socketType><username>%EMAILLOCALPART%</username>\
         <authentication>{authentication}</authentication></incomingServer>\
         <outgoingServer type=\"smtp\"><hostname>smtp.far.example</hostname><port>465</port>\
         <socketType>{socket}</socketType><username>%EMAILLOCALPART%</username>\
         <authentication>{authentication}</authentication></outgoingServer>\
         </emailProvider></clientConfig>"
    )
}

fn good() -> String {
    file("SSL", "password-cleartext")
}

#[derive(Default)]
struct Held {
    at: HashMap<String, (String, Vec<u8>)>,
    services: Services,
}

/// Alice has her mail at far.example, whose servers are those of the lab behind the story's Internet.
struct Story {
    lab: &'static Lab,
    alice: Person,
    world: World,
    onion: Onion,
    held: Arc<Mutex<Held>>,
}

impl Story {
    fn new() -> Self {
        let lab = Lab::shared();
        let held: Arc<Mutex<Held>> = Arc::default();
        let answering = Arc::clone(&held);
        let rule = move |question: &Question| answer(&answering.lock().unwrap(), question);
        let onion = Onion::begin(&NAMES, Box::new(rule));
        let world = World::new();
        world.ok(&["config", "set", "extra-ca", &world.file("ca.pem", &onion.ca_pem)]);
        world.ok(&["config", "set", "dkim.resolver", &resolver::address()]);
        world.ok(&["config", "set", "autoconfig.databases", &format!("https://{DATABASE}/v1.1")]);
        world.ok(&["config", "set", "tor.socks", &format!("127.0.0.1:{}", onion.port)]);
        world.ok(&["config", "set", "tor.mode", "socks"]);
        Self { lab, alice: lab.person("alice"), world, onion, held }
    }

    /// The servers that the story's names lead to.
    fn lead(&self, imap: &str, smtp: &str) {
        self.onion.lead(imap, 993, self.lab.port("IMAP"));
        self.onion.lead(smtp, 465, self.lab.port("SUBMISSION"));
    }

    fn put(&self, place: &str, head: &str, body: impl Into<Vec<u8>>) {
        self.held.lock().unwrap().at.insert(place.to_owned(), (head.to_owned(), body.into()));
    }

    fn name(&self, service: &str, port: u16, host: &str) {
        let service = format!("{service}.far.example");
        self.held.lock().unwrap().services.insert(service, (port, host.to_owned()));
    }

    fn address(&self) -> String {
        format!("{}@far.example", self.alice.user)
    }

    fn run(&self, more: &[&str]) -> crate::support::world::Finished {
        let (address, password) = (self.address(), self.lab.password_file());
        let args = ["account", "add", &address, "--password-file", &password, "--route", "tor"];
        self.world.run_json(&[&args, more].concat())
    }

    /// `HOST/PATH` of everything that was asked for by HTTP, but the resolver.
    fn asked(&self) -> Vec<String> {
        let path = |q: &Question| q.head[0].split(' ').nth(1).unwrap().to_owned();
        let all = self.onion.all();
        all.iter().filter(|q| q.host != RESOLVER).map(|q| format!("{}{}", q.host, path(q))).collect()
    }

    /// Purposes of all connections, each of which went through Tor; the servers of the lab are among them.
    fn log(&self, server: &World) -> Vec<(String, String, String)> {
        let log = server.ok(&["network", "log", "--limit", "1000"]);
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
        for entry in log.as_array().unwrap() {
            assert_eq!(entry["route"], "tor", "{entry}");
        }
        let entries = log.as_array().unwrap().iter();
        entries.map(|e| (text(e, "purpose"), text(e, "host"), text(e, "outcome"))).collect()
    }

    /// No server got a password, whatever else was asked.
    fn assert_no_sign_in(&self) {
        let log = self.log(&self.world);
        assert!(log.iter().all(|(purpose, ..)| purpose == "autoconfig"), "{log:?}");
    }
}

fn answer(held: &Held, question: &Question) -> (String, Vec<u8>) {
    if question.host == RESOLVER {
        return resolver::resolve(&held.services, question);
    }
    let path = question.head[0].split(' ').nth(1).unwrap();
    let nothing = || ("HTTP/1.1 404 Not Found".to_owned(), Vec::new());
    held.at.get(&format!("{}{path}", question.host)).cloned().unwrap_or_else(nothing)
}

const OWN: &str = "autoconfig.far.example/mail/config-v1.1.xml";
const WELL_KNOWN: &str = "far.example/.well-known/autoconfig/mail/config-v1.1.xml";
const OF_DATABASE: &str = "db.example.net/v1.1/far.example";

#[test]
fn alice_gives_her_address_and_her_password_and_is_in() {
    let story = Story::new();
    story.lead("imap.far.example", "smtp.far.example");
    story.put(OWN, OK, good());
    let _server = story.world.serve();
    let added = story.run(&[]).done().json();
    assert_eq!(
        (&added["email"], &added["user"]),
        (&story.address().into(), &story.alice.user.clone().into())
    );
    assert_eq!((&added["imap"]["host"], &added["imap"]["port"]), (&"imap.far.example".into(), &993.into()));
    assert_eq!(
        (&added["smtp"]["host"], &added["smtp"]["security"]),
        (&"smtp.far.example".into(), &"tls".into())
    );
    let found = added["found_by"].as_str().unwrap();
    assert!(found.contains(&format!("https://{OWN}")) && found.contains("imap.far.example:993"), "{found}");
    // The domain itself was asked, by its name alone, and nobody else.
    assert_eq!(story.asked(), [OWN]);
    assert_eq!(story.onion.asked(RESOLVER).len(), 0);
    let head = story.onion.asked("autoconfig.far.example")[0].head.join("\n");
    assert!(!head.contains(&story.alice.user) && !head.to_lowercase().contains("mailkeep"), "{head}");
    let log = story.log(&story.world);
    for purpose in ["autoconfig", "imap", "submission"] {
        let arrived = log.iter().any(|(of, _, outcome)| of == purpose && outcome == "connected");
        assert!(arrived, "{purpose}: {log:?}");
    }
    assert!(story.world.ok(&["account", "list"])[0]["found_by"].is_null(), "said once, when it was found");
}

#[test]
fn a_database_is_told_the_domain_and_no_more() {
    let story = Story::new();
    story.lead("imap.far.example", "smtp.far.example");
    // What the domain itself says leads away from TLS, or is no such file.
    story.put(OWN, "HTTP/1.1 302 Found\r\nLocation: http://far.example/clear.xml", "");
    story.put(WELL_KNOWN, OK, vec![b' '; 1 << 20]);
    story.put(OF_DATABASE, OK, good());
    let added = story.run(&[]).done().json();
    assert!(added["found_by"].as_str().unwrap().contains(&format!("https://{OF_DATABASE}")), "{added}");
    assert_eq!(story.asked(), [OWN, WELL_KNOWN, OF_DATABASE]);
    for question in story.onion.all() {
        assert!(!question.head.join("\n").contains(&story.alice.user), "{:?}", question.head);
    }
    for bad in ["http://db.example.net", "db.example.net", "https://a.example ".repeat(6).as_str()] {
        assert_eq!(story.world.run(&["config", "set", "autoconfig.databases", bad]).code(), 2, "{bad}");
    }
}

#[test]
fn names_of_the_domain_lead_to_its_own_servers_and_only_offer_those_of_others() {
    let story = Story::new();
    story.lead("imap.far.example", "smtp.far.example");
    story.lead("mail.elsewhere.example", "mail.elsewhere.example");
    story.name("_imaps._tcp", 993, "mail.elsewhere.example");
    story.name("_submissions._tcp", 465, "mail.elsewhere.example");
    let said = story.run(&["--user", &story.alice.user]).fails(1);
    assert!(said.contains("no password was tried") && said.contains("mail.elsewhere.example:993"), "{said}");
    assert_eq!(story.world.ok(&["account", "list"]).as_array().unwrap().len(), 0);
    story.name("_imaps._tcp", 993, "imap.far.example");
    story.name("_submissions._tcp", 465, "smtp.far.example");
    let added = story.run(&["--user", &story.alice.user]).done().json();
    assert_eq!(added["imap"]["host"], "imap.far.example");
    assert!(added["found_by"].as_str().unwrap().contains(RESOLVER), "{added}");
}

#[test]
fn the_house_that_takes_the_mail_in_is_asked_about_and_offered() {
    let story = Story::new();
    let _server = story.world.serve();
    let services = [("far.example".to_owned(), (25, "mx1.elsewhere.example".to_owned()))];
    story.held.lock().unwrap().services.extend(services);
    let theirs = good().replace("imap.%EMAILDOMAIN%", "mail.elsewhere.example");
    story.put("db.example.net/v1.1/elsewhere.example", OK, theirs);
    let said = story.run(&[]).fails(1);
    assert!(said.contains("no password was tried") && said.contains("mail.elsewhere.example:993"), "{said}");
    assert_eq!(story.asked().last().unwrap(), "db.example.net/v1.1/elsewhere.example");
    story.assert_no_sign_in();
}

#[test]
fn settings_that_would_send_the_password_in_clear_are_refused_in_words() {
    let story = Story::new();
    let _server = story.world.serve();
    story.put(OWN, OK, file("plain", "password-cleartext"));
    story.put(WELL_KNOWN, OK, file("SSL", "OAuth2"));
    let hostile = good().replace("<clientConfig", "<!DOCTYPE x [<!ENTITY e \"f\">]><clientConfig");
    story.put(OF_DATABASE, OK, hostile);
    let said = story.run(&[]).fails(1);
    assert!(said.contains("in clear text") && said.contains(&format!("https://{OWN}")), "{said}");
    assert!(said.contains("take no password") && said.contains("--imap"), "{said}");
    story.assert_no_sign_in();
}

#[test]
fn what_answers_by_a_usual_name_is_offered_and_gets_no_password() {
    let story = Story::new();
    let _server = story.world.serve();
    story.lead("mail.far.example", "mail.far.example");
    let said = story.run(&[]).fails(1);
    for word in ["no password was tried", "mail.far.example:993 (tls)", "mail.far.example:465 (tls)"] {
        assert!(said.contains(word), "{said}");
    }
    story.assert_no_sign_in();
    // Named, they are used.
    let user = &story.alice.user;
    let named = ["--imap", "mail.far.example:993", "--smtp", "mail.far.example:465", "--user", user];
    assert!(story.run(&named).done().json()["found_by"].is_null());
}

#[test]
fn without_tor_nobody_is_asked() {
    let story = Story::new();
    story.put(OWN, OK, good());
    let _server = story.world.serve();
    for mode in ["off", "silent", "never"] {
        match mode {
            "off" => drop(story.world.ok(&["config", "set", "tor.mode", "off"])),
            "silent" => {
                story.onion.end();
                story.world.ok(&["config", "set", "tor.mode", "socks"]);
            }
            _ => drop(story.world.ok(&["config", "set", "network.autoconfig", "never"])),
        }
        let said = story.run(&[]).fails(1);
        let why = if mode == "never" { "network.autoconfig" } else { "through Tor only" };
        assert!(said.contains(why), "{mode}: {said}");
    }
    assert_eq!(story.world.run(&["config", "set", "network.autoconfig", "direct"]).code(), 2);
    assert_eq!(story.asked(), Vec::<String>::new());
    let log = story.log(&story.world);
    assert!(log.iter().all(|(_, _, outcome)| outcome != "connected"), "{log:?}");
}

#[test]
fn the_page_shows_what_was_found_before_a_password_goes_there() {
    let story = Story::new();
    story.lead("imap.far.example", "smtp.far.example");
    story.put(OWN, OK, good());
    let server = story.world.serve();
    let cookie = server.sign_in();
    let page = server.request("GET", "/settings").cookie(&cookie).send();
    let form = page.form_with("data-account-form");
    let fill = |more: &[(&str, &str)]| {
        let mut fields = form.fields.clone();
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        fields
    };
    let post = |path: &str, fields: &[(String, String)]| {
        let post = server.request("POST", path).cookie(&cookie).origin(&server.origin());
        post.header("Accept", "application/json").form(fields).send()
    };
    let (address, password) = (story.address(), story.lab.password().to_owned());
    let shown =
        post(&form.action, &fill(&[("address", &address), ("password", &password), ("route", "tor")]));
    assert_eq!(shown.status, 200, "{}", shown.text());
    let text = shown.text();
    for word in ["imap.far.example", "smtp.far.example", &format!("https://{OWN}"), "Look at the servers"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(text.contains(&format!("name=\"user\" value=\"{}\"", story.alice.user)), "{text}");
    assert!(!text.contains(&password));
    story.assert_no_sign_in();

    // The same for the page's own script, and a large provider needs no question at all.
    let found = post("/setup/find-servers", &fill(&[("address", &address)])).json();
    assert_eq!(
        (&found["imap"]["host"], &found["user"]),
        (&"imap.far.example".into(), &story.alice.user.clone().into())
    );
    let asked = story.asked();
    let known = post("/setup/find-servers", &fill(&[("address", "alice@gmail.com")])).json();
    assert_eq!(known["imap"]["host"], "imap.gmail.com");
    assert_eq!(story.asked(), asked);

    // Confirmed, it is signed in to.
    let confirmed = fill(&[
        ("address", &address),
        ("password", &password),
        ("route", "tor"),
        ("imap_host", "imap.far.example"),
        ("imap_port", "993"),
        ("imap_security", "tls"),
        ("smtp_host", "smtp.far.example"),
        ("smtp_port", "465"),
        ("smtp_security", "tls"),
        ("user", &story.alice.user),
    ]);
    let done = post(&form.action, &confirmed);
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(story.world.ok(&["account", "list"])[0]["email"], address.as_str());
}
