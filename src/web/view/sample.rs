//! Made-up mail of Alice and Bob for the tests of the pages, hostile strings among it.

use super::*;

/// What tries to be markup; the tests look for it unescaped.
pub(super) const HOSTILE: &str = "\"><script>alert('x')</script><img src=x onerror=alert(1)>'";

pub(super) fn text(words: &str) -> Vec<Piece> {
    vec![Piece::Text(words.into())]
}

pub(super) fn tags() -> Vec<Tag> {
    [("garden", 4, 2), ("taxes 2025", 2, 0), ("Alice & Bob", 9, 0), ("rust", 0, 14), ("רשימה", 7, 0)]
        .map(|(name, hue, unread)| Tag { name: name.into(), hue, unread, current: false })
        .into()
}

pub(super) fn shell(title: &str, spot: Spot, here: &str, query: &str) -> Shell {
    let counts = Counts { inbox_unread: 12, drafts: 2, outbox: 2, outbox_trouble: true, spam_unread: 1204 };
    Shell {
        title: title.into(),
        csrf: "c2FtcGxl".into(),
        here: here.into(),
        query: query.into(),
        nav: Nav::new(spot, counts, tags()),
        state: NetState { words: "Up to date, 12:04".into(), ok: true },
        ..Shell::default()
    }
}

struct Line(&'static str, &'static str, &'static str, &'static str, u64, &'static str, &'static str);

const LINES: &[Line] = &[
    Line(
        "Anna Berg, me",
        "AB",
        "Seeds for the spring",
        "I have kept two bags of the early peas for you, and the dwarf beans that did so well by the wall last year.",
        4,
        "12:04",
        "ugs",
    ),
    Line(
        "Bob Marlow",
        "BM",
        "Re: Saturday, and the boat",
        "The tide is at ten past nine, so come before that and bring the long rope.",
        2,
        "11:40",
        "u",
    ),
    Line(
        "Rust Weekly",
        "RW",
        "Rust Weekly 612: a new trait solver, and what it costs",
        "This week: the trait solver lands in nightly, a walk through the borrow checker by examples.",
        1,
        "09:15",
        "ur",
    ),
    Line(
        "Carol Okafor",
        "CO",
        "Invoice 2025-0417",
        "Please find the invoice for the roof attached. Payment within thirty days is fine.",
        1,
        "08:02",
        "ac",
    ),
    Line(
        "Dr. Maximilian Alexander von Hohenstaufen-Wittelsbach, Secretary",
        "MH",
        "Minutes of the annual general meeting of the society for the preservation of narrow-gauge railways in the lower valley, with corrections",
        "Dear members, herewith the minutes as amended by the committee.",
        17,
        "Yesterday",
        "a",
    ),
    Line("דוד לוי", "דל", "פגישה ביום שלישי בבוקר", "שלום, האם נוכל להיפגש בשעה תשע?", 1, "Yesterday", "h"),
    Line(
        "library@town.example",
        "L",
        "Two books are due on Friday",
        "“The Summer Book” and “Moominvalley in November” can be renewed once more.",
        1,
        "Tue",
        "",
    ),
    Line("Mara Lindqvist, Tom", "ML", "", "sent from my phone", 3, "Tue", "p"),
    Line(
        "山田太郎",
        "山",
        "会議の議事録をお送りします",
        "お世話になっております。先日の会議の議事録を添付いたします。",
        1,
        "Mon",
        "c",
    ),
    Line(
        "Bank of Example",
        "BE",
        "Your statement is ready",
        "Sign in as usual to read it. We never send links in mail.",
        1,
        "Mon",
        "t",
    ),
    Line("Eve", "E", HOSTILE, HOSTILE, 1, "3 Mar", "x"),
    Line("Frank, me", "F", "Keys for the shed", "Under the third pot. Not the blue one.", 6, "2 Mar", "gs"),
    Line(
        "Priya Raman",
        "PR",
        "Draft of chapter four",
        "I rewrote the opening twice and am now back at the first one; tell me honestly.",
        2,
        "28 Feb",
        "cp",
    ),
    Line(
        "Town Council",
        "TC",
        "Works on Mill Lane from 10 to 14 March",
        "Access for residents is kept at all times.",
        1,
        "27 Feb",
        "",
    ),
];

/// The rows of an inbox.
pub(super) fn rows() -> Rows {
    let mut rows = Vec::new();
    for (at, line) in LINES.iter().enumerate() {
        let has = |mark: char| line.6.contains(mark);
        let mut chosen = Vec::new();
        let all = tags();
        for (mark, tag) in [('g', 0), ('a', 1), ('r', 3), ('h', 4), ('x', 2)] {
            if has(mark) {
                chosen.push(all[tag].clone());
            }
        }
        rows.push(Row {
            id: format!("m{at:02}"),
            href: format!("/threads/t{at:02}"),
            who: line.0.into(),
            initials: line.1.into(),
            hue: (at * 5 % 12) as u8,
            picture: String::new(),
            subject: line.2.into(),
            snippet: text(line.3),
            count: line.4,
            unread: has('u'),
            starred: has('s'),
            replied: has('p'),
            draft: at == 11,
            attachments: u64::from(has('c')) * 2,
            trust: if at % 5 == 1 { framed("m5").trust } else { Trust::default() },
            tags: chosen,
            place: String::new(),
            date_words: line.5.into(),
            date_exact: "Monday, 3 March 2025, 12:04".into(),
            date_iso: "2025-03-03T12:04:00Z".into(),
        });
    }
    Rows {
        query: "in:inbox".into(),
        rows,
        total: 1234,
        range_words: "1–14 of 1,234".into(),
        newer: None,
        older: Some("/search?q=in:inbox&page=2".into()),
        in_inbox: true,
        ..Rows::default()
    }
}

pub(super) fn person(name: &str, address: &str) -> Person {
    Person { name: name.into(), address: address.into() }
}

pub(super) fn message(id: &str) -> MessageView {
    MessageView {
        id: id.into(),
        from: person("Anna Berg", "anna@berg.example"),
        initials: "AB".into(),
        hue: 0,
        picture: "/avatars/0123456789abcdef".into(),
        to_words: "you, Bob Marlow and Carol Okafor".into(),
        to: vec![person("Alice", "alice@example.org"), person("Bob Marlow", "bob@example.net")],
        cc: vec![person("", "carol@example.com")],
        date_words: "3 Mar, 12:04".into(),
        date_exact: "Monday, 3 March 2025, 12:04:31, UTC+1".into(),
        date_iso: "2025-03-03T12:04:31+01:00".into(),
        snippet: "I have kept two bags of the early peas for you, and the dwarf beans that did so well by the wall last year.".into(),
        body: Body::Text(vec![
            Block::Text(vec![
                Piece::Text("Dear Alice,\n\nI have kept two bags of the early peas for you, and the dwarf ".into()),
                Piece::Hit("beans".into()),
                Piece::Text(" that did so well by the wall last year. If you want the tall ones too, say so before Thursday, because Tom has his eye on them.\n\nThe list of what the garden society swaps is at ".into()),
                Piece::Link { href: "/leave?t=abc".into(), shown: "https://garden.example/swap/2025?list=spring".into() },
                Piece::Text(" and closes on Sunday.\n\n".into()),
            ]),
            Block::Quote { depth: 1, words: "7 quoted lines, Alice on 1 March".into(), pieces: text("Have you any seeds left over?\nI dug the bed by the wall at last.\n") },
            Block::Text(text("Come by when it suits you.\n\nAnna\n")),
            Block::Signature(text("-- \nAnna Berg · Mill Lane 4\n")),
        ]),
        origin: Origin {
            quiet: "This is the first message from anna@berg.example.".into(),
            left_words: "You left this list on 3 Mar 2026.".into(),
            ..Origin::default()
        },
        publication: Some(PublicationView {
            heading: format!("keys.example asks whether {HOSTILE} is yours"),
            words: "You began to publish your key there.".into(),
            button: "Confirm",
        }),
        has_text: true,
        raw_href: "/messages/x/raw".into(),
        places: vec!["Inbox of alice@example.org".into()],
        ..MessageView::default()
    }
}

pub(super) fn framed(id: &str) -> MessageView {
    MessageView {
        from: person("Rust Weekly", "news@weekly.example"),
        initials: "RW".into(),
        hue: 9,
        remote: RemoteView {
            words: "3 pictures from other servers were not loaded; a tracking pixel was left out: it would have told news.example that you read this.".into(),
            can_show: true,
            sender: "news@weekly.example".into(),
            remember: "html",
            ..RemoteView::default()
        },
        hidden_words: "Text that a reader would not see was left out.".into(),
        origin: Origin {
            cautions: vec![
                "examp1e.org looks like example.org, which you know, but it is another place.".into(),
                "An answer goes to desk@mailbox.example, not to news@weekly.example.".into(),
            ],
            details: vec![
                "Signed by weekly.example (DKIM), checked on 3 Mar 2026.".into(),
                "Your server mx.example.org noted: DMARC pass for weekly.example, SPF pass.".into(),
            ],
            can_leave: true,
            ..Origin::default()
        },
        body: Body::Frame { src: "/frame.html".into(), height: 6, narrow: 8, original: false },
        has_html: true,
        unread: true,
        starred: true,
        trust: Trust {
            facts: vec![
                TrustFact { icon: "lock", words: "Private".into(), ..TrustFact::default() },
                TrustFact {
                    icon: "key",
                    words: "same key since 3 Mar 2025 (41 messages)".into(),
                    ..TrustFact::default()
                },
            ],
            reasons: vec!["The address has used the same key in 41 messages.".into(), HOSTILE.into()],
            fingerprint: FINGERPRINT.into(),
            contact_href: "/contacts/news%40weekly.example".into(),
            action: None,
        },
        attachments: vec![
            Attachment {
                name: "minutes, corrected.pdf".into(),
                kind: "PDF document".into(),
                size_words: "1.2 MB".into(),
                href: "http://cap.localhost:7677/1".into(),
                preview_href: "/messages/m5/parts/3/preview".into(),
                copy_href: "/messages/m5/parts/3/copy".into(),
                thumb: "http://cap.localhost:7677/thumb/3".into(),
                ..Attachment::default()
            },
            Attachment {
                name: format!("{HOSTILE}.exe"),
                kind: "Windows program".into(),
                size_words: "48 kB".into(),
                risk_words: "Can run as a program on a computer.".into(),
                difference: "Its name ends in .pdf, but it is a Windows program.".into(),
                danger: true,
                href: "http://cap.localhost:7677/2".into(),
                ..Attachment::default()
            },
        ],
        ..message(id)
    }
}

/// A fingerprint as pages show it.
pub(super) const FINGERPRINT: &str = "0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567";

/// One has a key and one has another than before.
pub(super) fn forecast() -> Forecast {
    let to = |shown: &str, address: &str, icon, words: &str| ForecastFor {
        shown: shown.into(),
        address: address.into(),
        icon,
        words: words.into(),
        undecided: false,
        keyless: icon == "unlocked",
        unknown: icon == "unlocked",
        href: "/contacts/bob%40example.net#compare".into(),
    };
    Forecast {
        fact: TrustFact {
            icon: "unlocked",
            words: "Will go out readable by mail servers: no key for Anna Berg".into(),
            ..TrustFact::default()
        },
        private: false,
        send_words: "Send",
        leak: "You are answering private mail, and this answer can be read on its way.".into(),
        each: vec![
            to("Anna Berg", "anna@berg.example", "unlocked", "No key of theirs is known."),
            ForecastFor { undecided: true, ..to("Bob", HOSTILE, "lock", HOSTILE) },
        ],
        looking: true,
    }
}

pub(super) fn composer(inline: bool) -> Composer {
    Composer {
        draft: "d1".into(),
        reply: if inline { "m00".into() } else { String::new() },
        inline,
        full_href: if inline { "/compose?reply=m00".into() } else { String::new() },
        from: vec![
            SenderChoice {
                address: "alice@example.org".into(),
                shown: "Alice <alice@example.org>".into(),
                chosen: true,
            },
            SenderChoice {
                address: "alice@work.example".into(),
                shown: "Alice Archer <alice@work.example>".into(),
                chosen: false,
            },
        ],
        to: "Anna Berg <anna@berg.example>, Bob Marlow <bob@example.net>".into(),
        subject: "Re: Seeds for the spring".into(),
        body: if inline {
            String::new()
        } else {
            "Dear Anna,\n\nyes please to both. I can come on Wednesday.\n\nAlice\n".into()
        },
        kept: if inline {
            vec![]
        } else {
            vec![Kept { n: 1, name: "bed by the wall.jpg".into(), size_words: "640 kB".into() }]
        },
        wish: "auto",
        forecast: forecast(),
        note: "Your signature is put under it.".into(),
        saved_words: "Saved 12:04".into(),
        people: vec!["Carol Okafor <carol@example.com>".into()],
        ..Composer::default()
    }
}

pub(super) fn thread() -> ThreadPage {
    let mut first = message("m1");
    first.folded = true;
    first.from = person("Alice", "alice@example.org");
    first.initials = "A".into();
    first.hue = 7;
    let mut closed = message("m3");
    closed.body = Body::Closed {
        words: "This message is encrypted to keys that are not here: 0123456789ABCDEF.".into(),
        wants_key: true,
    };
    closed.notes = vec!["One part of it could not be read: the server sent half of it.".into()];
    closed.trust = Trust {
        facts: vec![TrustFact {
            icon: "warning",
            words: "Bob wrote with a different key".into(),
            caution: true,
            danger: true,
        }],
        action: Some(("Compare".into(), "/contacts/bob%40example.net#compare".into())),
        ..Trust::default()
    };
    let mut draft = message("m4");
    draft.draft_href = Some("/compose?draft=d1".into());
    draft.body = Body::Nothing;
    let broken = MessageView { broken: true, ..message("m6") };
    ThreadPage {
        shell: shell("Seeds for the spring", Spot::Inbox, "/threads/t00", "in:inbox"),
        subject: "Seeds for the spring, and who gets the tall beans this time".into(),
        people_words: "5 messages, Anna Berg, Bob Marlow and you".into(),
        weakest: Some(TrustFact {
            icon: "unlocked",
            words: "2 of its 5 messages could be read by mail servers".into(),
            ..TrustFact::default()
        }),
        tags: tags().into_iter().take(2).collect(),
        ids: vec!["m1".into(), "m2".into()],
        starred: true,
        in_inbox: true,
        in_trash: false,
        in_spam: false,
        back: ("/".into(), "Inbox".into()),
        newer: Some("/threads/a".into()),
        older: Some("/threads/b".into()),
        earlier: Some(("100 earlier messages".into(), "/threads/t00?earlier=200".into())),
        later: None,
        messages: vec![first, message("m2"), broken, framed("m5"), closed, draft],
        reply: Some(composer(true)),
    }
}

pub(super) fn account_form() -> AccountForm {
    AccountForm {
        address: "alice@example.org".into(),
        name: "Alice".into(),
        imap_host: "imap.example.org".into(),
        imap_port: "993".into(),
        smtp_host: "smtp.example.org".into(),
        smtp_port: "465".into(),
        found_words: "Found in example.org's own settings.".into(),
        servers_open: true,
        ..AccountForm::default()
    }
}
