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

    /// Takes in a statement whose forerunners are here; says whether it is a sound one and new. Nothing else is kept: a wrong
    /// signature on a copy of a statement keeps nobody from taking the right one later.
    pub fn take(&mut self, statement: Statement) -> bool {
        let name = hash(&statement.signed_bytes());
        let fits =
            statement.account == self.account && !self.statements.contains_key(&name) && !self.is_full();
        if !fits || !Judge::new(self).is_sound(name, &statement, self.anchor) {
            return false;
        }
        self.statements.insert(name, statement);
        true
    }

    /// Takes in statements in whatever order they are. Whether forerunners of some are missing, so that those were not taken.
    pub fn take_all<'a>(&mut self, statements: impl IntoIterator<Item = &'a Statement>) -> bool {
        let mut left: Vec<&Statement> = statements.into_iter().collect();
        loop {
            let before = left.len();
            left.retain(|statement| self.lacks(statement) || !self.take((*statement).clone()));
            if left.len() == before {
                return left.iter().any(|statement| self.lacks(statement));
            }
        }
    }

    fn lacks(&self, statement: &Statement) -> bool {
        statement.seen.iter().any(|seen| !self.statements.contains_key(seen))
    }

    /// No further statement fits. Nobody is told secrets any more, for a removal could not be heard either.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.statements.len() >= MOST
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

    /// All keys under which a device was ever let in, whatever became of it: by these its statements can be told from forged
    /// ones.
    pub fn ever(&self, device: DeviceId) -> impl Iterator<Item = Keys> {
        self.statements.values().filter(move |s| s.device == device).filter_map(|s| s.deed.adds())
    }

    /// Whether the roster has a removal of one device by another.
    #[must_use]
    pub fn has_removal(&self, device: DeviceId, author: DeviceId) -> bool {
        let all = &mut self.statements.values();
        all.any(|s| s.deed == Deed::Remove && s.device == device && s.author == author)
    }

    /// The hash of who is a member, under which keys, and who was removed: devices with the same one tell secrets to the same
    /// devices. What a thief said that counts for nothing is not in it, or he could keep them apart for ever.
    #[must_use]
    pub fn hash(&self) -> RosterHash {
        let line = |(device, standing): (DeviceId, Standing)| {
            let number = Writer::default().text(&device.to_string());
            match standing {
                Standing::Member { keys, .. } => {
                    Some(number.bytes(&keys.signing).bytes(&keys.agreement).done())
                }
                Standing::Removed => Some(number.done()),
                Standing::Disputed | Standing::Outside => None,
            }
        };
        let lines: Vec<Vec<u8>> = self.devices().into_iter().filter_map(line).collect();
        hash(&Writer::new("autocrypt-sma/1 roster hash").list(&lines, Clone::clone).done())
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
        let seen = Judge::new(self).last();
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

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        (0..MOST).filter(move |at| self.has(*at))
    }
}

/// The statements, each after those it saw, and what they come to.
///
/// Whatever hangs on earlier statements is looked at once and remembered, in their order: a thief who lets in chains of devices
/// makes nobody count to 2^n, nor call as deep as they are long.
struct Judge<'a> {
    list: Vec<&'a Statement>,
    names: Vec<RosterHash>,
    index: HashMap<RosterHash, usize>,
    /// What each one's author had seen, all of it.
    before: Vec<Set>,
    removals: Set,
    doubts: RefCell<HashMap<(Set, usize), bool>>,
    stands: RefCell<HashMap<(Set, usize), bool>>,
    overruled: RefCell<HashMap<(Set, usize), bool>>,
}

impl<'a> Judge<'a> {
    /// Looks at a roster's statements, all of which were found sound when they were taken.
    fn new(roster: &'a Roster) -> Self {
        let mut judge = Self {
            list: Vec::new(),
            names: Vec::new(),
            index: HashMap::new(),
            before: Vec::new(),
            removals: Set::default(),
            doubts: RefCell::default(),
            stands: RefCell::default(),
            overruled: RefCell::default(),
        };
        loop {
            let placed = judge.list.len();
            for (name, statement) in &roster.statements {
                if !judge.index.contains_key(name) && judge.knows(statement) {
                    judge.place(*name, statement);
                }
            }
            if judge.list.len() == placed {
                return judge;
            }
        }
    }

    fn knows(&self, statement: &Statement) -> bool {
        statement.seen.iter().all(|seen| self.index.contains_key(seen))
    }

    fn place(&mut self, name: RosterHash, statement: &'a Statement) {
        let at = self.list.len();
        let before = self.seen_by(statement);
        self.list.push(statement);
        self.names.push(name);
        self.index.insert(name, at);
        self.before.push(before);
        if statement.deed == Deed::Remove {
            // What it overrules hangs on how things stood before it.
            self.look(before);
            self.removals = self.removals.with(at);
        }
    }

    /// All that lies before a statement.
    fn seen_by(&self, statement: &Statement) -> Set {
        let seen = statement.seen.iter().filter_map(|seen| self.index.get(seen));
        seen.fold(Set::default(), |before, seen| before.or(self.before(*seen)).with(*seen))
    }

    /// Looks at all of a view, what is earlier first.
    fn look(&self, view: Set) {
        for at in view.iter() {
            match self.list.get(at).map(|statement| &statement.deed) {
                Some(Deed::Add { .. }) => {
                    self.add_stands(view, at);
                }
                Some(Deed::Remove) => {
                    self.is_doubtful(view, at);
                }
                None => {}
            }
        }
    }

    /// Whether a statement that is not among them is sound by what lies before it.
    fn is_sound(&self, name: RosterHash, statement: &Statement, anchor: RosterHash) -> bool {
        if !self.knows(statement) {
            return false;
        }
        let signed =
            |keys: Keys| verify(&keys.signing, &statement.signed_bytes(), &statement.signature).is_ok();
        if name == anchor {
            // The first device let itself in.
            let is_first = statement.author == statement.device && statement.seen.is_empty();
            return is_first && statement.deed.adds().is_some_and(signed);
        }
        let before = self.seen_by(statement);
        // A number is used once, and who was never in cannot be put out.
        let was_added = self.adds(before, statement.device).next().is_some();
        was_added == (statement.deed == Deed::Remove)
            && matches!(self.standing(before, statement.author), Standing::Member { keys, .. } if signed(keys))
    }

    fn all(&self) -> Set {
        (0..self.list.len()).fold(Set::default(), Set::with)
    }

    /// The hashes of those that no other one saw, in ascending order.
    fn last(&self) -> Vec<RosterHash> {
        let seen = self.before.iter().fold(Set::default(), |seen, before| seen.or(*before));
        let last = self.all().iter().filter(|at| !seen.has(*at));
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

    /// The additions of a device.
    fn adds(&self, view: Set, device: DeviceId) -> impl Iterator<Item = usize> {
        let about = move |at: &usize| {
            self.list.get(*at).is_some_and(|s| s.device == device && s.deed != Deed::Remove)
        };
        view.iter().filter(about)
    }

    /// The removals of a device that are not overruled.
    fn removals_of(&self, view: Set, device: Option<DeviceId>) -> impl Iterator<Item = usize> {
        let about = move |at: &usize| self.list.get(*at).map(|s| s.device) == device;
        view.and(self.removals).iter().filter(about).filter(move |at| !self.is_overruled(view, *at))
    }

    /// A later removal of its author saw it, and it was doubtful then.
    fn is_overruled(&self, view: Set, removal: usize) -> bool {
        remembered(&self.overruled, (view, removal), || {
            view.and(self.removals).iter().any(|later| {
                self.list.get(later).map(|s| s.device) == self.author(removal)
                    && self.before(later).has(removal)
                    && self.is_doubtful(self.before(later), removal)
            })
        })
    }

    /// Its author was removed by somebody who had not seen it, or was let in by such a one.
    fn is_doubtful(&self, view: Set, removal: usize) -> bool {
        remembered(&self.doubts, (view, removal), || {
            let mut removals = self.removals_of(view, self.author(removal));
            removals.any(|other| other != removal && !self.before(other).has(removal))
                || !self.author_stands(view, removal)
        })
    }

    fn author_stands(&self, view: Set, at: usize) -> bool {
        let before = self.before(at);
        // Only the first one saw nothing.
        before == Set::default()
            || self
                .author(at)
                .is_some_and(|author| self.adds(before, author).any(|add| self.add_stands(view, add)))
    }

    /// An addition counts if its author's own does and its author was not removed, or only by somebody who had seen it.
    fn add_stands(&self, view: Set, add: usize) -> bool {
        remembered(&self.stands, (view, add), || {
            self.author_stands(view, add)
                && self.removals_of(view, self.author(add)).all(|removal| self.before(removal).has(add))
        })
    }

    fn standing(&self, view: Set, device: DeviceId) -> Standing {
        let adds: Vec<usize> = self.adds(view, device).collect();
        if adds.is_empty() {
            return Standing::Outside;
        }
        self.look(view);
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

/// What was found before, or is found now.
fn remembered(
    found: &RefCell<HashMap<(Set, usize), bool>>,
    about: (Set, usize),
    find: impl FnOnce() -> bool,
) -> bool {
    let known = found.borrow().get(&about).copied();
    known.unwrap_or_else(|| {
        let it = find();
        found.borrow_mut().insert(about, it);
        it
    })
}
