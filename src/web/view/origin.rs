//! Where a message is from: the facts under its sender, what stands in the details, and the way out of its list.

/// What the page says about where a message is from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Cautions, at most two.
    pub cautions: Vec<String>,
    /// One quiet fact; empty for none: "This is the first message from bob@example.org."
    pub quiet: String,
    /// Sentences for the details: "Signed by example.org (DKIM), checked on 3 Mar 2026."
    pub details: Vec<String>,
    /// Whether the list it came from can be left.
    pub can_leave: bool,
    /// "You left this list on 3 Mar 2026."; empty if that did not happen.
    pub left_words: String,
}
