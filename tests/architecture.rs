//! The house rules that the compiler does not know: floors import downwards only, each library has one door, and every
//! file opens by saying what it is.

use std::collections::BTreeMap;
use std::path::Path;

/// What each floor may import of ours, itself excepted.
const FLOORS: &[(&str, &[&str])] = &[
    ("mail", &[]),
    ("crypto", &["mail"]),
    ("storage", &["mail", "crypto"]),
    ("network", &["mail", "crypto"]),
    ("worker", &["mail"]),
    ("config", &[]),
    ("engine", &["mail", "crypto", "storage", "network", "worker", "config"]),
    ("web", &["mail", "crypto", "storage", "network", "worker", "engine", "config"]),
    ("tasks", &["mail", "crypto", "storage", "network", "engine", "config"]),
    ("cli", &["mail", "crypto", "storage", "network", "worker", "engine", "config"]),
];

/// `cli/serve.rs` starts what a server is made of; a demo is a server too.
const STARTERS: &[&str] = &["cli/serve.rs", "cli/demo.rs"];

/// The only places that may name a library.
const DOORS: &[(&str, &[&str])] = &[
    ("sqlx", &["storage/database"]),
    ("tantivy", &["storage/index"]),
    ("async_imap", &["network/imap"]),
    ("lettre", &["network/smtp"]),
    // The remote door says how long a request may take to arrive.
    ("hyper", &["network/http", "web/listener"]),
    ("tokio_socks", &["network/dialer/socks"]),
    ("arti_client", &["network/dialer/arti"]),
    ("tor_hsservice", &["network/dialer/arti"]),
    ("tor_hscrypto", &["network/dialer/arti"]),
    ("tor_rtcompat", &["network/dialer/arti"]),
    ("toml", &["network/dialer/arti"]),
    ("html5ever", &["mail/html"]),
    ("markup5ever", &["mail/html"]),
    ("cssparser", &["mail/html"]),
    ("mail_parser", &["mail/message"]),
    ("mail_builder", &["mail/compose"]),
    ("mail_auth", &["mail/authentication"]),
    ("psl", &["mail/domain"]),
    ("unicode_security", &["mail/sender"]),
    ("hickory_proto", &["network/doh"]),
    ("calcard", &["mail/attachment"]),
    ("infer", &["mail/attachment"]),
    ("tar::Archive", &["mail/attachment"]),
    ("zip::ZipArchive", &["mail/attachment"]),
    ("hayro", &["worker/convert"]),
    ("use image", &["worker/convert"]),
    ("landlock", &["worker/walls"]),
    ("seccompiler", &["worker/walls"]),
    ("axum", &["web"]),
    ("askama", &["web"]),
    ("utoipa", &["web"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("rpassword", &["cli"]),
    ("argon2", &["crypto"]),
    ("sequoia_openpgp", &["crypto/openpgp"]),
    ("blahaj", &["crypto/shares"]),
    ("qrcode", &["web/view"]),
    ("aes_gcm", &["crypto"]),
    ("totp_rs", &["crypto/totp"]),
    ("webauthn_rs", &["crypto/passkey"]),
    ("tor_llcrypto", &["network/dialer/arti"]),
    ("tor_proto", &["network/dialer/arti"]),
    ("safelog", &["network/dialer/arti"]),
    ("vodozemac", &["crypto/devices"]),
];

/// What opens a socket, or asks the system for an address, and the only places that may say it. A listener hands out what
/// others opened; a `*` would hide what is named.
const SOCKETS: &[(&str, &[&str])] = &[
    // The listener takes what comes in; a worker tries to get out, to see that it cannot.
    (
        "TcpStream",
        &[
            "network/dialer/direct.rs",
            "network/dialer/socks.rs",
            "network/dialer/stream.rs",
            "web/listener.rs",
            "worker/child.rs",
        ],
    ),
    ("TcpSocket", &[]),
    ("UdpSocket", &[]),
    ("UnixDatagram", &[]),
    ("UnixStream", UNIX),
    ("TcpListener", LISTENERS),
    ("UnixListener", LISTENERS),
    ("lookup_host", &["network/dialer/direct.rs"]),
    ("ToSocketAddrs", &[]),
    ("to_socket_addrs", &[]),
    ("getaddrinfo", &[]),
    ("socket2", &[]),
    ("SockRef", &[]),
    ("mio", &[]),
    ("rustix::net", &[]),
    ("libc::socket", &[]),
    ("libc::connect", &[]),
    ("reqwest", &[]),
    ("ureq", &[]),
    ("isahc", &[]),
    ("curl", &[]),
    ("hyper_util::client", &[]),
    ("HttpConnector", &[]),
    ("hickory_resolver", &[]),
    ("TokioResolver", &[]),
    ("TlsConnector", &["network/dialer.rs"]),
    ("net::*", &[]),
];

/// Servers for the tests beside the code; `network/mod.rs` has them in tests only.
const TEST_SERVERS: &[&str] = &["network/test_server.rs", "network/test_socks.rs"];

/// The command line and the running server talk over a socket of the data directory.
const UNIX: &[&str] = &["cli/socket.rs"];

/// Where the pages are served, and that socket.
const LISTENERS: &[&str] =
    &["cli/serve.rs", "cli/demo.rs", "cli/socket.rs", "web/listener.rs", "web/listener/arrivals.rs"];

/// What a pure floor never touches: no input or output, no clock.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::process",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

/// Measures how long Argon2 takes on this machine; there is no other way to choose its passes.
const CLOCKED: &[&str] = &["crypto/passphrase.rs"];

fn source() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs")
                && !is_tests(path.strip_prefix(&root).unwrap())
            {
                found.insert(name(&root, &path), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 10, "the sources are found");
    found
}

/// `foo/tests.rs` and what lies in a folder of that name: tests beside the code may do what tests do.
fn is_tests(path: &Path) -> bool {
    path.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
}

fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()
}

/// A line without what is quoted in it: a log filter may name a library.
fn unquoted(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// The code without comments and without what stands below the tests' mark.
fn code(text: &str) -> Vec<(usize, String)> {
    // Other things are for tests only, too, and may stand anywhere; what follows them counts.
    let end = text.find("\n#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default().to_owned()))
        .collect()
}

/// Whether `line` names `path` as a whole word followed by `::`, `;` or the like.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The floors a line imports: `crate::floor`, or each of `crate::{floor, floor}`; `mailkeep::floor` likewise.
fn imported(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate::", "mailkeep::"] {
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or_default().split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                found.push(name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    found
}

#[test]
fn floors_import_downwards_only() {
    let mut broken = Vec::new();
    for (file, text) in source() {
        let floor = file.split(['/', '.']).next().unwrap().to_owned();
        let Some((_, below)) = FLOORS.iter().find(|(name, _)| *name == floor) else {
            assert!(["main", "lib"].contains(&floor.as_str()), "src/{file} stands on no floor");
            continue;
        };
        for (n, line) in code(&text) {
            for other in imported(&line) {
                let known = FLOORS.iter().any(|(name, _)| *name == other);
                let started = STARTERS.contains(&file.as_str()) && ["web", "tasks"].contains(&other.as_str());
                if known && other != floor && !below.contains(&other.as_str()) && !started {
                    broken.push(format!("src/{file}:{n}: {floor} imports {other}; it may import {below:?}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "move the code down, or hand the value up:\n{}", broken.join("\n"));
}

#[test]
fn each_library_has_one_door() {
    let mut broken = Vec::new();
    for (file, text) in source() {
        for (n, line) in code(&text) {
            for (library, doors) in DOORS {
                if names(&unquoted(&line), library) && !doors.iter().any(|door| file.starts_with(door)) {
                    broken.push(format!("src/{file}:{n} names {library}, whose door is {doors:?}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "go through the door:\n{}", broken.join("\n"));
}

#[test]
fn one_door_opens_sockets() {
    let mut broken = Vec::new();
    let mut seen = Vec::new();
    for (file, text) in source().into_iter().filter(|(file, _)| !TEST_SERVERS.contains(&file.as_str())) {
        for (n, line) in code(&text) {
            for (word, doors) in
                SOCKETS.iter().filter(|(word, _)| names(&unquoted(&line), word) || paths(&line, word))
            {
                if doors.iter().any(|door| file == *door) {
                    seen.push((*word, file.clone()));
                } else {
                    broken.push(format!("src/{file}:{n} names {word}, which may only stand in {doors:?}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "connections go through network/dialer:\n{}", broken.join("\n"));
    // Each place that may is one that does: a list that names more than there is guards nothing.
    for (word, doors) in
        SOCKETS.iter().filter(|(word, _)| ["TcpStream", "lookup_host", "TlsConnector"].contains(word))
    {
        for door in *doors {
            assert!(seen.contains(&(*word, (*door).to_owned())), "{door} does not name {word} any more");
        }
    }
}

/// Whether `line` names `word` at the end of a path, such as `tokio::net::TcpStream`.
fn paths(line: &str, word: &str) -> bool {
    unquoted(line).match_indices(&format!("::{word}")).any(|(at, found)| {
        let after = unquoted(line)[at + found.len()..].chars().next();
        !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[test]
fn the_pure_floors_are_pure() {
    let mut broken = Vec::new();
    for (file, text) in
        source().into_iter().filter(|(f, _)| f.starts_with("mail/") || f.starts_with("crypto/"))
    {
        for (n, line) in code(&text).into_iter().filter(|_| !CLOCKED.contains(&file.as_str())) {
            for impure in IMPURE.iter().filter(|i| names(&line, i)) {
                broken.push(format!("src/{file}:{n} uses {impure}: hand the value in instead"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = source()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(file, _)| format!("src/{file}"))
        .collect();
    assert!(silent.is_empty(), "these do not open with `//! `: {silent:?}");
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for path in std::fs::read_dir(tests).unwrap().map(|e| e.unwrap().path()) {
        if path.extension().is_some_and(|e| e == "rs") {
            assert!(std::fs::read_to_string(&path).unwrap().starts_with("//! "), "{path:?}");
        }
    }
}

#[test]
fn the_top_level_is_what_it_is() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "templates",
        "static",
        "migrations",
        "tests",
        "Dockerfile",
        "README.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "deny.toml",
        "rustfmt.toml",
        "docs",
        "fuzz",
        "benches",
        "target",
    ];
    for entry in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap().map(|e| e.unwrap().file_name()) {
        let entry = entry.to_string_lossy().into_owned();
        assert!(
            entry.starts_with('.') || known.contains(&entry.as_str()),
            "{entry} does not belong at the top"
        );
    }
}

#[test]
fn only_the_database_speaks_sql() {
    for (file, text) in source() {
        for (n, line) in code(&text) {
            let sql = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "PRAGMA "].iter().any(|word| {
                line.split('"')
                    .nth(1)
                    .is_some_and(|quoted| quoted.starts_with(word) && quoted.len() > word.len())
            });
            let imap = file.starts_with("network/imap");
            assert!(
                !sql || imap || file.starts_with("storage/database"),
                "src/{file}:{n} speaks SQL: {line}"
            );
        }
    }
}

/// Every template, by its name.
fn templates() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut folders = vec![root.clone()];
    let mut found = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name(&root, &path), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 20, "the templates are found");
    found
}

/// What is written into a page is escaped, always: nobody has the means to say otherwise.
#[test]
fn no_template_writes_anything_unescaped() {
    for (file, text) in templates() {
        // Askama escapes by the name's ending; any other ending would mean plain text.
        assert!(file.ends_with(".html"), "templates/{file} would not be escaped");
        for piece in text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
            // A bar outside quotes begins a filter; the only harmless ones change letters before they are escaped.
            for filter in unquoted(piece).replace("||", "").split('|').skip(1) {
                let filter = filter.trim().split(['(', ' ']).next().unwrap();
                assert!(
                    ["lower", "upper", "capitalize", "trim", "length"].contains(&filter),
                    "templates/{file}: {filter} in {piece}"
                );
            }
        }
        for word in [
            "|safe",
            "| safe",
            "{% autoescape",
            "{% raw",
            "{%- raw",
            "{% filter",
            "{%- filter",
            "<script>",
            " style=\"",
            "javascript:",
            "srcdoc",
        ] {
            assert!(!text.contains(word), "templates/{file} holds {word}");
        }
        // An attribute without quotation marks ends at the first blank of what is written into it.
        for (at, _) in text.match_indices("={{") {
            let tag = text[..at].rsplit('<').next().unwrap();
            assert!(tag.matches('"').count() % 2 == 1, "templates/{file}: no quotation marks in <{tag}");
        }
    }
    let mut broken = Vec::new();
    for (file, text) in source() {
        for (n, line) in code(&text) {
            let named = [
                "MarkupDisplay",
                "HtmlSafe",
                "filters::Safe",
                "filters::safe",
                "escape = \"",
                "ext = \"",
                "Html(",
            ]
            .iter()
            .any(|word| line.contains(word));
            // The one place where a rendered page becomes an answer.
            if named && file != "web/error.rs" {
                broken.push(format!("src/{file}:{n}: {line}"));
            }
        }
    }
    assert!(broken.is_empty(), "only askama writes pages:\n{}", broken.join("\n"));
}
