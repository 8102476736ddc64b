//! Keys that are no good, or made to do harm: each is answered with one sentence, soon, and the store stays as it was.

use crate::support::{Lab, World};

/// An armoured block made binary.
fn dearmoured(armoured: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(armoured.to_vec()).unwrap();
    let body = text.replace("\r\n", "\n").split_once("\n\n").unwrap().1.to_owned();
    let code: String =
        body.lines().take_while(|line| !line.starts_with('=') && !line.starts_with('-')).collect();
    data_encoding::BASE64.decode(code.as_bytes()).unwrap()
}

/// The packets of a certificate, each with its tag (RFC 9580 §4.2); lengths of one and two bytes are all that occur.
fn packets(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [tag, first, ..] = bytes {
        let (header, length) = match first {
            0..192 => (2, usize::from(*first)),
            _ => (3, ((usize::from(*first) - 192) << 8) + usize::from(bytes[2]) + 192),
        };
        assert_eq!(tag & 0xc0, 0xc0, "the newer form of packets");
        found.push((tag & 0x3f, bytes[..header + length].to_vec()));
        bytes = &bytes[header + length..];
    }
    found
}

/// Takes a key in that must be refused; gives what was said.
fn refused(world: &World, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let before = world.ok(&["key", "list"]);
    let file = world.file(name, bytes);
    let said = world.fails(1, &["key", "import", &file]);
    assert_eq!(said.trim().lines().count(), 1, "{name}: {said}");
    assert!(said.len() < 400, "{name}: {said}");
    assert_eq!(world.ok(&["key", "list"]), before, "{name}: the store is as it was");
    said
}

#[test]
fn keys_made_to_do_harm_are_refused_in_one_sentence() {
    let lab = Lab::shared();
    let alice = lab.person("alice");
    let world = World::with_account(lab, &alice);
    let own = dearmoured(&world.run(&["key", "export", &alice.address]).done().stdout);
    let parts = packets(&own);
    let all =
        |parts: &[&(u8, Vec<u8>)]| parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<u8>>();
    let (key, id, binding) = (&parts[0], &parts[1], &parts[2]);
    let (subkey, subkey_binding) = (&parts[parts.len() - 2], &parts[parts.len() - 1]);
    assert_eq!((key.0, id.0, binding.0, subkey.0), (6, 13, 2, 14), "the five packets of Autocrypt");

    refused(&world, "nothing", b"");
    refused(&world, "words", b"this is a letter and no key");
    refused(&world, "cut.asc", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEXEcE6RYJKwYBBAHaRw8BAQdA");
    refused(&world, "zeros", vec![0; 9 << 20]);
    refused(&world, "noise", vec![0xc6; 1 << 20]);
    let mut many = vec![key, id, binding];
    many.extend(std::iter::repeat_n([subkey, subkey_binding], 10_000).flatten());
    // The same subkey ten thousand times is one; the file is what is too large.
    refused(&world, "many-subkeys", all(&many));
    let named = (13, [&[0xcd, 40][..], &[b'x'; 40]].concat());
    let mut names = vec![key, id, binding, subkey, subkey_binding];
    names.extend(std::iter::repeat_n(&named, 5_000));
    refused(&world, "many-names", all(&names));
    // A compressed packet that unpacks to itself, and one that unpacks to much.
    refused(&world, "compressed", [&[0xc8, 0xff, 0, 0, 0, 5, 1][..], &[0; 4]].concat());
    let mut bomb = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![0xcb; 50 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let length = u32::try_from(bomb.len() + 1).unwrap().to_be_bytes();
    refused(&world, "bomb", [&[0xc8, 0xff][..], &length, &[1], &bomb].concat());
    // A length that says more than there is, and one that never ends.
    refused(&world, "liar", [&[0xc6, 0xff, 0xff, 0xff, 0xff, 0xff][..], &key.1].concat());
    refused(&world, "endless", vec![0xe0; 4096]);

    // Its subkey without the word of the key: nothing can be encrypted to it, and it is not relied on.
    let bob = "bob@elsewhere.example";
    let orphan = all(&[key, id, binding, subkey]);
    let file = world.file("orphan", orphan);
    world.run(&["key", "import", &file]);
    let said = world.fails(
        1,
        &["send", "--to", bob, "--subject", "x", "--body-file", &world.file("body", "x"), "--encrypt", "yes"],
    );
    assert!(said.contains("No key of theirs is known"), "{said}");
}

#[test]
fn a_key_for_another_address_is_not_used_for_this_one() {
    let lab = Lab::shared();
    let (alice, bob, carol) = (lab.person("alice"), lab.person("bob"), lab.person("carol"));
    let (world, other) = (World::with_account(lab, &alice), World::with_account(lab, &bob));
    let key = other.run(&["key", "export", &bob.address]).done().stdout;
    world.ok(&["key", "import", &world.file("bob.asc", key)]);
    let body = world.file("body", "x");
    let send = |to: &str| {
        world.run(&["send", "--to", to, "--subject", "x", "--body-file", &body, "--encrypt", "yes"])
    };
    assert_eq!(send(&bob.address).code(), 0);
    assert_eq!(send(&carol.address).code(), 1);
    let known = world.ok(&["peer", "show", &bob.address]);
    assert_eq!(known["trust"], "same", "{known}");
    world.fails(4, &["peer", "show", &carol.address]);
    world.fails(4, &["key", "export", &carol.address]);
    world.fails(1, &["key", "export", &bob.address, "--secret"]);
}
