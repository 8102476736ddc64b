//! What a second Mailkeep takes over beyond keys and trust: what the devices are called, always; and where the owner switched it
//! on, the signature and what was decided about senders. Which of two values counts is told in `merge`.

use super::merge;
use super::mine::Mine;
use crate::engine::failure::Failure;
use crate::engine::settings as named;
use crate::mail::sma::{DeviceId, Entry, SHARED_NAME_MAX, SHARED_VALUE_MAX, Shared};
use crate::storage::database::shared::{self as table, SharedRow};
use crate::storage::database::{Connection, SenderRow, senders, settings};
use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};

/// Whether the signature and decisions about senders are shared: `on` or `off`.
pub const SHARE: &str = "devices.share";

/// What names of devices begin with.
const DEVICE: &str = "device ";
/// What senders begin with.
const SENDER: &str = "sender ";
/// The signature under what the owner writes.
const SIGNATURE: &str = "signature";
/// The setting that holds it here.
pub(in crate::engine) const SIGNATURE_SETTING: &str = "writing.signature";
/// So many senders are shared at most.
const MOST: usize = 5_000;
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

/// Characters that are not seen, or turn around those that stand beside them.
const fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A name as it may be given to a device.
///
/// # Errors
/// Usage, where it cannot be one.
pub(super) fn sound_name(name: &str) -> Result<String, Failure> {
    let name = name.trim();
    let length = name.chars().count();
    let is_seen = name.chars().any(|c| !c.is_whitespace() && !is_unseen(c));
    if length > LONGEST || !is_seen || name.chars().any(|c| c.is_control() || is_unseen(c)) {
        return Err(Failure::usage(format!(
            "A device's name has 1 to {LONGEST} characters that are seen, all in one line; nothing was changed"
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
    let at = table::get(c, &key).await?.map_or(now, |row| merge::dated(now, row.at));
    let (value, device) = (name.to_owned(), me.to_string());
    let row = SharedRow { name: key, value, at, device, ..SharedRow::default() };
    Ok(table::put(c, &row).await?)
}

/// Notes when the owner set the signature here, whether it is shared now or later.
pub(in crate::engine) async fn note_signature(
    c: &mut Connection,
    value: &str,
    now: i64,
) -> Result<(), Failure> {
    note(c, SIGNATURE, value, now).await
}

/// Notes when the owner decided about a sender here, whether that is shared now or later.
pub(in crate::engine) async fn note_sender(
    c: &mut Connection,
    row: &SenderRow,
    now: i64,
) -> Result<(), Failure> {
    note(c, &format!("{SENDER}{}", row.address), &decided(row), now).await
}

async fn note(c: &mut Connection, name: &str, here: &str, now: i64) -> Result<(), Failure> {
    let before = table::get(c, name).await?;
    match merge::noted(name, before, here, now) {
        Some(row) => Ok(table::put(c, &row).await?),
        None => Ok(table::remove(c, name).await?),
    }
}

/// What another device told, where it counts.
pub(super) async fn take_in(c: &mut Connection, mine: &Mine, told: &Shared, now: i64) -> Result<(), Failure> {
    // What others are called counts for those that were ever let in.
    let is_named = |device: &str| {
        device.parse().is_ok_and(|device: DeviceId| mine.roster.devices().contains_key(&device))
    };
    if !is_known(told) || told.name.strip_prefix(DEVICE).is_some_and(|device| !is_named(device)) {
        return Ok(());
    }
    let before = table::get(c, &told.name).await?;
    let is_sender = told.name.starts_with(SENDER);
    if before.is_none() && is_sender && table::count(c, SENDER).await? >= MOST as u64 {
        return Ok(());
    }
    if let Some(row) = merge::taken(before.as_ref(), told, now) {
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

/// All that the other devices of an account are told. What was changed here since the last time is noted, and what was
/// changed elsewhere is done here.
pub(super) async fn collect(c: &mut Connection, mine: &Mine, now: i64) -> Result<Vec<Entry>, Failure> {
    let me = mine.device.id();
    let mut held: BTreeMap<String, SharedRow> =
        table::list(c).await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    if let btree_map::Entry::Vacant(own) = held.entry(format!("{DEVICE}{me}")) {
        let (name, value, device) = (own.key().clone(), default_name(), me.to_string());
        let row = SharedRow { name, value, device, ..SharedRow::default() };
        table::put(c, &row).await?;
        own.insert(row);
    }
    for row in held.values_mut() {
        if let Some(anew) = merge::dated_anew(row, me, now) {
            table::put(c, &anew).await?;
            *row = anew;
        }
    }
    let shares = named::read(c, SHARE).await? == "on";
    if shares {
        for (name, here) in current(c, held.keys()).await? {
            let before = held.remove(&name);
            let Some(row) = merge::settled(&name, &here, before.clone(), me, now) else { continue };
            if row.value != here {
                give_way(c, &name, &here, now).await?;
                apply(c, &name, &row.value).await?;
            }
            if before.as_ref() != Some(&row) {
                table::put(c, &row).await?;
            }
            held.insert(name, row);
        }
    }
    let devices = mine.roster.devices();
    let is_told = |row: &SharedRow| match row.name.strip_prefix(DEVICE) {
        Some(device) => device.parse().is_ok_and(|device| devices.contains_key(&device)),
        None => shares,
    };
    let told = held.values().filter(|row| is_told(row) && merge::may_be_told(row.at, now));
    Ok(told.filter_map(merge::value).map(Entry::Shared).collect())
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

/// A text of the owner's is kept when another device's takes its place: nobody can tell here whether whoever wrote that one had
/// read this one.
async fn give_way(c: &mut Connection, name: &str, here: &str, now: i64) -> Result<(), Failure> {
    if name == SIGNATURE && !here.is_empty() {
        table::keep_signature(c, here, now).await?;
    }
    Ok(())
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
