//! Pictures on other servers: what the page says of them, and what can be decided.

/// What a message's page says of pictures on other servers, and what can be decided about its sender.
#[derive(Debug, Clone, Default)]
pub struct RemoteView {
    /// "3 pictures from other servers were not loaded; a tracking pixel was left out: …"; empty for none.
    pub words: String,
    /// Whether they may be fetched by a click.
    pub can_show: bool,
    /// Whether the reason that they are missing can be mended in the settings.
    pub see_settings: bool,
    /// Whom a decision is about: one canonical address; empty where nobody can tell who wrote this.
    pub sender: String,
    /// Whether pictures of this sender are always fetched.
    pub always: bool,
    /// The view that can be remembered for the sender, `html` or `text`; empty for none.
    pub remember: &'static str,
}

/// The settings of all that.
#[derive(Debug, Clone, Default)]
pub struct RemoteSettings {
    /// Whether no picture is ever fetched.
    pub never: bool,
    /// Whether pictures come directly and not through Tor.
    pub direct: bool,
    /// Where pictures of correspondents are looked for: `off`, `gravatar` or `libravatar`.
    pub avatars: String,
    /// The avatar server that is asked instead of the usual one; empty for none.
    pub avatar_server: String,
    /// Which Tor is used: `embedded`, `socks` or `off`.
    pub tor_mode: String,
    /// Where Tor listens; empty where nobody said so.
    pub socks: String,
    /// How we stand with Tor, in a sentence.
    pub tor_words: String,
    /// Whether the domains of addresses are asked for keys.
    pub wkd: bool,
    /// The key servers, one in each line.
    pub key_servers: String,
    /// Senders that something was decided about.
    pub senders: Vec<SenderView>,
}

/// A sender that something was decided about.
#[derive(Debug, Clone, Default)]
pub struct SenderView {
    /// The address.
    pub address: String,
    /// "Pictures are always fetched; their text comes first."
    pub words: String,
}
