//! Key servers and directories behind a proxy in the place of Tor: VKS, the Mailvelope key server, HKP and Web Key
//! Directories, as far as a client can tell. What they hold, and how they lie, the story says.

use super::onion::{Onion, Question};
use mailkeep::crypto::openpgp::{Certificate, SecretKey, hashed_local_part};
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::SerializeInto;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream";
const NONE: &str = "HTTP/1.1 404 Not Found";

/// What a server holds.
#[derive(Default)]
struct Held {
    /// By `HOST/PATH`.
    at: HashMap<String, (String, Vec<u8>)>,
    /// What was uploaded, by host and address; published or not.
    uploads: HashMap<(String, String), (Certificate, bool)>,
    /// What was mailed: host, address, link.
    links: Vec<(String, String, String)>,
}

pub struct KeyServers {
    pub onion: Onion,
    held: Arc<Mutex<Held>>,
}

/// A key of somebody's, made now.
pub fn key_of(address: &str) -> SecretKey {
    let now = jiff::Timestamp::now().as_second();
    SecretKey::generate(address, now - 3600).unwrap().0
}

impl KeyServers {
    /// Servers under these names, with nothing in them.
    pub fn begin(names: &[&str]) -> Self {
        let held: Arc<Mutex<Held>> = Arc::default();
        let answering = Arc::clone(&held);
        let rule = move |question: &Question| answer(&mut answering.lock().unwrap(), question);
        Self { onion: Onion::begin(names, Box::new(rule)), held }
    }

    /// Lets an address of a server answer with this.
    pub fn put(&self, place: &str, head: &str, body: &[u8]) {
        self.held.lock().unwrap().at.insert(place.to_owned(), (head.to_owned(), body.to_vec()));
    }

    /// Lays a key into the directory of its domain, the advanced one or the direct one.
    pub fn put_wkd(&self, address: &str, advanced: bool, bytes: &[u8]) {
        let (local, domain) = address.split_once('@').unwrap();
        let hash = hashed_local_part(local).unwrap();
        let place = if advanced {
            format!("openpgpkey.{domain}/.well-known/openpgpkey/{domain}/hu/{hash}?l={local}")
        } else {
            format!("{domain}/.well-known/openpgpkey/hu/{hash}?l={local}")
        };
        self.put(&place, OK, bytes);
    }

    pub fn put_vks(&self, host: &str, address: &str, armored: &str) {
        self.put(&format!("{host}/vks/v1/by-email/{address}"), OK, armored.as_bytes());
    }

    pub fn put_mailvelope(&self, host: &str, address: &str, armored: &str) {
        let body = json!({"fingerprint": "said", "publicKeyArmored": armored, "userIds": []}).to_string();
        let place = format!("{host}/api/v1/key?email={}", address.replace('@', "%40"));
        self.put(&place, OK, body.as_bytes());
    }

    pub fn put_hkp(&self, host: &str, address: &str, armored: &str) {
        let address = address.replace('@', "%40");
        let place = format!("{host}/pks/lookup?op=get&options=mr&exact=on&search={address}");
        self.put(&place, OK, armored.as_bytes());
    }

    /// `HOST/PATH` of everything that was asked.
    pub fn asked(&self) -> Vec<String> {
        let path = |q: &Question| q.head[0].split(' ').nth(1).unwrap().to_owned();
        self.onion.all().iter().map(|q| format!("{}{}", q.host, path(q))).collect()
    }

    /// The links that a server mailed to an address, the newest last.
    pub fn links(&self, host: &str, address: &str) -> Vec<String> {
        let held = self.held.lock().unwrap();
        let mine = held.links.iter().filter(|(h, a, _)| h == host && a == address);
        mine.map(|(_, _, link)| link.clone()).collect()
    }

    /// The key that a server publishes for an address.
    pub fn published(&self, host: &str, address: &str) -> Option<String> {
        let held = self.held.lock().unwrap();
        let (key, is_published) = held.uploads.get(&(host.to_owned(), address.to_owned()))?;
        is_published.then(|| key.fingerprint().to_string())
    }

    /// Somebody else publishes another key for an address.
    pub fn take_over(&self, host: &str, address: &str, key: &Certificate) {
        let place = (host.to_owned(), address.to_owned());
        self.held.lock().unwrap().uploads.insert(place, (key.clone(), true));
    }
}

fn answer(held: &mut Held, question: &Question) -> (String, Vec<u8>) {
    let mut words = question.head[0].split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    if let Some(fixed) = held.at.get(&format!("{}{path}", question.host)) {
        return fixed.clone();
    }
    let speaks = if path.starts_with("/api/v1/key") { mailvelope } else { vks };
    speaks(held, question, method, path)
}

fn vks(held: &mut Held, question: &Question, method: &str, path: &str) -> (String, Vec<u8>) {
    let host = question.host.clone();
    match (method, path) {
        ("POST", "/vks/v1/upload") => {
            let key = Certificate::parse(read(question)["keytext"].as_str().unwrap().as_bytes()).unwrap();
            let address = key.addresses(jiff::Timestamp::now().as_second()).remove(0);
            let old = one_of(held, &host, &address).filter(|(old, _)| old.fingerprint() == key.fingerprint());
            let is_published = old.is_some_and(|(_, published)| published);
            let status = if is_published { "published" } else { "unpublished" };
            let body = json!({"key_fpr": key.fingerprint().to_string(), "status": {&address: status}, "token": &address});
            held.uploads.insert((host, address), (key, is_published));
            give(&body)
        }
        ("POST", "/vks/v1/request-verify") => {
            let asked = read(question);
            let address = asked["addresses"][0].as_str().unwrap().to_owned();
            let (key, _) = one_of(held, &host, &address).unwrap();
            let token = format!("token-{}-{}", held.links.len(), address.replace(['@', '.'], "-"));
            let link = format!("https://{host}/verify/{token}");
            held.links.push((host, address.clone(), link));
            give(
                &json!({"key_fpr": key.fingerprint().to_string(), "status": {&address: "pending"}, "token": address}),
            )
        }
        ("POST", "/manage") => {
            let address = field(&question.body, "search_term");
            // It says the same where it was asked a short while ago.
            let mut mailed = held.links.iter().rev().filter(|(at, to, _)| *at == host && *to == address);
            let again = mailed.next().is_some_and(|(_, _, link)| link.contains("/manage/"));
            let Some((_, true)) = one_of(held, &host, &address).filter(|_| !again) else { return none() };
            let link =
                format!("https://{host}/manage/{}", format!("sealed-{}_", held.links.len()).repeat(14));
            held.links.push((host, address, link));
            (OK.to_owned(), b"We have sent an email with further instructions.".to_vec())
        }
        ("POST", "/manage/unpublish") => {
            let link = format!("https://{host}/manage/{}", field(&question.body, "token"));
            let Some((_, address, _)) = held.links.iter().find(|(_, _, one)| *one == link) else {
                return none();
            };
            assert_eq!(*address, field(&question.body, "address"));
            held.uploads.get_mut(&(host, address.clone())).unwrap().1 = false;
            (OK.to_owned(), b"Your key is published as only non-identity information.".to_vec())
        }
        (_, verify) if verify.starts_with("/verify/") => {
            let link = format!("https://{host}{verify}");
            let Some((_, address, _)) = held.links.iter().find(|(_, _, one)| *one == link) else {
                return none();
            };
            let place = (host.clone(), address.clone());
            if method == "POST" {
                held.uploads.get_mut(&place).unwrap().1 = true;
            }
            (OK.to_owned(), b"<form method=post><button>Publish</button></form>".to_vec())
        }
        ("GET", by) if by.starts_with("/vks/v1/by-email/") => {
            match one_of(held, &host, &by["/vks/v1/by-email/".len()..]) {
                Some((key, true)) => (OK.to_owned(), key.armored().into_bytes()),
                _ => none(),
            }
        }
        ("GET", by) if by.starts_with("/vks/v1/by-fingerprint/") => {
            match with_print(held, &host, &by["/vks/v1/by-fingerprint/".len()..]) {
                Some((key, true)) => (OK.to_owned(), key.armored().into_bytes()),
                Some((key, false)) => (OK.to_owned(), nameless(&key).into_bytes()),
                None => none(),
            }
        }
        _ => none(),
    }
}

fn mailvelope(held: &mut Held, question: &Question, method: &str, path: &str) -> (String, Vec<u8>) {
    let host = question.host.clone();
    match (method, path) {
        ("POST", "/api/v1/key") => {
            let asked = read(question);
            let key = Certificate::parse(asked["publicKeyArmored"].as_str().unwrap().as_bytes()).unwrap();
            let address = asked["emails"][0].as_str().unwrap().to_owned();
            mail(held, &host, &address, &key, "verify");
            held.uploads.insert((host, address), (key, false));
            (OK.to_owned(), b"Upload successful. Check your inbox to verify your email address.".to_vec())
        }
        ("DELETE", path) if path.starts_with("/api/v1/key?email=") => {
            let address = path["/api/v1/key?email=".len()..].replace("%40", "@");
            let Some((key, true)) = one_of(held, &host, &address) else { return none() };
            mail(held, &host, &address, &key, "verifyRemove");
            ("HTTP/1.1 202 Accepted".to_owned(), b"Check your inbox.".to_vec())
        }
        ("GET", path) if path.starts_with("/api/v1/key?op=") => {
            let link = format!("https://{host}{path}");
            let Some((_, address, _)) = held.links.iter().find(|(_, _, one)| *one == link) else {
                return none();
            };
            let place = (host.clone(), address.clone());
            if path.contains("op=verifyRemove") {
                held.uploads.remove(&place);
            } else {
                held.uploads.get_mut(&place).unwrap().1 = true;
            }
            (OK.to_owned(), b"<p>Done.</p>".to_vec())
        }
        ("GET", path) if path.starts_with("/api/v1/key?email=") => {
            match one_of(held, &host, &path["/api/v1/key?email=".len()..].replace("%40", "@")) {
                Some((key, true)) => give(&json!({"publicKeyArmored": key.armored()})),
                _ => none(),
            }
        }
        ("GET", by) if by.starts_with("/api/v1/key?fingerprint=") => {
            match with_print(held, &host, &by["/api/v1/key?fingerprint=".len()..]) {
                Some((key, true)) => give(&json!({"publicKeyArmored": key.armored()})),
                _ => none(),
            }
        }
        _ => none(),
    }
}

fn read(question: &Question) -> Value {
    serde_json::from_slice(&question.body).unwrap()
}

fn give(value: &Value) -> (String, Vec<u8>) {
    (OK.to_owned(), value.to_string().into_bytes())
}

fn none() -> (String, Vec<u8>) {
    (NONE.to_owned(), Vec::new())
}

fn one_of(held: &Held, host: &str, address: &str) -> Option<(Certificate, bool)> {
    held.uploads.get(&(host.to_owned(), address.to_owned())).cloned()
}

/// A field of a form.
fn field(body: &[u8], name: &str) -> String {
    let mut fields = url::form_urlencoded::parse(body);
    fields.find(|(field, _)| field == name).unwrap().1.into_owned()
}

fn with_print(held: &Held, host: &str, fingerprint: &str) -> Option<(Certificate, bool)> {
    let mut all = held.uploads.iter().filter(|((at, _), _)| at == host).map(|(_, held)| held);
    all.find(|(key, _)| key.fingerprint().to_string().eq_ignore_ascii_case(fingerprint)).cloned()
}

/// A key as VKS gives it out while nobody confirmed its address.
fn nameless(key: &Certificate) -> String {
    let cert = sequoia_openpgp::Cert::from_bytes(&key.bytes()).unwrap().retain_userids(|_| false);
    String::from_utf8(cert.armored().to_vec().unwrap()).unwrap()
}

fn mail(held: &mut Held, host: &str, address: &str, key: &Certificate, op: &str) {
    let fingerprint = key.fingerprint().to_string();
    let id =
        if fingerprint.len() == 64 { &fingerprint[..16] } else { &fingerprint[fingerprint.len() - 16..] };
    let nonce = format!("{:032x}", held.links.len() + 7);
    let link = format!("https://{host}/api/v1/key?op={op}&keyId={}&nonce={nonce}", id.to_lowercase());
    held.links.push((host.to_owned(), address.to_owned(), link));
}
