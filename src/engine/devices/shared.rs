//! What a second Mailkeep takes over beyond keys and trust: what the devices are called, always; and where the owner switched it
//! on, the signature and what was decided about senders. Of two values the later one counts, on all devices alike.

use super::mine::Mine;
use crate::engine::failure::Failure;
use crate::engine::settings as named;
use crate::mail::sma::{DeviceId, Entry, SHARED_NAME_MAX, SHARED_VALUE_MAX, Shared};
use crate::storage::database::shared::{self as table, SharedRow};
use crate::storage::database::{Connection, SenderRow, senders, settings};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Whether the signature and decisions about senders are shared: `on` or `off`.
pub const SHARE: &str = "devices.share";

/// What names of devices begin with.
const DEVICE: &str = "device ";
/// What senders begin with.
const SENDER: &str = "sender ";
/// The signature under what the owner writes.
const SIGNATURE: &str = "signature";
/// The setting that holds it here.
const SIGNATURE_SETTING: &str = "writing.signature";
/// So many things are shared at most.
const MOST: usize = 5_000;
/// What is said to be later than the message that tells of it, by more seconds than this, is passed over.
pub(super) const SLACK: i64 = 15 * 60;
/// A device's name is no longer than this, in characters.
const LONGEST: usize = 60;

/// What this device is called until its owner says otherwise. The name of the machine is told to paired devices alone, under
/// encryption.
pub(super) fn default_name() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match machine.trim() {
        "" | "localhost" | "(none)" => "Mailkeep".to_owned(),
        name if name.len() <= 40 && name.chars().all(sound) => format!("Mailkeep on {name}"),
        _ => "Mailkeep".to_owned(),
    }
}

/// A name as it may be given to a device.
///
/// # Errors
/// Usage, where it cannot be one.
pub(super) fn sound_name(name: &str) -> Result<String, Failure> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > LONGEST || name.chars().any(char::is_control) {
        return Err(Failure::usage(format!(
            "A device's name has 1 to {LONGEST} characters, all in one line; nothing was changed"
        )));
    }
    Ok(name.to_owned())
}

/// What the owner calls each device, by its number.
pub(super) async fn names(c: &mut Connection) -> Result<HashMap<String, String>, Failure> {
    let rows = table::list(c).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.name.strip_prefix(DEVICE)?.to_owned(), row.value))).collect())
}

/// Names a device, for all devices.
pub(super) async fn rename(
    c: &mut Connection,
    me: DeviceId,
    device: DeviceId,
    name: &str,
    now: i64,
) -> Result<(), Failure> {
    let key = format!("{DEVICE}{device}");
    let before = table::list(c).await?.into_iter().find(|row| row.name == key);
    let at = before.map_or(now, |row| now.max(row.at.saturating_add(1)));
    let row = SharedRow { name: key, value: name.to_owned(), at, device: me.to_string(), seen: None };
    Ok(table::put(c, &row).await?)
}

/// What another device told, where it counts.
pub(super) async fn take_in(c: &mut Connection, told: &Shared) -> Result<(), Failure> {
    if !is_known(told) {
        return Ok(());
    }
    let held = table::list(c).await?;
    let before = held.iter().find(|row| row.name == told.name);
    let is_news = match before.and_then(value) {
        Some(before) => told.outweighs(&before),
        None => held.len() < MOST,
    };
    if is_news {
        let row = SharedRow {
            name: told.name.clone(),
            value: told.value.clone(),
            at: told.at,
            device: told.device.to_string(),
            seen: before.and_then(|row| row.seen.clone()),
        };
        table::put(c, &row).await?;
    }
    Ok(())
}

/// Whether it is something that this version shares, and makes sense.
fn is_known(told: &Shared) -> bool {
    if told.name == SIGNATURE {
        return told.value.len() <= SHARED_VALUE_MAX;
    }
    if let Some(device) = told.name.strip_prefix(DEVICE) {
        return device.parse::<DeviceId>().is_ok()
            && sound_name(&told.value).is_ok_and(|name| name == told.value);
    }
    told.name.strip_prefix(SENDER).is_some_and(|address| {
        crate::engine::senders::is_one(address) && decision(address, &told.value).is_some()
    })
}

fn value(row: &SharedRow) -> Option<Shared> {
    let device = row.device.parse().ok()?;
    Some(Shared { name: row.name.clone(), value: row.value.clone(), at: row.at, device })
}

/// All that the other devices of an account are told. What was changed here since the last time is noted, and what was
/// changed elsewhere is done here.
pub(super) async fn collect(c: &mut Connection, mine: &Mine, now: i64) -> Result<Vec<Entry>, Failure> {
    let me = mine.device.id();
    let mut held: BTreeMap<String, SharedRow> =
        table::list(c).await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    let own = format!("{DEVICE}{me}");
    if !held.contains_key(&own) {
        let row =
            SharedRow { name: own.clone(), value: default_name(), at: 0, device: me.to_string(), seen: None };
        table::put(c, &row).await?;
        held.insert(own, row);
    }
    let shares = named::read(c, SHARE).await? == "on";
    if shares {
        for (name, now_here) in current(c, held.keys()).await? {
            let before = held.remove(&name);
            if let Some(row) = settled(c, &name, now_here, before, (me, now)).await? {
                held.insert(name, row);
            }
        }
    }
    let devices = mine.roster.devices();
    let is_told = |row: &SharedRow| match row.name.strip_prefix(DEVICE) {
        Some(device) => device.parse().is_ok_and(|device| devices.contains_key(&device)),
        None => shares,
    };
    Ok(held.values().filter(|row| is_told(row)).filter_map(value).map(Entry::Shared).collect())
}

/// What is set here now, and what once was.
async fn current<'a>(
    c: &mut Connection,
    known: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut all: BTreeMap<String, String> =
        known.filter(|name| name.starts_with(SENDER)).map(|name| (name.clone(), String::new())).collect();
    let signature = named::read(c, SIGNATURE_SETTING).await?;
    all.insert(SIGNATURE.to_owned(), signature);
    for row in senders::list(c).await?.into_iter().take(MOST) {
        all.insert(format!("{SENDER}{}", row.address), decided(&row));
    }
    // What could not be read on the other side is not told.
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    let fits = |name: &str, value: &str| name.len() <= SHARED_NAME_MAX && value.len() <= SHARED_VALUE_MAX;
    all.retain(|name, value| fits(name, value) && !name.contains(char::is_control) && !value.contains(odd));
    Ok(all)
}

/// One thing as it stands after both sides were looked at; nothing where it was never set.
async fn settled(
    c: &mut Connection,
    name: &str,
    here: String,
    before: Option<SharedRow>,
    (me, now): (DeviceId, i64),
) -> Result<Option<SharedRow>, Failure> {
    let changed_here = |at| SharedRow {
        name: name.to_owned(),
        value: here.clone(),
        at,
        device: me.to_string(),
        seen: Some(here.clone()),
    };
    let row = match before {
        None if here.is_empty() => return Ok(None),
        None => changed_here(0),
        Some(row) => match &row.seen {
            Some(seen) if *seen != here => changed_here(now.max(row.at.saturating_add(1))),
            Some(_) => row,
            // Both were set before they met.
            None => {
                let ours = changed_here(0);
                let wins = match (value(&ours), value(&row)) {
                    (Some(ours), Some(theirs)) => !here.is_empty() && ours.outweighs(&theirs),
                    _ => false,
                };
                if wins { ours } else { row }
            }
        },
    };
    let row = SharedRow { seen: Some(row.value.clone()), ..row };
    if row.value != here {
        apply(c, name, &row.value).await?;
    }
    table::put(c, &row).await?;
    Ok(Some(row))
}

async fn apply(c: &mut Connection, name: &str, value: &str) -> Result<(), Failure> {
    if name == SIGNATURE {
        settings::set(c, SIGNATURE_SETTING, value).await?;
    }
    if let Some(address) = name.strip_prefix(SENDER)
        && let Some(row) = decision(address, value)
    {
        senders::set(c, &row).await?;
    }
    Ok(())
}

/// A decision about a sender as text: `always` for pictures, `html` or `text` for the view, with a blank between both.
fn decided(row: &SenderRow) -> String {
    [row.remote.as_str(), row.view.as_str()]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn decision(address: &str, text: &str) -> Option<SenderRow> {
    let words: BTreeSet<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let (mut remote, mut view) = (String::new(), String::new());
    for word in words {
        match word {
            "always" => remote = word.to_owned(),
            "html" | "text" if view.is_empty() => view = word.to_owned(),
            _ => return None,
        }
    }
    let row = SenderRow { address: address.to_owned(), remote, view };
    (decided(&row) == text).then_some(row)
}
