//! The two facts about a message, drawn alike everywhere: whether it was private, and how sure it is who wrote it; and what
//! will happen to one that is being written.

use askama::Template;

/// What is to be said of a message. Nothing at all for ordinary mail.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// At most two facts: its privacy, then its sender.
    pub facts: Vec<TrustFact>,
    /// Why, in whole sentences.
    pub reasons: Vec<String>,
    /// The fingerprint behind it, in groups of four; empty for none.
    pub fingerprint: String,
    /// The page of the contact whose key it is; empty for none.
    pub contact_href: String,
    /// What can be done about it: words and address.
    pub action: Option<(String, String)>,
}

/// A short fact about a message.
#[derive(Debug, Clone, Default)]
pub struct TrustFact {
    /// The name of its picture, without `i-`.
    pub icon: &'static str,
    /// "Private", "same key since 3 Mar 2025 (41 messages)".
    pub words: String,
    /// Whether it calls for caution.
    pub caution: bool,
    /// Whether it calls for more than that: the other key was compared with its owner.
    pub danger: bool,
}

/// What will happen to a message that is being written.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    /// "Will be private"; the rest says why.
    pub fact: TrustFact,
    /// Whether it will be private.
    pub private: bool,
    /// "Send privately" or "Send".
    pub send_words: &'static str,
    /// What leaks when an answer to private mail is not private; empty for nothing.
    pub leak: String,
    /// Those it goes to, and what can be said of each.
    pub each: Vec<ForecastFor>,
    /// Whether a key of somebody's is being looked for, so that it is worth asking again.
    pub looking: bool,
}

/// What will happen for one of those it goes to.
#[derive(Debug, Clone, Default)]
pub struct ForecastFor {
    /// The name, or the address where there is none.
    pub shown: String,
    /// The address.
    pub address: String,
    /// The name of its picture, without `i-`.
    pub icon: &'static str,
    /// Why, in a sentence.
    pub words: String,
    /// Whether another key waits for a decision.
    pub undecided: bool,
    /// Whether there is no key to encrypt to.
    pub keyless: bool,
    /// Whether no key of theirs was ever heard of.
    pub unknown: bool,
    /// Their page, where keys are compared.
    pub href: String,
}

/// Only the forecast, for a script that brings an open form up to date.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/forecast.html")]
pub struct ForecastPart {
    /// It.
    pub forecast: Forecast,
}
