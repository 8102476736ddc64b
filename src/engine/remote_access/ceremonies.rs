//! What a browser was asked of passkeys, until it answers: in memory alone, each for one answer, not for long, and never more than
//! so many, of whom nobody can push out another's.

use crate::crypto::passkey::{Adding, SigningIn};
use crate::crypto::secret::random;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long an answer may take, in seconds. Browsers give up somewhat earlier.
const PATIENCE: i64 = 240;
/// How many may be open of one session or known browser; the oldest gives way.
const MOST: usize = 4;
/// How many of all others together.
const MOST_OF_STRANGERS: usize = 64;

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Somebody who is signed in, by what their cookie holds.
    Session(String),
    /// A browser that is known.
    Device(i64),
    /// Anybody else.
    Stranger,
}

/// What an answer has to fit.
pub(super) enum Begun {
    /// A key that is being added.
    Adding(Adding),
    /// A sign-in.
    SigningIn(SigningIn),
}

struct Ceremony {
    asked: Who,
    site: String,
    until: i64,
    begun: Begun,
}

/// What browsers were asked, by what their answers bear.
#[derive(Default)]
pub struct Ceremonies(Mutex<HashMap<String, Ceremony>>);

impl Ceremonies {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Ceremony>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what an answer has to fit; gives what the answer has to bear.
    pub(super) fn begin(&self, asked: Who, site: &str, begun: Begun, now: i64) -> String {
        let mut all = self.all();
        all.retain(|_, ceremony| now < ceremony.until);
        let most = if asked == Who::Stranger { MOST_OF_STRANGERS } else { MOST };
        let mut same: Vec<(i64, String)> = all
            .iter()
            .filter(|(_, ceremony)| ceremony.asked == asked)
            .map(|(id, ceremony)| (ceremony.until, id.clone()))
            .collect();
        same.sort_unstable();
        for (_, id) in same.iter().take((same.len() + 1).saturating_sub(most)) {
            all.remove(id);
        }
        let id = data_encoding::HEXLOWER.encode(&random::<16>());
        all.insert(id.clone(), Ceremony { asked, site: site.to_owned(), until: now + PATIENCE, begun });
        id
    }

    /// Takes what an answer has to fit: nobody gets it again. Nothing for whoever was not asked under this name.
    pub(super) fn take(&self, id: &str, asked: &Who, site: &str, now: i64) -> Option<Begun> {
        let mut all = self.all();
        let found = all.get(id)?;
        if found.asked != *asked || found.site != site {
            return None;
        }
        all.remove(id).filter(|ceremony| now < ceremony.until).map(|ceremony| ceremony.begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::passkey::Site;

    const SITE: &str = "mail.alice.test";

    fn begun() -> Begun {
        Begun::SigningIn(Site::new("https://mail.alice.test").unwrap().begin_sign_in().unwrap().1)
    }

    #[test]
    fn each_is_for_one_answer_of_whoever_was_asked() {
        let all = Ceremonies::default();
        let asked = Who::Device(1);
        let id = all.begin(asked.clone(), SITE, begun(), 100);
        for other in [Who::Stranger, Who::Device(2), Who::Session("1".into())] {
            assert!(all.take(&id, &other, SITE, 100).is_none(), "{other:?}");
        }
        assert!(all.take(&id, &asked, "mail.bob.test", 100).is_none());
        assert!(all.take("", &asked, SITE, 100).is_none());
        assert!(all.take(&id, &asked, SITE, 101).is_some());
        assert!(all.take(&id, &asked, SITE, 101).is_none(), "once");
        let late = all.begin(asked.clone(), SITE, begun(), 100);
        assert!(all.take(&late, &asked, SITE, 100 + PATIENCE).is_none(), "too late");
    }

    #[test]
    fn strangers_push_out_nobody_but_strangers() {
        let all = Ceremonies::default();
        let known = all.begin(Who::Device(1), SITE, begun(), 0);
        let first = all.begin(Who::Stranger, SITE, begun(), 0);
        for n in 1..=200 {
            all.begin(Who::Stranger, SITE, begun(), n / 10);
        }
        assert_eq!(all.all().len(), MOST_OF_STRANGERS + 1);
        assert!(all.take(&first, &Who::Stranger, SITE, 20).is_none(), "the oldest gave way");
        for n in 0..10 {
            all.begin(Who::Device(2), SITE, begun(), n);
        }
        assert_eq!(all.all().len(), MOST_OF_STRANGERS + 1 + MOST);
        assert!(all.take(&known, &Who::Device(1), SITE, 20).is_some());
        all.begin(Who::Stranger, SITE, begun(), 20 + PATIENCE);
        assert_eq!(all.all().len(), 1, "what is too old is not kept");
    }
}
