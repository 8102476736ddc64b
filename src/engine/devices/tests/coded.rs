//! The pairing of Alice's laptop with her server by a code, and every way to disturb it.

use super::pairing::{ALICE, Side, id, two};
use crate::crypto::devices::{Code, CodeHandshake, Device, Sessions, hash, request_proof};
use crate::engine::devices::pairing::{Action, Event, Shown};
use crate::mail::sma::{Accept, Body, Cancel, DeviceId, Keys, Kind, Mac, Payload, Request, Reveal, Signed};
use proptest::prelude::*;

impl Side {
    /// Shows a code; gives its text, and what goes out.
    fn shows(&mut self) -> (String, Vec<Signed>) {
        let code = Code::new(self.device.id(), &self.device.keys());
        let out = self.step(Event::Show(code, CodeHandshake::new()));
        (self.code().unwrap(), out)
    }

    /// The same where nothing goes on.
    fn show(&mut self) -> String {
        let (code, out) = self.shows();
        assert!(out.is_empty());
        code
    }

    fn code(&self) -> Option<String> {
        self.pairing.code().map(|code| code.expose().to_owned())
    }

    /// Is told a code; gives what goes out.
    fn told(&mut self, code: &str) -> Vec<Signed> {
        let one_time = self.device.one_time_key().unwrap();
        let (code, handshake) = (code.parse().unwrap(), CodeHandshake::new());
        self.step(Event::AskByCode { code, handshake, one_time, name: "Laptop".into() })
    }
}

/// The code of the server, with another secret.
fn guessed(side: &Side) -> String {
    Code::new(side.device.id(), &side.device.keys()).to_text().expose().to_owned()
}

fn kinds(signed: &[Signed]) -> Vec<Kind> {
    signed.iter().map(|signed| Payload::parse(&signed.payload).unwrap().kind()).collect()
}

/// The same message, with another body, signed by the device of the side it came from.
fn instead(side: &Side, signed: &Signed, change: impl Fn(Body) -> Body) -> Signed {
    let payload = Payload::parse(&signed.payload).unwrap();
    let body = change(payload.body.clone());
    side.device.sign(&Payload { body, ..payload })
}

#[test]
fn a_device_is_let_in_by_the_code_alone() {
    let (mut server, mut laptop) = two();
    let code = server.show();
    assert_eq!(server.pairing.shown(), Shown::Code { until: 1600 });
    let request = laptop.told(&code);
    assert_eq!(kinds(&request), [Kind::PairRequest]);
    let is_new = Shown::Proving { device: Some(id(1)), name: String::new(), is_new: true };
    assert_eq!(laptop.pairing.shown(), is_new);
    let accept = server.hear(&request);
    assert_eq!(kinds(&accept), [Kind::PairAccept], "nobody has to click");
    assert_eq!(server.code(), None, "it is used");
    let is_old = Shown::Proving { device: Some(id(27)), name: "Laptop".into(), is_new: false };
    assert_eq!(server.pairing.shown(), is_old);
    let proof = laptop.hear(&accept);
    assert_eq!(kinds(&proof), [Kind::PairReveal, Kind::PairMac]);
    assert_eq!((server.admitted(), laptop.admitted()), (None, None));
    let answer = server.hear(&proof);
    assert_eq!(kinds(&answer), [Kind::PairMac]);
    assert_eq!(server.admitted(), Some((id(27), laptop.device.keys())));
    laptop.hear(&answer);
    assert_eq!(laptop.admitted(), Some((id(1), server.device.keys())));
    assert_eq!((server.pairing.shown(), laptop.pairing.shown()), (Shown::Nothing, Shown::Nothing));
    let begun = server.done.iter().any(|action| match action {
        Action::Admit { device, keys, one_time, .. } => {
            Sessions::default().begin(&server.device, *device, keys, one_time).is_ok()
        }
        _ => false,
    });
    assert!(begun, "the session begins with a key that the laptop signed");
}

#[test]
fn a_wrong_code_burns_the_one_that_is_shown() {
    let (mut server, mut laptop) = two();
    let code = server.show();
    let request = laptop.told(&guessed(&server));
    let cancel = server.hear(&request);
    assert_eq!((server.ended(), server.code()), (Some(Cancel::WrongCode), None));
    laptop.hear(&cancel);
    assert_eq!(laptop.ended(), Some(Cancel::WrongCode));
    // The right one opens nothing any more.
    let request = laptop.told(&code);
    let cancel = server.hear(&request);
    assert_eq!(kinds(&cancel), [Kind::PairCancel]);
    laptop.done.clear();
    laptop.hear(&cancel);
    assert_eq!(laptop.ended(), Some(Cancel::WrongCode));
    assert_eq!((server.admitted(), laptop.admitted()), (None, None));
}

#[test]
fn a_code_is_good_once_and_for_ten_minutes() {
    let (mut server, mut laptop) = two();
    let code = server.show();
    let first = laptop.told(&code);
    let accept = server.hear(&first);
    // Handed out again it changes nothing.
    assert!(server.hear(&first).is_empty());
    // Another device that saw the code is too late, and ends it for both.
    let mut thief = Side::new(2, 99);
    let request = thief.told(&code);
    let cancels = server.hear(&request);
    assert_eq!(cancels.len(), 2);
    assert_eq!((server.ended(), server.admitted()), (Some(Cancel::TwoRequests), None));
    let proof = laptop.hear(&accept);
    server.hear(&proof);
    assert_eq!(server.admitted(), None, "what was begun is over");

    // The same device, with the code once more.
    let (mut server, mut laptop) = two();
    let code = server.show();
    let request = laptop.told(&code);
    server.hear(&request);
    let request = laptop.told(&code);
    assert_eq!(kinds(&request), [Kind::PairCancel, Kind::PairRequest]);
    let cancels = server.hear(&request[1..]);
    assert_eq!(server.ended(), Some(Cancel::WrongCode));
    laptop.done.clear();
    laptop.hear(&cancels);
    assert_eq!(laptop.ended(), Some(Cancel::WrongCode), "it was used");

    // Too late, before anybody asked, and after.
    let (mut server, mut laptop) = two();
    let code = server.show();
    server.stamp.now += 599;
    server.step(Event::Passed);
    assert_eq!(server.code(), Some(code.clone()));
    server.stamp.now += 1;
    server.step(Event::Passed);
    assert_eq!((server.ended(), server.code()), (Some(Cancel::WrongCode), None));
    let request = laptop.told(&code);
    let cancel = server.hear(&request);
    laptop.hear(&cancel);
    assert_eq!((laptop.ended(), server.admitted()), (Some(Cancel::WrongCode), None));
    let (mut server, mut laptop) = two();
    let code = server.show();
    let request = laptop.told(&code);
    let accept = server.hear(&request);
    let proof = laptop.hear(&accept);
    server.stamp.now += 600;
    server.hear(&proof);
    assert_eq!((server.ended(), server.admitted()), (Some(Cancel::Expired), None), "a grant is late, too");
}

#[test]
fn a_new_code_takes_the_place_of_the_one_before() {
    let (mut server, mut laptop) = two();
    let first = server.show();
    let second = server.show();
    assert_ne!(first, second);
    let request = laptop.told(&first);
    server.hear(&request);
    assert_eq!((server.code(), server.admitted()), (None, None), "it was wrong, and burnt the other");
    // The person ends it.
    let code = server.show();
    server.step(Event::End);
    let request = laptop.told(&code);
    assert_eq!(kinds(&server.hear(&request)), [Kind::PairCancel]);
}

#[test]
fn whoever_asks_without_the_code_meanwhile_ends_both() {
    let (mut server, mut laptop) = two();
    let code = server.show();
    let mut other = Side::new(2, 99);
    let request = other.ask(&[1]);
    let cancel = server.hear(&request);
    assert_eq!((server.ended(), server.code()), (Some(Cancel::TwoRequests), None));
    other.hear(&cancel);
    assert_eq!(other.ended(), Some(Cancel::TwoRequests));
    let request = laptop.told(&code);
    assert_eq!(kinds(&server.hear(&request)), [Kind::PairCancel]);
    // After the code was used, too.
    let (mut server, mut laptop, mut other) = (Side::new(0, 1), Side::new(1, 27), Side::new(2, 99));
    let code = server.show();
    let request = laptop.told(&code);
    let accept = server.hear(&request);
    let request = other.ask(&[1]);
    assert_eq!(server.hear(&request).len(), 2);
    let proof = laptop.hear(&accept);
    server.hear(&proof);
    assert_eq!((server.ended(), server.admitted()), (Some(Cancel::TwoRequests), None));
    // The laptop itself asks in the usual way instead: that takes its course, and the code is used up.
    let (mut server, mut laptop) = two();
    let code = server.show();
    let request = laptop.told(&code);
    server.hear(&request);
    let request = laptop.ask(&[1]);
    server.hear(&request[1..]);
    assert_eq!(server.pairing.shown(), Shown::Asked { device: id(27), name: "Laptop".into() });
}

/// What becomes of something that was said.
type Change = fn(Body) -> Body;

#[test]
fn whatever_is_altered_on_the_way_nobody_is_let_in() {
    // What the laptop says, each time otherwise, as the laptop itself would sign it.
    let changes: [(&str, Kind, Change); 5] = [
        ("the reveal's half", Kind::PairReveal, |body| match body {
            Body::Reveal(reveal) => Body::Reveal(Reveal { ephemeral: [9; 32], ..reveal }),
            other => other,
        }),
        ("the reveal's acceptance", Kind::PairReveal, |body| match body {
            Body::Reveal(reveal) => Body::Reveal(Reveal { accept: [9; 32], ..reveal }),
            other => other,
        }),
        ("the proof", Kind::PairMac, |body| match body {
            Body::Mac(mac) => Body::Mac(Mac { mac: [9; 32], ..mac }),
            other => other,
        }),
        ("the session's key", Kind::PairMac, |body| match body {
            Body::Mac(Mac { mac, one_time: Some(key) }) => {
                Body::Mac(Mac { mac, one_time: Some(crate::mail::sma::OneTimeKey { key: [9; 32], ..key }) })
            }
            other => other,
        }),
        ("no session's key", Kind::PairMac, |body| match body {
            Body::Mac(mac) => Body::Mac(Mac { one_time: None, ..mac }),
            other => other,
        }),
    ];
    for (what, kind, change) in changes {
        let (mut server, mut laptop) = two();
        let code = server.show();
        let request = laptop.told(&code);
        let accept = server.hear(&request);
        let proof: Vec<Signed> = laptop.hear(&accept);
        let proof: Vec<Signed> = proof
            .iter()
            .map(|signed| {
                if kinds(std::slice::from_ref(signed)) == [kind] {
                    instead(&laptop, signed, change)
                } else {
                    signed.clone()
                }
            })
            .collect();
        let said = server.hear(&proof);
        assert_eq!((server.ended(), server.admitted()), (Some(Cancel::Broken), None), "{what}");
        laptop.hear(&said);
        assert_eq!((laptop.ended(), laptop.admitted()), (Some(Cancel::Broken), None), "{what}");
    }
    // Another time stamp in the reveal is another transcript, though nothing else differs.
    let (mut server, mut laptop) = two();
    let code = server.show();
    let request = laptop.told(&code);
    let accept = server.hear(&request);
    let proof = laptop.hear(&accept);
    let payload = Payload::parse(&proof[0].payload).unwrap();
    let later = laptop.device.sign(&Payload { expires: payload.expires + 1, ..payload });
    server.hear(&[later, proof[1].clone()]);
    assert_eq!((server.ended(), server.admitted()), (Some(Cancel::Broken), None));
    // What the server answers, otherwise.
    let (mut server, mut laptop) = two();
    let code = server.show();
    let request = laptop.told(&code);
    let accept = server.hear(&request);
    let proof = laptop.hear(&accept);
    let answer = server.hear(&proof);
    let echo = match Payload::parse(&proof[1].payload).unwrap().body {
        Body::Mac(mac) => mac.mac,
        other => panic!("{other:?}"),
    };
    let forged = instead(&server, &answer[0], |_| Body::Mac(Mac { mac: echo, one_time: None }));
    laptop.hear(&[forged]);
    assert_eq!((laptop.ended(), laptop.admitted()), (Some(Cancel::Broken), None), "its own proof is none");
}

#[test]
fn who_stands_in_the_middle_with_keys_of_its_own_is_refused_by_both() {
    // Towards the laptop it plays the server: the code says otherwise.
    let (mut server, mut laptop, provider) = (Side::new(0, 1), Side::new(1, 27), Side::new(3, 1));
    let code = server.show();
    let request = laptop.told(&code);
    let accept = Accept {
        keys: provider.device.keys(),
        ephemeral: CodeHandshake::new().ephemeral(),
        request: hash(&request[0].payload),
    };
    let payload = Payload::parse(&server.hear(&request)[0].payload).unwrap();
    let forged = provider.device.sign(&Payload { body: Body::Accept(accept), ..payload });
    assert_eq!(kinds(&laptop.hear(&[forged])), [Kind::PairCancel], "nothing was revealed to it");
    assert_eq!((laptop.ended(), laptop.admitted()), (Some(Cancel::Broken), None));

    // Towards the server it plays the laptop: it does not know the code.
    let (mut server, mut laptop, provider) = (Side::new(0, 1), Side::new(1, 27), Side::new(3, 27));
    let code = server.show();
    let request = laptop.told(&code);
    let forged = instead(&provider, &request[0], |body| match body {
        Body::Request(request) => Body::Request(Request { keys: provider.device.keys(), ..request }),
        other => other,
    });
    assert_eq!(kinds(&server.hear(&[forged])), [Kind::PairCancel]);
    assert_eq!((server.ended(), server.admitted()), (Some(Cancel::WrongCode), None));
}

/// What happens: to people, and to messages on their way.
#[derive(Clone, Debug)]
enum Op {
    Show,
    Tell,
    TellWrong,
    /// Hands one of all messages ever sent to either side, perhaps for the tenth time, or with a bit changed.
    Deliver {
        which: prop::sample::Index,
        bit: Option<prop::sample::Index>,
        to_server: bool,
    },
    /// The provider asks as the laptop or as somebody else, with what it takes for a proof.
    ForgeRequest {
        as_laptop: bool,
        guess: Option<u8>,
    },
    ForgeAccept,
    ForgeMac {
        to_server: bool,
    },
    Passes(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => Just(Op::Show),
        3 => Just(Op::Tell),
        1 => Just(Op::TellWrong),
        12 => (index(), prop::option::weighted(0.1, index()), any::<bool>())
            .prop_map(|(which, bit, to_server)| Op::Deliver { which, bit, to_server }),
        1 => (any::<bool>(), prop::option::of(any::<u8>()))
            .prop_map(|(as_laptop, guess)| Op::ForgeRequest { as_laptop, guess }),
        1 => Just(Op::ForgeAccept),
        1 => any::<bool>().prop_map(|to_server| Op::ForgeMac { to_server }),
        1 => (1_i64..700).prop_map(Op::Passes),
    ]
}

struct World {
    server: Side,
    laptop: Side,
    provider: Device,
    seq: u64,
    pool: Vec<Signed>,
    code: Option<String>,
    /// When the last code was shown, and how many were.
    shown: (i64, usize),
}

impl World {
    fn new() -> Self {
        let (server, laptop) = two();
        let provider = Side::new(3, 666).device;
        Self { server, laptop, provider, seq: 1000, pool: Vec::new(), code: None, shown: (0, 0) }
    }

    fn says(&mut self, from: DeviceId, to: DeviceId, body: Body) -> Signed {
        self.seq += 1;
        let now = self.server.stamp.now;
        self.provider.sign(&Payload {
            account: ALICE.into(),
            from,
            to: Some(to),
            seq: self.seq,
            created: now,
            expires: now + 1000,
            roster: None,
            body,
        })
    }

    fn deliver(&mut self, to_server: bool, signed: &Signed) {
        let side = if to_server { &mut self.server } else { &mut self.laptop };
        let out = side.hear(std::slice::from_ref(signed));
        self.pool.extend(out);
    }

    fn run(&mut self, op: &Op) {
        let (server, laptop, mine) = (id(1), id(27), self.provider.keys());
        match op {
            Op::Show => {
                let (code, out) = self.server.shows();
                self.code = Some(code);
                self.pool.extend(out);
                self.shown = (self.server.stamp.now, self.shown.1 + 1);
            }
            Op::Tell => {
                if let Some(code) = self.code.clone() {
                    let out = self.laptop.told(&code);
                    self.pool.extend(out);
                }
            }
            Op::TellWrong => {
                let out = self.laptop.told(&guessed(&self.server));
                self.pool.extend(out);
            }
            Op::Deliver { which, bit, to_server } => {
                if self.pool.is_empty() {
                    return;
                }
                let mut signed = which.get(&self.pool).clone();
                if let Some(bit) = bit {
                    let at = bit.index(signed.payload.len() * 8);
                    signed.payload[at / 8] ^= 1 << (at % 8);
                }
                self.deliver(*to_server, &signed);
            }
            Op::ForgeRequest { as_laptop, guess } => {
                let from = if *as_laptop { laptop } else { id(666) };
                let half = CodeHandshake::new();
                let commitment = half.commitment(from, &mine);
                let mut request = Request { keys: mine, commitment, name: "Laptop".into(), proof: None };
                let guess = guess.map(|n| Code::from_parts(server, &self.server.device.keys(), [n; 16]));
                request.proof = guess.map(|code| request_proof(&code, ALICE, from, &request));
                let signed = self.says(from, server, Body::Request(request));
                self.deliver(true, &signed);
            }
            Op::ForgeAccept => {
                let asked = self.pool.iter().rev().find(|signed| {
                    Payload::parse(&signed.payload).is_ok_and(|payload| payload.from == laptop)
                });
                let Some(request) = asked.map(|signed| hash(&signed.payload)) else { return };
                let ephemeral = CodeHandshake::new().ephemeral();
                let accept = Accept { keys: mine, ephemeral, request };
                let signed = self.says(server, laptop, Body::Accept(accept));
                self.deliver(false, &signed);
            }
            Op::ForgeMac { to_server } => {
                let (from, to) = if *to_server { (laptop, server) } else { (server, laptop) };
                let signed = self.says(from, to, Body::Mac(Mac { mac: [7; 32], one_time: None }));
                self.deliver(*to_server, &signed);
            }
            Op::Passes(seconds) => {
                for side in [&mut self.server, &mut self.laptop] {
                    side.stamp.now += seconds;
                    side.step(Event::Passed);
                }
            }
        }
    }

    /// Nobody but the laptop in front of the person is let in, each time by a code of its own, and soon enough.
    fn holds(&self, before: usize) -> Result<(), TestCaseError> {
        let them = |keys: &Keys| *keys == self.laptop.device.keys();
        let admitted = |action: &&Action| matches!(action, Action::Admit { .. });
        for action in &self.server.done {
            if let Action::Admit { device, keys, one_time, .. } = action {
                prop_assert!(*device == id(27) && them(keys));
                let begun = Sessions::default().begin(&self.server.device, *device, keys, one_time);
                prop_assert_eq!(begun, Ok(()));
            }
        }
        for action in &self.laptop.done {
            if let Action::Join { device, keys } = action {
                prop_assert_eq!((*device, *keys), (id(1), self.server.device.keys()));
            }
        }
        let all = self.server.done.iter().filter(admitted).count();
        prop_assert!(all <= self.shown.1, "a code lets in once");
        prop_assert!(all == before || self.server.stamp.now - self.shown.0 < 600, "and for ten minutes");
        Ok(())
    }

    fn let_in(&self) -> usize {
        self.server.done.iter().filter(|action| matches!(action, Action::Admit { .. })).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_provider_does_a_code_lets_in_only_who_was_told_it(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        for op in &ops {
            let before = world.let_in();
            world.run(op);
            world.holds(before)?;
        }
    }

    /// All goes its way, and something else happens in between.
    #[test]
    fn whatever_comes_in_between_nobody_else_is_let_in(ops in prop::collection::vec(op(), 0..4), at in 0_usize..8) {
        let mut world = World::new();
        for step in 0..8 {
            if step == at {
                for op in &ops {
                    let before = world.let_in();
                    world.run(op);
                    world.holds(before)?;
                }
            }
            let before = world.let_in();
            match step {
                0 => world.run(&Op::Show),
                1 => world.run(&Op::Tell),
                // Whatever lies there is handed to both, the newest last.
                _ => {
                    for signed in world.pool.clone() {
                        world.deliver(true, &signed);
                        world.deliver(false, &signed);
                    }
                }
            }
            world.holds(before)?;
        }
        prop_assert!(!ops.is_empty() || world.let_in() == 1, "undisturbed, it comes to its end");
    }
}
