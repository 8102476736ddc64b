//! The door to the outside: how Tor is, what goes by which route, what went out.

use askama::Template;

use super::{Shell, Task};

/// `/network`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/network.html")]
pub struct NetworkPage {
    /// What surrounds it.
    pub shell: Shell,
    /// How Tor is.
    pub tor: TorView,
    /// Whether the network is switched off.
    pub offline: bool,
    /// Whether everything goes through Tor.
    pub everything: bool,
    /// What goes by which route.
    pub rules: Vec<RuleView>,
    /// What the list below is: all connections, or the newest of how many.
    pub hint: String,
    /// The connections, the newest first.
    pub connections: Vec<Task>,
}

/// How Tor is.
#[derive(Debug, Clone, Default)]
pub struct TorView {
    /// In a sentence or two.
    pub words: String,
    /// Whether nothing is wrong with it.
    pub ok: bool,
    /// How far it has come, of 100, while it starts.
    pub percent: Option<u8>,
}

/// One line of the table of routes.
#[derive(Debug, Clone, Default)]
pub struct RuleView {
    /// "Mail of alice@example.org", "Leaving lists".
    pub label: String,
    /// The field.
    pub name: String,
    /// What may be chosen; empty where that is done elsewhere.
    pub choices: Vec<RuleChoice>,
    /// What is chosen elsewhere, in words.
    pub elsewhere: &'static str,
}

/// One choice.
#[derive(Debug, Clone, Default)]
pub struct RuleChoice {
    /// The word of the settings.
    pub value: &'static str,
    /// "Through Tor, or not at all".
    pub label: &'static str,
    /// Whether it is the one.
    pub chosen: bool,
}
