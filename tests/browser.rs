//! The whole way in a real browser, with JavaScript and without: set-up, an account, mail that arrives by itself, search,
//! reading, answering, stopping; and then what the servers saw. `MAILKEEP_SHOTS=FOLDER` also takes a picture of every page.
//!
//! Debian's Chromium is driven by playwright-core from `tests/browser/*.mjs`; `tests/run` installs both and says where they
//! are in `MAILKEEP_BROWSER_MODULES`.

use crate::support::mail::{plain, with_attachment};
use crate::support::world::{MAILKEEP, PASSPHRASE};
use crate::support::{Lab, Person, World, wait_until};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where playwright-core lies.
fn modules() -> PathBuf {
    let folder = std::env::var_os("MAILKEEP_BROWSER_MODULES").map_or_else(
        || {
            let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
                || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
                PathBuf::from,
            );
            cache.join("mailkeep-browser")
        },
        PathBuf::from,
    );
    assert!(
        folder.join("node_modules/playwright-core").is_dir(),
        "playwright-core is not in {folder:?}: run the tests by tests/run, which installs it"
    );
    folder
}

/// Runs a script of `tests/browser` to its end; gives what it wrote to stdout.
pub fn script(name: &str, variables: &[(&str, String)]) -> String {
    let path = format!("{}/tests/browser/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.arg(path).env("MAILKEEP_BROWSER_MODULES", modules()).stdin(Stdio::null());
    command.envs(variables.iter().map(|(k, v)| (*k, v)));
    let output = command.output().expect("node is there: tests/run installs it");
    assert!(
        output.status.success(),
        "{name} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn variables(
    lab: &Lab,
    alice: &Person,
    bob: &Person,
    world: &World,
    address: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("BASE", format!("http://{address}")),
        ("PASSPHRASE", PASSPHRASE.to_owned()),
        ("ADDRESS", alice.address.clone()),
        ("CORRESPONDENT", bob.address.clone()),
        ("PASSWORD", lab.password().to_owned()),
        ("CA", lab.ca().to_owned()),
        ("IMAPS_PORT", lab.port("IMAPS").to_string()),
        ("SUBMISSIONS_PORT", lab.port("SUBMISSIONS").to_string()),
        ("MAILKEEP", MAILKEEP.to_owned()),
        ("DATA", world.data().to_str().unwrap().to_owned()),
        ("PASSPHRASE_FILE", world.path("passphrase").to_str().unwrap().to_owned()),
        ("LAB", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab").to_owned()),
        ("LAB_DIR", lab.dir().to_owned()),
        ("PICTURES", world.path("pictures").to_str().unwrap().to_owned()),
    ]
}

fn the_whole_way(javascript: bool) {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let html = with_attachment(
        &format!("Bob Brown <{}>", bob.address),
        &alice.address,
        "The garden plan",
        "Here is the plan.",
        "plan.pdf",
        "%PDF-1.4",
    );
    lab.imap(&alice).append("INBOX", "", &html);
    lab.imap(&alice).append(
        "Archive",
        "\\Seen",
        &plain(&bob.address, &alice.address, "Old news", "from last year"),
    );
    // Nothing is set up: the browser does it.
    let world = World::bare();
    let server = world.serve_locked();
    let mut variables = variables(lab, &alice, &bob, &world, &server.address);
    variables.push(("JAVASCRIPT", if javascript { "on" } else { "off" }.to_owned()));
    std::fs::create_dir_all(world.path("pictures")).unwrap();
    script("walk.mjs", &variables);
    // What the servers saw.
    wait_until("the answer to reach bob", || !lab.imap(&bob).held("INBOX").is_empty());
    let got = lab.imap(&bob).held("INBOX");
    assert_eq!(got.len(), 1, "the answer came once");
    let text = String::from_utf8_lossy(&got[0].bytes).into_owned();
    assert!(text.contains("In-Reply-To: <The-garden-plan@stories.test>"), "{text}");
    assert!(text.to_lowercase().contains("subject: re: the garden plan"), "{text}");
    assert!(text.contains("Thank you, Bob: it reached me."), "{text}");
    assert_eq!(text.contains("first.txt") && text.contains("second.txt"), javascript, "{text}");
    wait_until("the copy in Sent", || lab.imap(&alice).held("Sent").len() == 1);
    wait_until("the marks on what was answered", || {
        let held = lab.imap(&alice).held("INBOX");
        let plan =
            held.iter().find(|h| String::from_utf8_lossy(&h.bytes).contains("The garden plan")).unwrap();
        plan.has("\\Seen") && plan.has("\\Answered")
    });
    assert_eq!(server.stop().code(), Some(0));
    // Nothing readable is left, and nothing is lost.
    let and_more = u64::from(javascript);
    assert_eq!(world.count("in:inbox"), 2 + and_more);
    assert_eq!(world.count("in:sent"), 1);
    assert_eq!(world.ok(&["check"])["damaged"], 0);
}

#[test]
fn from_set_up_to_an_answer_with_javascript() {
    the_whole_way(true);
}

#[test]
fn from_set_up_to_an_answer_without_javascript() {
    the_whole_way(false);
}

#[test]
fn message_html_can_do_nothing() {
    let lab = Lab::shared();
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let world = World::new();
    let hostile = include_bytes!("data/hostile.eml");
    world.ok(&["import", &world.file("hostile.eml", hostile)]);
    let server = world.serve();
    let mut variables = variables(lab, &alice, &bob, &world, &server.address);
    variables.push(("MESSAGE", world.only("*")));
    script("hostile.mjs", &variables);
}

/// A message that is nothing but this HTML, as base64 so that no byte of it changes.
fn of_html(name: &str, html: &[u8]) -> String {
    let lines: Vec<String> = data_encoding::BASE64
        .encode(html)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "From: News <news@lab.test>\r\nTo: alice@lab.test\r\nSubject: {name}\r\nMessage-ID: <{name}@stories.test>\r\n\
         Date: Fri, 17 May 2024 09:30:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        lines.join("\r\n")
    )
}

/// All HTML files of a folder, the larger ones first: they are the designed ones.
fn html_files(folder: &std::path::Path, into: &mut Vec<(u64, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            html_files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "html") {
            into.push((entry.metadata().unwrap().len(), path));
        }
    }
}

#[test]
fn newsletters_have_their_pictures_taken_before_and_after() {
    let (Some(shots), Some(corpora)) =
        (std::env::var_os("MAILKEEP_SHOTS"), std::env::var_os("MAILKEEP_CORPORA"))
    else {
        eprintln!(
            "NOT RUN: no newsletters without MAILKEEP_CORPORA (a folder with newsletters/) and MAILKEEP_SHOTS"
        );
        return;
    };
    let mut found = Vec::new();
    html_files(&PathBuf::from(corpora).join("newsletters"), &mut found);
    found.sort();
    let world = World::new();
    let server = world.serve();
    let mut list = Vec::new();
    for (at, (_, path)) in found.iter().rev().take(24).enumerate() {
        let name = format!("newsletter-{at:02}");
        world.ok(&[
            "import",
            &world.file(&format!("{name}.eml"), of_html(&name, &std::fs::read(path).unwrap())),
        ]);
        let id = world.only(&format!("subject:{name}"));
        let after = format!("http://{}/messages/{id}?view=html", server.address);
        list.push(serde_json::json!({ "name": name, "before": path, "after": after }));
    }
    assert!(!list.is_empty(), "there are newsletters");
    let list = world.file("list.json", serde_json::Value::from(list).to_string());
    let shots = PathBuf::from(shots);
    std::fs::create_dir_all(&shots).unwrap();
    let variables = [
        ("BASE", format!("http://{}", server.address)),
        ("PASSPHRASE", PASSPHRASE.to_owned()),
        ("LIST", list),
        ("SHOTS", shots.to_str().unwrap().to_owned()),
    ];
    script("newsletters.mjs", &variables);
    let report = std::fs::read_to_string(shots.join("report.txt")).unwrap();
    let sideways: Vec<&str> = report.lines().filter(|line| line.ends_with("SCROLLS SIDEWAYS")).collect();
    assert!(sideways.is_empty(), "no newsletter scrolls sideways in its frame: {sideways:#?}");
}

#[test]
fn every_page_has_its_picture_taken() {
    let Some(folder) = std::env::var_os("MAILKEEP_SHOTS") else {
        eprintln!("no pictures: MAILKEEP_SHOTS names no folder");
        return;
    };
    let temp = tempfile::tempdir().unwrap();
    let mut child = Command::new(MAILKEEP)
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env("TMPDIR", temp.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let address = {
        use std::io::{BufRead, BufReader};
        BufReader::new(child.stdout.as_mut().unwrap())
            .lines()
            .map_while(Result::ok)
            .inspect(|line| said.push_str(&format!("{line}\n")))
            .find_map(|l| {
                Some(l.strip_prefix("Mailkeep is ready at http://")?.trim_end_matches('/').to_owned())
            })
            .expect("the demo gets ready")
    };
    let bare = World::bare();
    let fresh = bare.serve_locked();
    script(
        "shots.mjs",
        &[
            ("BASE", format!("http://{address}")),
            ("FRESH", format!("http://{}", fresh.address)),
            ("SAID", said),
            ("SHOTS", folder.to_str().unwrap().to_owned()),
        ],
    );
    crate::support::world::signal(child.id(), rustix::process::Signal::INT);
    child.wait().unwrap();
}
