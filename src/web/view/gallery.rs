//! Every page with made-up mail in it, for the tests and for looking at.

use askama::Template;

use super::sample::{HOSTILE, account_form, composer, framed, message, person, rows, shell, text, thread};
use super::*;

/// A page by its name, as it is sent.
pub(super) struct Page {
    /// What it is called here.
    pub(super) name: &'static str,
    /// The page.
    pub(super) html: String,
    /// Whether it has navigation and search.
    pub(super) whole: bool,
}

fn whole(name: &'static str, page: &impl Template) -> Page {
    Page { name, html: page.render().unwrap(), whole: true }
}

fn bare(name: &'static str, page: &impl Template) -> Page {
    Page { name, html: page.render().unwrap(), whole: false }
}

/// All of them.
pub(super) fn pages() -> Vec<Page> {
    let mut all = lists();
    all.extend(reading());
    all.extend(doors());
    all.extend(rest());
    all.extend(sample_recovery::doors().iter().map(|(name, page)| bare(name, page)));
    all.extend(sample_recovery::pages().iter().map(|(name, page)| whole(name, page)));
    all.push(whole("recovery-sheet", &sample_recovery::sheet()));
    all.extend(sample_devices::pages().iter().map(|(name, page)| whole(name, page)));
    all.extend(sample_remote::pages().iter().map(|(name, page)| whole(name, page)));
    all.push(whole("remote-factor", &sample_remote::factor()));
    all.push(whole("remote-codes", &sample_remote::codes()));
    all.push(whole("remote-device", &sample_remote::device()));
    all.extend(sample_remote::doors().iter().map(|(name, page)| bare(name, page)));
    all.push(bare("afar-locked", &LockedPage::default()));
    let (unlocking, unlocked) = sample_remote::unlocking();
    all.extend(unlocking.iter().map(|(name, page)| bare(name, page)));
    all.push(bare("afar-unlocked", &unlocked));
    all.extend(sample_files::previews().iter().map(|(name, page)| whole(name, page)));
    all
}

fn lists() -> Vec<Page> {
    let inbox = ListPage {
        shell: shell("Inbox", Spot::Inbox, "/", "in:inbox"),
        heading: "Inbox".into(),
        reminds: true,
        devices: "A program that calls itself Mailkeep reads this mailbox.",
        may_wait: true,
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
        reminds: false,
        devices: "",
        may_wait: false,
        list: found,
    };
    let empty = ListPage {
        shell: shell("Inbox", Spot::Inbox, "/", "in:inbox"),
        heading: "Inbox".into(),
        reminds: true,
        devices: "",
        may_wait: false,
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
        reminds: false,
        devices: "",
        may_wait: false,
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
            tags: Vec::new(),
            starred: false,
            in_inbox: true,
            in_trash: false,
            in_spam: false,
            back: ("/threads/t00".into(), "Thread of 5 messages".into()),
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
        bare(
            "setup-3",
            &SetupPrivacy { csrf: csrf(), address: "alice@example.org".into(), ..SetupPrivacy::default() },
        ),
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
            "leave-write",
            &LeavePage {
                writes: true,
                href: "/compose?to=anna@example.org".into(),
                host: HOSTILE.into(),
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
        prefers_private: true,
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
        secure: false,
        needs_copy: true,
        signature: "Alice\n</textarea><script>".into(),
        passphrase_trouble: String::new(),
        recovery_words: "No recovery sheet was made yet.".into(),
        recoverable: false,
        afar_words: "There are no codes yet, so nobody gets in from afar.".into(),
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
        remote: RemoteSettings {
            avatars: "libravatar".into(),
            avatar_server: HOSTILE.into(),
            tor_mode: "socks".into(),
            socks: "127.0.0.1:9050".into(),
            wkd: true,
            key_servers: format!("vks+https://keys.openpgp.org\n{HOSTILE}"),
            tor_words:
                "A SOCKS proxy answers at 127.0.0.1:9050. Whether Tor is behind it cannot be seen from here."
                    .into(),
            senders: vec![SenderView {
                address: "news@weekly.example".into(),
                words: "pictures always, shown as designed".into(),
            }],
            ..RemoteSettings::default()
        },
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
        picture: String::new(),
        count_words: "41 messages".into(),
        key_words: if hue == 0 { "different key" } else { "same key" },
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
        whole("contact", &sample_keys::contact()),
        whole("keys", &sample_keys::keys()),
        whole(
            "network",
            &NetworkPage {
                shell: shell("Network", Spot::Elsewhere, "/network", ""),
                tor: TorView { words: "Tor is starting, 45 % so far.".into(), ok: true, percent: Some(45) },
                offline: false,
                everything: false,
                rules: vec![
                    RuleView {
                        label: "Mail of maximilian.alexander.von.hohenstaufen@narrow-gauge-railways.example"
                            .into(),
                        name: "account:max".into(),
                        choices: vec![RuleChoice { value: "direct", label: "Directly", chosen: true }],
                        elsewhere: "",
                    },
                    RuleView {
                        label: "Pictures in messages".into(),
                        name: "remote-images.route".into(),
                        choices: Vec::new(),
                        elsewhere: "Through Tor, or not at all",
                    },
                ],
                hint: "Every connection that went out, the newest first.".into(),
                connections: vec![Task {
                    name: "imap.example.org, port 993".into(),
                    words: "12:04, reading mail, direct: connected.".into(),
                    ok: true,
                    progress: None,
                }],
            },
        ),
        whole("keyboard", &KeyboardPage { shell: shell("Keys", Spot::Elsewhere, "/keyboard", "") }),
    ]
}
