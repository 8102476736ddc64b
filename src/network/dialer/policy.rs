//! The one policy table: what goes by which route, and the switches over all of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use tokio_util::sync::CancellationToken;

use super::{Dialer, Purpose, Route, Rule};

/// What the owner decided.
#[derive(Default)]
pub(super) struct Policy {
    offline: AtomicBool,
    tor_for_everything: AtomicBool,
    pub(super) secure: AtomicBool,
    rules: RwLock<HashMap<Purpose, Rule>>,
    cuts: RwLock<Cuts>,
}

/// What cuts open connections when a switch says that they should not be there.
struct Cuts {
    all: CancellationToken,
    direct: CancellationToken,
}

impl Default for Cuts {
    fn default() -> Self {
        let all = CancellationToken::new();
        Self { direct: all.child_token(), all }
    }
}

impl Policy {
    /// Cut when a connection by this route may not be there any more.
    pub(super) fn cut(&self, route: Route) -> CancellationToken {
        let cuts = self.cuts.read().unwrap_or_else(PoisonError::into_inner);
        match route {
            Route::Direct => cuts.direct.clone(),
            Route::Tor => cuts.all.clone(),
        }
    }

    fn cut_now(&self, which: impl FnOnce(&Cuts) -> &CancellationToken) {
        let mut cuts = self.cuts.write().unwrap_or_else(PoisonError::into_inner);
        which(&cuts).cancel();
        if cuts.all.is_cancelled() {
            *cuts = Cuts::default();
        } else {
            cuts.direct = cuts.all.child_token();
        }
    }
}

impl Dialer {
    /// Switches the network off or on. Connections that are open are cut, and the Tor inside ends.
    pub fn set_offline(&self, offline: bool) {
        let policy = &self.shared.policy;
        if policy.offline.swap(offline, Ordering::Relaxed) != offline && offline {
            policy.cut_now(|cuts| &cuts.all);
            self.rest_tor();
        }
    }

    /// Whether the network is switched off.
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.shared.policy.offline.load(Ordering::Relaxed)
    }

    /// Sends everything through Tor, or only what the policy says. Connections that are open past Tor are cut.
    pub fn set_tor_for_everything(&self, tor: bool) {
        let policy = &self.shared.policy;
        if policy.tor_for_everything.swap(tor, Ordering::Relaxed) != tor && tor {
            self.cut_direct();
        }
    }

    /// Cuts the connections that are open past Tor; whoever still wants one opens it anew.
    pub fn cut_direct(&self) {
        self.shared.policy.cut_now(|cuts| &cuts.direct);
    }

    /// Whether everything goes through Tor.
    #[must_use]
    pub fn is_tor_for_everything(&self) -> bool {
        self.shared.policy.tor_for_everything.load(Ordering::Relaxed)
    }

    /// Lets nothing out in clear text, whatever an account says, or lets the accounts say.
    pub fn set_secure(&self, secure: bool) {
        self.shared.policy.secure.store(secure, Ordering::Relaxed);
    }

    /// Says what becomes of a purpose; what its policy does not offer changes nothing.
    pub fn set_rule(&self, purpose: Purpose, rule: Rule) {
        if purpose.rules().contains(&rule) {
            let rules = &self.shared.policy.rules;
            rules.write().unwrap_or_else(PoisonError::into_inner).insert(purpose, rule);
        }
    }

    /// What becomes of a purpose, with the switch for everything counted in.
    #[must_use]
    pub fn rule(&self, purpose: Purpose) -> Rule {
        let rules = self.shared.policy.rules.read().unwrap_or_else(PoisonError::into_inner);
        match rules.get(&purpose).copied().unwrap_or_else(|| purpose.rule()) {
            Rule::Direct if self.is_tor_for_everything() => Rule::Tor,
            rule => rule,
        }
    }

    /// Cuts what is open and ends the Tor inside, for good: the store is closed.
    pub fn close(&self) {
        self.set_offline(true);
    }
}
