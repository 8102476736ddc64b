//! Promise 1 of the store: fifty rare words planted everywhere a person could put them, and found nowhere in the data
//! directory; not raw, not in another encoding, not after any plain decompression, not after a kill.

use crate::support::mail::{lf, with_headers};
use crate::support::{Chance, Lab, World, wait_until};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A rare word: fourteen letters, new in each run, so that no other file can hold it by accident.
fn rare(chance: &mut Chance) -> String {
    let syllables = ["qua", "zer", "vix", "plo", "wub", "kry", "jax", "mnu", "fhe", "gly", "tro", "ypt"];
    let mut word = String::new();
    while word.len() < 14 {
        word.push_str(syllables[chance.below(12) as usize]);
    }
    word.truncate(14);
    word
}

struct Words(BTreeSet<String>, Chance);

impl Words {
    fn plant(&mut self) -> String {
        loop {
            let word = rare(&mut self.1);
            if self.0.insert(word.clone()) {
                return word;
            }
        }
    }
}

/// One message with a word in every corner.
fn letter(words: &mut Words, to: &str) -> Vec<u8> {
    let (name, host) = (words.plant(), words.plant());
    let headers = format!(
        "List-Id: <{}.example>\r\nX-{}: {}\r\nReferences: <{}@x.example>\r\nReply-To: {}@lab.test\r\nCc: {} <cc@lab.test>\r\n",
        words.plant(),
        words.plant(),
        words.plant(),
        words.plant(),
        words.plant(),
        words.plant(),
    );
    let subject = words.plant();
    let body = format!("The word is {}, said twice: {}.\r\n", words.plant(), words.plant());
    let whole = with_headers(&format!("{name} <post@{host}.example>"), to, &subject, &headers, &body);
    let attached = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=zz\r\n\r\n--zz\r\nContent-Type: text/html\r\n\r\n\
         <p title=\"{}\">{}</p><style>.{}{{}}</style>\r\n--zz\r\nContent-Type: text/plain; name=\"{}.txt\"\r\n\
         Content-Disposition: attachment\r\n\r\n{}\r\n--zz--\r\n",
        words.plant(),
        words.plant(),
        words.plant(),
        words.plant(),
        words.plant(),
    );
    let text = String::from_utf8(whole).unwrap();
    let (head, _) = text.split_once("MIME-Version").unwrap();
    let plain_part = body;
    let attached = attached.replacen(
        "--zz\r\n",
        &format!("--zz\r\nContent-Type: text/plain\r\n\r\n{plain_part}--zz\r\n"),
        1,
    );
    format!("{head}{attached}").into_bytes()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap()) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// The ways in which a word can stand in a file, besides plainly.
fn forms(word: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![word.as_bytes().to_vec(), word.to_uppercase().into_bytes()];
    forms.push(word.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(word.encode_utf16().flat_map(u16::to_be_bytes).collect());
    forms.push(data_encoding::HEXLOWER.encode(word.as_bytes()).into_bytes());
    for before in 0..3 {
        let padded = [&vec![b'x'; before], word.as_bytes()].concat();
        let text = data_encoding::BASE64_NOPAD.encode(&padded);
        // The ends depend on what stands around the word.
        forms.push(text.as_bytes()[if before == 0 { 0 } else { 4 }..text.len() - 2].to_vec());
    }
    forms.push(word.bytes().rev().collect());
    forms
}

/// What comes out of plain decompression wherever in the bytes a compressed stream may begin.
fn decompressed(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for at in 0..bytes.len().saturating_sub(4) {
        let mut plain = Vec::new();
        match &bytes[at..at + 4] {
            [0x28, 0xb5, 0x2f, 0xfd] => {
                if let Ok(decoder) = zstd::stream::read::Decoder::new(&bytes[at..]) {
                    let _ = decoder.take(64 << 20).read_to_end(&mut plain);
                }
            }
            [0x1f, 0x8b, 8, _] => {
                let _ = flate2::read::GzDecoder::new(&bytes[at..]).take(64 << 20).read_to_end(&mut plain);
            }
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => {
                let _ = flate2::read::ZlibDecoder::new(&bytes[at..]).take(64 << 20).read_to_end(&mut plain);
            }
            // An LZ4 block has no mark of its own; tantivy writes its length in front of it.
            [a, b, 0 | 1, 0] => {
                let size = u32::from_le_bytes([*a, *b, bytes[at + 2], 0]) as usize;
                if let Ok(text) = lz4_flex::block::decompress(&bytes[at + 4..], size) {
                    plain = text;
                }
            }
            _ => {}
        }
        if plain.len() > 8 {
            out.push(plain);
        }
    }
    out
}

fn search_for(words: &BTreeSet<String>, data: &Path) -> Vec<String> {
    let needles: Vec<(String, Vec<u8>)> =
        words.iter().flat_map(|w| forms(w).into_iter().map(move |f| (w.clone(), f))).collect();
    let finders: Vec<(String, memchr::memmem::Finder<'_>)> =
        needles.iter().map(|(w, f)| (w.clone(), memchr::memmem::Finder::new(f))).collect();
    let mut found = Vec::new();
    for file in files(data) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        let name = file.strip_prefix(data).unwrap().to_string_lossy().into_owned();
        let mut layers = decompressed(&bytes);
        layers.push(bytes);
        layers.push(name.clone().into_bytes());
        for (word, finder) in &finders {
            if layers.iter().any(|layer| finder.find(layer).is_some()) {
                found.push(format!("{word} in {name}"));
            }
        }
    }
    found
}

/// What is sealed looks like noise. The small and the necessarily plain are left out: the vault's parameters, and the shared
/// memory of the database, which holds page numbers.
fn that_compress(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(data) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        if bytes.len() < 8192 || file.to_string_lossy().ends_with("-shm") {
            continue;
        }
        let smaller = zstd::bulk::compress(&bytes, 3).unwrap();
        if smaller.len() * 100 < bytes.len() * 95 {
            found.push(format!("{file:?}: {} of {} bytes", smaller.len(), bytes.len()));
        }
    }
    found
}

#[test]
fn fifty_planted_words_are_found_nowhere() {
    let mut words = Words(BTreeSet::new(), Chance::new("leak"));
    let password = words.plant();
    let lab = Lab::own(Some(&password));
    let (alice, bob) = (lab.person("alice"), lab.person("bob"));
    let mut imap = lab.imap(&alice);
    let folder = words.plant();
    imap.command(&format!("CREATE {folder}"));
    let keyword = words.plant();
    imap.append(&folder, &keyword, &letter(&mut words, &alice.address));
    imap.append("INBOX", "", &letter(&mut words, &alice.address));
    let world = World::with_account(&lab, &alice);
    words.0.insert(alice.address.clone());
    let server = world.serve();
    world.ok(&["sync"]);
    let import = words.plant();
    let letter_on_disk = lf(&letter(&mut words, &alice.address));
    let tag = words.plant();
    world.ok(&["import", &world.file(&format!("{import}.eml"), letter_on_disk), "--tag", &tag]);
    let other_tag = words.plant();
    world.ok(&["tag", &format!("+{other_tag}"), "--", "*"]);
    let setting = words.plant();
    world.ok(&["config", "set", "writing.signature", &format!("https://{setting}.example")]);
    let token_name = words.plant();
    let token =
        world.ok(&["token", "create", &token_name, "--scope", "admin"])["token"].as_str().unwrap().to_owned();
    // A message sent, a draft, an upload, a search in the browser: whatever the program keeps on the way.
    let (sent, sent_body, attached) = (words.plant(), words.plant(), words.plant());
    let body = world.file("body.txt", format!("{sent_body}\n"));
    let attachment = world.file(&format!("{attached}.txt"), words.plant());
    world.ok(&[
        "send",
        "--to",
        &bob.address,
        "--subject",
        &sent,
        "--body-file",
        &body,
        "--attach",
        &attachment,
    ]);
    let draft = serde_json::json!({"to": [{"name": words.plant(), "address": bob.address}], "subject": words.plant(), "text": words.plant()});
    let saved = server.request("POST", "/api/v1/drafts").bearer(&token).json(&draft).send();
    assert!(saved.status < 300, "{}: {}", saved.status, saved.text());
    for word in words.0.clone().iter().take(10) {
        world.ok(&["search", word]);
        assert_eq!(
            server.request("GET", &format!("/api/v1/search?q={word}")).bearer(&token).send().status,
            200
        );
    }
    wait_until("bob's mail", || {
        world.ok(&["outbox", "flush"]);
        lab.imap(&bob).held("INBOX").len() == 1
    });
    let id = world.only(&format!("tag:{tag}"));
    world.run(&["show", &id, "--html"]).done();
    words.0.insert(token);
    words.0.insert(crate::support::world::PASSPHRASE.to_owned());
    words.0.remove(&alice.address);
    assert!(words.0.len() >= 50, "{} words are planted", words.0.len());
    // With everything open, right after the kill, and after a clean end.
    let while_running = search_for(&words.0, world.data());
    assert!(while_running.is_empty(), "{while_running:#?}");
    server.kill();
    let after_kill = search_for(&words.0, world.data());
    assert!(after_kill.is_empty(), "{after_kill:#?}");
    world.ok(&["check"]);
    assert_eq!(search_for(&words.0, world.data()), Vec::<String>::new());
    assert_eq!(that_compress(world.data()), Vec::<String>::new(), "sealed files look like noise");
    // The test's own eyes work.
    std::fs::write(
        world.data().join("planted"),
        zstd::bulk::compress(format!("so {sent} is seen").as_bytes(), 3).unwrap(),
    )
    .unwrap();
    assert_eq!(search_for(&words.0, world.data()).len(), 1);
}

#[test]
fn no_log_line_tells_of_the_mail() {
    let mut words = Words(BTreeSet::new(), Chance::new("log"));
    let lab = Lab::shared();
    let alice = lab.person("alice");
    lab.imap(&alice).append("INBOX", "", &letter(&mut words, &alice.address));
    let world = World::with_account(lab, &alice);
    let mut command = world.global_first(&["sync"], true);
    command.env("RUST_LOG", "trace").env("MAILKEEP_LOG", "trace");
    let finished = crate::support::world::finish(command).done();
    for word in words.0.iter().map(String::as_str).chain([
        lab.password(),
        &alice.address,
        crate::support::world::PASSPHRASE,
    ]) {
        assert!(!finished.stderr.contains(word), "{word} is in the log");
    }
}
