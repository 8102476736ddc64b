//! How long the composer waits for what is recommended for a message to 100 people, in a store that knows 1,000 correspondents
//! and in one that knows 100,000: `cargo bench --bench peers`. It must not grow with them. Each of the 100 has a certificate of
//! their own; the others have copies of one under made-up fingerprints, since only those who are asked about are ever read.
//! The median of 101 rounds counts.

use std::hint::black_box;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mailkeep::crypto::master_key::Use;
use mailkeep::crypto::openpgp::{Certificate, SecretKey};
use mailkeep::crypto::passphrase::Cost;
use mailkeep::crypto::secret::SecretText;
use mailkeep::crypto::vault::Vault;
use mailkeep::engine::app::App;
use mailkeep::engine::peers::plan;
use mailkeep::storage::data_dir::DataDir;
use mailkeep::storage::database::{self, PeerRow, Writer, commit, keys, peers};

const RECIPIENTS: usize = 100;
const KNOWN: [usize; 2] = [1_000, 100_000];
const ROUNDS: usize = 101;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(text).and_then(|runtime| runtime.block_on(measure()));
    if let Err(error) = done {
        println!("{error}");
        std::process::exit(1);
    }
}

async fn measure() -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(text)?.as_secs();
    let now = i64::try_from(now).map_err(text)?;
    let certificates = (0..RECIPIENTS)
        .map(|number| {
            let (key, _) = SecretKey::generate(&address(number), now).map_err(text)?;
            Ok(key.certificate())
        })
        .collect::<Result<Vec<Certificate>, String>>()?;
    println!("{RECIPIENTS} recipients; milliseconds, the median of {ROUNDS}");
    let mut found = Vec::new();
    for known in KNOWN {
        let milliseconds = in_a_store(known, &certificates, now).await?;
        println!("{known:>9} known{milliseconds:>10.2}");
        found.push(milliseconds);
    }
    if let [few, many] = found.as_slice() {
        println!("{:>15}{:>10.2} x", "the ratio", many / few);
    }
    Ok(())
}

/// The median for a store that knows so many.
async fn in_a_store(known: usize, certificates: &[Certificate], now: i64) -> Result<f64, String> {
    let folder = tempfile::tempdir().map_err(text)?;
    let (vault, master) = Vault::create(&SecretText::new("a bench without a secret".into()), Cost::MINIMUM);
    let data = DataDir::create(folder.path()).map_err(text)?;
    data.write_vault(&vault).map_err(text)?;
    let (reader, writer) =
        database::open(&data.database(), &master.subkey(Use::Database)).await.map_err(text)?;
    fill(&writer, known, certificates, now).await?;
    drop((reader, writer));
    let app = App::open(data, &master, vault.store_id(), None).await.map_err(text)?;
    // Those who are asked about lie all over the table.
    let asked: Vec<String> = (0..certificates.len()).map(address).collect();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let plan = black_box(plan(&app, true, black_box(&asked), false).await.map_err(text)?);
        rounds.push(start.elapsed().as_secs_f64() * 1000.0);
        if plan.each.len() != asked.len() || plan.each.iter().any(|each| each.recommendation != "encrypt") {
            return Err("something else is recommended than private mail to all of them".into());
        }
    }
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().ok_or_else(|| "no round was run".into())
}

async fn fill(writer: &Writer, known: usize, certificates: &[Certificate], now: i64) -> Result<(), String> {
    let mut c = writer.begin().await.map_err(text)?;
    for number in 0..known {
        let own = certificates.get(number);
        let certificate = own.or_else(|| certificates.first()).ok_or("there are certificates")?;
        let made_up = format!("{number:040X}");
        let fingerprint = own.map_or(made_up, |own| own.fingerprint().to_string());
        keys::put_certificate(&mut c, &fingerprint, &certificate.bytes(), &[], now).await.map_err(text)?;
        let row = PeerRow {
            address: address(number),
            last_seen: now,
            autocrypt_timestamp: now,
            public_key: Some(fingerprint.clone()),
            mutual: true,
            pinned: Some(fingerprint),
            pinned_at: now,
            ..PeerRow::default()
        };
        peers::put(&mut c, &row).await.map_err(text)?;
    }
    commit(c).await.map_err(text)
}

/// Addresses that follow each other in no order.
fn address(number: usize) -> String {
    format!("{:08x}@example.org", (number as u64).wrapping_mul(0x9e37_79b9) & 0xffff_ffff)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn text(error: impl ToString) -> String {
    error.to_string()
}
