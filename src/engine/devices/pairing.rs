//! A pairing, step by step, from either side. Pure: what happens comes in, what is to be done goes out; the clock, the random
//! halves and the messages are handed in.
//!
//! The new device asks, a person lets it on at the old one, and the new one shows a string, which the person types there. The old
//! device admits the new one only after the right string was typed *and* the new one proved its keys; the new device joins
//! only after the person said so there *and* the old one proved its keys. Anything else ends the pairing, and nothing of it
//! outlives the program.

use crate::crypto::devices::{Comparison, Handshake, Transcript, hash, verified};
use crate::mail::sma::{
    Accept, Body, Cancel, DeviceId, Flaw, Keys, Mac, OneTimeKey, Payload, Request, Reveal, Signed, next_seq,
};
use std::collections::BTreeMap;

/// A request waits for its person so long, in seconds.
const ASKED: i64 = 3600;
/// After it was let on, it has to be done so soon.
const COMPARED: i64 = 15 * 60;
/// Clocks may differ so much, in seconds.
const SKEW: i64 = 15 * 60;
/// The numbers of so many devices are remembered.
const MOST_HEARD: usize = 64;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// The person wants this device let in by one of these; each gets a half of its own.
    Ask {
        /// The devices that were announced, with a half for each.
        devices: Vec<(DeviceId, Handshake)>,
        /// What this device calls itself.
        name: String,
    },
    /// The person lets the request of this device on.
    Accept(DeviceId, Handshake),
    /// The person compared: on the old device they type what the new one shows, on the new one they say which string the old
    /// one took. Without it, a yes that was meant for an earlier pairing would count for this one.
    Confirm {
        /// The string.
        typed: String,
        /// What the other one begins its first session with this one by.
        one_time: OneTimeKey,
    },
    /// The person ends it.
    End,
    /// A message of a pairing lay in this device's folder.
    Heard(Signed),
    /// Time passed.
    Passed,
}

/// Something is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Lay this into the folder of whom it is to.
    Send(Payload),
    /// The old device: let this one in, and tell it everything.
    Admit {
        /// The new device.
        device: DeviceId,
        /// Its keys, compared by a person.
        keys: Keys,
        /// What it calls itself.
        name: String,
        /// What the first session with it begins with.
        one_time: OneTimeKey,
    },
    /// The new device: take the word of this one.
    Join {
        /// The old device.
        device: DeviceId,
        /// Its keys, compared by a person.
        keys: Keys,
    },
    /// The pairing is over without anybody let in.
    Ended {
        /// Why.
        why: Cancel,
        /// The other device ended it.
        by_other: bool,
    },
}

/// What a pairing looks like from this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// There is none.
    Nothing,
    /// This device asked, and nobody let it on yet.
    Asking,
    /// A device asks here.
    Asked {
        /// Which.
        device: DeviceId,
        /// What it calls itself.
        name: String,
    },
    /// It was let on here, and has not answered yet.
    Accepted {
        /// Which.
        device: DeviceId,
        /// What it calls itself.
        name: String,
    },
    /// Both are to be compared.
    Comparing {
        /// The other device.
        device: DeviceId,
        /// What it calls itself; empty on the new device.
        name: String,
        /// What to type into the other device; only the new device shows it.
        string: Option<String>,
        /// The person compared here.
        confirmed: bool,
    },
}

/// What the machine writes messages with.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Now, in seconds since 1970.
    pub now: i64,
    /// The number of this device's last message; it grows with each.
    pub seq: u64,
    /// The roster this device knows.
    pub roster: Option<[u8; 32]>,
}

/// The pairing of one device of one account.
#[derive(Debug)]
pub struct Pairing {
    account: String,
    me: DeviceId,
    keys: Keys,
    state: State,
    heard: BTreeMap<(DeviceId, [u8; 32]), u64>,
}

#[derive(Debug)]
enum State {
    Idle,
    Asking { asked: Vec<Asked>, until: i64 },
    Waiting(Waiting),
    Accepted { waiting: Waiting, handshake: Handshake, accept: [u8; 32] },
    Comparing(Box<Comparing>),
}

/// A device that this one asked.
#[derive(Debug)]
struct Asked {
    device: DeviceId,
    handshake: Handshake,
    request: [u8; 32],
}

/// A device that asks here.
#[derive(Clone, Debug)]
struct Waiting {
    device: DeviceId,
    keys: Keys,
    name: String,
    commitment: [u8; 32],
    request: [u8; 32],
    until: i64,
}

#[derive(Debug)]
struct Comparing {
    is_new: bool,
    device: DeviceId,
    keys: Keys,
    name: String,
    comparison: Comparison,
    confirmed: bool,
    proof: Option<Mac>,
    until: i64,
}

impl Pairing {
    /// No pairing yet, for the device of this number and these keys.
    #[must_use]
    pub const fn new(account: String, me: DeviceId, keys: Keys) -> Self {
        Self { account, me, keys, state: State::Idle, heard: BTreeMap::new() }
    }

    /// What there is to see.
    #[must_use]
    pub fn shown(&self) -> Shown {
        match &self.state {
            State::Idle => Shown::Nothing,
            State::Asking { .. } => Shown::Asking,
            State::Waiting(w) => Shown::Asked { device: w.device, name: w.name.clone() },
            State::Accepted { waiting, .. } => {
                Shown::Accepted { device: waiting.device, name: waiting.name.clone() }
            }
            State::Comparing(c) => Shown::Comparing {
                device: c.device,
                name: c.name.clone(),
                string: c.is_new.then(|| c.comparison.string()),
                confirmed: c.confirmed,
            },
        }
    }

    /// Until when what goes on waits, UTC seconds.
    #[must_use]
    pub fn until(&self) -> Option<i64> {
        match &self.state {
            State::Idle => None,
            State::Asking { until, .. } => Some(*until),
            State::Waiting(waiting) | State::Accepted { waiting, .. } => Some(waiting.until),
            State::Comparing(comparing) => Some(comparing.until),
        }
    }

    /// Takes what happened, and gives what is to be done.
    pub fn step(&mut self, event: Event, stamp: &mut Stamp) -> Vec<Action> {
        let mut actions = self.expire(stamp);
        match event {
            Event::Ask { devices, name } => self.ask(devices, &name, stamp, &mut actions),
            Event::Accept(device, handshake) => self.accept(device, handshake, stamp, &mut actions),
            Event::Confirm { typed, one_time } => self.confirm(&typed, one_time, stamp, &mut actions),
            Event::End => self.end(Cancel::Ended, stamp, &mut actions),
            Event::Heard(signed) => self.hear(&signed, stamp, &mut actions),
            Event::Passed => {}
        }
        actions
    }

    fn expire(&mut self, stamp: &mut Stamp) -> Vec<Action> {
        let until = match &self.state {
            State::Idle => return Vec::new(),
            State::Asking { until, .. } => *until,
            State::Waiting(waiting) | State::Accepted { waiting, .. } => waiting.until,
            State::Comparing(comparing) => comparing.until,
        };
        let mut actions = Vec::new();
        if stamp.now >= until {
            self.end(Cancel::Expired, stamp, &mut actions);
        }
        actions
    }

    fn payload(&self, to: DeviceId, body: Body, stamp: &mut Stamp) -> Payload {
        stamp.seq = next_seq(stamp.seq, stamp.now);
        Payload {
            account: self.account.clone(),
            from: self.me,
            to: Some(to),
            seq: stamp.seq,
            created: stamp.now,
            expires: stamp.now + body.kind().lifetime(),
            roster: stamp.roster,
            body,
        }
    }

    fn cancel(&self, to: DeviceId, why: Cancel, stamp: &mut Stamp) -> Action {
        Action::Send(self.payload(to, Body::Cancel { why, signing: self.keys.signing }, stamp))
    }

    /// Ends what there is and tells the other side.
    fn end(&mut self, why: Cancel, stamp: &mut Stamp, actions: &mut Vec<Action>) {
        let others = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => return,
            State::Asking { asked, .. } => asked.iter().map(|asked| asked.device).collect(),
            State::Waiting(waiting) | State::Accepted { waiting, .. } => vec![waiting.device],
            State::Comparing(comparing) => vec![comparing.device],
        };
        actions.extend(others.into_iter().map(|other| self.cancel(other, why, stamp)));
        actions.push(Action::Ended { why, by_other: false });
    }

    fn ask(
        &mut self,
        devices: Vec<(DeviceId, Handshake)>,
        name: &str,
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        self.end(Cancel::Ended, stamp, actions);
        let mut asked = Vec::new();
        for (device, handshake) in devices {
            let commitment = handshake.commitment(self.me, &self.keys);
            let body = Body::Request(Request { keys: self.keys, commitment, name: name.to_owned() });
            let payload = self.payload(device, body, stamp);
            asked.push(Asked { device, handshake, request: hash(&payload.to_bytes()) });
            actions.push(Action::Send(payload));
        }
        if !asked.is_empty() {
            self.state = State::Asking { asked, until: stamp.now + ASKED };
        }
    }

    fn accept(
        &mut self,
        device: DeviceId,
        handshake: Handshake,
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let State::Waiting(waiting) = &self.state else { return };
        if waiting.device != device {
            return;
        }
        let mut waiting = waiting.clone();
        let ephemeral = handshake.ephemeral();
        let body = Body::Accept(Accept { keys: self.keys, ephemeral, request: waiting.request });
        let payload = self.payload(device, body, stamp);
        let accept = hash(&payload.to_bytes());
        waiting.until = stamp.now + COMPARED;
        actions.push(Action::Send(payload));
        self.state = State::Accepted { waiting, handshake, accept };
    }

    fn confirm(&mut self, typed: &str, one_time: OneTimeKey, stamp: &mut Stamp, actions: &mut Vec<Action>) {
        let State::Comparing(comparing) = &mut self.state else { return };
        if !comparing.comparison.is(typed) {
            return self.end(Cancel::WrongString, stamp, actions);
        }
        if comparing.confirmed {
            return;
        }
        comparing.confirmed = true;
        let mac = comparing.comparison.mac(self.me, &self.keys);
        let one_time = comparing.is_new.then_some(one_time);
        let to = comparing.device;
        actions.push(Action::Send(self.payload(to, Body::Mac(Mac { mac, one_time }), stamp)));
        self.conclude(actions);
    }

    /// Done, once the person compared here and the other device proved its keys.
    fn conclude(&mut self, actions: &mut Vec<Action>) {
        let State::Comparing(comparing) = &self.state else { return };
        let (true, Some(proof)) = (comparing.confirmed, &comparing.proof) else { return };
        let Comparing { device, keys, name, is_new, .. } = &**comparing;
        let action = match (is_new, proof.one_time) {
            (true, _) => Action::Join { device: *device, keys: *keys },
            (false, Some(one_time)) => {
                Action::Admit { device: *device, keys: *keys, name: name.clone(), one_time }
            }
            (false, None) => return,
        };
        actions.push(action);
        self.state = State::Idle;
    }

    fn hear(&mut self, signed: &Signed, stamp: &mut Stamp, actions: &mut Vec<Action>) {
        // Read first to learn whose signature it should be; nothing is done before that is checked.
        let Ok(claimed) = Payload::parse(&signed.payload) else { return };
        let Ok(signing) = self.expected(&claimed) else { return };
        let Ok(payload) = verified(signed, &signing) else { return };
        let is_now = payload.expires > stamp.now && payload.created <= stamp.now + SKEW;
        if payload.account != self.account || payload.to != Some(self.me) || !is_now {
            return;
        }
        let known = self.heard.get(&(payload.from, signing)).copied().unwrap_or_default();
        if payload.seq <= known {
            return;
        }
        if self.heard.len() >= MOST_HEARD {
            self.heard.clear();
        }
        self.heard.insert((payload.from, signing), payload.seq);
        let name = hash(&signed.payload);
        match payload.body {
            Body::Request(request) => self.requested(payload.from, request, name, stamp, actions),
            Body::Accept(accept) => self.accepted(payload.from, &accept, name, stamp, actions),
            Body::Reveal(reveal) => self.revealed(payload.from, &reveal, stamp, actions),
            Body::Mac(mac) => self.proved(payload.from, mac, stamp, actions),
            Body::Cancel { why, .. } => self.cancelled(payload.from, why, actions),
            Body::Announce(_) | Body::Update(_) | Body::Reset(_) | Body::Removed(_) => {}
        }
    }

    /// Whose signature a message has to bear: that of the device this pairing is with, or, before there is one, of whoever
    /// writes.
    fn expected(&self, claimed: &Payload) -> Result<[u8; 32], Flaw> {
        let pinned = match &self.state {
            State::Waiting(w) | State::Accepted { waiting: w, .. } if w.device == claimed.from => {
                Some(w.keys.signing)
            }
            State::Comparing(c) if c.device == claimed.from => Some(c.keys.signing),
            _ => None,
        };
        match (&claimed.body, pinned) {
            (Body::Request(request), _) => Ok(request.keys.signing),
            (_, Some(pinned)) => Ok(pinned),
            (Body::Accept(accept), None) => Ok(accept.keys.signing),
            (Body::Cancel { signing, .. }, None) => Ok(*signing),
            _ => Err(Flaw::Value("from")),
        }
    }

    fn requested(
        &mut self,
        from: DeviceId,
        request: Request,
        name: [u8; 32],
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let same = |device: DeviceId, keys: Keys| device == from && keys == request.keys;
        let goes_on = match &self.state {
            State::Idle => true,
            // It asks anew: what was begun with it is over.
            State::Waiting(w) | State::Accepted { waiting: w, .. } => same(w.device, w.keys),
            State::Comparing(c) => !c.is_new && same(c.device, c.keys),
            State::Asking { .. } => false,
        };
        if !goes_on {
            self.end(Cancel::TwoRequests, stamp, actions);
            actions.push(self.cancel(from, Cancel::TwoRequests, stamp));
            return;
        }
        self.state = State::Waiting(Waiting {
            device: from,
            keys: request.keys,
            name: request.name,
            commitment: request.commitment,
            request: name,
            until: stamp.now + ASKED,
        });
    }

    fn accepted(
        &mut self,
        from: DeviceId,
        accept: &Accept,
        name: [u8; 32],
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let State::Asking { asked, .. } = &mut self.state else { return };
        let Some(at) = asked.iter().position(|a| a.device == from && a.request == accept.request) else {
            return;
        };
        let Asked { handshake, request, .. } = asked.swap_remove(at);
        let others: Vec<DeviceId> = asked.iter().map(|asked| asked.device).collect();
        actions.extend(others.into_iter().map(|other| self.cancel(other, Cancel::Elsewhere, stamp)));
        let reveal = handshake.reveal(name);
        let transcript = Transcript {
            account: &self.account,
            old: (from, accept.keys, accept.ephemeral),
            new: (self.me, self.keys, reveal.ephemeral),
            request,
            accept: name,
        };
        let Ok(comparison) = handshake.compare(accept.ephemeral, &transcript) else {
            self.state = State::Idle;
            actions.push(self.cancel(from, Cancel::Broken, stamp));
            actions.push(Action::Ended { why: Cancel::Broken, by_other: false });
            return;
        };
        actions.push(Action::Send(self.payload(from, Body::Reveal(reveal), stamp)));
        self.state = State::Comparing(Box::new(Comparing {
            is_new: true,
            device: from,
            keys: accept.keys,
            name: String::new(),
            comparison,
            confirmed: false,
            proof: None,
            until: stamp.now + COMPARED,
        }));
    }

    fn revealed(&mut self, from: DeviceId, reveal: &Reveal, stamp: &mut Stamp, actions: &mut Vec<Action>) {
        let State::Accepted { waiting, accept, .. } = &self.state else { return };
        if waiting.device != from {
            return;
        }
        let kept = Transcript::commits(from, &waiting.keys, reveal, &waiting.commitment);
        if !kept || reveal.accept != *accept {
            return self.end(Cancel::Broken, stamp, actions);
        }
        let State::Accepted { waiting, handshake, accept } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return;
        };
        let transcript = Transcript {
            account: &self.account,
            old: (self.me, self.keys, handshake.ephemeral()),
            new: (from, waiting.keys, reveal.ephemeral),
            request: waiting.request,
            accept,
        };
        let Ok(comparison) = handshake.compare(reveal.ephemeral, &transcript) else {
            actions.push(self.cancel(from, Cancel::Broken, stamp));
            actions.push(Action::Ended { why: Cancel::Broken, by_other: false });
            return;
        };
        self.state = State::Comparing(Box::new(Comparing {
            is_new: false,
            device: from,
            keys: waiting.keys,
            name: waiting.name,
            comparison,
            confirmed: false,
            proof: None,
            until: waiting.until,
        }));
    }

    fn proved(&mut self, from: DeviceId, mac: Mac, stamp: &mut Stamp, actions: &mut Vec<Action>) {
        let State::Comparing(comparing) = &mut self.state else { return };
        if comparing.device != from {
            return;
        }
        let brings_key = comparing.is_new || mac.one_time.is_some();
        if !brings_key || !comparing.comparison.proves(from, &comparing.keys, &mac.mac) {
            return self.end(Cancel::Broken, stamp, actions);
        }
        comparing.proof = Some(mac);
        self.conclude(actions);
    }

    fn cancelled(&mut self, from: DeviceId, why: Cancel, actions: &mut Vec<Action>) {
        let is_over = match &mut self.state {
            State::Idle => false,
            State::Asking { asked, .. } => {
                asked.retain(|asked| asked.device != from);
                asked.is_empty()
            }
            State::Waiting(w) | State::Accepted { waiting: w, .. } => w.device == from,
            State::Comparing(comparing) => comparing.device == from,
        };
        if is_over {
            self.state = State::Idle;
            actions.push(Action::Ended { why, by_other: true });
        }
    }
}
