//! Who mail is from: strangers that resemble those whom Alice knows, and how often honest mail is doubted.

use crate::support::mail::{plain, with_headers};
use crate::support::{Lab, World};
use mailkeep::mail::address::canonical;
use mailkeep::mail::html;
use mailkeep::mail::mbox::Mbox;
use mailkeep::mail::message::{self, Message};
use mailkeep::mail::sender::{Acquaintance, Circle, Fact, History, facts, link_fact};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

fn reasons(world: &World, subject: &str) -> Vec<String> {
    let shown = world.ok(&["show", &world.only(&format!("subject:{subject}"))]);
    assert_eq!(shown["assurance"], "none");
    shown["reasons"].as_array().unwrap().iter().map(|r| r.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_stranger_who_resembles_a_correspondent_is_told_apart() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let take = |name: &str, raw: Vec<u8>| world.ok(&["import", &world.file(name, raw)]);
    take("0.eml", plain(&alice.address, "Anna Meyer <anna@meyer.example>", "to-anna", "Hello Anna"));
    take("1.eml", plain("Anna Meyer <anna@meyer.example>", &alice.address, "honest", "Hello Alice"));
    assert_eq!(reasons(&world, "honest"), Vec::<String>::new(), "Alice wrote to her");
    take("2.eml", plain("Anna Meyer <x@evil.example>", &alice.address, "named", "x"));
    take("3.eml", plain("Anna <anna@rneyer.example>", &alice.address, "shaped", "x"));
    take("4.eml", plain("\"anna@meyer.example\" <x@evil2.example>", &alice.address, "addressed", "x"));
    take("5.eml", plain("a@one.example, b@two.example", &alice.address, "several", "x"));
    take("6.eml", plain("Dora <dora@lund.example>", &alice.address, "stranger", "x"));
    let html = "Reply-To: x@evil.example\r\n";
    let raw = String::from_utf8(with_headers("Dora <dora@lund.example>", &alice.address, "linked", html, ""))
        .unwrap();
    let raw = raw.replace("text/plain", "text/html") + "<a href=\"https://evil.org/\">www.bank.com</a>\r\n";
    take("7.eml", raw.into_bytes());
    assert_eq!(
        reasons(&world, "named")[0],
        "You know Anna Meyer as anna@meyer.example; this message comes from x@evil.example."
    );
    assert_eq!(
        reasons(&world, "shaped")[0],
        "rneyer.example looks like meyer.example, which you know, but it is another place."
    );
    assert_eq!(
        reasons(&world, "addressed")[0],
        "The sender's name says anna@meyer.example, but the message comes from x@evil2.example."
    );
    assert_eq!(reasons(&world, "several"), ["This message names 2 senders; nobody can tell who wrote it."]);
    assert_eq!(reasons(&world, "stranger"), ["This is the first message from dora@lund.example."]);
    let linked = reasons(&world, "linked");
    assert!(
        linked.contains(&"An answer goes to x@evil.example, not to dora@lund.example.".to_owned()),
        "{linked:?}"
    );
    assert!(linked.contains(&"A link that shows www.bank.com leads to evil.org.".to_owned()), "{linked:?}");
    // On the page at most two of them, outside the frame.
    let server = world.serve();
    let cookie = server.sign_in();
    let id = world.only("subject:linked");
    let page = server.request("GET", &format!("/messages/{id}")).cookie(&cookie).send().text();
    let (chrome, _) = page.split_once("<div class=\"body\">").unwrap();
    assert!(chrome.contains("leads to evil.org") && chrome.contains("An answer goes to"), "{chrome}");
    assert!(!chrome.contains("first message from"), "two are enough");
    // Once Alice answers, the address is known.
    drop(server);
    take("8.eml", plain(&alice.address, "dora@lund.example", "to-dora", "Hello Dora"));
    assert!(!reasons(&world, "stranger").iter().any(|r| r.contains("first message")));
}

/// One archive read from its first message to its last, as its owner would have: whoever wrote most of it.
#[derive(Default)]
struct Reader {
    owner: String,
    people: HashMap<String, (String, u32, bool)>,
    told: BTreeMap<&'static str, Vec<String>>,
    messages: usize,
}

impl Reader {
    fn read(&mut self, all: &[Message]) {
        let mut wrote: HashMap<String, usize> = HashMap::new();
        for from in all.iter().filter_map(|m| m.from.first()) {
            *wrote.entry(canonical(&from.address)).or_default() += 1;
        }
        self.owner =
            wrote.into_iter().max_by_key(|(_, count)| *count).map_or_else(String::new, |(who, _)| who);
        let mut circle = self.circle();
        for (at, message) in all.iter().enumerate() {
            // The store lays people out anew with every batch.
            if at % 100 == 0 {
                circle = self.circle();
            }
            self.one(message, &circle);
        }
        self.messages += all.len();
    }

    fn circle(&self) -> Circle {
        let known = self.people.iter().filter(|(_, (_, received, written))| *written || *received >= 5);
        let known = known.map(|(address, (name, _, written))| Acquaintance {
            address: address.clone(),
            name: name.clone(),
            written: *written,
        });
        Circle::new(known, [&self.owner])
    }

    fn one(&mut self, message: &Message, circle: &Circle) {
        let Some(from) = message.from.first() else { return };
        let address = canonical(&from.address);
        let known = self.people.get(&address);
        let history =
            History { written: known.is_some_and(|k| k.2), heard_before: known.is_some_and(|k| k.1 > 0) };
        let links = message.html().map(|html| html::sanitise(html, &html::Options::default()).false_links);
        let link = link_fact(message, &links.unwrap_or_default());
        for fact in facts(message, circle, history).into_iter().chain(link) {
            self.told.entry(kind(&fact)).or_default().push(fact.sentence());
        }
        if address == self.owner {
            for to in message.to.iter().chain(&message.cc).take(50) {
                let person = self.people.entry(canonical(&to.address)).or_default();
                person.2 = true;
                if !to.name.is_empty() {
                    person.0.clone_from(&to.name);
                }
            }
        } else if message.from.len() == 1 {
            let person = self.people.entry(address).or_default();
            person.1 += 1;
            if !from.name.is_empty() {
                person.0.clone_from(&from.name);
            }
        }
    }
}

const fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::SeveralSenders(_) => "several senders",
        Fact::NoSender => "no sender",
        Fact::NameHoldsAddress { .. } => "name holds address",
        Fact::NameHasHidden => "hidden characters",
        Fact::LooksLike { .. } => "looks like",
        Fact::MixedScripts { .. } => "mixed scripts",
        Fact::KnownElsewhere { .. } => "known elsewhere",
        Fact::ReplyElsewhere { .. } => "reply elsewhere",
        Fact::LinkElsewhere { .. } => "link elsewhere",
        Fact::First { .. } => "first message",
    }
}

/// Honest mail of others, where there is some: what is told of it, and how seldom.
#[test]
fn honest_mail_is_seldom_doubted() {
    let Some(folder) = std::env::var_os("MAILKEEP_CORPORA").map(PathBuf::from) else {
        eprintln!("not run: MAILKEEP_CORPORA names no folder of mail");
        return;
    };
    let mut sources: Vec<(String, Vec<Message>)> = Vec::new();
    for path in
        files(&folder.join("lists")).into_iter().filter(|p| p.extension().is_some_and(|e| e == "mbox"))
    {
        let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let read = Mbox::new(file, 8 << 20).filter_map(Result::ok).map(|entry| message::parse(&entry.raw));
        sources.push((path.display().to_string(), read.collect()));
    }
    let ham =
        |path: &PathBuf| path.components().any(|part| part.as_os_str().to_string_lossy().contains("ham"));
    for honest in [true, false] {
        let read = files(&folder.join("spam"))
            .into_iter()
            .filter(|p| ham(p) == honest && p.extension().is_some_and(|e| e == "txt" || e == "eml"));
        let all = read.map(|path| message::parse(&std::fs::read(path).unwrap())).collect();
        sources.push(((if honest { "ham" } else { "spam" }).to_owned(), all));
    }
    for (name, all) in sources.iter().filter(|(_, all)| !all.is_empty()) {
        let mut reader = Reader::default();
        reader.read(all);
        eprintln!("{name}: {} messages", reader.messages);
        for (kind, told) in &reader.told {
            eprintln!("  {kind}: {}", told.len());
            let mut different: Vec<&String> = told.iter().collect();
            different.dedup();
            let most = if std::env::var_os("MAILKEEP_TELL").is_some() { 40 } else { 3 };
            different.iter().take(most).for_each(|sentence| eprintln!("    {sentence}"));
        }
        let cautions: usize = reader
            .told
            .iter()
            .filter(|(kind, _)| **kind != "first message")
            .map(|(_, told)| told.len())
            .sum();
        if name != "spam" {
            assert!(
                cautions * 500 <= reader.messages,
                "more than 2 in 1,000 honest messages are doubted: {name}"
            );
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|e| e.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
