//! Every page, rendered: landmarks, labels, form tokens, nothing inline, nothing hostile let through.
//! With `MAILKEEP_PREVIEW=DIR` the pages are also written there, to be looked at in a browser.

use askama::Template;

use super::gallery::pages;
use super::sample::{rows, shell};
use super::{RowsPart, Spot};

/// What stands in each opening tag called `name`.
fn opening<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(&format!("<{name}"))
        .skip(1)
        .filter(|rest| rest.starts_with([' ', '>', '\n']))
        .map(|rest| rest.split('>').next().unwrap())
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    Some(rest.split_once('"')?.0)
}

#[test]
fn every_page_has_its_landmarks() {
    for page in pages() {
        assert_eq!(opening(&page.html, "main").len(), 1, "{}: one <main>", page.name);
        assert_eq!(opening(&page.html, "h1").len(), 1, "{}: one <h1>", page.name);
        assert_eq!(opening(&page.html, "nav").len(), usize::from(page.whole), "{}: <nav>", page.name);
        let searches = page.html.matches("role=\"search\"").count();
        assert_eq!(searches, usize::from(page.whole), "{}: role=search", page.name);
        if page.whole {
            assert!(opening(&page.html, "input").iter().any(|tag| attribute(tag, "name") == Some("q")));
        }
    }
}

#[test]
fn rows_and_messages_can_be_told_by_their_ids() {
    for page in pages().iter().filter(|page| ["inbox", "search", "thread", "message"].contains(&page.name)) {
        assert!(opening(&page.html, "article").iter().any(|tag| attribute(tag, "data-message-id").is_some()));
    }
}

#[test]
fn message_html_only_ever_sits_in_a_sandboxed_frame() {
    for page in pages() {
        for frame in opening(&page.html, "iframe") {
            assert!(frame.contains(" data-message-frame"));
            assert_eq!(attribute(frame, "sandbox"), Some("allow-popups allow-popups-to-escape-sandbox"));
            assert_eq!(attribute(frame, "referrerpolicy"), Some("no-referrer"));
        }
    }
    assert_eq!(opening(&pages().iter().find(|page| page.name == "message").unwrap().html, "iframe").len(), 1);
}

#[test]
fn the_door_has_one_field_and_one_button() {
    for page in pages().iter().filter(|page| page.name.starts_with("unlock")) {
        let passwords = opening(&page.html, "input")
            .iter()
            .filter(|tag| attribute(tag, "type") == Some("password"))
            .count();
        assert_eq!((passwords, opening(&page.html, "button").len()), (1, 1), "{}", page.name);
    }
}

#[test]
fn nothing_is_inline_and_nothing_hostile_gets_through() {
    for page in pages() {
        let html = page.html.to_lowercase();
        assert!(!html.contains("<script>") && !html.contains("<style"), "{}: inline", page.name);
        for picture in opening(&html, "img") {
            let is_ours =
                |src: &str| src.starts_with("http://cap.localhost:") || src.starts_with("/avatars/");
            let ours = attribute(picture, "src").is_some_and(is_ours);
            assert!(ours && attribute(picture, "alt").is_some(), "{}: hostile markup {picture}", page.name);
        }
        for script in opening(&html, "script") {
            assert!(attribute(script, "src").is_some_and(|src| src.starts_with("/static/")), "{}", page.name);
        }
        for piece in html.split('<').map(|piece| piece.split('>').next().unwrap_or_default()) {
            let bare = strip_quoted(piece);
            assert!(!bare.contains(" style=") && !bare.contains(" on"), "{}: <{piece}>", page.name);
        }
    }
}

/// A tag without what stands between double quotes.
fn strip_quoted(tag: &str) -> String {
    tag.split('"').step_by(2).collect()
}

#[test]
fn every_changing_form_carries_the_token() {
    for page in pages() {
        for form in page.html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.contains("method=\"post\"") {
                assert!(form.contains("name=\"csrf\" value=\"c2FtcGxl\""), "{}: {form:.200}", page.name);
            }
        }
    }
}

#[test]
fn every_field_has_a_label() {
    for page in pages() {
        let fields = ["input", "select", "textarea"].map(|name| opening(&page.html, name)).concat();
        for field in fields.iter().filter(|tag| attribute(tag, "type") != Some("hidden")) {
            let by_id = attribute(field, "id").is_some_and(|id| page.html.contains(&format!("for=\"{id}\"")));
            let before = page.html.split_once(field).unwrap().0;
            let within = before
                .rfind("<label")
                .is_some_and(|open| before.rfind("</label").is_none_or(|close| close < open));
            assert!(by_id || within || field.contains("aria-label="), "{}: {field}", page.name);
        }
    }
}

#[test]
fn no_two_things_have_the_same_id() {
    for page in pages() {
        let mut seen = std::collections::HashSet::new();
        for part in page.html.split(" id=\"").skip(1) {
            let id = part.split('"').next().unwrap();
            assert!(seen.insert(id.to_owned()), "{}: #{id}", page.name);
        }
    }
}

#[test]
fn the_fragment_is_the_rows_and_nothing_else() {
    let part = RowsPart { shell: shell("Inbox", Spot::Inbox, "/", ""), list: rows() }.render().unwrap();
    assert!(part.trim_start().starts_with("<div class=\"rows\""));
    assert!(part.contains("data-message-id=\"m00\"") && !part.contains("<main"));
}

#[test]
fn pages_are_written_out_to_be_looked_at() {
    let Some(dir) = std::env::var_os("MAILKEEP_PREVIEW") else { return };
    let dir = std::path::PathBuf::from(dir);
    std::fs::create_dir_all(&dir).unwrap();
    for page in pages() {
        std::fs::write(dir.join(format!("{}.html", page.name)), &page.html).unwrap();
        let dark = page.html.replace("data-theme=\"auto\"", "data-theme=\"dark\"");
        std::fs::write(dir.join(format!("{}-dark.html", page.name)), dark).unwrap();
    }
}
