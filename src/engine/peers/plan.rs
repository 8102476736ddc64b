//! What will happen to a message, and why: the composer's advice.

use super::super::app::App;
use super::super::failure::{Failure, blocking};
use super::super::lookup;
use super::{in_use, state, waiting};
use crate::crypto::openpgp::Certificate;
use crate::mail::address::canonical;
use crate::mail::autocrypt::{self, Recommendation};
use crate::storage::database::{CandidateRow, PeerRow, keys, lookups, peers};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// What will happen to a message to somebody, and why.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// Canonical address.
    pub address: String,
    /// `disable`, `discourage`, `available` or `encrypt`.
    pub recommendation: &'static str,
    /// The same, to be reckoned with.
    #[serde(skip)]
    pub rank: Recommendation,
    /// The key it would be encrypted to.
    pub fingerprint: Option<String>,
    /// Whether it waits for the owner to decide about a new key.
    pub undecided: bool,
    /// Whether no key of theirs is known at all.
    #[serde(skip)]
    pub is_unknown: bool,
    /// Whether their program may not have heard of the owner's key, so that it goes along.
    #[serde(skip)]
    pub needs_key: bool,
    /// Why, in one sentence.
    pub words: String,
}

/// What will happen to a message to several people.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For all together.
    pub recommendation: Recommendation,
    /// For each.
    pub each: Vec<Advice>,
    /// The certificates, by address, where there is one to encrypt to.
    pub(in crate::engine) certificates: HashMap<String, Certificate>,
}

/// What will happen to a message from one of the owner's addresses to these people, and why. One look-up for all of them.
///
/// # Errors
/// When the store fails.
pub async fn plan(
    app: &Arc<App>,
    own_mutual: bool,
    recipients: &[String],
    replying_to_private: bool,
) -> Result<Plan, Failure> {
    let now = app.now();
    let mut addresses: Vec<String> = recipients.iter().map(|a| canonical(a)).collect();
    addresses.sort();
    addresses.dedup();
    let (rows, found, certificates) = {
        let mut reader = app.reader.get().await?;
        let rows = peers::of(&mut reader, &addresses).await?;
        let found = lookups::candidates(&mut reader, &addresses).await?;
        let wanted: Vec<String> = rows
            .values()
            .flat_map(|r| r.pinned.iter().chain(&r.public_key).chain(&r.gossip_key))
            .chain(found.iter().map(|candidate| &candidate.fingerprint))
            .cloned()
            .collect();
        let bytes = keys::certificates_of(&mut reader, &wanted).await?;
        (rows, found, bytes)
    };
    let own = app.keyring.all();
    let own_addresses = app.own_addresses();
    // Since when the owner's present keys are in use, where others were before them.
    let replaced = own.iter().any(|key| !key.current);
    let since = own.iter().filter(|key| key.current && replaced).map(|key| key.made_at).max().unwrap_or(1);
    blocking(move || {
        let mut parsed: HashMap<String, Certificate> = HashMap::new();
        for bytes in certificates {
            if let Ok(certificate) = Certificate::parse(&bytes) {
                parsed.insert(certificate.fingerprint().to_string(), certificate);
            }
        }
        let mut plan =
            Plan { recommendation: Recommendation::Disable, each: Vec::new(), certificates: HashMap::new() };
        let mut all = Vec::new();
        for address in addresses {
            // To oneself is private as soon as there is a key.
            let mine = own.iter().find(|own| own.current && own.address == address);
            let (advice, certificate) = if let Some(mine) = mine {
                let certificate = mine.key.certificate();
                let recommendation =
                    if own_mutual { Recommendation::Encrypt } else { Recommendation::Available };
                (
                    advice(&address, recommendation, Some(&certificate), "This is you.".into()),
                    Some(certificate),
                )
            } else if own_addresses.contains(&address) {
                (
                    advice(
                        &address,
                        Recommendation::Disable,
                        None,
                        "This address of yours has no key yet.".into(),
                    ),
                    None,
                )
            } else {
                let judged = judge(
                    &address,
                    rows.get(&address),
                    &parsed,
                    (own_mutual, replying_to_private),
                    (since, now),
                );
                // Beside a key that is relied on, whatever became of it, nobody's word but the owner's counts.
                let is_pinned = rows.get(&address).is_some_and(|row| row.pinned.is_some());
                let is_open = judged.1.is_none() && !judged.0.undecided && !is_pinned;
                let looked_up = is_open
                    .then(|| by_look_up(&address, &found, &parsed, replying_to_private, now))
                    .flatten();
                looked_up.unwrap_or(judged)
            };
            all.push(advice.rank);
            if let Some(certificate) = certificate {
                plan.certificates.insert(address, certificate);
            }
            plan.each.push(advice);
        }
        if !all.is_empty() {
            plan.recommendation = autocrypt::all(all);
        }
        Ok::<_, Failure>(plan)
    })
    .await
}

fn advice(
    address: &str,
    recommendation: Recommendation,
    certificate: Option<&Certificate>,
    words: String,
) -> Advice {
    Advice {
        address: address.to_owned(),
        recommendation: recommendation.as_str(),
        rank: recommendation,
        fingerprint: certificate.map(|c| c.fingerprint().to_string()),
        undecided: false,
        is_unknown: false,
        needs_key: false,
        words,
    }
}

/// What is recommended for somebody of whom nothing is known.
fn unknown(address: &str) -> Advice {
    let words = "No key of theirs is known: the message goes out as normal mail.".to_owned();
    Advice { is_unknown: true, ..advice(address, Recommendation::Disable, None, words) }
}

/// What is recommended for one correspondent.
fn judge(
    address: &str,
    row: Option<&PeerRow>,
    certificates: &HashMap<String, Certificate>,
    (own_mutual, replying): (bool, bool),
    (since, now): (i64, i64),
) -> (Advice, Option<Certificate>) {
    let Some(row) = row else {
        return (unknown(address), None);
    };
    let waits = waiting(row).is_some();
    if waits && row.verified_at > 0 {
        let words =
            "They wrote with another key than the one you compared. Nothing private goes to them until you \
                     keep the old key, use the new one, or compare again."
                .to_owned();
        return (Advice { undecided: true, ..advice(address, Recommendation::Disable, None, words) }, None);
    }
    let usable = |f: &&String| certificates.get(*f).is_some_and(|c| c.usable(now).is_ok());
    // Without a pin the address's own key goes before what others told of it, as long as it can be used.
    let chosen = match &row.pinned {
        Some(pinned) => Some(pinned),
        None => row.public_key.iter().chain(&row.gossip_key).find(usable).or_else(|| in_use(row)),
    };
    let certificate = chosen.and_then(|f| certificates.get(f));
    let Some(certificate) = certificate else {
        return (unknown(address), None);
    };
    if let Err(why) = certificate.usable(now) {
        let words = format!("Their key cannot be used: {why}. Their next message may bring a newer one.");
        // Whoever was written to in private is not written to in clear because a day has passed.
        let undecided = waits || row.private > 0;
        return (Advice { undecided, ..advice(address, Recommendation::Disable, None, words) }, None);
    }
    let mut peer = state(row);
    if row.pinned.is_some() {
        peer.key.clone_from(&row.pinned);
    } else if row.public_key.as_ref() != chosen {
        peer.key = None;
    }
    let (mut recommendation, _) = autocrypt::one(Some(&peer), |_| true, own_mutual, replying);
    // Somebody who reads private mail goes on reading it: nobody can switch that off from outside by taking headers away.
    if row.private > 0 && own_mutual {
        recommendation = Recommendation::Encrypt;
    }
    let words = reason(row, recommendation, replying);
    let words = if waits { format!("{words} They wrote with a different key last.") } else { words };
    // A program that told its key takes ours from the field; one that wrote in private since has it.
    let needs_key = row.private_at < since && (row.public_key.is_none() || since > 1);
    let advice =
        Advice { undecided: waits, needs_key, ..advice(address, recommendation, Some(certificate), words) };
    (advice, Some(certificate.clone()))
}

/// What is recommended for somebody of whom only servers named a key: the first that can be used, and never by itself, but
/// to answer what came in private. What anybody may have put there is used when the owner chooses it, not before.
fn by_look_up(
    address: &str,
    found: &[CandidateRow],
    certificates: &HashMap<String, Certificate>,
    replying: bool,
    now: i64,
) -> Option<(Advice, Option<Certificate>)> {
    let is_usable = |certificate: &&Certificate| lookup::unusable(certificate, address, now).is_none();
    let mut usable = found.iter().filter(|row| row.address == address).filter_map(|row| {
        let certificate = certificates.get(&row.fingerprint).filter(is_usable)?;
        Some((row, certificate))
    });
    let first = usable.clone().find(|(row, _)| !lookup::is_anybodys(&row.source));
    let Some((row, certificate)) = first else {
        let (row, _) = usable.next()?;
        let words = format!(
            "{} has a key in their name, but anybody can put one there: look at it on their page, and choose it if it is theirs.",
            row.server
        );
        return Some((advice(address, Recommendation::Disable, None, words), None));
    };
    let others = usable.any(|(_, other)| other.fingerprint() != certificate.fingerprint());
    let words = match (row.source.as_str(), others) {
        (_, true) => format!("{} has a key for them, others have different ones.", row.server),
        ("wkd", false) => format!("{} gives out a key for them.", row.server),
        (_, false) => format!("{} has a key for them.", row.server),
    };
    let words = format!("{words} Nobody you know vouches for it: compare it with them.");
    let recommendation = if replying { Recommendation::Encrypt } else { Recommendation::Discourage };
    let advice = Advice { needs_key: true, ..advice(address, recommendation, Some(certificate), words) };
    Some((advice, Some(certificate.clone())))
}

/// Why, from how they really write.
fn reason(row: &PeerRow, recommendation: Recommendation, replying: bool) -> String {
    let times = |n: u32| if n == 1 { "once".to_owned() } else { format!("{n} times") };
    let messages = |n: u32| {
        if n == 1 {
            "your last private message".to_owned()
        } else {
            format!("your last {n} private messages")
        }
    };
    let habit = if row.answered > 0 {
        format!("They read and answered {}.", messages(row.answered))
    } else if row.private > 0 {
        format!("They wrote to you in private {}.", times(row.private))
    } else if row.public_key.is_some() {
        "Their program told its key.".to_owned()
    } else if row.pinned.is_some() {
        "You brought their key.".to_owned()
    } else {
        "A contact you share told their key.".to_owned()
    };
    match recommendation {
        Recommendation::Encrypt if replying && row.private == 0 => {
            "You are answering private mail, so it stays private.".to_owned()
        }
        Recommendation::Encrypt => habit,
        Recommendation::Available => format!("{habit} They did not ask for private mail."),
        Recommendation::Discourage if row.public_key.is_none() => {
            format!("{habit} They themselves have not told it to you yet.")
        }
        Recommendation::Discourage => {
            format!(
                "{habit} Their newer mail came without it, so perhaps they cannot read private mail any more."
            )
        }
        Recommendation::Disable => "No key of theirs can be used.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::blank;
    use super::*;

    #[test]
    fn a_key_that_others_told_is_not_called_a_habit_that_was_given_up() {
        let carol = PeerRow { gossip_key: Some("CA401".to_owned()), ..blank("carol@x.example") };
        let words = reason(&carol, Recommendation::Discourage, false);
        assert_eq!(words, "A contact you share told their key. They themselves have not told it to you yet.");
        let bob = PeerRow { public_key: Some("B0B".to_owned()), last_seen: 9, ..blank("bob@x.example") };
        assert!(reason(&bob, Recommendation::Discourage, false).contains("newer mail came without it"));
    }
}
