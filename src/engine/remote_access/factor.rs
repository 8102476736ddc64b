//! The second factor: codes of a program on the owner's phone, spare codes on paper, and the check of both things at once.

use super::passkeys::{self, Shown, Signed};
use super::unlock_onion;
use crate::crypto::secret::{SecretText, random};
use crate::crypto::totp::Secret;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::search::rfc3339;
use crate::engine::settings::keyed_hash;
use crate::engine::vault::Vault;
use crate::storage::database::{FactorRow, commit, remote_access};
use serde::Serialize;

/// How many spare codes there are.
const SPARE: usize = 10;
/// How long a secret waits for its first code, in seconds.
const PATIENCE: i64 = 600;
/// The longest text that is looked at as a code, in bytes.
const LONGEST: usize = 64;

/// How the second factor stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Standing {
    /// When it was set up; none where it is not.
    pub since: Option<String>,
    /// How many spare codes are left.
    pub spare_codes: i64,
}

/// A secret that was just made; it is shown until a code proves that it arrived.
#[derive(Debug, Serialize)]
pub struct Begun {
    /// For a QR code: `otpauth://totp/…`.
    pub address: String,
    /// To be typed.
    pub secret: String,
}

/// Spare codes that were just made; they are shown this once.
#[derive(Debug, Serialize)]
pub struct SpareCodes {
    /// The codes.
    pub spare_codes: Vec<String>,
}

/// How the second factor stands.
///
/// # Errors
/// When the store fails.
pub async fn standing(app: &App) -> Result<Standing, Failure> {
    let mut c = app.reader.get().await?;
    let factor = remote_access::factor(&mut c, false).await?;
    Ok(Standing {
        since: factor.map(|factor| rfc3339(factor.made_at)),
        spare_codes: remote_access::spare_codes(&mut c).await?,
    })
}

/// Makes a secret, which is in force once [`confirm`] saw a code of it. Until then the one before stays in force.
///
/// # Errors
/// When the store fails.
pub async fn begin(app: &App) -> Result<Begun, Failure> {
    let secret = Secret::random();
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    remote_access::set_pending(&mut c, secret.expose(), app.now()).await?;
    commit(c).await?;
    Ok(shown(&secret))
}

fn shown(secret: &Secret) -> Begun {
    Begun { address: secret.to_address().to_string(), secret: secret.to_text().to_string() }
}

/// The secret that waits for its first code; it does so for ten minutes.
///
/// # Errors
/// When the store fails.
pub async fn pending(app: &App) -> Result<Option<Begun>, Failure> {
    let row = remote_access::factor(&mut *app.reader.get().await?, true).await?;
    Ok(row.and_then(|row| waiting(&row, app.now())).map(|secret| shown(&secret)))
}

fn waiting(row: &FactorRow, now: i64) -> Option<Secret> {
    (now - row.made_at < PATIENCE).then(|| Secret::from_bytes(&row.secret)).flatten()
}

/// Forgets the secret that waits for its first code.
///
/// # Errors
/// When the store fails.
pub async fn drop_pending(app: &App) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    remote_access::drop_pending(&mut c).await?;
    Ok(commit(c).await?)
}

/// What only who saw that secret can show: a session alone shall not be handed it.
#[must_use]
pub fn seen(app: &App, begun: &Begun) -> String {
    data_encoding::HEXLOWER.encode(&keyed_hash(app, "pending-factor", &begun.secret))
}

/// Puts the pending secret in force where the code is one of it, with new spare codes. All remote sessions end.
///
/// # Errors
/// Refused, where the code is wrong or nothing is pending.
pub async fn confirm(app: &App, code: &str) -> Result<SpareCodes, Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let row = remote_access::factor(&mut c, true).await?;
    let secret = row.and_then(|row| waiting(&row, app.now())).ok_or_else(|| {
        Failure::refused("No secret waits for a code; begin with `mailkeep remote factor begin`")
    })?;
    let step = secret.step_of(code, app.now()).ok_or_else(|| {
        Failure::refused(
            "That is not the code of this moment; look whether both clocks are right, and type the next one",
        )
    })?;
    remote_access::put_in_force(&mut c, step).await?;
    let codes = spare(app);
    remote_access::set_spare_codes(&mut c, &codes.1).await?;
    commit(c).await?;
    drop(writer);
    app.remote_access.sessions.end_all();
    unlock_onion::settle(app).await?;
    Ok(codes.0)
}

/// Makes new spare codes; those from before work no more.
///
/// # Errors
/// Refused, where there is no second factor.
pub async fn renew_spare_codes(app: &App) -> Result<SpareCodes, Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if remote_access::factor(&mut c, false).await?.is_none() {
        return Err(Failure::refused("Set the second factor up first: `mailkeep remote factor begin`"));
    }
    let codes = spare(app);
    remote_access::set_spare_codes(&mut c, &codes.1).await?;
    commit(c).await?;
    Ok(codes.0)
}

/// New spare codes, and the hashes by which they are known.
fn spare(app: &App) -> (SpareCodes, Vec<Vec<u8>>) {
    let codes: Vec<String> = (0..SPARE)
        .map(|_| {
            let letters = data_encoding::BASE32_NOPAD.encode(&random::<10>()).to_lowercase();
            let groups: Vec<_> = letters.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
            groups.join("-")
        })
        .collect();
    let hashes = codes.iter().map(|code| hash(app, code)).collect();
    (SpareCodes { spare_codes: codes }, hashes)
}

fn hash(app: &App, code: &str) -> Vec<u8> {
    let letters: String =
        code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    keyed_hash(app, "spare-code", &letters)
}

/// Takes the second factor away, passkeys too: nobody gets in from afar until there is one again.
///
/// # Errors
/// When the store fails.
pub async fn forget(app: &App) -> Result<(), Failure> {
    unlock_onion::withdraw(app).await?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    remote_access::forget_factor(&mut c).await?;
    commit(c).await?;
    app.remote_access.sessions.end_all();
    Ok(())
}

/// What is shown beside the passphrase.
pub enum Second<'a> {
    /// A code of the program on the phone, or a spare one.
    Code(&'a str),
    /// What a browser answered with a passkey.
    Passkey(Shown<'a>),
}

/// What somebody got in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// A code.
    ByCode,
    /// The passkey with this number.
    ByPasskey(i64),
}

/// What that turned out to be.
enum Fits {
    Step(i64),
    Spare(Vec<u8>),
    Passkey(Box<Signed>),
}

/// Whether somebody from afar is the owner: the passphrase is right, and so is the code or what a passkey signed, which was not
/// used before; now it is. The same work is done whichever of them is wrong, and also where there is no second factor: then nobody is.
///
/// # Errors
/// When the store fails.
pub async fn admit(
    vault: &Vault,
    app: &App,
    passphrase: &SecretText,
    second: &Second<'_>,
) -> Result<Option<Admitted>, Failure> {
    let right = vault.is_passphrase(passphrase).await?;
    let fits = match second {
        Second::Code(code) => look(app, code).await?,
        Second::Passkey(shown) => {
            passkeys::look(app, shown).await?.map(|signed| Fits::Passkey(Box::new(signed)))
        }
    };
    let Some(fits) = fits.filter(|_| right) else { return Ok(None) };
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let (first, admitted) = match fits {
        Fits::Step(step) => (remote_access::use_step(&mut c, step).await?, Admitted::ByCode),
        Fits::Spare(hash) => (remote_access::use_spare_code(&mut c, &hash).await?, Admitted::ByCode),
        Fits::Passkey(signed) => {
            (passkeys::used(&mut c, &signed, app.now()).await?, Admitted::ByPasskey(signed.number()))
        }
    };
    commit(c).await?;
    Ok(first.then_some(admitted))
}

async fn look(app: &App, code: &str) -> Result<Option<Fits>, Failure> {
    let code = if code.len() > LONGEST { "" } else { code };
    let hash = hash(app, code);
    let mut c = app.reader.get().await?;
    let factor = remote_access::factor(&mut c, false).await?;
    let is_spare = remote_access::has_spare_code(&mut c, &hash).await?;
    drop(c);
    let (secret, last) = match factor {
        Some(row) => (Secret::from_bytes(&row.secret), row.last_step),
        None => (None, 0),
    };
    let is_there = secret.is_some();
    let step = secret.unwrap_or_else(Secret::random).step_of(code, app.now());
    Ok(match step {
        Some(step) if is_there && step > last => Some(Fits::Step(step)),
        _ if is_there && is_spare => Some(Fits::Spare(hash)),
        _ => None,
    })
}
