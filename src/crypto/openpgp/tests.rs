//! Alice and Bob write to each other, and others interfere.

mod corpora;
mod hostile;
mod keys;
mod messages;
mod setup;

use super::*;
use sequoia_openpgp::cert::{Cert, CertBuilder, CipherSuite};
use sequoia_openpgp::packet::Packet;
use sequoia_openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::KeyFlags;
use std::sync::LazyLock;

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 24 * 60 * 60;

static ALICE: LazyLock<SecretKey> =
    LazyLock::new(|| SecretKey::generate("alice@example.org", NOW).unwrap().0);
static BOB: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::generate("bob@example.org", NOW).unwrap().0);

/// The packets of a binary, not looked into.
fn packets(bytes: &[u8]) -> Vec<Packet> {
    let mut found = Vec::new();
    let mut next = PacketParser::from_bytes(bytes).unwrap();
    while let PacketParserResult::Some(mut parser) = next {
        parser.buffer_unread_content().unwrap();
        let (packet, rest) = parser.next().unwrap();
        found.push(packet);
        next = rest;
    }
    found
}

fn binary(packets: &[Packet]) -> Vec<u8> {
    packets.iter().flat_map(|packet| packet.to_vec().unwrap()).collect()
}

fn dearmored(message: &str) -> Vec<u8> {
    armour::open(message.as_bytes(), armour::Block::Message).unwrap()
}

/// A key as another program makes it: a signing subkey and an encryption subkey.
fn foreign(suite: CipherSuite, profile: sequoia_openpgp::Profile, id: &str) -> SecretKey {
    let builder = CertBuilder::new().set_cipher_suite(suite).set_profile(profile).unwrap();
    let (cert, _) = builder
        .set_creation_time(policy::time(NOW - DAY))
        .add_userid(id)
        .add_signing_subkey()
        .add_subkey(KeyFlags::empty().set_transport_encryption().set_storage_encryption(), None, None)
        .generate()
        .unwrap();
    secret(&cert)
}

fn secret(cert: &Cert) -> SecretKey {
    SecretKey::parse(&cert.as_tsk().to_vec().unwrap(), None).unwrap()
}

fn verdicts(signatures: &[Signature]) -> Vec<Verdict> {
    signatures.iter().map(|signature| signature.verdict.clone()).collect()
}
