//! Alice uses Mailkeep's OpenPGP, Bob uses GnuPG, Carol uses Sequoia's `sq`, both as Debian ships them: keys and messages go
//! both ways.

use mailkeep::crypto::openpgp::{
    Certificate, SecretKey, Verdict, seal, setup, sign_detached_armored, unseal, verify_cleartext,
    verify_detached, verify_message,
};
use mailkeep::crypto::secret::SecretText;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const TEXT: &[u8] = b"Lunch at one?\r\nAt the old place: caf\xC3\xA9.\r\n";

fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// Runs a program that must be there, with `input` on its standard input.
fn run(mut command: Command, input: &[u8]) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} (see tests/run): {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that has read enough closes its end.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn succeeded(command: Command, input: &[u8]) -> Output {
    let what = format!("{command:?}");
    let output = run(command, input);
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A GnuPG of our own; its agent ends with it.
struct Gpg(TempDir);

impl Gpg {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self(home)
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.0.path());
        command.args(["--batch", "--yes", "--status-fd", "2", "--trust-model", "always"]);
        command.args(["--pinentry-mode", "loopback", "--passphrase", "correct horse"]).args(arguments);
        succeeded(command, input)
    }

    /// Makes a key and gives its certificate.
    fn generate(&self, id: &str, algorithm: &str) -> Certificate {
        self.run(&["--quick-generate-key", id, algorithm, "default", "1y"], b"");
        Certificate::parse(&self.run(&["--export", id], b"").stdout).unwrap()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        file(self.0.path(), name, bytes)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        drop(Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).status());
    }
}

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn status(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn alice_and_bob_with_gnupg_write_to_each_other() {
    let (gpg, now) = (Gpg::new(), clock());
    let (alice, revocation) = SecretKey::generate("alice@lab.test", now).unwrap();
    let hers = [alice.certificate()];
    let fingerprint = alice.fingerprint();
    let header = hers[0].for_autocrypt("alice@lab.test", now).unwrap();
    let imported = gpg.run(&["--import"], &header);
    assert!(status(&imported).contains(&format!("IMPORT_OK 1 {fingerprint}")), "{}", status(&imported));

    for (name, algorithm) in [("bob", "future-default"), ("old.bob", "rsa3072")] {
        let bob = gpg.generate(&format!("Bob <{name}@lab.test>"), algorithm);
        let now = clock();
        assert_eq!(bob.addresses(now), [format!("{name}@lab.test")]);
        // RSA keys of GnuPG sign only; the encryption key is added.
        if bob.usable(now).is_err() {
            gpg.run(&["--quick-add-key", bob.fingerprint().as_str(), algorithm, "encr", "1y"], b"");
        }
        let exported = gpg.run(&["--armor", "--export", bob.fingerprint().as_str()], b"").stdout;
        let bob = Certificate::parse(&exported).unwrap();
        assert_eq!(bob.usable(now), Ok(()), "{algorithm}");
        let his = [bob.clone()];

        let (message, _) = seal(TEXT, &his, &hers, Some(&alice), now).unwrap();
        let read = gpg.run(&["--decrypt"], message.as_bytes());
        assert_eq!(read.stdout, TEXT);
        for word in ["DECRYPTION_OKAY", "GOODMDC", "GOODSIG", &format!("VALIDSIG {fingerprint}")] {
            assert!(status(&read).contains(word), "no {word} in {}", status(&read));
        }

        let bobs = bob.fingerprint();
        let sign = ["--local-user", bobs.as_str()];
        let to_alice = ["--armor", "--sign", "--encrypt", "--recipient", fingerprint.as_str()];
        let message = gpg.run(&[sign.as_slice(), &to_alice].concat(), TEXT).stdout;
        let opened = unseal(&message, std::slice::from_ref(&alice), None, &his, now).unwrap();
        assert_eq!(opened.plain, TEXT);
        assert_eq!(opened.signatures.len(), 1);
        assert_eq!(opened.signatures[0].verdict, Verdict::Good, "{opened:?}");
        assert_eq!(opened.signatures[0].signer, Some(bob.fingerprint()));
        let hidden = ["--encrypt", "--throw-keyids", "--recipient", fingerprint.as_str()];
        let opened =
            unseal(&gpg.run(&hidden, TEXT).stdout, std::slice::from_ref(&alice), None, &[], now).unwrap();
        assert!(opened.plain == TEXT && opened.recipients[0].is_wildcard());

        let beside = gpg.run(&[sign.as_slice(), &["--detach-sign"]].concat(), TEXT).stdout;
        assert_eq!(verify_detached(TEXT, &beside, &his, now).unwrap()[0].verdict, Verdict::Good);
        assert_eq!(verify_detached(b"Dinner?", &beside, &his, now).unwrap()[0].verdict, Verdict::Bad);
        let below = gpg.run(&[sign.as_slice(), &["--clearsign"]].concat(), TEXT).stdout;
        assert_eq!(verify_cleartext(&below, &his, now).unwrap().1[0].verdict, Verdict::Good);
        let inside = gpg.run(&[sign.as_slice(), &["--armor", "--sign"]].concat(), TEXT).stdout;
        let (text, signatures) = verify_message(&inside, &his, now).unwrap();
        assert_eq!((text.as_slice(), &signatures[0].verdict), (TEXT, &Verdict::Good));
        let weak =
            gpg.run(&[sign.as_slice(), &["--digest-algo", "SHA1", "--detach-sign"]].concat(), TEXT).stdout;
        assert_eq!(verify_detached(TEXT, &weak, &his, now).unwrap()[0].verdict, Verdict::Weak);
    }

    let beside = sign_detached_armored(TEXT, &alice, now).unwrap();
    let (beside, text) = (gpg.file("text.asc", beside.as_bytes()), gpg.file("text", TEXT));
    let checked = gpg.run(&["--verify", beside.to_str().unwrap(), text.to_str().unwrap()], b"");
    assert!(status(&checked).contains(&format!("VALIDSIG {fingerprint}")), "{}", status(&checked));

    let revoked = gpg.run(&["--import"], &revocation);
    assert!(status(&revoked).contains("revocation"), "{}", status(&revoked));
    let exported = gpg.run(&["--export", fingerprint.as_str()], b"").stdout;
    assert!(Certificate::parse(&exported).unwrap().is_revoked_hard(now));
}

#[test]
fn secret_keys_move_between_alice_and_gnupg() {
    let (gpg, now) = (Gpg::new(), clock());
    let (alice, _) = SecretKey::generate("alice@lab.test", now).unwrap();
    gpg.run(&["--import"], alice.armored().as_bytes());
    let (message, _) = seal(TEXT, &[alice.certificate()], &[], None, now).unwrap();
    assert_eq!(gpg.run(&["--decrypt"], message.as_bytes()).stdout, TEXT);
    let bob = gpg.generate("Bob <bob@lab.test>", "future-default");
    let now = clock();
    let exported = gpg.run(&["--armor", "--export-secret-keys", bob.fingerprint().as_str()], b"").stdout;
    let words = SecretText::new("correct horse".into());
    let key = SecretKey::parse(&exported, Some(&words)).unwrap();
    assert_eq!(key.fingerprint(), bob.fingerprint());
    let (message, _) = seal(TEXT, std::slice::from_ref(&bob), &[], Some(&key), now).unwrap();
    assert_eq!(
        unseal(message.as_bytes(), &[key], None, &[bob], now).unwrap().signatures[0].verdict,
        Verdict::Good
    );
}

/// GnuPG knows nothing of Autocrypt, but a setup message is a message under a password.
#[test]
fn gnupg_opens_a_setup_message() {
    let (gpg, now) = (Gpg::new(), clock());
    let (alice, _) = SecretKey::generate("alice@lab.test", now).unwrap();
    let code = setup::SetupCode::generate();
    let message = setup::make(&alice, true, &code, now).unwrap();
    let opened = gpg.run(&["--passphrase", code.expose(), "--decrypt"], message.as_bytes()).stdout;
    assert_eq!(SecretKey::parse(&opened, None).unwrap().fingerprint(), alice.fingerprint());
    let text = String::from_utf8(opened).unwrap();
    assert!(text.contains("Autocrypt-Prefer-Encrypt: mutual"), "{text}");
}

fn sq(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("sq");
    command.args(arguments);
    succeeded(command, input)
}

#[test]
fn alice_and_carol_with_sq_write_to_each_other() {
    let (folder, now) = (tempfile::tempdir().unwrap(), clock());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (alice, _) = SecretKey::generate("alice@lab.test", now).unwrap();
    let (key, hers) = (path("carol.key"), path("alice.pgp"));
    file(folder.path(), "alice.pgp", alice.certificate().armored().as_bytes());
    sq(&["key", "generate", "--userid", "Carol <carol@lab.test>", "--export", &key], b"");
    let now = clock();
    let carol = Certificate::parse(&sq(&["key", "extract-cert", &key], b"").stdout).unwrap();
    assert_eq!((carol.usable(now), carol.addresses(now)), (Ok(()), vec!["carol@lab.test".to_owned()]));
    file(folder.path(), "carol.pgp", carol.armored().as_bytes());
    let theirs = [carol.clone()];

    let (message, _) = seal(TEXT, &theirs, &[], Some(&alice), now).unwrap();
    let read = sq(
        &["decrypt", "--recipient-key", &key, "--signer-cert", &hers, "--signatures", "1"],
        message.as_bytes(),
    );
    assert_eq!(read.stdout, TEXT);

    let message = sq(&["encrypt", "--recipient-cert", &hers, "--signer-key", &key], TEXT).stdout;
    let opened = unseal(&message, std::slice::from_ref(&alice), None, &theirs, now).unwrap();
    assert_eq!((opened.plain.as_slice(), &opened.signatures[0].verdict), (TEXT, &Verdict::Good));

    let beside = sq(&["sign", "--detached", "--signer-key", &key], TEXT).stdout;
    assert_eq!(verify_detached(TEXT, &beside, &theirs, now).unwrap()[0].verdict, Verdict::Good);
    let ours = sign_detached_armored(TEXT, &alice, now).unwrap();
    file(folder.path(), "text.asc", ours.as_bytes());
    sq(&["verify", "--signer-cert", &hers, "--detached", &path("text.asc")], TEXT);
    let below = sq(&["sign", "--cleartext-signature", "--signer-key", &key], TEXT).stdout;
    assert_eq!(verify_cleartext(&below, &theirs, now).unwrap().1[0].verdict, Verdict::Good);

    // Carol's own key, read by us.
    let key = SecretKey::parse(&std::fs::read(&key).unwrap(), None).unwrap();
    let (message, _) = seal(TEXT, &[alice.certificate()], &[], Some(&key), now).unwrap();
    let opened = unseal(message.as_bytes(), &[alice], None, &theirs, now).unwrap();
    assert_eq!(opened.signatures[0].verdict, Verdict::Good);
}
