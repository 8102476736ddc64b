//! Alice's session with servers that misbehave in every way a script can, and with a real one if there is a lab.

use std::time::Duration;

use super::*;
use crate::mail::ids::ModSeq;
use crate::network::dialer::Dialer;
use crate::network::test_server::{Client, Identity, serve, serve_tls};

mod lab;

const CAPABILITIES: &str = "IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS MOVE CONDSTORE IDLE";

fn login(port: u16, security: Security) -> Login {
    Login {
        host: "localhost".into(),
        port,
        security,
        user: "alice".into(),
        password: SecretText::new("open \"sesame\"".into()),
        ca: None,
        by_tor: false,
    }
}

fn impatient() -> Limits {
    Limits {
        silence: Duration::from_secs(60),
        responses: 1000,
        response_bytes: 20 << 20,
        kept_bytes: 100_000,
        piece_bytes: 1000,
        message_bytes: 5000,
        ..Limits::default()
    }
}

async fn open(port: u16, security: Security) -> Result<Session, ImapError> {
    Session::open_within(&Dialer::new(&[]).unwrap(), &login(port, security), impatient()).await
}

/// Greets, lets Alice in and opens the inbox.
async fn welcome(client: &mut Client) {
    client.say(format!("* OK [CAPABILITY {CAPABILITIES}] ready\r\n")).await;
    client
        .answer(
            "AUTHENTICATE PLAIN AGFsaWNlAG9wZW4gInNlc2FtZSI=",
            &format!("TAG OK [CAPABILITY {CAPABILITIES}] in\r\n"),
        )
        .await;
}

/// A session with a server that goes on with this script after the login.
async fn with<R: Future<Output = ()> + Send + 'static>(script: fn(Client) -> R) -> Session {
    let address = serve(move |mut client| async move {
        welcome(&mut client).await;
        script(client).await;
    })
    .await;
    open(address.port(), Security::None).await.unwrap()
}

fn meta(uid: u32, size: u64) -> Meta {
    Meta { uid: Uid(uid), size, flags: Flags::default(), internal_date: None, mod_seq: None }
}

fn texts(fetched: &[Fetched]) -> Vec<String> {
    fetched
        .iter()
        .map(|one| match one {
            Fetched::Message { uid, raw, .. } => format!("{uid}:{}", String::from_utf8_lossy(raw)),
            Fetched::TooLarge { uid, .. } => format!("{uid} too large"),
            Fetched::Refused { uid, .. } => format!("{uid} refused"),
            Fetched::Gone { uid } => format!("{uid} gone"),
        })
        .collect()
}

#[tokio::test]
async fn a_server_that_says_goodbye_at_once_is_quoted() {
    let address = serve(|mut client| async move { client.say("* BYE Too many connections\r\n").await }).await;
    let error = open(address.port(), Security::None).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "The connection to localhost was lost: Too many connections. It will be tried again."
    );
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_server_that_never_greets_is_given_up() {
    let address = serve(|mut client| async move { drop(client.hear().await) }).await;
    let limits = Limits { silence: Duration::from_millis(300), ..impatient() };
    let login = login(address.port(), Security::None);
    let opened = Session::open_within(&Dialer::new(&[]).unwrap(), &login, limits).await;
    assert!(matches!(opened, Err(ImapError::TimedOut { .. })));
}

#[tokio::test]
async fn something_else_than_imap_is_noticed() {
    let address = serve(|mut client| async move { client.say("220 mail ESMTP\r\n").await }).await;
    assert!(matches!(open(address.port(), Security::None).await, Err(ImapError::Protocol { .. })));
}

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let address = serve(|mut client| async move {
        client.say("* OK ").await;
        for _ in 0..400 {
            client.say([b'x'; 65_536]).await;
        }
    })
    .await;
    assert!(matches!(open(address.port(), Security::None).await, Err(ImapError::Protocol { .. })));
}

#[tokio::test]
async fn no_password_is_sent_where_tls_is_missing_or_login_disabled() {
    let address = serve(|mut client| async move {
        client.say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n").await;
        client.answer("", "TAG BAD what?\r\n").await;
        assert_eq!(client.hear().await, "", "nothing more may be said");
    })
    .await;
    let error = open(address.port(), Security::StartTls).await.err().unwrap();
    assert!(matches!(error, ImapError::NoTls { .. }), "{error}");
    let disabled = serve(|mut client| async move {
        client.say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n").await;
        assert_eq!(client.hear().await, "");
    })
    .await;
    assert!(matches!(open(disabled.port(), Security::None).await, Err(ImapError::NoLogin { .. })));
    let preauth = serve(|mut client| async move {
        client.say("* PREAUTH come in\r\n").await;
        assert_eq!(client.hear().await, "");
    })
    .await;
    assert!(matches!(open(preauth.port(), Security::StartTls).await, Err(ImapError::NoTls { .. })));
}

#[tokio::test]
async fn words_injected_before_tls_end_the_connection() {
    let address = serve(|mut client| async move {
        client.say("* OK hi\r\n").await;
        client.answer("STARTTLS", "TAG OK go\r\n* OK [CAPABILITY IMAP4rev1 AUTH=EVIL] injected\r\n").await;
        client.hear().await;
    })
    .await;
    let error = open(address.port(), Security::StartTls).await.err().unwrap();
    assert!(matches!(error, ImapError::Dial(DialError::Injected { .. })), "{error}");
}

#[tokio::test]
async fn after_starttls_nothing_said_before_counts() {
    let identity = Identity::new(&["localhost"]);
    let acceptor = identity.acceptor.clone();
    let address = serve(move |mut client| {
        let acceptor = acceptor.clone();
        async move {
            client.say("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] hi\r\n").await;
            client.answer("STARTTLS", "TAG OK go\r\n").await;
            let mut client = client.start_tls(&acceptor).await.unwrap();
            client.answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n").await;
            let login = client.answer("LOGIN", "TAG NO [AUTHENTICATIONFAILED] Wrong password.\r\n").await;
            assert_eq!(login, r#"LOGIN "alice" "open \"sesame\"""#);
        }
    })
    .await;
    let mut login = login(address.port(), Security::StartTls);
    login.ca = Some(identity.ca_pem.clone());
    let error = Session::open_within(&Dialer::new(&[]).unwrap(), &login, impatient()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "localhost refused the login: Wrong password. Check the user name and the password."
    );
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn a_message_cut_in_half_is_no_message() {
    let mut session = with(|mut client| async move {
        client
            .answer(
                "UID FETCH 1:2",
                "* 1 FETCH (UID 1 FLAGS () BODY[] {5}\r\nHello)\r\n* 2 FETCH (UID 2 BODY[] {500}\r\nHel",
            )
            .await;
    })
    .await;
    let mut fetched = Vec::new();
    let error = session.fetch(&[meta(1, 5), meta(2, 500)], &mut fetched).await.unwrap_err();
    assert!(matches!(error, ImapError::Lost { .. }), "{error}");
    assert_eq!(texts(&fetched), ["1:Hello"]);
    // A session that was broken off is never taken up again in the middle.
    assert!(matches!(session.uids().await, Err(ImapError::Lost { .. })));
}

#[tokio::test]
async fn what_cannot_be_understood_is_stepped_over() {
    let mut session = with(|mut client| async move {
        client
            .answer(
                "UID FETCH 1:4",
                "* 1 FETCH (UID 1 BODY[] {5}\r\nHello (oops\r\n* 3 FETCH (UID 3 FLAGS (\\Seen) BODY[] \"Bye\")\r\n* 9 FETCH (UID 99 BODY[] \"stranger\")\r\nTAG OK\r\n",
            )
            .await;
        client.answer("UID FETCH 1 ", "* 1 FETCH (UID 1 BODY[]<0> {5}\r\nHello (oops\r\nTAG OK\r\n").await;
        client.answer("UID FETCH 2 ", "TAG OK\r\n").await;
        client.answer("UID FETCH 4 ", "TAG NO [SERVERBUG] cannot read it\r\n").await;
    })
    .await;
    let mut fetched = Vec::new();
    session.fetch(&[meta(1, 5), meta(2, 5), meta(3, 5), meta(4, 5)], &mut fetched).await.unwrap();
    assert_eq!(texts(&fetched), ["3:Bye", "1 refused", "2 gone", "4 refused"]);
}

#[tokio::test]
async fn a_literal_of_four_gigabytes_ends_the_connection_and_names_the_message() {
    let mut session = with(|mut client| async move {
        client.answer("UID FETCH", "* 1 FETCH (UID 7 BODY[] {4294967295}\r\n").await;
        client.hear().await;
    })
    .await;
    let error = session.fetch(&[meta(7, 5), meta(8, 5)], &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, ImapError::UnreadableMessage { uid: Some(Uid(7)), .. }), "{error}");
}

#[tokio::test]
async fn a_large_message_comes_in_pieces_and_a_huge_one_not_at_all() {
    let mut session = with(|mut client| async move {
        let whole = "0123456789".repeat(250);
        for (from, to) in [(0, 1000), (1000, 2000), (2000, 2500)] {
            let piece = whole.get(from..to).unwrap();
            let answer =
                format!("* 1 FETCH (UID 5 BODY[]<{from}> {{{}}}\r\n{piece})\r\nTAG OK\r\n", piece.len());
            client.answer(&format!("UID FETCH 5 (UID BODY.PEEK[]<{from}.1000>)"), &answer).await;
        }
        // The server says it is small, and it never ends.
        for from in (0..6000).step_by(1000) {
            let answer =
                format!("* 2 FETCH (UID 6 BODY[]<{from}> {{1000}}\r\n{})\r\nTAG OK\r\n", "x".repeat(1000));
            client.answer("UID FETCH 6 ", &answer).await;
        }
    })
    .await;
    let mut fetched = Vec::new();
    session.fetch(&[meta(5, 2500), meta(6, 10), meta(7, 5001)][..1], &mut fetched).await.unwrap();
    session.fetch(&[meta(6, 10)], &mut fetched).await.unwrap();
    session.fetch(&[meta(7, 5001)], &mut fetched).await.unwrap();
    assert_eq!(
        texts(&fetched),
        [format!("5:{}", "0123456789".repeat(250)).as_str(), "6 too large", "7 too large"]
    );
}

#[tokio::test]
async fn a_server_that_never_stops_talking_is_given_up() {
    let mut session = with(|mut client| async move {
        client.hear().await;
        for _ in 0..2000 {
            client.say("* OK still here\r\n").await;
        }
    })
    .await;
    assert!(matches!(session.uids().await, Err(ImapError::Protocol { .. })));
}

#[tokio::test]
async fn a_folder_tells_what_it_is() {
    let mut session = with(|mut client| async move {
        client
            .answer(
                "SELECT \"Al\\\"ice\" (CONDSTORE)",
                "* 3 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 8] x\r\n* OK [HIGHESTMODSEQ 120] x\r\n* OK [PERMANENTFLAGS (\\Seen)] x\r\nTAG OK [READ-WRITE] done\r\n",
            )
            .await;
        client.answer("SELECT", "* 0 EXISTS\r\nTAG OK [READ-ONLY] done\r\n").await;
        client.answer("SELECT", "TAG NO [NONEXISTENT] no such folder\r\n").await;
    })
    .await;
    let selected = session.select("Al\"ice").await.unwrap();
    assert!(!selected.allows_keywords && !selected.read_only);
    assert_eq!((selected.exists, selected.uid_next), (3, Some(Uid(8))));
    assert_eq!((selected.uid_validity, selected.highest_modseq), (Some(UidValidity(9)), Some(ModSeq(120))));
    let other = session.select("INBOX").await.unwrap();
    assert!(other.read_only && other.allows_keywords && other.highest_modseq.is_none());
    let error = session.select("Gone").await.unwrap_err();
    assert!(matches!(&error, ImapError::No { code: Some(code), .. } if code == "NONEXISTENT"));
    assert!(error.leaves_session_usable());
}

#[tokio::test]
async fn an_overloaded_server_is_not_asked_for_each_message() {
    let mut session = with(|mut client| async move {
        client.answer("UID FETCH 1:3", "TAG NO [UNAVAILABLE] overloaded\r\n").await;
        client.answer("UID SEARCH", "* SEARCH 1 2 3\r\nTAG OK\r\n").await;
    })
    .await;
    let mut fetched = Vec::new();
    session.fetch(&[meta(1, 5), meta(2, 5), meta(3, 5)], &mut fetched).await.unwrap();
    fetched.sort_by_key(Fetched::uid);
    assert_eq!(texts(&fetched), ["1 refused", "2 refused", "3 refused"]);
    assert_eq!(session.uids().await.unwrap().len(), 3);
}

#[tokio::test]
async fn sizes_of_what_nobody_asked_for_are_left_out() {
    let mut session = with(|mut client| async move {
        let one = |n: u32, size: u32| format!("* {n} FETCH (UID {n} RFC822.SIZE {size} FLAGS ())\r\n");
        let all = [one(4, 10), one(9, 10), one(4, 99)].concat();
        client.answer("UID FETCH 4:5", &format!("{all}TAG OK\r\n")).await;
    })
    .await;
    let metas = session.sizes(&[Uid(4), Uid(5)]).await.unwrap();
    assert_eq!(metas.iter().map(|meta| (meta.uid, meta.size)).collect::<Vec<_>>(), [(Uid(4), 10)]);
}

#[tokio::test]
async fn a_server_that_talks_very_much_is_given_up() {
    // 900 responses of 30 kB are more than one command may bring, though none of them is too much.
    let mut session = with(|mut client| async move {
        client.hear().await;
        for _ in 0..900 {
            client.say(format!("* OK {}\r\n", "x".repeat(30_000))).await;
        }
        client.hear().await;
    })
    .await;
    let error = session.uids().await.unwrap_err();
    assert!(matches!(&error, ImapError::Protocol { what, .. } if what.contains("far too much")), "{error}");
    // And 500 folders of 500 bytes are more than is kept, though they are few bytes on the line.
    let mut session = with(|mut client| async move {
        let folder = |n: u32| format!("* LIST () \"/\" \"{n}{}\"\r\n", "x".repeat(500));
        let all: String = (0..500).map(folder).collect();
        client.answer("LIST", &format!("{all}TAG OK\r\n")).await;
        client.answer("LIST", &format!("{}TAG OK\r\n", folder(1))).await;
    })
    .await;
    assert!(matches!(session.folders().await, Err(ImapError::Protocol { .. })));
    assert_eq!(session.folders().await.unwrap().len(), 1, "the session goes on");
}

#[tokio::test]
async fn one_response_brings_one_large_literal_at_most() {
    let mut session = with(|mut client| async move {
        let (_, heard) = client.command().await;
        assert!(heard.starts_with("UID FETCH 1:2"), "{heard}");
        let large = "x".repeat(90_000);
        client.say(format!("* 1 FETCH (UID 1 BODY[] {{90000}}\r\n{large} BODY[] {{90000}}\r\n")).await;
        client.hear().await;
    })
    .await;
    session.limits.piece_bytes = 50_000;
    let error = session.fetch(&[meta(1, 5), meta(2, 5)], &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error, ImapError::UnreadableMessage { uid: Some(Uid(1)), .. }), "{error}");
}

#[tokio::test]
async fn folders_are_made_where_the_owners_are() {
    let mut session = with(|mut client| async move {
        client.answer("LIST", "* LIST () \".\" INBOX\r\n* LIST () \".\" INBOX.Work\r\nTAG OK\r\n").await;
        client.answer("CREATE \"INBOX.Archive\"", "TAG OK\r\n").await;
        client.answer("SUBSCRIBE \"INBOX.Archive\"", "TAG NO never\r\n").await;
        client.answer("NAMESPACE", "* NAMESPACE ((\"Mail/\" \"/\")) NIL NIL\r\nTAG OK\r\n").await;
        client.answer("CREATE \"Mail/Archive\"", "TAG NO [ALREADYEXISTS] there\r\n").await;
        client.answer("SUBSCRIBE", "TAG OK\r\n").await;
    })
    .await;
    assert_eq!(session.create_folder("Archive").await.unwrap(), "INBOX.Archive");
    session.capabilities.insert("NAMESPACE".into());
    assert_eq!(session.create_folder("Archive").await.unwrap(), "Mail/Archive");
}

#[tokio::test]
async fn without_uidplus_a_move_leaves_marks_and_never_expunges() {
    let address = serve(|mut client| async move {
        client.say("* OK [CAPABILITY IMAP4rev1] hi\r\n").await;
        client.answer("LOGIN", "TAG OK in\r\n").await;
        client.answer("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n").await;
        let (tag, rest) = client.command().await;
        assert_eq!(rest, "UID COPY 4:5 {8}");
        client.say("+ go on\r\n").await;
        assert_eq!(client.hear_bytes(8).await, "Entwürf".as_bytes());
        assert_eq!(client.hear().await, "");
        client.say(format!("{tag} OK done\r\n")).await;
        client.answer("UID STORE 4:5 +FLAGS.SILENT (\\Deleted)", "TAG OK\r\n").await;
        assert_eq!(client.hear().await, "", "no EXPUNGE");
    })
    .await;
    let mut session = open(address.port(), Security::None).await.unwrap();
    assert!(!session.moves_in_one_step() && !session.removes_single_messages());
    let copied = session.copy_to(&[Uid(4), Uid(5)], "Entwürf").await.unwrap();
    assert!(copied.is_empty());
    assert!(!session.delete(&[Uid(4), Uid(5)]).await.unwrap());
}

#[tokio::test]
async fn moves_and_appends_tell_where_things_are() {
    let mut session = with(|mut client| async move {
        client
            .answer(
                "UID MOVE 4:5 \"Archive\"",
                "* OK [COPYUID 7 4:5 20:21] moved\r\n* VANISHED 4:5\r\nTAG OK done\r\n",
            )
            .await;
        let (tag, rest) = client.command().await;
        assert_eq!(rest, r#"APPEND "Sent" (\Seen) "17-Jul-1996 09:44:25 +0000" {4}"#);
        client.say("+ \r\n").await;
        client.hear_bytes(6).await;
        client.say(format!("{tag} OK [APPENDUID 7 22] done\r\n")).await;
        client.answer("APPEND \"Full\"", "TAG NO [OVERQUOTA] mailbox is full\r\n").await;
        client.answer("UID SEARCH", "* SEARCH 3\r\nTAG OK\r\n").await;
    })
    .await;
    let moved = session.move_to(&[Uid(4), Uid(5)], "Archive").await.unwrap();
    assert_eq!(moved, [(Uid(4), Uid(20)), (Uid(5), Uid(21))]);
    let at = names::internal_date(b"17-Jul-1996 02:44:25 -0700");
    let appended = session.append("Sent", b"a\r\nb", &["\\Seen"], at).await.unwrap();
    assert_eq!(appended.place, Some((UidValidity(7), Uid(22))));
    let full = session.append("Full", b"a", &[], None).await.unwrap_err();
    assert!(matches!(full, ImapError::No { code: Some(code), .. } if code == "OVERQUOTA"));
    assert_eq!(session.uids().await.unwrap(), [Uid(3)]);
    assert!(session.append("Sent", b"a\0b", &[], None).await.is_err());
}

#[tokio::test]
async fn news_wakes_and_the_session_goes_on() {
    let mut session = with(|mut client| async move {
        let (tag, _) = client.command().await;
        client.say("+ idling\r\n* OK Still here\r\n* 4 EXISTS\r\n").await;
        assert_eq!(client.hear().await, "DONE");
        client.say(format!("{tag} OK done\r\n")).await;
        for _ in 0..2 {
            let (tag, _) = client.command().await;
            client.say("+ idling\r\n").await;
            assert_eq!(client.hear().await, "DONE");
            client.say(format!("{tag} OK done\r\n")).await;
        }
    })
    .await;
    let never = std::future::pending;
    assert_eq!(session.idle(never(), Duration::from_secs(60)).await.unwrap(), IdleOutcome::News);
    assert_eq!(session.idle(async {}, Duration::from_secs(60)).await.unwrap(), IdleOutcome::Stopped);
    assert_eq!(session.idle(never(), Duration::from_millis(20)).await.unwrap(), IdleOutcome::TimedOut);
}

#[tokio::test]
async fn a_server_that_dies_while_idling_is_noticed() {
    let mut session = with(|mut client| async move {
        client.answer("IDLE", "+ idling\r\n").await;
    })
    .await;
    let error = session.idle(std::future::pending(), Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(error, ImapError::Lost { .. }), "{error}");
}

#[tokio::test]
async fn a_dropped_command_leaves_no_session_behind() {
    let mut session = with(|mut client| async move {
        client.hear().await;
        client.hear().await;
    })
    .await;
    let dropped = tokio::time::timeout(Duration::from_millis(20), session.uids()).await;
    assert!(dropped.is_err());
    assert!(matches!(session.uids().await, Err(ImapError::Lost { .. })));
}

#[tokio::test]
async fn implicit_tls_works_from_the_first_byte() {
    let identity = Identity::new(&["localhost"]);
    let address = serve_tls(&identity, |mut client| async move {
        welcome(&mut client).await;
        client.answer("LIST", "* LIST (\\HasNoChildren) \"/\" INBOX\r\n* LIST (\\Sent) \"/\" \"Entw&APw-rfe\"\r\nTAG OK\r\n").await;
        client.answer("LOGOUT", "* BYE see you\r\nTAG OK\r\n").await;
    })
    .await;
    let mut login = login(address.port(), Security::Tls);
    login.ca = Some(identity.ca_pem.clone());
    let mut session = Session::open_within(&Dialer::new(&[]).unwrap(), &login, impatient()).await.unwrap();
    let folders = session.folders().await.unwrap();
    assert_eq!((folders[1].name.as_str(), folders[1].role), ("Entwürfe", Some(Role::Sent)));
    session.logout().await;
}

#[test]
fn all_of_it_can_run_as_a_background_task() {
    fn movable<T: Send>(_: T) {}
    let _check = async |mut session: Session, dialer: Dialer, login: Login| {
        movable(Session::open(&dialer, &login));
        movable(session.folders());
        movable(session.select("INBOX"));
        movable(session.uids());
        movable(session.fetch(&[], &mut Vec::new()));
        movable(session.store(&[], &[], &[]));
        movable(session.move_to(&[], ""));
        movable(session.append("", b"", &[], None));
        movable(session.idle(std::future::pending(), Duration::ZERO));
        movable(crate::network::autoconfig::find(
            &dialer,
            "",
            &crate::network::autoconfig::Advisers::default(),
        ));
        movable(session.logout());
    };
}
