//! What is said of a message's privacy and of its sender: one function for lists, threads and single messages.

use crate::engine::failure::Failure;
use crate::engine::read::{Opened, Shown};
use crate::mail::address::canonical;
use crate::mail::envelope::{Closed, FieldState, Opening};
use crate::mail::ids::MessageNumber;
use crate::storage::database::{keys, peers};
use crate::web::auth::Owner;
use crate::web::view::{Body, Trust, TrustFact, encoded};
use crate::web::words;

/// What the words about a sender are made from.
#[derive(Default)]
struct Sender<'a> {
    /// How they are called.
    name: &'a str,
    /// Since when their key is known, UTC seconds, and in how many messages.
    known: Option<(i64, u32)>,
    /// Whether the key they used before was compared with them.
    compared: bool,
    /// Whether it is the owner, of whom nothing need be said.
    is_owner: bool,
}

/// The two facts, from the words that every surface has for them.
fn facts(privacy: &str, assurance: &str, sender: &Sender<'_>) -> Vec<TrustFact> {
    let fact = |icon, words: &str| Some(TrustFact { icon, words: words.to_owned(), ..TrustFact::default() });
    let first = match privacy {
        "private" => fact("lock", "Private"),
        "unconfirmed" => fact("lock-unsure", "Encrypted, sender not confirmed"),
        "closed" => fact("lock-shut", "Cannot be opened"),
        _ => None,
    };
    let second = match (assurance, sender.known) {
        _ if sender.is_owner => None,
        ("verified", _) => fact("checked", "key checked by you"),
        ("same-key", Some((since, messages))) => {
            let messages = match messages {
                0 | 1 => String::new(),
                many => format!(" ({})", words::count(u64::from(many), "message", "messages")),
            };
            fact("key", &format!("same key since {}{messages}", words::day(since)))
        }
        ("same-key", None) => fact("key", "same key as before"),
        ("new-key", _) => fact("key", "new key"),
        ("different-key", _) => Some(TrustFact {
            icon: "warning",
            words: format!("{} wrote with a different key", sender.name),
            caution: true,
            danger: sender.compared,
        }),
        _ => None,
    };
    let mut facts: Vec<TrustFact> = first.into_iter().chain(second).collect();
    if let Some(first) = facts.first_mut() {
        first.words = capital(&first.words);
    }
    facts
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// What a row says of its message: its privacy, and what calls for caution. Most rows say nothing.
pub(super) fn of_row(privacy: &str, assurance: &str, name: &str) -> Trust {
    let mut facts = facts(privacy, assurance, &Sender { name, ..Sender::default() });
    facts.retain(|fact| fact.caution || fact.icon.starts_with("lock"));
    Trust { facts, ..Trust::default() }
}

/// What is said of a message where it is read.
pub(super) async fn of_message(owner: &Owner, opened: &Opened, shown: &Shown) -> Result<Trust, Failure> {
    let person = opened.message.from.first().cloned().unwrap_or_default();
    let address = canonical(&person.address);
    let is_owner = owner.app.own_addresses().contains(&address);
    let mut sender =
        Sender { name: person.display(), is_owner: is_owner && shown.signer.is_some(), ..Sender::default() };
    if let Some(signer) = shown.signer.as_deref().filter(|_| !is_owner) {
        let mut reader = owner.app.reader.get().await?;
        let mut said = keys::peer_keys(&mut reader, &address).await?;
        said.retain(|key| key.fingerprint == signer);
        sender.known = said
            .iter()
            .map(|key| key.first_at)
            .min()
            .map(|since| (since, said.iter().map(|key| key.messages).max().unwrap_or_default()));
        let row = peers::of(&mut reader, std::slice::from_ref(&address)).await?.remove(&address);
        sender.compared = row.is_some_and(|row| row.verified_at > 0);
    }
    let facts = facts(shown.privacy, shown.assurance, &sender);
    let contact_href = match &shown.signer {
        Some(_) if is_owner => "/keys".to_owned(),
        Some(_) => format!("/contacts/{}", encoded(&address)),
        None => String::new(),
    };
    let action = facts
        .iter()
        .any(|fact| fact.caution)
        .then(|| ("Compare, or choose a key".to_owned(), format!("{contact_href}#compare")));
    let mut reasons = opened.summary.reasons.clone();
    let hidden = opened.wrapping.as_ref().map(|w| w.protection.state("subject"));
    if hidden == Some(FieldState::Confidential) && shown.privacy != "closed" {
        reasons.push("Its subject was hidden on the way.".to_owned());
    }
    let fingerprint = shown.signer.as_deref().map(words::groups).unwrap_or_default();
    Ok(Trust { facts, reasons, fingerprint, contact_href, action })
}

/// Why a message cannot be opened, and whether a key would help.
pub(super) fn closed(opened: &Opened) -> Body {
    let opening = opened.wrapping.as_ref().map(|w| &w.opening);
    let wants_key = matches!(opening, Some(Opening::Closed(Closed::NoKey(_))));
    let words = match opened.summary.reasons.as_slice() {
        [] => "This message is encrypted and cannot be opened.".to_owned(),
        reasons => reasons.join(" "),
    };
    Body::Closed { words, wants_key }
}

/// The weakest privacy of a thread, where its messages differ.
pub(super) async fn weakest(owner: &Owner, numbers: &[MessageNumber]) -> Result<Option<TrustFact>, Failure> {
    let mut reader = owner.app.reader.get().await?;
    let rows = peers::envelopes_of(&mut reader, numbers.iter().copied()).await?;
    let of = |words: &[&str]| rows.values().filter(|row| words.contains(&row.privacy.as_str())).count();
    Ok(weakest_of(numbers.len(), of(&["private", "closed"]), of(&["unconfirmed"])))
}

/// Of so many messages, so many private ones and so many whose sender is not confirmed.
fn weakest_of(all: usize, private: usize, unconfirmed: usize) -> Option<TrustFact> {
    let readable = all.saturating_sub(private + unconfirmed);
    let (icon, number, words) = match (readable, unconfirmed, private) {
        (0, unconfirmed, private) if unconfirmed > 0 && private > 0 => {
            ("lock-unsure", unconfirmed, "messages are encrypted by a sender who is not confirmed")
        }
        (readable, unconfirmed, private) if readable > 0 && unconfirmed + private > 0 => {
            ("unlocked", readable, "messages could be read by mail servers")
        }
        _ => return None,
    };
    Some(TrustFact { icon, words: format!("{number} of its {all} {words}"), ..TrustFact::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(privacy: &str, assurance: &str, sender: &Sender<'_>) -> String {
        let facts = facts(privacy, assurance, sender);
        facts.into_iter().map(|fact| fact.words).collect::<Vec<_>>().join(" · ")
    }

    #[test]
    fn of_ordinary_mail_nothing_is_said() {
        assert_eq!(said("none", "none", &Sender::default()), "");
        assert!(of_row("none", "same-key", "Bob").facts.is_empty());
        assert!(of_row("none", "new-key", "Bob").facts.is_empty());
    }

    #[test]
    fn the_two_facts_stand_in_one_order() {
        // The middle of a day, so that no zone makes another of it.
        let bob = Sender { name: "Bob", known: Some((1_741_003_200, 41)), ..Sender::default() };
        assert_eq!(said("private", "same-key", &bob), "Private · same key since 3 Mar 2025 (41 messages)");
        assert_eq!(said("none", "same-key", &bob), "Same key since 3 Mar 2025 (41 messages)");
        assert_eq!(said("none", "different-key", &bob), "Bob wrote with a different key");
        assert_eq!(said("unconfirmed", "none", &bob), "Encrypted, sender not confirmed");
        assert_eq!(said("private", "verified", &bob), "Private · key checked by you");
        let owner = Sender { is_owner: true, ..Sender::default() };
        assert_eq!(said("private", "verified", &owner), "Private");
    }

    #[test]
    fn a_thread_is_as_private_as_its_weakest_message() {
        let words = |all, private, unconfirmed| weakest_of(all, private, unconfirmed).map(|fact| fact.words);
        assert_eq!(words(5, 0, 0), None);
        assert_eq!(words(5, 5, 0), None);
        assert_eq!(words(5, 0, 5), None);
        assert_eq!(words(5, 3, 0).as_deref(), Some("2 of its 5 messages could be read by mail servers"));
        assert!(words(5, 4, 1).is_some_and(|words| words.contains("not confirmed")));
    }
}
