//! Pairing by a code, as the person does it: one device shows the code, and the new one is told it.

use super::pairing::{Event, Shown};
use super::{
    Mine, Step, account_of, hear, household, mine, must_run, new_one, round, rows, step, why_words, withdraw,
};
use crate::crypto::devices::{Code, CodeHandshake, Standing};
use crate::crypto::secret::SecretText;
use crate::engine::app::App;
use crate::engine::failure::Failure;
use crate::engine::search;
use crate::mail::ids::AccountId;
use crate::mail::sma::DeviceId;
use crate::storage::database::AccountRow;
use crate::storage::database::devices as table;
use serde::Serialize;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// So often the outcome of a pairing by code is looked for, and so often in all.
const LOOK: Duration = Duration::from_millis(500);
const LOOKS: u32 = 120;

/// So long after a code was shown the folder is looked into often, in seconds: twice as long as it is good.
const ANSWERS: i64 = 20 * 60;

/// A code that a device shows. Not to be logged.
#[derive(Serialize)]
pub struct CodeShape {
    /// The device that shows it: this one.
    pub id: String,
    /// The code.
    pub code: String,
    /// Until when it is good.
    pub expires: String,
    /// Which account it is for.
    pub account: String,
    /// What the person should know and do next.
    pub words: &'static str,
}

impl super::Devices {
    /// The code that is shown here.
    pub(super) fn code(&self, account: AccountId) -> Option<SecretText> {
        let pairings = self.pairings.lock().unwrap_or_else(PoisonError::into_inner);
        pairings.get(&account)?.code()
    }

    /// The store is locked: no pairing outlives it.
    pub(in crate::engine) fn forget(&self) {
        self.pairings.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// This device shows a code that lets another one in; without an address, for the only account.
///
/// # Errors
/// Refused, where this device may let nobody in; usage, where the account is not clear.
pub async fn show_code(app: &Arc<App>, address: Option<&str>) -> Result<CodeShape, Failure> {
    must_run(app)?;
    withdraw::must_be_on(app).await?;
    let account = account_of(app, address, "device code EMAIL").await?;
    round::round(app, &account).await?;
    let mine = hear::mine(&mut *app.reader.get().await?, &account).await?;
    let mine = mine.ok_or_else(|| Failure::failed("This device could not be set up; sync, and try again"))?;
    let me = mine.device.id();
    let lets_in = matches!(mine.roster.standing(me), Standing::Member { .. }) && !mine.roster.is_full();
    if !lets_in || mine.joined().is_some() {
        return Err(Failure::refused(
            "This device lets nobody in: it was removed, is disputed, or waits for another one itself; look at `device list`",
        ));
    }
    app.devices.note(account.id, None);
    app.devices.sight.forget(account.id);
    let code = Code::new(me, &mine.device.keys());
    step(app, &account, Event::Show(code, CodeHandshake::new())).await?;
    // From now on the folder is looked into often; whoever types the code too late hears it soon.
    app.devices.sight.stay(app.now(), ANSWERS);
    app.devices.changed();
    let code = app.devices.code(account.id).zip(app.devices.until(account.id));
    let (code, until) = code.ok_or_else(|| Failure::failed("Something else happened just now; try again"))?;
    Ok(CodeShape {
        id: me.to_string(),
        code: code.expose().to_owned(),
        expires: search::rfc3339(until),
        account: account.address,
        words: "Type it into the new device within ten minutes; it works once, and whoever has it gets your keys",
    })
}

/// The account whose devices the one of a code is among.
async fn account_with(
    app: &Arc<App>,
    device: DeviceId,
    address: Option<&str>,
) -> Result<AccountRow, Failure> {
    let name = device.to_string();
    for account in rows(app).await?.into_iter().filter(|it| address.is_none_or(|a| a == it.address)) {
        round::round(app, &account).await?;
        let others = table::others(&mut *app.reader.get().await?, account.id).await?;
        if others.iter().any(|row| row.device == name && row.last_seen > 0) {
            return Ok(account);
        }
    }
    Err(Failure::failed(
        "The device of this code does not show itself in your mailbox; start Mailkeep on it, with the same account",
    ))
}

/// This device asks the one that shows a code to be let in; which account it is for the code tells.
///
/// # Errors
/// Usage, where it is no code; refused, where this device is paired already; failed, where no such device is there.
pub async fn ask_by_code(app: &Arc<App>, code: &str, address: Option<&str>) -> Result<Step, Failure> {
    Ok(ask(app, code, address).await?.1)
}

async fn ask(
    app: &Arc<App>,
    code: &str,
    address: Option<&str>,
) -> Result<(AccountRow, Step, DeviceId), Failure> {
    must_run(app)?;
    withdraw::must_be_on(app).await?;
    let code: Code = code.parse().map_err(|error| Failure::usage(format!("{error}")))?;
    let device = code.device();
    let account = account_with(app, device, address).await?;
    let me = new_one(app, &account).await?.device.id();
    app.devices.note(account.id, None);
    app.devices.sight.forget(account.id);
    {
        let _turn = app.devices.turn.lock().await;
        hear::ask_by_code(app, &account, code).await?;
    }
    app.devices.sight.hurry(app.now());
    household::say(app);
    round::round(app, &account).await?;
    app.devices.changed();
    let words = "It asked by the code; the two prove to each other that they know it".to_owned();
    let step = Step { id: me.to_string(), name: mine::NAME.to_owned(), state: "waiting", sas: None, words };
    Ok((account, step, device))
}

/// The same, and waits for how it ends.
///
/// # Errors
/// As above, and failed, where nobody was let in.
pub async fn join(app: &Arc<App>, code: &str, address: Option<&str>) -> Result<Step, Failure> {
    let (account, asked, device) = ask(app, code, address).await?;
    for _ in 0..LOOKS {
        if !matches!(app.devices.shown(account.id), Shown::Proving { .. }) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let (shown, ended) = app.devices.stands(app, account.id).await;
    if matches!(shown, Shown::Proving { .. }) {
        let words =
            "The other device has not answered yet; look whether Mailkeep runs on it and shows the code"
                .to_owned();
        return Ok(Step { words, ..asked });
    }
    if let Some(why) = ended {
        return Err(Failure::failed(why_words(why).trim_end_matches('.')));
    }
    let mine = Mine::load(&mut *app.reader.get().await?, &account).await?;
    if mine.is_none_or(|mine| mine.keys_of(device).is_none()) {
        return Err(Failure::failed(
            "The pairing was ended before it was done; show a new code, and try again",
        ));
    }
    let words = "They are paired; what the other device knows comes by itself".to_owned();
    Ok(Step { state: "paired", words, ..asked })
}
