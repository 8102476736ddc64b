//! The pairing of Alice's laptop with her server, and every way to disturb it.

use crate::crypto::devices::{Device, Handshake, Transcript, hash};
use crate::engine::devices::pairing::{Action, Event, Pairing, Shown, Stamp};
use crate::mail::sma::{Accept, Body, Cancel, DeviceId, Keys, Mac, Payload, Request, Signed};
use proptest::prelude::*;
use std::sync::LazyLock;

pub(super) const ALICE: &str = "alice@example.org";

/// Keys take long to make: the same few devices for all tests.
static KEPT: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..4).map(|_| Device::new(id(1)).to_kept().unwrap().to_string()).collect());

pub(super) fn id(number: u64) -> DeviceId {
    number.to_string().parse().unwrap()
}

/// A device with its person in front of it.
pub(super) struct Side {
    pub(super) device: Device,
    pub(super) pairing: Pairing,
    pub(super) stamp: Stamp,
    pub(super) done: Vec<Action>,
}

impl Side {
    /// The device with the keys of `which`, going by `number`.
    pub(super) fn new(which: usize, number: u64) -> Self {
        let device = Device::from_kept(id(number), &KEPT[which]).unwrap();
        let pairing = Pairing::new(ALICE.into(), device.id(), device.keys());
        Self { device, pairing, stamp: Stamp { now: 1000, seq: 0, roster: None }, done: Vec::new() }
    }

    /// Takes a step; gives what goes out, signed.
    pub(super) fn step(&mut self, event: Event) -> Vec<Signed> {
        let mut out = Vec::new();
        for action in self.pairing.step(event, &mut self.stamp) {
            match action {
                Action::Send(payload) => out.push(self.device.sign(&payload)),
                other => self.done.push(other),
            }
        }
        out
    }

    pub(super) fn hear(&mut self, signed: &[Signed]) -> Vec<Signed> {
        signed.iter().flat_map(|signed| self.step(Event::Heard(signed.clone()))).collect()
    }

    pub(super) fn ask(&mut self, devices: &[u64]) -> Vec<Signed> {
        let devices = devices.iter().map(|n| (id(*n), Handshake::new())).collect();
        self.step(Event::Ask { devices, name: "Laptop".into() })
    }

    pub(super) fn accept(&mut self) -> Vec<Signed> {
        let device = match self.pairing.shown() {
            Shown::Asked { device, .. } => device,
            _ => return Vec::new(),
        };
        self.step(Event::Accept(device, Handshake::new()))
    }

    pub(super) fn confirm(&mut self, typed: &str) -> Vec<Signed> {
        let one_time = self.device.one_time_key().unwrap();
        self.step(Event::Confirm { typed: typed.to_owned(), one_time })
    }

    pub(super) fn string(&self) -> Option<String> {
        match self.pairing.shown() {
            Shown::Comparing { string, .. } => string,
            _ => None,
        }
    }

    pub(super) fn is_confirmed(&self) -> bool {
        matches!(self.pairing.shown(), Shown::Comparing { confirmed: true, .. })
    }

    pub(super) fn ended(&self) -> Option<Cancel> {
        self.done.iter().find_map(|action| match action {
            Action::Ended { why, .. } => Some(*why),
            _ => None,
        })
    }

    pub(super) fn admitted(&self) -> Option<(DeviceId, Keys)> {
        self.done.iter().find_map(|action| match action {
            Action::Admit { device, keys, .. } | Action::Join { device, keys } => Some((*device, *keys)),
            _ => None,
        })
    }
}

pub(super) fn two() -> (Side, Side) {
    (Side::new(0, 1), Side::new(1, 27))
}

/// Up to where both compare.
fn comparing(server: &mut Side, laptop: &mut Side) {
    let request = laptop.ask(&[1]);
    server.hear(&request);
    let accept = server.accept();
    let reveal = laptop.hear(&accept);
    assert!(server.hear(&reveal).is_empty());
}

#[test]
fn a_device_is_let_in_when_both_sides_compared() {
    let (mut server, mut laptop) = two();
    let request = laptop.ask(&[1]);
    assert!(server.hear(&request).is_empty(), "nothing happens by itself");
    assert_eq!(server.pairing.shown(), Shown::Asked { device: id(27), name: "Laptop".into() });
    let accept = server.accept();
    let reveal = laptop.hear(&accept);
    server.hear(&reveal);
    assert_eq!(server.string(), None, "only the new device shows it");
    let string = laptop.string().unwrap();
    let proof = server.confirm(&string);
    assert_eq!(server.admitted(), None, "the laptop has proved nothing yet");
    laptop.hear(&proof);
    assert_eq!(laptop.admitted(), None, "its person has said nothing yet");
    let proof = laptop.confirm(&string);
    assert_eq!(laptop.admitted(), Some((id(1), server.device.keys())));
    server.hear(&proof);
    assert_eq!(server.admitted(), Some((id(27), laptop.device.keys())));
    assert_eq!(server.pairing.shown(), Shown::Nothing);
}

#[test]
fn the_new_side_may_confirm_first() {
    let (mut server, mut laptop) = two();
    comparing(&mut server, &mut laptop);
    let string = laptop.string().unwrap();
    let proof = laptop.confirm(&string);
    server.hear(&proof);
    assert_eq!((server.admitted(), laptop.admitted()), (None, None));
    let proof = server.confirm(&string);
    assert!(server.admitted().is_some());
    laptop.hear(&proof);
    assert!(laptop.admitted().is_some());
}

#[test]
fn a_wrong_string_ends_it_on_both_sides() {
    for wrong in ["1111 2222 3333", "", "yes"] {
        let (mut server, mut laptop) = two();
        comparing(&mut server, &mut laptop);
        let string = laptop.string().unwrap();
        let cancel = server.confirm(wrong);
        assert_eq!(server.ended(), Some(Cancel::WrongString));
        laptop.hear(&cancel);
        assert_eq!(laptop.ended(), Some(Cancel::WrongString));
        assert!(server.confirm(&string).is_empty(), "there is no second try");
        assert_eq!((server.admitted(), laptop.admitted()), (None, None));
    }
}

#[test]
fn two_requests_at_once_end_both() {
    // At every point that the first may have come to.
    for far in 0..3 {
        let (mut server, mut laptop, mut other) = (Side::new(0, 1), Side::new(1, 27), Side::new(2, 99));
        let request = laptop.ask(&[1]);
        server.hear(&request);
        if far > 0 {
            let accept = server.accept();
            let reveal = laptop.hear(&accept);
            if far > 1 {
                server.hear(&reveal);
            }
        }
        let request = other.ask(&[1]);
        let cancels = server.hear(&request);
        assert_eq!(cancels.len(), 2);
        assert_eq!(server.ended(), Some(Cancel::TwoRequests));
        laptop.hear(&cancels);
        other.hear(&cancels);
        assert_eq!((laptop.ended(), other.ended()), (Some(Cancel::TwoRequests), Some(Cancel::TwoRequests)));
        assert_eq!(server.pairing.shown(), Shown::Nothing);
    }
    // Both ask each other.
    let (mut server, mut laptop) = two();
    let (a, b) = (laptop.ask(&[1]), server.ask(&[27]));
    server.hear(&a);
    laptop.hear(&b);
    assert_eq!((server.pairing.shown(), laptop.pairing.shown()), (Shown::Nothing, Shown::Nothing));
}

#[test]
fn of_several_old_devices_the_first_person_wins() {
    let (mut server, mut laptop, mut phone) = (Side::new(0, 1), Side::new(1, 27), Side::new(2, 3));
    let requests = laptop.ask(&[1, 3]);
    let commitment = |signed: &Signed| match Payload::parse(&signed.payload).unwrap().body {
        Body::Request(request) => request.commitment,
        other => panic!("{other:?}"),
    };
    assert_ne!(commitment(&requests[0]), commitment(&requests[1]), "each is asked with a half of its own");
    server.hear(&requests);
    phone.hear(&requests);
    let accept = phone.accept();
    let out = laptop.hear(&accept);
    server.hear(&out);
    assert_eq!(server.ended(), Some(Cancel::Elsewhere));
    phone.hear(&out);
    let string = laptop.string().unwrap();
    let proof = phone.confirm(&string);
    laptop.hear(&proof);
    let proof = laptop.confirm(&string);
    phone.hear(&proof);
    assert!(phone.admitted().is_some() && server.admitted().is_none());
}

#[test]
fn everything_ends_in_time() {
    let (mut server, mut laptop) = two();
    let request = laptop.ask(&[1]);
    server.stamp.now += 3601;
    server.hear(&request);
    assert_eq!(server.pairing.shown(), Shown::Nothing, "an old request is none");
    server.stamp.now -= 3601;
    server.hear(&request);
    server.stamp.now += 3600;
    server.step(Event::Passed);
    assert_eq!(server.ended(), Some(Cancel::Expired));
    let (mut server, mut laptop) = two();
    comparing(&mut server, &mut laptop);
    let string = laptop.string().unwrap();
    server.stamp.now += 901;
    server.confirm(&string);
    assert_eq!((server.ended(), server.admitted()), (Some(Cancel::Expired), None));
}

#[test]
fn a_device_that_asks_again_begins_anew() {
    let (mut server, mut laptop) = two();
    comparing(&mut server, &mut laptop);
    let string = laptop.string().unwrap();
    let request = laptop.ask(&[1]);
    server.hear(&request);
    assert_eq!(server.pairing.shown(), Shown::Asked { device: id(27), name: "Laptop".into() });
    server.confirm(&string);
    assert!(server.admitted().is_none(), "the earlier string is worth nothing");
    assert!(server.hear(&request[1..]).is_empty());
}

/// What the provider does, and when the people do their part. People are as careless as the design allows: the one at the
/// server lets everything on and types whatever the laptop shows; the one at the laptop says yes to what the server took.
#[derive(Clone, Debug)]
enum Op {
    Ask,
    Accept,
    TypeIt,
    SayYes,
    /// Hands one of all messages ever sent, or the provider's own, to either side; now, and perhaps for the tenth time.
    Deliver {
        which: prop::sample::Index,
        to_server: bool,
    },
    /// The same, one bit of it changed.
    Alter {
        which: prop::sample::Index,
        bit: prop::sample::Index,
        to_server: bool,
    },
    /// The provider asks the server as the laptop, or as somebody else.
    ForgeRequest {
        as_laptop: bool,
    },
    /// It lets the laptop on as the server.
    ForgeAccept,
    /// It reveals its half to the server.
    ForgeReveal,
    /// It proves its own keys to either side, or the other side's by its own secret.
    ForgeMac {
        to_server: bool,
        own_keys: bool,
    },
    /// It ends what it likes.
    ForgeCancel {
        to_server: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        2 => Just(Op::Ask),
        3 => Just(Op::Accept),
        3 => Just(Op::TypeIt),
        3 => Just(Op::SayYes),
        12 => (index(), any::<bool>()).prop_map(|(which, to_server)| Op::Deliver { which, to_server }),
        1 => (index(), index(), any::<bool>()).prop_map(|(which, bit, to_server)| Op::Alter { which, bit, to_server }),
        2 => any::<bool>().prop_map(|as_laptop| Op::ForgeRequest { as_laptop }),
        2 => Just(Op::ForgeAccept),
        2 => Just(Op::ForgeReveal),
        3 => any::<(bool, bool)>().prop_map(|(to_server, own_keys)| Op::ForgeMac { to_server, own_keys }),
        1 => any::<bool>().prop_map(|to_server| Op::ForgeCancel { to_server }),
    ]
}

/// The provider, with keys of its own and a pairing half for each side.
struct Provider {
    device: Device,
    seq: u64,
    /// Towards the server: its half, and the hash of its request.
    asked: Option<(DeviceId, Handshake, [u8; 32])>,
    /// Towards the laptop, as the server: its half, the hashes of the request and of its acceptance.
    pending: Option<(Handshake, [u8; 32], [u8; 32])>,
    /// The secret it shares with the laptop, and with the server.
    shared: [Option<crate::crypto::devices::Comparison>; 2],
}

impl Provider {
    fn says(&mut self, from: DeviceId, to: DeviceId, body: Body) -> Signed {
        self.seq += 1;
        let seq = self.seq + 1000;
        let payload = Payload {
            account: ALICE.into(),
            from,
            to: Some(to),
            seq,
            created: 1000,
            expires: 2000,
            roster: None,
            body,
        };
        self.device.sign(&payload)
    }

    /// The newest message of a kind that either side laid.
    fn newest<T>(
        pool: &[Signed],
        from: DeviceId,
        read: impl Fn(&Body) -> Option<T>,
    ) -> Option<(T, [u8; 32])> {
        pool.iter().rev().find_map(|signed| {
            let payload = Payload::parse(&signed.payload).ok().filter(|payload| payload.from == from)?;
            Some((read(&payload.body)?, hash(&signed.payload)))
        })
    }

    /// A message of its own, with all that a provider can know.
    fn forge(&mut self, op: &Op, pool: &[Signed]) -> Option<(bool, Signed)> {
        let (server, laptop, mine) = (id(1), id(27), self.device.keys());
        match op {
            Op::ForgeRequest { as_laptop } => {
                let from = if *as_laptop { laptop } else { id(666) };
                let half = Handshake::new();
                let commitment = half.commitment(from, &mine);
                let request = Request { keys: mine, commitment, name: "Laptop".into(), proof: None };
                let signed = self.says(from, server, Body::Request(request));
                self.asked = Some((from, half, hash(&signed.payload)));
                Some((true, signed))
            }
            Op::ForgeAccept => {
                let read = |body: &Body| match body {
                    Body::Request(request) => Some(request.keys),
                    _ => None,
                };
                let (_, request) = Self::newest(pool, laptop, read)?;
                let half = Handshake::new();
                let accept = Accept { keys: mine, ephemeral: half.ephemeral(), request };
                let signed = self.says(server, laptop, Body::Accept(accept));
                // What the laptop reveals to it comes later; the shared secret is made then, see `listen`.
                self.pending = Some((half, request, hash(&signed.payload)));
                Some((false, signed))
            }
            Op::ForgeReveal => {
                let read = |body: &Body| match body {
                    Body::Accept(accept) => Some(accept.clone()),
                    _ => None,
                };
                let (accept, name) = Self::newest(pool, server, read)?;
                let (from, half, request) = self.asked.take()?;
                let reveal = half.reveal(name);
                let transcript = Transcript {
                    account: ALICE,
                    old: (server, accept.keys, accept.ephemeral),
                    new: (from, mine, reveal.ephemeral),
                    request,
                    accept: name,
                };
                self.shared[1] = half.compare(accept.ephemeral, &transcript).ok();
                Some((true, self.says(from, server, Body::Reveal(reveal))))
            }
            Op::ForgeMac { to_server, own_keys } => {
                let (from, to) = if *to_server { (laptop, server) } else { (server, laptop) };
                let shared = self.shared[usize::from(*to_server)].as_ref()?;
                let keys = if *own_keys { mine } else { Keys { signing: [7; 32], ..mine } };
                let mac = shared.mac(from, &keys);
                let one_time = self.device.one_time_key().ok();
                Some((*to_server, self.says(from, to, Body::Mac(Mac { mac, one_time }))))
            }
            Op::ForgeCancel { to_server } => {
                let (from, to) = if *to_server { (laptop, server) } else { (server, laptop) };
                let body = Body::Cancel { why: Cancel::Elsewhere, signing: mine.signing };
                Some((*to_server, self.says(from, to, body)))
            }
            _ => None,
        }
    }

    /// Towards the laptop it plays the server: the secret is there once the laptop answered.
    fn listen(&mut self, pool: &[Signed]) {
        let mine = self.device.keys();
        let Some((_, request, accept)) = &self.pending else { return };
        let read = |body: &Body| match body {
            Body::Reveal(reveal) if reveal.accept == *accept => Some(reveal.clone()),
            _ => None,
        };
        let Some((reveal, _)) = Self::newest(pool, id(27), read) else { return };
        let transcript = |half: &Handshake| Transcript {
            account: ALICE,
            old: (id(1), mine, half.ephemeral()),
            new: (id(27), Device::from_kept(id(27), &KEPT[1]).unwrap().keys(), reveal.ephemeral),
            request: *request,
            accept: *accept,
        };
        let transcript = self.pending.as_ref().map(|(half, ..)| transcript(half)).unwrap();
        let (half, ..) = self.pending.take().unwrap();
        self.shared[0] = half.compare(reveal.ephemeral, &transcript).ok();
    }
}

/// Both sides, and what lies between them.
struct World {
    server: Side,
    laptop: Side,
    provider: Provider,
    pool: Vec<Signed>,
    /// What was typed at the server, and taken there.
    taken: Option<String>,
}

impl World {
    fn new() -> Self {
        let (server, laptop) = two();
        let device = Device::from_kept(id(666), &KEPT[3]).unwrap();
        let provider = Provider { device, seq: 0, asked: None, pending: None, shared: [None, None] };
        Self { server, laptop, provider, pool: Vec::new(), taken: None }
    }

    fn deliver(&mut self, to_server: bool, signed: Signed) {
        let side = if to_server { &mut self.server } else { &mut self.laptop };
        let out = side.hear(&[signed]);
        self.pool.extend(out);
        self.provider.listen(&self.pool);
    }

    fn run(&mut self, op: &Op) {
        let out = match op {
            Op::Ask => self.laptop.ask(&[1]),
            Op::Accept => self.server.accept(),
            Op::TypeIt => match self.laptop.string() {
                Some(string) => {
                    let before = self.server.done.len();
                    let out = self.server.confirm(&string);
                    let admitted =
                        self.server.done.iter().skip(before).any(|it| matches!(it, Action::Admit { .. }));
                    if self.server.is_confirmed() || admitted {
                        self.taken = Some(string);
                    }
                    out
                }
                None => Vec::new(),
            },
            Op::SayYes => match self.taken.clone() {
                Some(string) => self.laptop.confirm(&string),
                None => Vec::new(),
            },
            Op::Deliver { which, to_server } if !self.pool.is_empty() => {
                let signed = which.get(&self.pool).clone();
                return self.deliver(*to_server, signed);
            }
            Op::Alter { which, bit, to_server } if !self.pool.is_empty() => {
                let mut signed = which.get(&self.pool).clone();
                let at = bit.index((signed.payload.len() + 64) * 8);
                let length = signed.payload.len();
                if at / 8 < length {
                    signed.payload[at / 8] ^= 1 << (at % 8);
                } else {
                    signed.signature[at / 8 - length] ^= 1 << (at % 8);
                }
                return self.deliver(*to_server, signed);
            }
            Op::Deliver { .. } | Op::Alter { .. } => Vec::new(),
            forged => {
                if let Some((to_server, signed)) = self.provider.forge(forged, &self.pool) {
                    self.deliver(to_server, signed);
                }
                return;
            }
        };
        self.pool.extend(out);
        self.provider.listen(&self.pool);
    }

    /// No secret goes to, and no word is taken from, anybody but the device in front of the person.
    fn holds(&self) -> Result<(), TestCaseError> {
        for action in &self.server.done {
            if let Action::Admit { device, keys, one_time, .. } = action {
                prop_assert_eq!((*device, *keys), (id(27), self.laptop.device.keys()));
                let typed = crate::crypto::devices::Sessions::default().begin(
                    &self.server.device,
                    *device,
                    keys,
                    one_time,
                );
                prop_assert_eq!(typed, Ok(()), "the session begins with a key that the laptop signed");
            }
        }
        for action in &self.laptop.done {
            if let Action::Join { device, keys } = action {
                prop_assert_eq!((*device, *keys), (id(1), self.server.device.keys()));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn whatever_the_provider_does_nobody_else_is_let_in(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        for op in &ops {
            world.run(op);
            world.holds()?;
        }
    }

    /// The most dangerous order: the provider stands in the middle from the first message on, and something else happens
    /// in between.
    #[test]
    fn whoever_stands_in_the_middle_is_found_out(ops in prop::collection::vec(op(), 0..6), at in 0_usize..9) {
        let mut world = World::new();
        let script = [
            Op::Ask,
            Op::ForgeRequest { as_laptop: true },
            Op::Accept,
            Op::ForgeAccept,
            Op::ForgeReveal,
            Op::TypeIt,
            Op::ForgeMac { to_server: true, own_keys: true },
            Op::ForgeMac { to_server: false, own_keys: true },
            Op::SayYes,
        ];
        for (n, op) in script.iter().enumerate() {
            if n == at {
                for op in &ops {
                    world.run(op);
                    world.holds()?;
                }
            }
            world.run(op);
            world.holds()?;
        }
    }
}

#[test]
fn the_script_of_the_one_in_the_middle_works_up_to_the_string() {
    let mut world = World::new();
    for op in [Op::Ask, Op::ForgeRequest { as_laptop: true }, Op::Accept, Op::ForgeAccept, Op::ForgeReveal] {
        world.run(&op);
    }
    let string = world.laptop.string().expect("the laptop believes that it is let in");
    assert!(matches!(world.server.pairing.shown(), Shown::Comparing { .. }), "so does the server");
    assert!(world.provider.shared.iter().all(Option::is_some), "the provider shares a secret with both");
    world.server.confirm(&string);
    assert_eq!(world.server.ended(), Some(Cancel::WrongString), "what the person types tells");
    world.run(&Op::ForgeMac { to_server: false, own_keys: true });
    assert_eq!(world.laptop.admitted(), None, "and nobody said yes at the laptop");
}
