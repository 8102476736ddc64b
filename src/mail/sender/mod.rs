//! Who a message is from: what its header says about that, held against the people the owner knows. Each fact is one calm
//! sentence; ordinary mail has none. False alarms cost more than misses, so what honest mail often does is not a fact.

mod alike;
mod known;
#[cfg(test)]
mod tests;

pub use known::{Acquaintance, Circle, is_automatic};

use super::address::{Person, canonical};
use super::domain;
use super::html::FalseLink;
use super::message::Message;
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript;

/// How well the owner knows a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderStanding {
    /// The owner wrote to this address, or heard from it before.
    Known,
    /// This is the first message from it.
    FirstTime,
    /// It is made to be taken for somebody else.
    LookAlike,
}

/// What the store knows about the sender's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The owner wrote to it.
    pub written: bool,
    /// It wrote before this message came.
    pub heard_before: bool,
}

/// Something about the sender that the owner should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// From holds several addresses.
    SeveralSenders(usize),
    /// From holds none.
    NoSender,
    /// The display name holds another address.
    NameHoldsAddress {
        /// The address in the name.
        named: String,
        /// The one that it comes from.
        address: String,
    },
    /// The display name holds characters that cannot be seen or turn the letters around them.
    NameHasHidden,
    /// The domain looks like one that the owner knows.
    LooksLike {
        /// The domain it comes from.
        domain: String,
        /// What it looks like.
        like: String,
    },
    /// Letters of several scripts are mixed in one name of the domain.
    MixedScripts {
        /// The domain, as A-labels.
        domain: String,
    },
    /// The owner knows the bearer of this name under another address.
    KnownElsewhere {
        /// The display name.
        name: String,
        /// The known address.
        known: String,
        /// The one that it comes from.
        address: String,
    },
    /// An answer would go to another house.
    ReplyElsewhere {
        /// Where to.
        reply: String,
        /// Where it comes from.
        address: String,
    },
    /// The text of a link names another place than it leads to.
    LinkElsewhere {
        /// What it shows.
        shown: String,
        /// Where it leads.
        leads: String,
    },
    /// The first message from this address.
    First {
        /// The address.
        address: String,
    },
}

impl Fact {
    /// The sentence for the owner.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::SeveralSenders(count) => {
                format!("This message names {count} senders; nobody can tell who wrote it.")
            }
            Self::NoSender => "This message names no sender; nobody can tell who wrote it.".to_owned(),
            Self::NameHoldsAddress { named, address } => {
                format!("The sender's name says {named}, but the message comes from {address}.")
            }
            Self::NameHasHidden => {
                "The sender's name holds characters that cannot be seen; go by the address.".to_owned()
            }
            Self::LooksLike { domain, like } => {
                format!("{domain} looks like {like}, which you know, but it is another place.")
            }
            Self::MixedScripts { domain } => {
                format!(
                    "The sender's domain, {domain}, mixes letters of several scripts; it may imitate another."
                )
            }
            Self::KnownElsewhere { name, known, address } => {
                format!("You know {name} as {known}; this message comes from {address}.")
            }
            Self::ReplyElsewhere { reply, address } => {
                format!("An answer goes to {reply}, not to {address}.")
            }
            Self::LinkElsewhere { shown, leads } => {
                format!("A link that shows {shown} leads to {leads}.")
            }
            Self::First { address } => format!("This is the first message from {address}."),
        }
    }

    /// Whether it is a caution, or merely good to know.
    #[must_use]
    pub const fn is_caution(&self) -> bool {
        !matches!(self, Self::First { .. })
    }

    /// Whether it makes the sender a look-alike.
    const fn imitates(&self) -> bool {
        matches!(
            self,
            Self::NameHoldsAddress { .. }
                | Self::LooksLike { .. }
                | Self::MixedScripts { .. }
                | Self::KnownElsewhere { .. }
                | Self::NameHasHidden
        )
    }
}

/// The facts about a message's sender, the weightiest first.
#[must_use]
pub fn facts(message: &Message, circle: &Circle, history: History) -> Vec<Fact> {
    let addressed: Vec<&Person> = message.from.iter().filter(|p| !p.address.is_empty()).collect();
    let from = match addressed.as_slice() {
        [one] if message.from.len() == 1 => *one,
        [] => return vec![Fact::NoSender],
        _ => return vec![Fact::SeveralSenders(message.from.len())],
    };
    if circle.is_own(&from.address) {
        return Vec::new();
    }
    let mut found = Vec::new();
    found.extend(name_holds_address(from, circle));
    if message.from_hides {
        found.push(Fact::NameHasHidden);
    }
    if let Some(like) = circle.look_alike(&from.address, &from.name) {
        found.push(Fact::LooksLike { domain: like.domain, like: like.like });
    } else {
        found.extend(mixed_scripts(from));
        found.extend(known_elsewhere(message, from, circle, history));
    }
    found.extend(reply_elsewhere(message, from, circle));
    if !history.written && !history.heard_before && !is_bulk(message) {
        found.push(Fact::First { address: from.address.clone() });
    }
    found
}

/// How well the owner knows the sender.
#[must_use]
pub fn standing(facts: &[Fact], history: History) -> SenderStanding {
    if facts.iter().any(Fact::imitates) {
        SenderStanding::LookAlike
    } else if history.written || history.heard_before {
        SenderStanding::Known
    } else {
        SenderStanding::FirstTime
    }
}

/// What is told of links that show one place and lead to another. Mail sent to many leads through counters of clicks all the
/// time, and says which it is.
#[must_use]
pub fn link_fact(message: &Message, links: &[FalseLink]) -> Option<Fact> {
    let first = links.first().filter(|_| !is_bulk(message))?;
    Some(Fact::LinkElsewhere { shown: first.shown.clone(), leads: first.leads.clone() })
}

/// The first address in a display name that is not the sender's.
fn name_holds_address(from: &Person, circle: &Circle) -> Option<Fact> {
    let name: String = from.name.nfkc().take(1000).collect();
    let own = domain::of_address(&from.address);
    let edges = |c: char| !(c.is_alphanumeric() || c == '_');
    let named = name
        .split(|c: char| c.is_whitespace() || "<>()[],;:\"'".contains(c))
        .map(|word| word.trim_matches(edges))
        .find(|word| {
            word.rsplit_once('@').is_some_and(|(local, place)| {
                !local.is_empty() && domain::is_name(place) && canonical(word) != canonical(&from.address)
            })
        })?;
    let same_house = own.is_some_and(|own| {
        domain::of_address(named).is_some_and(|its| domain::aligned(&its, &own))
            && !domain::is_shared(&domain::organisation(&own))
    });
    if same_house || circle.is_written(&from.address) {
        return None;
    }
    Some(Fact::NameHoldsAddress { named: named.to_owned(), address: from.address.clone() })
}

fn mixed_scripts(from: &Person) -> Option<Fact> {
    let domain = domain::of_address(&from.address).filter(|domain| alike::is_foreign(domain))?;
    let (unicode, _) = idna::domain_to_unicode(&domain);
    let mixed = unicode.split('.').any(|label| !label.is_ascii() && !label.is_single_script());
    mixed.then_some(Fact::MixedScripts { domain })
}

/// People have several addresses. On lists that is daily bread: there it is told once of each, and only where the owner is
/// written to as well.
fn known_elsewhere(message: &Message, from: &Person, circle: &Circle, history: History) -> Option<Fact> {
    let to_owner = message.to.iter().chain(&message.cc).any(|person| circle.is_own(&person.address));
    if is_bulk(message) && (history.heard_before || !to_owner) {
        return None;
    }
    let known = circle.known_elsewhere(&from.address, &from.name)?;
    Some(Fact::KnownElsewhere { name: from.name.clone(), known, address: from.address.clone() })
}

/// An answer that leaves the sender's house for one that the owner does not know. Lists do that by their nature.
fn reply_elsewhere(message: &Message, from: &Person, circle: &Circle) -> Option<Fact> {
    let own = domain::of_address(&from.address)?;
    if is_bulk(message) || message.reply_to.is_empty() {
        return None;
    }
    let strange = |person: &Person| {
        let place = domain::of_address(&person.address);
        place.is_some_and(|place| !domain::aligned(&place, &own)) && !circle.is_known(&person.address)
    };
    let reply = message.reply_to.iter().find(|person| !person.address.is_empty())?;
    if !message.reply_to.iter().all(strange) {
        return None;
    }
    Some(Fact::ReplyElsewhere { reply: reply.address.clone(), address: from.address.clone() })
}

/// Mail to many: from a list, or a circular.
#[must_use]
pub fn is_bulk(message: &Message) -> bool {
    let has = |name: &str| message.header(name).is_some();
    let precedence = message.header("precedence").map(str::to_ascii_lowercase);
    message.list_id.is_some()
        || ["list-post", "list-unsubscribe", "list-help", "mailing-list", "x-mailing-list"]
            .into_iter()
            .any(has)
        || precedence.is_some_and(|word| ["list", "bulk", "junk"].contains(&word.trim()))
}
