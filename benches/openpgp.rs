//! How many messages a second are decrypted and checked, and signed and encrypted, beside `gpg --batch` and `sq` on the same
//! messages in the same run: `cargo bench --bench openpgp`. The two are programs, so each message pays for a start of theirs;
//! `gpg` asks an agent that stays, `sq` reads its keys anew. The messages are of 2 KB, as mail mostly is; the best of three
//! rounds counts.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mailkeep::crypto::openpgp::{Certificate, SecretKey, seal, unseal};

const MESSAGES: usize = 40;
const ROUNDS: usize = 3;

fn main() {
    if let Err(error) = measure() {
        println!("{error}");
        std::process::exit(1);
    }
}

fn measure() -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(text)?.as_secs();
    let now = i64::try_from(now).map_err(text)?;
    let (alice, _) = SecretKey::generate("alice@example.org", now).map_err(text)?;
    let (bob, _) = SecretKey::generate("bob@example.org", now).map_err(text)?;
    let (hers, his) = ([alice.certificate()], [bob.certificate()]);
    let plain = "Lunch at one, at the old place?\r\n".repeat(64).into_bytes();

    // A short path: the agent's socket lies in it.
    let folder = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").map_err(text)?;
    let bench = Bench { folder: folder.path() };
    bench.write("plain", &plain)?;
    bench.write("alice.pgp", hers[0].armored().as_bytes())?;
    bench.write("alice.key", alice.armored().as_bytes())?;
    bench.write("bob.pgp", his[0].armored().as_bytes())?;
    bench.write("bob.key", bob.armored().as_bytes())?;
    let messages = (0..MESSAGES)
        .map(|number| {
            let (message, _) = seal(&plain, &his, &[], Some(&alice), now).map_err(text)?;
            bench.write(&format!("message.{number}"), message.as_bytes())?;
            Ok(message)
        })
        .collect::<Result<Vec<String>, String>>()?;
    for key in ["alice.key", "bob.key"] {
        bench.run(&bench.gpg(&["--import", key]))?;
    }

    println!("{MESSAGES} messages of {} bytes, Ed25519 and Cv25519; messages a second", plain.len());
    println!("{:<12}{:>20}{:>20}", "", "decrypt and verify", "sign and encrypt");
    let ours = (
        rate(|number| open(messages.get(number), &bob, &hers, now))?,
        rate(|_| seal(black_box(&plain), &his, &[], Some(&alice), now).map(drop).map_err(text))?,
    );
    println!("{:<12}{:>20.0}{:>20.0}", "mailkeep", ours.0, ours.1);
    let sign = ["--armor", "--local-user", "alice@example.org", "--recipient", "bob@example.org", "--sign"];
    let gpg = (
        rate(|number| bench.run(&bench.gpg(&["--decrypt", &format!("message.{number}")])))?,
        rate(|_| bench.run(&bench.gpg(&[sign.as_slice(), &["--encrypt", "plain"]].concat())))?,
    );
    let decrypt =
        ["decrypt", "--recipient-key", "bob.key", "--signer-cert", "alice.pgp", "--signatures", "1"];
    let encrypt = ["encrypt", "--recipient-cert", "bob.pgp", "--signer-key", "alice.key", "plain"];
    let sq = (
        rate(|number| bench.run(&bench.sq(&[decrypt.as_slice(), &[&format!("message.{number}")]].concat())))?,
        rate(|_| bench.run(&bench.sq(&encrypt)))?,
    );
    for (name, found) in [("gpg --batch", gpg), ("sq", sq)] {
        println!("{name:<12}{:>20.0}{:>20.0}", found.0, found.1);
        println!("{:<12}{:>18.1} x{:>18.1} x", "  we are", ours.0 / found.0, ours.1 / found.1);
    }
    drop(Command::new("gpgconf").arg("--homedir").arg(folder.path()).args(["--kill", "all"]).status());
    Ok(())
}

fn open(message: Option<&String>, key: &SecretKey, signers: &[Certificate], now: i64) -> Result<(), String> {
    let message = message.ok_or("there are as many messages as are read")?;
    let opened = unseal(black_box(message.as_bytes()), std::slice::from_ref(key), None, signers, now);
    let opened = opened.map_err(text)?;
    if opened.signatures.iter().all(|signature| !signature.verdict.is_good()) {
        return Err("a signature of ours does not hold".into());
    }
    Ok(())
}

/// Messages a second, in the best round.
fn rate(mut work: impl FnMut(usize) -> Result<(), String>) -> Result<f64, String> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for number in 0..MESSAGES {
            work(number)?;
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let messages = MESSAGES as f64;
    Ok(messages / best)
}

struct Bench<'a> {
    folder: &'a Path,
}

impl Bench<'_> {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        fs::write(self.folder.join(name), bytes).map_err(text)
    }

    fn gpg<'b>(&'b self, arguments: &[&'b str]) -> Vec<&'b str> {
        let home = self.folder.to_str().unwrap_or_default();
        let common = ["gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--trust-model", "always"];
        [common.as_slice(), &["--output", "out"], arguments].concat()
    }

    fn sq<'b>(&self, arguments: &[&'b str]) -> Vec<&'b str> {
        [["sq", "--force"].as_slice(), arguments, &["--output", "out"]].concat()
    }

    fn run(&self, words: &[&str]) -> Result<(), String> {
        let (program, arguments) = words.split_first().ok_or("a command has a name")?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder);
        let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(()) } else { Err(format!("{}: {said}", words.join(" "))) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
