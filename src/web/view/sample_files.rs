//! Made-up files, looked at.

use super::sample::{HOSTILE, framed, shell};
use super::{CopyView, EventView, ListingRow, Picture, PreviewPage, Shown, Spot};

fn page(shown: Shown, notes: &[&str]) -> PreviewPage {
    PreviewPage {
        shell: shell("plan.pdf", Spot::Elsewhere, "/messages/m5/parts/3/preview", ""),
        back: "/messages/m5".into(),
        file: framed("m5").attachments.remove(0),
        copy_href: "/messages/m5/parts/3/copy".into(),
        copy: None,
        notes: notes.iter().map(|note| (*note).to_owned()).collect(),
        shown,
        earlier: None,
        later: None,
    }
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A preview of each kind.
pub(super) fn previews() -> Vec<(&'static str, PreviewPage)> {
    let sheet = |number: u32| Picture {
        src: format!("http://cap.localhost:7677/page/{number}"),
        width: 1100,
        height: 1556,
        label: format!("Page {number}"),
        caption: format!("Page {number} of 12"),
        text: HOSTILE.into(),
    };
    let mut pages =
        page(Shown::Pictures(vec![sheet(7), sheet(8)]), &["Page 9 is not shown: The page has no size."]);
    (pages.earlier, pages.later) = (Some("?page=1".into()), Some("?page=13".into()));
    let mut copied = page(Shown::Nothing, &[]);
    copied.copy_href = String::new();
    copied.copy = Some(CopyView {
        name: "plan (safe copy).pdf".into(),
        href: "http://cap.localhost:7677/".into(),
        size_words: "3.1 MB".into(),
        notes: vec!["The copy shows every page as a picture.".into()],
    });
    let event = EventView {
        note: "An invitation.".into(),
        summary: HOSTILE.into(),
        fields: vec![field("When", "Tuesday, 3 June 2025, 10:00 to 11:30 CEST"), field("Where", HOSTILE)],
        description: HOSTILE.into(),
        ..EventView::default()
    };
    let row = ListingRow {
        name: HOSTILE.into(),
        size_words: "48 kB".into(),
        note: "can run, or hides what it is".into(),
    };
    vec![
        ("preview-pages", pages),
        ("preview-copy", copied),
        ("preview-events", page(Shown::Events(vec![event]), &[])),
        ("preview-cards", page(Shown::Cards(vec![(HOSTILE.into(), vec![field("Phone", HOSTILE)])]), &[])),
        (
            "preview-listing",
            page(Shown::Listing(vec![row]), &["Only the first 1000 of 1500 entries are listed."]),
        ),
        ("preview-text", page(Shown::Text(HOSTILE.into()), &[])),
        (
            "preview-message",
            page(Shown::Message { fields: vec![field("Subject", HOSTILE)], text: HOSTILE.into() }, &[]),
        ),
        ("preview-nothing", page(Shown::Nothing, &["The document asks for a password."])),
    ]
}
