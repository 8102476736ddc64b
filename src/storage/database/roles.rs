//! Where a message lies, as tags: `inbox`, `archive`, …

use super::places::{PlaceRow, ROLES, of_messages};
use super::tags::TagChanges;
use super::{Connection, DatabaseError, json_numbers};
use crate::mail::ids::MessageNumber;
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};

/// Brings the tags that mirror places (`inbox`, `archive`, …) up to date for some messages.
///
/// # Errors
/// When the database fails.
pub async fn mirror(
    c: &mut Connection,
    numbers: &BTreeSet<MessageNumber>,
    changes: &mut TagChanges,
) -> Result<(), DatabaseError> {
    let mut held: BTreeMap<MessageNumber, Vec<PlaceRow>> = BTreeMap::new();
    for place in of_messages(c, numbers.iter().copied()).await? {
        held.entry(place.message).or_default().push(place);
    }
    let local = sqlx::query("SELECT id, role FROM message WHERE id IN (SELECT value FROM json_each(?))")
        .bind(json_numbers(numbers.iter().copied()))
        .fetch_all(c)
        .await?;
    let local: BTreeMap<MessageNumber, String> =
        local.iter().map(|row| (MessageNumber(row.get(0)), row.get(1))).collect();
    for number in numbers {
        let held = held.get(number).map(Vec::as_slice).unwrap_or_default();
        let roles = roles(held, local.get(number).map(String::as_str).unwrap_or_default());
        for role in ROLES {
            changes.put(role, *number, roles.contains(role));
        }
    }
    Ok(())
}

/// The roles of a message that lies at these places, or, where no server holds it, at a `local` one.
fn roles<'a>(held: &'a [PlaceRow], local: &'a str) -> BTreeSet<&'a str> {
    let mut roles: BTreeSet<&str> =
        held.iter().filter(|place| place.is_live()).map(|place| place.goal.as_str()).collect();
    if roles.is_empty() && !local.is_empty() {
        roles.insert(local);
    } else if roles.is_empty() && held.iter().any(|place| place.wanted.is_empty()) {
        // Marked as deleted there, but not yet removed.
        roles.insert("trash");
    }
    // "All Mail" holds everything: what lies there and in no other place of a role is the archive.
    if roles.contains("all") && !ROLES.iter().any(|role| roles.contains(role)) {
        roles.insert("archive");
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::ids::{AccountId, FolderId, Uid};
    use crate::storage::database::places::{COPIED, DELETED, GONE};

    fn at(role: &str, flags: u8, wanted: &str) -> PlaceRow {
        PlaceRow {
            folder: FolderId(1),
            account: AccountId(1),
            folder_name: role.into(),
            role: role.into(),
            uid: Uid(1),
            message: MessageNumber(1),
            flags,
            keywords: String::new(),
            wanted: wanted.into(),
            goal: if wanted.is_empty() { role } else { wanted }.into(),
        }
    }

    fn tags(held: &[PlaceRow], local: &str) -> Vec<&'static str> {
        let roles = roles(held, local).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        ROLES.into_iter().filter(|role| roles.contains(*role)).collect()
    }

    #[test]
    fn all_mail_is_the_archive_only_for_what_lies_nowhere_else() {
        assert_eq!(tags(&[at("all", 0, "")], ""), ["archive"]);
        assert_eq!(tags(&[at("all", 0, ""), at("", 0, "")], ""), ["archive"]);
        assert_eq!(tags(&[at("all", 0, ""), at("inbox", 0, "")], ""), ["inbox"]);
        assert_eq!(tags(&[at("all", 0, ""), at("inbox", 0, "archive")], ""), ["archive"]);
    }

    #[test]
    fn what_is_marked_as_deleted_or_about_to_go_holds_nothing() {
        assert_eq!(tags(&[at("inbox", DELETED, ""), at("archive", 0, "")], ""), ["archive"]);
        assert_eq!(tags(&[at("inbox", 0, COPIED), at("archive", 0, "")], ""), ["archive"]);
        assert_eq!(tags(&[at("inbox", DELETED, "")], ""), ["trash"]);
        assert_eq!(tags(&[at("inbox", DELETED, "")], "inbox"), ["inbox"]);
        assert!(tags(&[at("trash", 0, GONE)], "").is_empty());
        assert_eq!(tags(&[], "sent"), ["sent"]);
    }
}
