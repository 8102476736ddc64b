//! Avatar servers behind a proxy in the place of Tor: whose picture they have, and how they misbehave, the story says.

use super::onion::{Onion, Question};
use super::resolver::{self, RESOLVER, Services};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// In the place of an answer: none ever comes.
pub const NEVER: &str = "never";

/// What is answered at `HOST/HASH`: the head's lines and the body; and the servers of services.
#[derive(Default)]
struct Held {
    at: HashMap<String, (String, Vec<u8>)>,
    services: Services,
}

pub struct Avatars {
    pub onion: Onion,
    held: Arc<Mutex<Held>>,
}

/// What servers know an address by.
fn hash(address: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(address))
}

impl Avatars {
    /// Servers under these names and a resolver, with nothing in them.
    pub fn begin(names: &[&str]) -> Self {
        let held: Arc<Mutex<Held>> = Arc::default();
        let answering = Arc::clone(&held);
        let rule = move |question: &Question| {
            let (head, body) = answer(&answering.lock().unwrap(), question);
            if head == NEVER {
                // It may be woken for nothing; what never answers sleeps again.
                loop {
                    std::thread::park();
                }
            }
            (head, body)
        };
        Self { onion: Onion::begin(&[names, &[RESOLVER]].concat(), Box::new(rule)), held }
    }

    /// Lets a server answer for an address.
    pub fn put(&self, host: &str, address: &str, head: &str, body: &[u8]) {
        let place = format!("{host}/{}", hash(address));
        self.held.lock().unwrap().at.insert(place, (head.to_owned(), body.to_vec()));
    }

    /// Lets the resolver name a server for a service.
    pub fn name(&self, service: &str, port: u16, host: &str) {
        self.held.lock().unwrap().services.insert(service.to_owned(), (port, host.to_owned()));
    }

    /// `HOST ADDRESS` of everything that servers were asked for, sorted; `people` are all that a story knows.
    pub fn asked(&self, people: &[&str]) -> Vec<String> {
        let of = |question: Question| {
            if question.host == RESOLVER {
                return None;
            }
            let address = people.iter().find(|address| question.head[0].contains(&hash(address)));
            Some(format!("{} {}", question.host, address.unwrap_or(&"somebody else")))
        };
        let mut all: Vec<String> = self.onion.all().into_iter().filter_map(of).collect();
        all.sort();
        all
    }
}

fn answer(held: &Held, question: &Question) -> (String, Vec<u8>) {
    if question.host == RESOLVER {
        return resolver::resolve(&held.services, question);
    }
    let path = question.head[0].split(' ').nth(1).unwrap();
    let (path, query) = path.split_once('?').unwrap();
    assert_eq!(query, "s=96&d=404&r=g", "nothing but the hash tells who is meant");
    let hash = path.strip_prefix("/avatar/").unwrap();
    let nothing = || ("HTTP/1.1 404 Not Found".to_owned(), b"nobody".to_vec());
    held.at.get(&format!("{}/{hash}", question.host)).cloned().unwrap_or_else(nothing)
}
