//! The roster: which devices are the owner's. It is a set of signed statements; whoever has the same statements sees the same
//! roster, in whatever order they came.
//!
//! A statement names the last ones its author knew, so all that lies before it is known. It is *sound* if, by what lies before
//! it, its author was a member and signed it. A removal that a sound removal of its author did not see is *doubtful*: its author
//! may have been a thief by then. A doubtful removal removes nobody, but as long as it stands its device is *disputed* and gets
//! no secrets. The owner settles it by removing the thief once more on a device that nobody disputes: a removal that saw a
//! doubtful one by the device it removes overrules it.

use super::device::{Device, hash, verify};
use crate::mail::sma::{Deed, DeviceId, Keys, Statement, Writer};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The hash of a statement, or of a whole roster.
pub type RosterHash = [u8; 32];

/// A roster has at most so many statements: one bit each in a [`Set`].
const MOST: usize = 128;
/// A statement names at most so many others.
const MOST_SEEN: usize = 16;

/// What a device is on a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody ever let it in.
    Outside,
    /// It is one of the owner's.
    Member {
        /// Its keys.
        keys: Keys,
        /// What the owner calls it.
        name: String,
    },
    /// Devices contradict each other about it: it gets nothing until the owner decides.
    Disputed,
    /// It was removed, for good.
    Removed,
}

/// The statements that are known for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    account: String,
    anchor: RosterHash,
    statements: BTreeMap<RosterHash, Statement>,
}

impl Roster {
    /// The roster of a device that is alone.
    #[must_use]
    pub fn found(device: &Device, account: &str, name: &str, now: i64) -> Self {
        let deed = Deed::Add { keys: device.keys(), name: name.to_owned() };
        let first = device.state(account, device.id(), deed, now, Vec::new());
        let anchor = hash(&first.signed_bytes());
        Self { account: account.to_owned(), anchor, statements: BTreeMap::from([(anchor, first)]) }
    }

    /// The roster of an account that begins with the statement of this hash. The others are [`Roster::take`]n.
    #[must_use]
    pub fn anchored(account: &str, anchor: RosterHash) -> Self {
        Self { account: account.to_owned(), anchor, statements: BTreeMap::new() }
    }

    /// The hash of the statement that it begins with.
    #[must_use]
    pub const fn anchor(&self) -> RosterHash {
        self.anchor
    }

    /// Its statements by their hashes.
    pub fn statements(&self) -> impl Iterator<Item = (&RosterHash, &Statement)> {
        self.statements.iter()
    }

    /// Takes a statement in; says whether it is new. One that cannot be sound is not taken; one whose forerunners are not here
    /// yet waits for them.
    pub fn take(&mut self, statement: Statement) -> bool {
        let name = hash(&statement.signed_bytes());
        if statement.account != self.account
            || self.statements.contains_key(&name)
            || self.statements.len() >= MOST
        {
            return false;
        }
        self.statements.insert(name, statement);
        let judge = Judge::new(self);
        // Soundness hangs on forerunners alone: what is not sound now never will be.
        let hopeless = judge.index.get(&name).is_some_and(|at| !judge.sound.has(*at));
        if hopeless {
            self.statements.remove(&name);
        }
        !hopeless
    }

    /// What a device is.
    #[must_use]
    pub fn standing(&self, device: DeviceId) -> Standing {
        let judge = Judge::new(self);
        judge.standing(judge.all(), device)
    }

    /// Every device that was ever let in, and what it is now.
    #[must_use]
    pub fn devices(&self) -> BTreeMap<DeviceId, Standing> {
        let judge = Judge::new(self);
        let named: BTreeSet<DeviceId> = judge.list.iter().map(|statement| statement.device).collect();
        named.into_iter().map(|device| (device, judge.standing(judge.all(), device))).collect()
    }

    /// A device's keys, if it is a member.
    #[must_use]
    pub fn keys_of(&self, device: DeviceId) -> Option<Keys> {
        match self.standing(device) {
            Standing::Member { keys, .. } => Some(keys),
            _ => None,
        }
    }

    /// The hash of the whole roster: devices with the same hash know the same statements.
    #[must_use]
    pub fn hash(&self) -> RosterHash {
        let last = Judge::new(self).last();
        hash(&Writer::new("autocrypt-sma/1 roster hash").list(&last, |hash| hash.to_vec()).done())
    }

    /// `me` lets a device in. `None`, where `me` is no member itself or the number was used before.
    pub fn add(
        &mut self,
        me: &Device,
        device: DeviceId,
        keys: Keys,
        name: &str,
        now: i64,
    ) -> Option<Statement> {
        self.say(me, device, Deed::Add { keys, name: name.to_owned() }, now)
    }

    /// `me` removes a device. `None`, where `me` is no member itself, or nobody ever let the device in.
    pub fn remove(&mut self, me: &Device, device: DeviceId, now: i64) -> Option<Statement> {
        self.say(me, device, Deed::Remove, now)
    }

    fn say(&mut self, me: &Device, device: DeviceId, deed: Deed, now: i64) -> Option<Statement> {
        let mut seen = Judge::new(self).last();
        seen.truncate(MOST_SEEN);
        let statement = me.state(&self.account, device, deed, now, seen);
        self.take(statement.clone()).then_some(statement)
    }
}

/// Some statements, by their place in [`Judge::list`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Set(u128);

impl Set {
    const fn has(self, at: usize) -> bool {
        at < MOST && self.0 >> at & 1 == 1
    }

    const fn with(self, at: usize) -> Self {
        if at < MOST { Self(self.0 | 1 << at) } else { self }
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        (0..MOST).filter(move |at| self.has(*at))
    }
}

/// The statements whose forerunners are all here, each after those it saw, and what they come to.
struct Judge<'a> {
    list: Vec<&'a Statement>,
    names: Vec<RosterHash>,
    index: HashMap<RosterHash, usize>,
    /// What each one's author had seen, all of it.
    before: Vec<Set>,
    sound: Set,
    removals: Set,
    anchor: Option<usize>,
    doubts: RefCell<HashMap<(Set, usize), bool>>,
}

impl<'a> Judge<'a> {
    fn new(roster: &'a Roster) -> Self {
        let mut judge = Self {
            list: Vec::new(),
            names: Vec::new(),
            index: HashMap::new(),
            before: Vec::new(),
            sound: Set::default(),
            removals: Set::default(),
            anchor: None,
            doubts: RefCell::default(),
        };
        loop {
            let ready = roster.statements.iter().filter(|(name, statement)| {
                !judge.index.contains_key(*name)
                    && statement.seen.iter().all(|seen| judge.index.contains_key(seen))
            });
            let ready: Vec<_> = ready.collect();
            if ready.is_empty() {
                return judge;
            }
            for (name, statement) in ready {
                judge.place(*name, statement, roster.anchor);
            }
        }
    }

    fn place(&mut self, name: RosterHash, statement: &'a Statement, anchor: RosterHash) {
        let at = self.list.len();
        let mut before = Set::default();
        for seen in statement.seen.iter().filter_map(|seen| self.index.get(seen)) {
            before = Set(before.0 | self.before(*seen).0).with(*seen);
        }
        self.list.push(statement);
        self.names.push(name);
        self.index.insert(name, at);
        self.before.push(before);
        if name == anchor {
            self.anchor = Some(at);
        }
        if self.is_sound(at, statement, before) {
            self.sound = self.sound.with(at);
            if statement.deed == Deed::Remove {
                self.removals = self.removals.with(at);
            }
        }
    }

    fn is_sound(&self, at: usize, statement: &Statement, before: Set) -> bool {
        let signing = if self.anchor == Some(at) {
            // The first device let itself in.
            if statement.author != statement.device || !statement.seen.is_empty() {
                return false;
            }
            statement.deed.adds()
        } else {
            match self.standing(before, statement.author) {
                Standing::Member { keys, .. } => Some(keys),
                _ => None,
            }
        };
        let was_added = self.adds(before, statement.device).next().is_some();
        let signed =
            |keys: Keys| verify(&keys.signing, &statement.signed_bytes(), &statement.signature).is_ok();
        // A number is used once, and who was never in cannot be put out.
        was_added == (statement.deed == Deed::Remove) && signing.is_some_and(signed)
    }

    fn all(&self) -> Set {
        (0..self.list.len()).fold(Set::default(), Set::with)
    }

    /// The hashes of those that no other one saw, in ascending order.
    fn last(&self) -> Vec<RosterHash> {
        let seen = self.sound.iter().fold(Set::default(), |seen, at| Set(seen.0 | self.before(at).0));
        let last = self.sound.iter().filter(|at| !seen.has(*at));
        let mut last: Vec<RosterHash> = last.filter_map(|at| self.names.get(at).copied()).collect();
        last.sort_unstable();
        last
    }

    fn before(&self, at: usize) -> Set {
        self.before.get(at).copied().unwrap_or_default()
    }

    fn author(&self, at: usize) -> Option<DeviceId> {
        self.list.get(at).map(|statement| statement.author)
    }

    /// The sound additions of a device.
    fn adds(&self, view: Set, device: DeviceId) -> impl Iterator<Item = usize> {
        let about = move |at: &usize| {
            self.list.get(*at).is_some_and(|s| s.device == device && s.deed != Deed::Remove)
        };
        view.and(self.sound).iter().filter(about)
    }

    /// The sound removals of a device that are not overruled.
    fn removals_of(&self, view: Set, device: Option<DeviceId>) -> impl Iterator<Item = usize> {
        let about = move |at: &usize| self.list.get(*at).map(|s| s.device) == device;
        view.and(self.removals).iter().filter(about).filter(move |at| !self.is_overruled(view, *at))
    }

    /// A later removal of its author saw it, and it was doubtful then.
    fn is_overruled(&self, view: Set, removal: usize) -> bool {
        view.and(self.removals).iter().any(|later| {
            self.list.get(later).map(|s| s.device) == self.author(removal)
                && self.before(later).has(removal)
                && self.is_doubtful(self.before(later), removal)
        })
    }

    /// Its author was removed by somebody who had not seen it, or was let in by such a one.
    fn is_doubtful(&self, view: Set, removal: usize) -> bool {
        if let Some(known) = self.doubts.borrow().get(&(view, removal)) {
            return *known;
        }
        let author = self.author(removal);
        let doubtful =
            self.removals_of(view, author).any(|other| other != removal && !self.before(other).has(removal))
                || !self.author_stands(view, removal);
        self.doubts.borrow_mut().insert((view, removal), doubtful);
        doubtful
    }

    fn author_stands(&self, view: Set, at: usize) -> bool {
        let author = self.author(at);
        self.anchor == Some(at)
            || author.is_some_and(|author| {
                self.adds(self.before(at), author).any(|add| self.add_stands(view, add))
            })
    }

    /// An addition counts if its author's own does and its author was not removed, or only by somebody who had seen it.
    fn add_stands(&self, view: Set, add: usize) -> bool {
        let author = self.author(add);
        self.author_stands(view, add)
            && self.removals_of(view, author).all(|removal| self.before(removal).has(add))
    }

    fn standing(&self, view: Set, device: DeviceId) -> Standing {
        let adds: Vec<usize> = self.adds(view, device).collect();
        if adds.is_empty() {
            return Standing::Outside;
        }
        let removals: Vec<usize> = self.removals_of(view, Some(device)).collect();
        if removals.iter().any(|removal| !self.is_doubtful(view, *removal)) {
            return Standing::Removed;
        }
        let stands = adds.into_iter().filter(|add| self.add_stands(view, *add));
        let mut stands = stands.filter_map(|add| match &self.list.get(add)?.deed {
            Deed::Add { keys, name } => Some((*keys, name)),
            Deed::Remove => None,
        });
        match stands.next() {
            Some((keys, name)) if removals.is_empty() && stands.all(|(other, _)| other == keys) => {
                Standing::Member { keys, name: name.clone() }
            }
            _ => Standing::Disputed,
        }
    }
}
