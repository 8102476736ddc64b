//! Who writes to Robin, and the lists they write to.

/// Whose mail this is.
pub const OWNER_ADDRESS: &str = "robin@mailkeep.example";

const PEOPLE: &str = include_str!("people.txt");

/// Somebody who writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    /// As in a Date field: `+0100`.
    pub(super) zone: &'static str,
    /// Lines divided by `~`; empty for most.
    pub(super) signature: &'static str,
}

impl Person {
    pub(super) fn is_owner(&self) -> bool {
        self.address == OWNER_ADDRESS
    }

    pub(super) fn domain(&self) -> &'static str {
        self.address.rsplit('@').next().unwrap_or(self.address)
    }
}

/// A mailing list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    pub(super) address: &'static str,
}

/// The person by the short name that the scripts use.
pub(super) fn person(key: &str) -> Option<Person> {
    PEOPLE.lines().find_map(|line| {
        let mut fields = line.split('|').map(str::trim);
        (fields.next() == Some(key)).then_some(())?;
        Some(Person {
            name: fields.next()?,
            address: fields.next()?,
            zone: fields.next()?,
            signature: fields.next().unwrap_or_default(),
        })
    })
}

/// The mailing list by the short name that the scripts use.
pub(super) fn list(key: &str) -> Option<List> {
    Some(match key {
        "tannery" => List {
            name: "Tannery Row members",
            id: "members.list.tanneryrow.example",
            address: "members@list.tanneryrow.example",
        },
        "singers" => List {
            name: "Lower Wharf Singers",
            id: "singers.lists.lowerwharfsingers.example",
            address: "singers@lists.lowerwharfsingers.example",
        },
        "lettercase" => List {
            name: "Lettercase",
            id: "lettercase.lists.lettercase.example",
            address: "lettercase@lists.lettercase.example",
        },
        "smallserver" => List {
            name: "Small servers",
            id: "talk.lists.smallserver.example",
            address: "talk@lists.smallserver.example",
        },
        _ => return None,
    })
}
