//! Whether the cage holds: hundreds of messages that have broken other webmails, read in a real browser that notes every
//! script, request, window, download and stray pixel. Ours are in `tests/data/vectors`; where `MAILKEEP_CORPORA` names a
//! folder with `html/json` and `html/naughty-strings`, those too. Nothing may get through.

use crate::browser::script;
use crate::support::http::encode;
use crate::support::world::PASSPHRASE;
use crate::support::{Server, World};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One of them, and the message that carries it.
struct Vector {
    class: String,
    name: String,
    /// A name that nothing else asks for; none where the vector has hosts of its own.
    host: Option<String>,
    /// The markup, where that is all there is to it.
    markup: Option<Vec<u8>>,
    message: Vec<u8>,
}

/// Our own vectors, of each file of the folder.
fn own() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut vectors = Vec::new();
    for path in paths {
        let class = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for block in text.split("\n=== ").skip(1) {
            let (name, body) = block.split_once('\n').unwrap();
            let host = format!("v{}.trap.example", vectors.len());
            let body = body.strip_suffix('\n').unwrap_or(body).replace("{host}", &host);
            let (message, markup) = carried(&class, vectors.len(), &body);
            vectors.push(Vector {
                class: class.clone(),
                name: name.to_owned(),
                host: body.contains(&host).then_some(host),
                markup,
                message,
            });
        }
    }
    assert!(vectors.len() > 300, "the vectors are found");
    vectors
}

/// The message that carries a vector of a class, and the markup in it.
fn carried(class: &str, number: usize, body: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    match class {
        "messages" => (format!("Message-ID: <{number}@vectors.test>\n{body}\n").into_bytes(), None),
        "text" => (leaf(number, "text/plain; charset=utf-8", body.as_bytes()), None),
        "charsets" => {
            let (set, rest) = body.split_once('\n').unwrap();
            let bytes = unescaped(rest);
            let set = set.strip_prefix('@').unwrap().trim();
            let kind =
                if set.is_empty() { "text/html".to_owned() } else { format!("text/html; charset={set}") };
            (leaf(number, &kind, &bytes), Some(bytes))
        }
        _ => (leaf(number, "text/html; charset=utf-8", body.as_bytes()), Some(body.as_bytes().to_vec())),
    }
}

/// A message of one part.
fn leaf(number: usize, kind: &str, body: &[u8]) -> Vec<u8> {
    let lines: Vec<String> = data_encoding::BASE64
        .encode(body)
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    format!(
        "From: Eve <eve@lab.test>\nTo: Alice <alice@lab.test>\nSubject: A vector\nDate: Fri, 17 May 2024 09:30:00 +0000\n\
         Message-ID: <{number}@vectors.test>\nReferences: <of-{}@vectors.test>\nMIME-Version: 1.0\nContent-Type: {kind}\n\
         Content-Transfer-Encoding: base64\n\n{}\n",
        number / 50,
        lines.join("\n")
    )
    .into_bytes()
}

/// `\x41` made to the byte it names.
fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}

fn corpora(part: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("MAILKEEP_CORPORA")?).join(part);
    assert!(folder.is_dir(), "{folder:?} is there");
    Some(folder)
}

/// Payloads that others collected.
fn collected(from: usize) -> Vec<Vector> {
    let Some(folder) = corpora("html/json") else { return Vec::new() };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut vectors = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "json")) {
        let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let Some(payload) = case["payload"].as_str() else { continue };
            vectors.push(Vector {
                class: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                name: payload.chars().take(60).collect(),
                host: None,
                markup: Some(payload.as_bytes().to_vec()),
                message: leaf(from + vectors.len(), "text/html; charset=utf-8", payload.as_bytes()),
            });
        }
    }
    vectors
}

/// Strings that programs stumble over.
fn naughty() -> Vec<String> {
    let Some(folder) = corpora("html/naughty-strings") else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join("blns.txt")).unwrap();
    let mut strings: Vec<String> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    strings.dedup();
    strings
}

/// A message with a string in every place that a page shows.
fn naughty_message(number: usize, string: &str) -> Vec<u8> {
    let word = |text: &str| format!("=?utf-8?B?{}?=", data_encoding::BASE64.encode(text.as_bytes()));
    let percent: String = string.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!(
        "From: {} <eve@lab.test>\nTo: {} <alice@lab.test>\nSubject: {}\nDate: Fri, 17 May 2024 09:30:00 +0000\n\
         Message-ID: <{number}@naughty.test>\nReferences: <of-{}@naughty.test>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{}\n\
         --b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename*=utf-8''{percent}\n\nx\n--b--\n",
        word(string),
        word(string),
        word(string),
        number / 50,
        data_encoding::BASE64.encode(format!("<< {string} >>").as_bytes()),
    )
    .into_bytes()
}

fn token(world: &World) -> String {
    world.ok(&["token", "create", "test", "--scope", "read"])["token"].as_str().unwrap().to_owned()
}

/// Takes messages in as one batch.
fn import(world: &World, messages: &[&[u8]]) {
    for (n, message) in messages.iter().enumerate() {
        world.file(&format!("batch/{n:05}.eml"), message);
    }
    let done = world.ok(&["import", world.path("batch").to_str().unwrap()]);
    assert_eq!((&done["messages"], &done["failed"]), (&messages.len().into(), &0.into()), "{done}");
}

/// The id of each message, by its bytes.
fn ids(server: &Server<'_>, token: &str) -> HashMap<Vec<u8>, String> {
    let found = server.request("GET", "/api/v1/search?q=*&limit=10000").bearer(token).send().json();
    let ids = found["messages"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned());
    ids.map(|id| {
        let raw = server.request("GET", &format!("/api/v1/messages/{id}/raw")).bearer(token).send();
        (raw.body, id)
    })
    .collect()
}

/// Those that are tried: one in eight of each run, so that a change is judged in minutes, or with `MAILKEEP_VECTORS=all`
/// every one, or with any other word there those whose name holds it.
fn tried(mut vectors: Vec<Vector>) -> Vec<Vector> {
    let all = vectors.len();
    match std::env::var("MAILKEEP_VECTORS").as_deref() {
        Ok("all") => return vectors,
        Ok(word) => {
            vectors.retain(|vector| vector.name.contains(word));
            println!("{} of {all} vectors are tried", vectors.len());
            return vectors;
        }
        Err(_) => {}
    }
    let some: Vec<Vector> = vectors.into_iter().step_by(8).collect();
    println!("{} of {all} vectors are tried; MAILKEEP_VECTORS=all tries every one", some.len());
    some
}

/// Reads the vectors in the browser; gives what it reports.
fn read_in_the_browser(vectors: &[Vector], names: bool) -> Value {
    let world = World::new();
    import(&world, &vectors.iter().map(|vector| vector.message.as_slice()).collect::<Vec<_>>());
    let token = token(&world);
    let server = world.serve();
    let ids = ids(&server, &token);
    let list: Vec<Value> = vectors
        .iter()
        .map(|vector| {
            json!({
                "class": vector.class,
                "name": vector.name,
                "host": vector.host,
                "id": ids[&vector.message],
                "raw": vector.markup.as_ref().map(|bytes| data_encoding::BASE64.encode(bytes)),
            })
        })
        .collect();
    let said = script(
        "cage.mjs",
        &[
            ("BASE", format!("http://{}", server.address)),
            ("PASSPHRASE", PASSPHRASE.to_owned()),
            ("VECTORS", world.file("vectors.json", Value::from(list).to_string())),
            ("PROFILE", world.path("profile").to_str().unwrap().to_owned()),
            ("NETLOG", world.path("network.json").to_str().unwrap().to_owned()),
            ("NAMES", if names { "on" } else { "off" }.to_owned()),
        ],
    );
    let report: Value = serde_json::from_str(said.trim()).unwrap();
    let through: Vec<&str> =
        report["through"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    println!(
        "{} vectors: {} pages and {} texts shown, {} through the sanitiser alone, {} through the cage alone, {} files, {} previews, \
         {} canaries caught, {} got through",
        vectors.len(),
        report["pages"],
        report["texts"],
        report["alone"],
        report["caged"],
        report["files"],
        report["previews"],
        report["canaries"],
        through.len()
    );
    assert!(through.is_empty(), "{} got through:\n{}", through.len(), through.join("\n"));
    report
}

#[test]
fn nothing_gets_through() {
    let mut vectors = own();
    vectors.extend(collected(vectors.len()));
    let texts: Vec<String> =
        naughty().into_iter().filter(|string| string.contains(['<', '"', '\'', '`'])).collect();
    for (number, string) in texts.iter().enumerate() {
        vectors.push(Vector {
            class: "naughty".to_owned(),
            name: string.chars().take(60).collect(),
            host: None,
            markup: None,
            message: naughty_message(number, string),
        });
    }
    let vectors = tried(vectors);
    let shown = vectors.iter().filter(|vector| vector.class != "naughty").count();
    let with_markup = vectors.iter().filter(|vector| vector.markup.is_some()).count();
    let report = read_in_the_browser(&vectors, false);
    // What was not tried cannot have got through.
    assert_eq!((&report["pages"], &report["texts"]), (&shown.into(), &vectors.len().into()));
    assert_eq!(report["caged"], with_markup);
    assert!(report["alone"].as_u64().unwrap() >= with_markup as u64, "{report}");
    let files = vectors.iter().filter(|vector| vector.class == "messages").count();
    assert!(report["files"].as_u64().unwrap() > 0 || files == 0, "{report}");
    assert_eq!(report["canaries"], 13);
}

#[test]
fn no_name_is_looked_up() {
    // Without the proxy, since behind one a browser looks up nothing itself. Only names that nobody can have.
    let classes = ["loads", "style", "drawings", "messages"];
    let vectors: Vec<Vector> =
        own().into_iter().filter(|vector| classes.contains(&vector.class.as_str())).collect();
    let report = read_in_the_browser(&tried(vectors), true);
    assert_eq!(report["canaries"], 2);
}

/// A text that stood in a page, escapes undone.
fn plain(html: &str) -> String {
    [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
    ]
    .iter()
    .fold(html.replace("&amp;", "&#38;"), |text, (from, to)| text.replace(from, to))
    .replace("&#38;", "&")
}

/// What can be seen of a text, without the room between.
fn visible(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(|c| !hidden(*c)).collect()
}

#[test]
fn naughty_strings_come_back_unchanged() {
    let mut strings = naughty();
    // A few of our own, so that there is something to do without the others.
    strings.extend(
        [
            "<b>'\"&amp;</b>",
            "</h1></title><script>alert(1)</script>",
            "{{ 7*7 }}",
            "%00%0d%0a",
            "' OR 1=1 --",
            "ﷺ İi ﬁ ẞ",
        ]
        .map(str::to_owned),
    );
    let world = World::new();
    let messages: Vec<Vec<u8>> =
        strings.iter().enumerate().map(|(number, string)| naughty_message(number, string)).collect();
    import(&world, &messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let token = token(&world);
    let server = world.serve();
    let cookie = server.sign_in();
    let ids = ids(&server, &token);
    for (string, message) in strings.iter().zip(&messages) {
        let id = &ids[message];
        let shown = server.request("GET", &format!("/api/v1/messages/{id}")).bearer(&token).send().json();
        let subject = shown["subject"].as_str().unwrap();
        assert_eq!(visible(subject), visible(string), "as a subject");
        if visible(string).len() == string.split_whitespace().map(str::len).sum::<usize>() {
            assert_eq!(subject, string.trim(), "as a subject, to the letter");
        }
        let unquoted = |text: &str| text.replace(['"', '\''], "").trim().to_owned();
        assert_eq!(
            unquoted(&visible(shown["from"]["name"].as_str().unwrap())),
            unquoted(&visible(string)),
            "as a name"
        );
        // Tag letters, which nobody sees, count as hidden text and are not shown as if they were visible.
        let untagged = |text: &str| text.replace(|c| matches!(c, '\u{e0000}'..='\u{e007f}'), "");
        let text = untagged(shown["text"].as_str().unwrap());
        let kept: String = untagged(string).chars().filter(|c| !c.is_control() || *c == '\t').collect();
        assert!(text.contains(&kept), "as a text: {string:?} in {text:?}");
        let page = server.request("GET", &format!("/messages/{id}")).cookie(&cookie).send();
        assert_eq!(page.status, 200, "{string:?}");
        let html = page.text();
        let heading =
            html.split("<h1").nth(1).unwrap().split_once('>').unwrap().1.split("</h1>").next().unwrap();
        let wanted = if subject.is_empty() { "(no subject)" } else { subject };
        assert_eq!(visible(&plain(heading)), visible(wanted), "as a heading");
        let is_tag = string
            .split('<')
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'));
        assert!(!is_tag || !html.contains(string.as_str()), "{string:?} is markup in the page");
        let search = server.request("GET", &format!("/search?q={}", encode(string))).cookie(&cookie).send();
        assert!(search.status < 500, "searching {string:?} answers {}", search.status);
        let html = search.text();
        let field = html.split("<input").find(|tag| tag.contains("name=\"q\"")).unwrap();
        let value = field.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
        // A search for nothing shows everything.
        let asked = if string.trim().is_empty() { "*" } else { string.trim() };
        assert_eq!(plain(value), asked, "as what was searched for");
    }
    println!("{} strings came back", strings.len());
}
