//! How the program is: health, sizes, queues, background tasks.

use askama::Template;

use super::Shell;

/// `/status`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/status.html")]
pub struct StatusPage {
    /// What surrounds it.
    pub shell: Shell,
    /// "All is well." or what is not.
    pub words: String,
    /// Whether all is well.
    pub ok: bool,
    /// Each account, in words.
    pub accounts: Vec<Task>,
    /// Messages, bytes, queues.
    pub facts: Vec<Fact>,
    /// What runs in the background.
    pub tasks: Vec<Task>,
    /// The version of the program.
    pub version: String,
}

/// A figure with its name.
#[derive(Debug, Clone, Default)]
pub struct Fact {
    /// "Messages".
    pub name: String,
    /// "18,220".
    pub value: String,
    /// "in 9,120 threads"; empty for nothing.
    pub note: String,
}

/// Something that goes on by itself.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// "Sending", "alice@example.org".
    pub name: String,
    /// "Idle.", "Could not reach … Trying again at 14:05."
    pub words: String,
    /// Whether all is well.
    pub ok: bool,
    /// How far, where that is known: done and all.
    pub progress: Option<(u64, u64)>,
}
