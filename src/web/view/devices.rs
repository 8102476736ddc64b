//! The owner's devices: `/devices`.

use askama::Template;

use super::{InvitationStep, Qr, Shell};

/// `/devices`.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "pages/devices.html")]
pub struct DevicesPage {
    /// What surrounds it.
    pub shell: Shell,
    /// What went wrong with what was just asked for; empty for nothing.
    pub trouble: String,
    /// What was just removed.
    pub removed: Option<RemovedView>,
    /// The devices of each account.
    pub households: Vec<HouseholdView>,
    /// Whether this Mailkeep shows itself to the others.
    pub announces: bool,
    /// Whether more than keys and trust is shared.
    pub shares: bool,
    /// "3 messages between devices lie among your mail"; empty for none.
    pub strays_words: String,
    /// The accounts that have a key, for other mail programs.
    pub senders: Vec<String>,
    /// Signatures that gave way to another device's.
    pub before: Vec<BeforeView>,
    /// Whether a page without a script asks anew by itself.
    pub refreshes: bool,
}

/// A signature that gave way to another device's.
#[derive(Debug, Clone, Default)]
pub struct BeforeView {
    /// By what it is known.
    pub number: i64,
    /// The signature.
    pub text: String,
    /// "12:04".
    pub when: String,
}

/// A device that was just removed.
#[derive(Debug, Clone, Default)]
pub struct RemovedView {
    /// What the owner called it.
    pub name: String,
    /// The address whose key it still has.
    pub account: String,
    /// What the removal does and does not.
    pub words: String,
}

/// The devices of one account.
#[derive(Debug, Clone, Default)]
pub struct HouseholdView {
    /// The account.
    pub account: String,
    /// Whether this device is none of the account's any more.
    pub is_out: bool,
    /// Why; empty where it is one.
    pub out_words: String,
    /// This one.
    pub this: MemberView,
    /// The others.
    pub others: Vec<MemberView>,
    /// Those that were removed.
    pub removed: Vec<MemberView>,
    /// Programs that are not paired.
    pub noticed: Vec<MemberView>,
    /// Whether this one may ask to be let in.
    pub may_ask: bool,
    /// Whether it may show a code that lets another one in.
    pub may_show: bool,
    /// Whether the code of another one can be typed into it.
    pub may_join: bool,
    /// What was mistyped there.
    pub typed: String,
    /// Whether nobody but this one is there.
    pub is_alone: bool,
    /// How a pairing stands.
    pub stage: StageView,
}

/// A device.
#[derive(Debug, Clone, Default)]
pub struct MemberView {
    /// Its number.
    pub id: String,
    /// What the owner calls it.
    pub name: String,
    /// "Mailkeep 0.1.0".
    pub program: String,
    /// "Paired, last heard of 12:04."
    pub words: String,
    /// Whether that is trouble.
    pub caution: bool,
    /// What it is told.
    pub shares: &'static str,
    /// Whether it can be called something else.
    pub nameable: bool,
    /// Whether it announces itself as a Mailkeep.
    pub is_mailkeep: bool,
}

/// A pairing, as it stands at this device.
#[derive(Debug, Clone, Default)]
pub struct StageView {
    /// Which stage: `nothing`, `asking`, `asked`, `accepted`, `shows`, `said`, `types`, `typed`, `code`, `proving`, `joining`, `done`,
    /// `ended`.
    pub kind: &'static str,
    /// What tells it from another one, for the script.
    pub mark: String,
    /// What is to be done, or is waited for.
    pub heading: &'static str,
    /// The three steps.
    pub steps: Vec<InvitationStep>,
    /// The other device.
    pub id: String,
    /// What the other device calls itself.
    pub name: String,
    /// The numbers, or the groups of a code, to be typed into the other device.
    pub numbers: Vec<String>,
    /// What stands before the groups of a code.
    pub prefix: String,
    /// The code for a camera.
    pub qr: Option<Qr>,
    /// "14:05"; empty where nothing waits.
    pub until: String,
    /// Why it ended, or what came over.
    pub words: String,
}

impl StageView {
    /// Whether something goes on that can be ended.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !matches!(self.kind, "nothing" | "done" | "ended")
    }

    /// The numbers in one line.
    #[must_use]
    pub fn sas(&self) -> String {
        self.numbers.join(" ")
    }
}
