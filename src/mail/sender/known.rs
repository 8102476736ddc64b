//! The people whom the owner knows, laid out so that a stranger who resembles one is found by a few look-ups: the work
//! for one message does not grow with their number.

use super::alike;
use crate::mail::address::canonical;
use crate::mail::domain;
use std::collections::{HashMap, HashSet};

/// Somebody the owner wrote with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquaintance {
    /// The address, canonical.
    pub address: String,
    /// The display name seen last; may be empty.
    pub name: String,
    /// The owner wrote to this address.
    pub written: bool,
}

/// Everybody the owner knows well enough to be imitated.
#[derive(Debug, Default)]
pub struct Circle {
    people: HashMap<String, Acquaintance>,
    own: HashSet<String>,
    /// From the key of a name to the addresses that use it.
    names: HashMap<String, Vec<String>>,
    /// From the shape of an organisational domain to the domains of that shape.
    shapes: HashMap<String, Vec<Place>>,
    /// From a label with one letter left out, or whole, to the domains that the owner writes to and that it may stand for.
    near: HashMap<String, Vec<Place>>,
    near_places: usize,
}

/// An organisational domain that the owner knows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    domain: String,
    written: bool,
}

/// Whom a stranger resembles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// The domain that the message comes from.
    pub domain: String,
    /// The domain that it looks like.
    pub like: String,
}

/// Addresses of one name, and domains of one shape, beyond these are not looked at.
const MOST_ALIKE: usize = 16;
/// So many domains are watched for one wrong letter.
const MOST_NEAR: usize = 1000;

impl Circle {
    /// From the people and the owner's own addresses.
    #[must_use]
    pub fn new<'a>(
        people: impl IntoIterator<Item = Acquaintance>,
        own: impl IntoIterator<Item = &'a String>,
    ) -> Self {
        let mut circle = Self::default();
        circle.own = own.into_iter().map(|address| canonical(address)).collect();
        let itself =
            |address: &String| Acquaintance { address: address.clone(), name: String::new(), written: true };
        let own: Vec<Acquaintance> = circle.own.iter().map(itself).collect();
        own.into_iter().chain(people).for_each(|person| circle.add(person));
        circle
    }

    fn add(&mut self, person: Acquaintance) {
        let Some(domain) = domain::of_address(&person.address) else { return };
        if let Some(key) = alike::name_key(&person.name) {
            let addresses = self.names.entry(key).or_default();
            if addresses.len() < MOST_ALIKE {
                addresses.push(person.address.clone());
            }
        }
        let place = Place { domain: domain::organisation(&domain), written: person.written };
        let held = self.shapes.entry(alike::shape(&place.domain)).or_default();
        let is_new = match held.iter().position(|other| other.domain == place.domain) {
            Some(at) => {
                let known = held.get_mut(at).filter(|known| place.written && !known.written);
                known.map(|known| known.written = true).is_some()
            }
            None => {
                let room = held.len() < MOST_ALIKE;
                if room {
                    held.push(place.clone());
                }
                room && place.written
            }
        };
        if is_new && self.near_places < MOST_NEAR {
            self.near_places += 1;
            for variant in variants(&domain::parted(&place.domain).0) {
                let places = self.near.entry(variant).or_default();
                if places.len() < MOST_ALIKE {
                    places.push(place.clone());
                }
            }
        }
        self.people.insert(person.address.clone(), person);
    }

    /// Whether it is one of the owner's own addresses.
    #[must_use]
    pub fn is_own(&self, address: &str) -> bool {
        self.own.contains(&canonical(address))
    }

    /// Whether the owner wrote to this address, or it is one of the owner's own.
    #[must_use]
    pub fn is_written(&self, address: &str) -> bool {
        self.people.get(&canonical(address)).is_some_and(|person| person.written)
    }

    /// Whether the owner often hears from this address, or wrote to it.
    #[must_use]
    pub fn is_known(&self, address: &str) -> bool {
        self.people.contains_key(&canonical(address))
    }

    /// The known domain that the sender's domain is easily taken for.
    ///
    /// Where only one letter, a hyphen or the ending differs, somebody there must also have the sender's name, or the part
    /// before the @: otherwise two honest companies with similar names would be told apart all day.
    #[must_use]
    pub fn look_alike(&self, address: &str, name: &str) -> Option<Likeness> {
        let address = canonical(address);
        let own = domain::organisation(&domain::of_address(&address)?);
        let alike = self.shapes.get(&alike::shape(&own)).map_or(&[][..], Vec::as_slice);
        let itself = alike.iter().find(|place| place.domain == own);
        if self.is_written(&address) || itself.is_some_and(|place| place.written) {
            return None;
        }
        // A domain that is often heard from is no stranger; it is only held against those the owner writes to.
        let found = alike
            .iter()
            .filter(|place| place.domain != own && (place.written || itself.is_none()))
            .max_by_key(|place| place.written)
            .or_else(|| if itself.is_none() { self.near_by(&own, &address, name) } else { None })?;
        Some(Likeness { like: found.domain.clone(), domain: own })
    }

    fn near_by(&self, own: &str, address: &str, name: &str) -> Option<&Place> {
        let (label, suffix) = domain::parted(own);
        variants(&label).iter().filter_map(|variant| self.near.get(variant)).flatten().find(|place| {
            let (other, ending) = domain::parted(&place.domain);
            let similar = if other == label {
                ending != suffix && label.len() >= 3
            } else {
                ending == suffix && alike::is_near(&label, &other)
            };
            similar && place.domain != own && self.is_somebody_of(&place.domain, address, name)
        })
    }

    /// Whether the owner writes to somebody of this domain by the same name, or the same part before the @.
    fn is_somebody_of(&self, domain: &str, address: &str, name: &str) -> bool {
        let local = address.rsplit_once('@').map_or("", |(local, _)| local);
        let same_local = !is_automatic(local) && self.is_written(&format!("{local}@{domain}"));
        let same_name = || {
            let addresses = alike::name_key(name).and_then(|key| self.names.get(&key));
            addresses.into_iter().flatten().any(|known| {
                self.is_written(known)
                    && domain::of_address(known).is_some_and(|its| domain::organisation(&its) == domain)
            })
        };
        same_local || same_name()
    }

    /// The address under which the owner knows the bearer of this name, where the message comes from another.
    #[must_use]
    pub fn known_elsewhere(&self, address: &str, name: &str) -> Option<String> {
        let address = canonical(address);
        if self.is_known(&address) {
            return None;
        }
        let others = self.names.get(&alike::name_key(name)?)?;
        let organisation = domain::organisation(&domain::of_address(&address)?);
        let same_house = !domain::is_shared(&organisation)
            && others
                .iter()
                .filter_map(|other| domain::of_address(other))
                .any(|its| domain::organisation(&its) == organisation);
        if same_house {
            return None;
        }
        others.iter().max_by_key(|other| self.is_written(other)).cloned()
    }
}

/// A label with each of its letters left out in turn, and whole: two labels one letter apart have one of these in common.
fn variants(label: &str) -> Vec<String> {
    let letters: Vec<char> = label.chars().filter(|c| *c != '-').take(63).collect();
    let without = |at: usize| letters.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, c)| *c).collect();
    std::iter::once(letters.iter().collect()).chain((0..letters.len()).map(without)).collect()
}

/// Parts before the @ that every house has, and that therefore say nothing about who writes.
#[must_use]
pub fn is_automatic(local: &str) -> bool {
    let plain: String = local.chars().filter(|c| c.is_ascii_alphabetic()).collect();
    let starts = ["noreply", "donotreply", "notification", "newsletter", "mailer", "bounce", "postmaster"];
    let whole = [
        "info",
        "contact",
        "kontakt",
        "hello",
        "hallo",
        "support",
        "service",
        "office",
        "mail",
        "news",
        "admin",
        "webmaster",
        "sales",
        "billing",
        "team",
        "help",
        "root",
        "post",
        "reply",
        "list",
        "alerts",
        "updates",
    ];
    starts.iter().any(|word| plain.starts_with(word)) || whole.contains(&plain.as_str())
}
