//! The other way to pair: the old device shows a code, and a person types it into the new one. Showing it was the owner's word,
//! so nothing is asked at the old device any more: it lets in who knows the code, once and within ten minutes, and proves it over
//! all that was said.

use super::{Action, Pairing, Shown, Stamp, State, Waiting};
use crate::crypto::devices::{
    Code, CodeHandshake, CodeProof, Transcript, hash, proves_request, request_proof,
};
use crate::crypto::secret::SecretText;
use crate::mail::sma::{Accept, Body, Cancel, DeviceId, Keys, Mac, OneTimeKey, Request, Reveal};

/// A code is good for so long, in seconds.
const GOOD: i64 = 10 * 60;

/// How far a pairing by code is.
#[derive(Debug)]
pub(super) enum Coded {
    /// The old device shows the code, and nobody used it.
    Shown { code: Code, handshake: CodeHandshake, until: i64 },
    /// The new device was told the code, and asked the other one.
    Asked { code: Code, handshake: CodeHandshake, one_time: OneTimeKey, request: [u8; 32], until: i64 },
    /// The old device was asked by one that knows the code.
    Accepted { waiting: Waiting, code: Code, handshake: CodeHandshake, accept: [u8; 32] },
    /// The old device waits for the proof of the new one.
    Opened { waiting: Waiting, proof: CodeProof },
    /// The new device proved itself, by the payload of this hash, and waits for the proof of the old one.
    Proved { device: DeviceId, keys: Keys, proof: CodeProof, said: [u8; 32], until: i64 },
}

impl Coded {
    /// The other device, once one is known.
    pub(super) const fn other(&self) -> Option<DeviceId> {
        match self {
            Self::Shown { .. } => None,
            Self::Asked { code, .. } => Some(code.device()),
            Self::Accepted { waiting, .. } | Self::Opened { waiting, .. } => Some(waiting.device),
            Self::Proved { device, .. } => Some(*device),
        }
    }

    /// Its keys, once they are fixed.
    pub(super) fn keys(&self) -> Option<(DeviceId, Keys)> {
        match self {
            Self::Shown { .. } | Self::Asked { .. } => None,
            Self::Accepted { waiting, .. } | Self::Opened { waiting, .. } => {
                Some((waiting.device, waiting.keys))
            }
            Self::Proved { device, keys, .. } => Some((*device, *keys)),
        }
    }

    pub(super) const fn until(&self) -> i64 {
        match self {
            Self::Shown { until, .. } | Self::Asked { until, .. } | Self::Proved { until, .. } => *until,
            Self::Accepted { waiting, .. } | Self::Opened { waiting, .. } => waiting.until,
        }
    }

    pub(super) fn shown(&self) -> Shown {
        match self {
            Self::Shown { until, .. } => Shown::Code { until: *until },
            Self::Asked { .. } | Self::Proved { .. } => {
                Shown::Proving { device: self.other(), name: String::new(), is_new: true }
            }
            Self::Accepted { waiting, .. } | Self::Opened { waiting, .. } => {
                Shown::Proving { device: self.other(), name: waiting.name.clone(), is_new: false }
            }
        }
    }

    /// Why it is over when its time has come.
    pub(super) const fn lapses(&self) -> Cancel {
        match self {
            Self::Shown { .. } => Cancel::WrongCode,
            _ => Cancel::Expired,
        }
    }
}

impl Pairing {
    /// The code that this device shows.
    #[must_use]
    pub fn code(&self) -> Option<SecretText> {
        match &self.state {
            State::Coded(coded) => match &**coded {
                Coded::Shown { code, .. } => Some(code.to_text()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The person has this device show a code.
    pub(super) fn show(
        &mut self,
        code: Code,
        handshake: CodeHandshake,
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        self.end(Cancel::Ended, stamp, actions);
        self.set(Coded::Shown { code, handshake, until: stamp.now + GOOD });
    }

    /// The person told this device the code of another one.
    pub(super) fn ask_by_code(
        &mut self,
        (code, handshake, one_time): (Code, CodeHandshake, OneTimeKey),
        name: &str,
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        self.end(Cancel::Ended, stamp, actions);
        let commitment = handshake.commitment(self.me, &self.keys);
        let mut request = Request { keys: self.keys, commitment, name: name.to_owned(), proof: None };
        request.proof = Some(request_proof(&code, &self.account, self.me, &request));
        let payload = self.payload(code.device(), Body::Request(request), stamp);
        let request = hash(&payload.to_bytes());
        actions.push(Action::Send(payload));
        self.set(Coded::Asked { code, handshake, one_time, request, until: stamp.now + GOOD });
    }

    fn set(&mut self, coded: Coded) {
        self.state = State::Coded(Box::new(coded));
    }

    /// What the pairing by code stands at, taken out.
    fn take(&mut self) -> Option<Coded> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Coded(coded) => Some(*coded),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// A message came while a pairing by code goes on. `name` is the hash of its payload.
    pub(super) fn hear_coded(
        &mut self,
        from: DeviceId,
        body: Body,
        name: [u8; 32],
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        match (self.take(), body) {
            (Some(coded), Body::Request(request)) => {
                self.requested_by_code(coded, (from, request, name), stamp, actions);
            }
            (Some(Coded::Asked { code, handshake, one_time, request, until }), Body::Accept(accept))
                if code.device() == from && request == accept.request =>
            {
                let asked = Asked { code, handshake, one_time, request, until };
                self.accepted_by_code(asked, &accept, name, stamp, actions);
            }
            (Some(Coded::Accepted { waiting, code, handshake, accept }), Body::Reveal(reveal))
                if waiting.device == from =>
            {
                self.opened_by_code((waiting, code, handshake, accept), &reveal, name, stamp, actions);
            }
            (Some(Coded::Opened { waiting, proof }), Body::Mac(mac)) if waiting.device == from => {
                self.admit_by_code(waiting, &proof, &mac, name, stamp, actions);
            }
            (Some(Coded::Proved { device, keys, proof, said, .. }), Body::Mac(mac)) if device == from => {
                if proof.is_of_old(&said, &mac.mac) {
                    actions.push(Action::Join { device, keys });
                } else {
                    self.broken(device, stamp, actions);
                }
            }
            // It is not its time, or not from the other device.
            (Some(coded), _) => self.set(coded),
            (None, _) => {}
        }
    }

    fn broken(&self, other: DeviceId, stamp: &mut Stamp, actions: &mut Vec<Action>) {
        actions.push(self.cancel(other, Cancel::Broken, stamp));
        actions.push(Action::Ended { why: Cancel::Broken, by_other: false });
    }

    /// A device asks: the one that was told the code, or another.
    fn requested_by_code(
        &mut self,
        coded: Coded,
        (from, request, name): (DeviceId, Request, [u8; 32]),
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let is_same = coded.keys() == Some((from, request.keys));
        let (code, handshake, until) = match coded {
            Coded::Shown { code, handshake, until } if request.proof.is_some() => (code, handshake, until),
            // It asks anew, without the code, which is used up.
            Coded::Accepted { .. } | Coded::Opened { .. } if is_same && request.proof.is_none() => {
                return self.requested(from, request, name, stamp, actions);
            }
            other => {
                let why = if is_same { Cancel::WrongCode } else { Cancel::TwoRequests };
                let known = other.other();
                self.set(other);
                self.end(why, stamp, actions);
                if known != Some(from) {
                    actions.push(self.cancel(from, why, stamp));
                }
                return;
            }
        };
        if !proves_request(&code, &self.account, from, &request) {
            // There is no second try.
            actions.push(self.cancel(from, Cancel::WrongCode, stamp));
            actions.push(Action::Ended { why: Cancel::WrongCode, by_other: false });
            return;
        }
        let accept = Accept { keys: self.keys, ephemeral: handshake.ephemeral(), request: name };
        let payload = self.payload(from, Body::Accept(accept), stamp);
        let accept = hash(&payload.to_bytes());
        actions.push(Action::Send(payload));
        let Request { keys, commitment, name: calls_itself, .. } = request;
        let waiting = Waiting { device: from, keys, name: calls_itself, commitment, request: name, until };
        self.set(Coded::Accepted { waiting, code, handshake, accept });
    }

    /// The new device opens its half, and proves itself at once.
    fn accepted_by_code(
        &mut self,
        asked: Asked,
        accept: &Accept,
        name: [u8; 32],
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let Asked { code, handshake, one_time, request, until } = asked;
        let device = code.device();
        if !code.is_of(&accept.keys) {
            return self.broken(device, stamp, actions);
        }
        let reveal = handshake.reveal(name);
        let transcript = Transcript {
            account: &self.account,
            old: (device, accept.keys, accept.ephemeral),
            new: (self.me, self.keys, reveal.ephemeral),
            request,
            accept: name,
        };
        let opens = self.payload(device, Body::Reveal(reveal), stamp);
        let revealed = hash(&opens.to_bytes());
        let Ok(proof) = handshake.agree(accept.ephemeral, &code, &transcript, revealed) else {
            return self.broken(device, stamp, actions);
        };
        let mac = Mac { mac: proof.of_new(&one_time), one_time: Some(one_time) };
        let proves = self.payload(device, Body::Mac(mac), stamp);
        let said = hash(&proves.to_bytes());
        actions.extend([Action::Send(opens), Action::Send(proves)]);
        self.set(Coded::Proved { device, keys: accept.keys, proof, said, until });
    }

    /// The old device hears the other half.
    fn opened_by_code(
        &mut self,
        (waiting, code, handshake, accept): (Waiting, Code, CodeHandshake, [u8; 32]),
        reveal: &Reveal,
        name: [u8; 32],
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let kept = Transcript::commits(waiting.device, &waiting.keys, reveal, &waiting.commitment);
        let transcript = Transcript {
            account: &self.account,
            old: (self.me, self.keys, handshake.ephemeral()),
            new: (waiting.device, waiting.keys, reveal.ephemeral),
            request: waiting.request,
            accept,
        };
        let is_ours = kept && reveal.accept == accept;
        match handshake.agree(reveal.ephemeral, &code, &transcript, name) {
            Ok(proof) if is_ours => self.set(Coded::Opened { waiting, proof }),
            _ => self.broken(waiting.device, stamp, actions),
        }
    }

    /// The old device lets the new one in, if it proved itself, and proves itself in turn.
    fn admit_by_code(
        &self,
        waiting: Waiting,
        proof: &CodeProof,
        mac: &Mac,
        said: [u8; 32],
        stamp: &mut Stamp,
        actions: &mut Vec<Action>,
    ) {
        let Waiting { device, keys, name, .. } = waiting;
        let proved = mac.one_time.filter(|key| proof.is_of_new(device, &keys, key, &mac.mac));
        let Some(one_time) = proved else { return self.broken(device, stamp, actions) };
        let mac = Mac { mac: proof.of_old(&said), one_time: None };
        actions.push(Action::Send(self.payload(device, Body::Mac(mac), stamp)));
        actions.push(Action::Admit { device, keys, name, one_time });
    }
}

/// What [`Coded::Asked`] holds.
struct Asked {
    code: Code,
    handshake: CodeHandshake,
    one_time: OneTimeKey,
    request: [u8; 32],
    until: i64,
}
