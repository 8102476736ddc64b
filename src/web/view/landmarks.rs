//! Every page, rendered: landmarks, labels, form tokens, nothing inline, nothing hostile let through.
//! With `MAILKEEP_PREVIEW=DIR` the pages are also written there, to be looked at in a browser.

use askama::Template;

use super::sample::{HOSTILE, account_form, composer, framed, message, person, rows, shell, text, thread};
use super::*;

/// A page by its name, as it is sent.
struct Page {
    name: &'static str,
    html: String,
    /// Whether it has navigation and search.
    whole: bool,
}

fn whole(name: &'static str, page: &impl Template) -> Page {
    Page { name, html: page.render().unwrap(), whole: true }
}

fn bare(name: &'static str, page: &impl Template) -> Page {
    Page { name, html: page.render().unwrap(), whole: false }
}

fn pages() -> Vec<Page> {
    let mut all = lists();
    all.extend(reading());
    all.extend(doors());
    all.extend(rest());
    all
}

fn lists() -> Vec<Page> {
    let inbox = ListPage {
        shell: shell("Inbox", Spot::Inbox, "/", "in:inbox"),
        heading: "Inbox".into(),
        list: rows(),
    };
    let mut bars = inbox.clone();
    bars.shell.undo = Some(Undo { words: "3 messages archived.".into(), token: "u1".into() });
    bars.shell.sent = Some(Sent { id: "o1".into(), seconds: 10 });
    bars.shell.notice = Some(Notice { words: HOSTILE.into(), trouble: true });
    bars.shell.state = NetState {
        words: "Could not reach mail.example.org for 12 minutes. Trying again at 14:05.".into(),
        ok: false,
    };
    let mut found = rows();
    for row in &mut found.rows {
        row.place = "Archive".into();
        row.snippet = vec![
            Piece::Text("… and the dwarf ".into()),
            Piece::Hit("beans".into()),
            Piece::Text(" by the wall".into()),
        ];
    }
    found.in_inbox = false;
    let search = ListPage {
        shell: shell("Search", Spot::Elsewhere, "/search?q=beans", "beans"),
        heading: "Search".into(),
        list: found,
    };
    let empty = ListPage {
        shell: shell("Inbox", Spot::Inbox, "/", "in:inbox"),
        heading: "Inbox".into(),
        list: Rows {
            empty: Empty {
                words: "Nothing in the inbox.".into(),
                hint: "New mail shows up here by itself. What you archived is found by searching.".into(),
                action: Some(("Look in the archive".into(), "/search?q=in:archive".into())),
            },
            ..Rows::default()
        },
    };
    let trouble = ListPage {
        shell: shell("Search", Spot::Elsewhere, "/search", "from:anna (peas OR"),
        heading: "Search".into(),
        list: Rows {
            trouble: Some(QueryTrouble {
                words: "This parenthesis is never closed.".into(),
                before: "from:anna ".into(),
                at: "(".into(),
                after: "peas OR".into(),
            }),
            ..Rows::default()
        },
    };
    let mut trash = inbox.clone();
    trash.heading = "Trash".into();
    (trash.list.in_inbox, trash.list.in_trash) = (false, true);
    let mut spam = inbox.clone();
    (spam.list.in_inbox, spam.list.in_spam) = (false, true);
    vec![
        whole("inbox", &inbox),
        whole("bars", &bars),
        whole("search", &search),
        whole("empty", &empty),
        whole("trouble", &trouble),
        whole("trash", &trash),
        whole("spam", &spam),
    ]
}

fn reading() -> Vec<Page> {
    let hostile = MessageView {
        from: person(HOSTILE, HOSTILE),
        snippet: HOSTILE.into(),
        body: Body::Text(vec![
            Block::Text(vec![
                Piece::Link { href: HOSTILE.into(), shown: HOSTILE.into() },
                Piece::Hit(HOSTILE.into()),
            ]),
            Block::Quote { depth: 2, words: HOSTILE.into(), pieces: text(HOSTILE) },
            Block::Signature(text(HOSTILE)),
        ]),
        ..message("h1")
    };
    let page = |name, subject: &str, message| {
        let page = MessagePage {
            shell: shell(subject, Spot::Elsewhere, "/messages/m1", ""),
            subject: subject.into(),
            thread: Some("/threads/t00".into()),
            thread_count: 5,
            message,
        };
        whole(name, &page)
    };
    let mut writing = ComposePage {
        shell: shell("New message", Spot::Drafts, "/compose", ""),
        heading: "New message".into(),
        composer: composer(false),
    };
    let compose = whole("compose", &writing);
    writing.composer.trouble = "“bob@” is not an address. Nothing was sent; the draft is kept.".into();
    writing.composer.body = format!("</textarea>{HOSTILE}");
    writing.composer.to = HOSTILE.into();
    vec![
        whole("thread", &thread()),
        page("message", "Rust Weekly 612", framed("m5")),
        page("hostile", HOSTILE, hostile),
        compose,
        whole("compose-trouble", &writing),
    ]
}

fn doors() -> Vec<Page> {
    let csrf = || "c2FtcGxl".to_owned();
    let wrong = Some(Notice { words: "That is not the passphrase.".into(), trouble: true });
    let refused = AccountForm {
        trouble: "imap.example.org refused the password for alice@example.org: “authentication failed”."
            .into(),
        ..account_form()
    };
    vec![
        bare("unlock", &UnlockPage { csrf: csrf(), ..UnlockPage::default() }),
        bare("unlock-wrong", &UnlockPage { csrf: csrf(), notice: wrong, ..UnlockPage::default() }),
        bare("setup-1", &SetupPassphrase { csrf: csrf(), asks_code: true, ..SetupPassphrase::default() }),
        bare(
            "setup-2",
            &SetupAccount { csrf: csrf(), form: AccountForm::default(), ..SetupAccount::default() },
        ),
        bare("setup-2-open", &SetupAccount { csrf: csrf(), form: refused, ..SetupAccount::default() }),
        bare("setup-3", &SetupPrivacy { csrf: csrf(), ..SetupPrivacy::default() }),
        bare(
            "setup-4",
            &SetupDone {
                csrf: csrf(),
                address: "alice@example.org".into(),
                words: "1,204 of 18,220 messages are here, about four minutes to go.".into(),
                arrived: 1204,
                expected: 18220,
                ..SetupDone::default()
            },
        ),
        bare(
            "leave",
            &LeavePage {
                href: "https://garden.example/swap/2025?list=spring".into(),
                before: "https://".into(),
                host: "garden.example".into(),
                after: "/swap/2025?list=spring".into(),
                caution: "The message showed another address: bank.example.".into(),
                ..LeavePage::default()
            },
        ),
        bare(
            "error",
            &ErrorPage {
                status: 404,
                heading: "Nothing is here".into(),
                words: "The message may have been deleted for ever, or the address is mistyped.".into(),
                action: Some(("Go to the inbox".into(), "/".into())),
                ..ErrorPage::default()
            },
        ),
    ]
}

fn outbox() -> OutboxPage {
    let put_off = Entry {
        id: "o1".into(),
        href: "/messages/o1".into(),
        subject: "Re: Saturday, and the boat".into(),
        to_words: "to Bob Marlow and defer@lab.example".into(),
        state_words: "Put off by the server.".into(),
        state: "queued",
        attempts_words: "4 attempts. Trying again at 14:05.".into(),
        date_words: "since 11:40".into(),
        date_iso: "2025-03-03T11:40:00Z".into(),
        recipients: vec![
            Recipient {
                address: "bob@example.net".into(),
                state_words: "Accepted".into(),
                ..Recipient::default()
            },
            Recipient {
                address: "defer@lab.example".into(),
                state_words: "Put off".into(),
                reply: format!("451 4.7.1 {HOSTILE} come back later"),
                trouble: true,
            },
        ],
        can_retry: true,
        can_cancel: true,
    };
    let sent = Entry {
        id: "o2".into(),
        subject: String::new(),
        state: "sent",
        state_words: "Sent.".into(),
        recipients: vec![],
        attempts_words: String::new(),
        can_retry: false,
        can_cancel: false,
        ..put_off.clone()
    };
    OutboxPage { shell: shell("Outbox", Spot::Outbox, "/outbox", ""), open: vec![put_off], ended: vec![sent] }
}

fn settings() -> SettingsPage {
    let account = AccountView {
        address: "alice@example.org".into(),
        name: "Alice".into(),
        imap_words: "imap.example.org, port 993, TLS".into(),
        smtp_words: "smtp.example.org, port 465, TLS".into(),
        state_words: "18,220 messages, up to date since 12:04.".into(),
        ok: true,
    };
    let refused = AccountView {
        address: "alice@work.example".into(),
        state_words:
            "mail.work.example refused the password 20 minutes ago. Nothing is lost; what you send waits."
                .into(),
        ok: false,
        ..account.clone()
    };
    SettingsPage {
        shell: shell("Settings", Spot::Settings, "/settings", ""),
        accounts: vec![account, refused],
        form: AccountForm { in_settings: true, ..AccountForm::default() },
        signature: "Alice\n</textarea><script>".into(),
        passphrase_trouble: String::new(),
        token_trouble: String::new(),
        tokens: vec![TokenView {
            name: "backup script".into(),
            scope: "read".into(),
            used_words: "made 3 Mar, last used yesterday".into(),
        }],
        new_token: Some(NewToken {
            name: "phone".into(),
            token: "mk_4x7q2m9f8w3k6t1z5r0n8v2c7b4j9h6d".into(),
        }),
    }
}

fn status() -> StatusPage {
    let task =
        |name: &str, words: &str, ok, progress| Task { name: name.into(), words: words.into(), ok, progress };
    let fact = |name: &str, value: &str, note: &str| Fact {
        name: name.into(),
        value: value.into(),
        note: note.into(),
    };
    StatusPage {
        shell: shell("Status", Spot::Status, "/status", ""),
        words: "One account cannot be reached. Everything else is well.".into(),
        ok: false,
        accounts: vec![
            task(
                "alice@example.org",
                "Fetching mail, 1,204 of 18,220, about four minutes to go.",
                true,
                Some((1204, 18220)),
            ),
            task(
                "alice@work.example",
                "Could not reach mail.work.example for 12 minutes. Trying again at 14:05.",
                false,
                None,
            ),
        ],
        facts: vec![
            fact("Messages", "18,220", "in 9,120 threads"),
            fact("On disk", "1.2 GB", "0.61 of their size on the server"),
            fact("Waiting to go out", "2", ""),
            fact("Changes not yet on the server", "3", ""),
        ],
        tasks: vec![
            task("Sending", "Idle. Next attempt at 14:05.", true, None),
            task("Index", "Up to date.", true, None),
        ],
        version: "0.1.0".into(),
    }
}

fn rest() -> Vec<Page> {
    let contact = |name: &str, address: &str, initials: &str, hue| Contact {
        name: name.into(),
        address: address.into(),
        initials: initials.into(),
        hue,
        count_words: "41 messages".into(),
        date_words: "3 Mar".into(),
        date_iso: "2025-03-03T12:04:00Z".into(),
    };
    let contacts = ContactsPage {
        shell: shell("Contacts", Spot::Contacts, "/contacts", ""),
        contacts: vec![
            contact("Anna Berg", "anna@berg.example", "AB", 0),
            contact("", "library@town.example", "L", 5),
            contact(
                "Dr. Maximilian Alexander von Hohenstaufen-Wittelsbach",
                "maximilian.alexander.von.hohenstaufen@narrow-gauge-railways.example",
                "MH",
                3,
            ),
            contact("דוד לוי", "david@levi.example", "דל", 8),
        ],
        count_words: "4 people".into(),
        newer: None,
        older: None,
    };
    vec![
        whole("outbox", &outbox()),
        whole("settings", &settings()),
        whole("status", &status()),
        whole("contacts", &contacts),
        whole("keyboard", &KeyboardPage { shell: shell("Keys", Spot::Elsewhere, "/keyboard", "") }),
    ]
}

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
        assert!(!html.contains("<img"), "{}: hostile markup", page.name);
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
