//! The same session with a real Dovecot, where `LAB_DIR` and the other variables of a laboratory name one.

use std::time::Duration;

use super::super::*;
use crate::network::dialer::Dialer;

fn lab() -> Option<(Dialer, Login)> {
    let port = std::env::var("LAB_IMAPS_PORT").ok()?.parse().ok()?;
    let ca = std::fs::read(std::env::var("LAB_CA").ok()?).ok()?;
    let login = Login {
        host: "localhost".into(),
        port,
        security: Security::Tls,
        user: "erin@lab.test".into(),
        password: SecretText::new(std::env::var("LAB_PASSWORD").ok()?),
        ca: Some(ca),
        by_tor: false,
    };
    Some((Dialer::new(&[]).unwrap(), login))
}

fn message(n: u32, bytes: usize) -> Vec<u8> {
    let body = "A line of a letter to Bob.\r\n".repeat(bytes / 28 + 1);
    format!("From: erin@lab.test\r\nMessage-ID: <{n}.net@lab.test>\r\nSubject: {n}\r\n\r\n{body}")
        .into_bytes()
}

#[tokio::test]
async fn a_real_server_keeps_what_it_is_given() {
    let Some((dialer, login)) = lab() else { return };
    let limits = Limits { piece_bytes: 100_000, ..Limits::default() };
    let mut session = Session::open_within(&dialer, &login, limits).await.unwrap();
    let folder = session.create_folder("Prüfung & \"mehr\"").await.unwrap();
    assert_eq!(session.create_folder("Prüfung & \"mehr\"").await.unwrap(), folder);
    let folders = session.folders().await.unwrap();
    assert!(folders.iter().any(|it| it.raw_name == folder && it.name == "Prüfung & \"mehr\""), "{folders:?}");
    for role in [Role::Inbox, Role::Sent, Role::Drafts, Role::Junk, Role::Trash, Role::Archive] {
        assert_eq!(folders.iter().filter(|it| it.role == Some(role)).count(), 1, "{role:?}");
    }
    session.select(&folder).await.unwrap();
    let old = session.uids().await.unwrap();
    session.delete(&old).await.unwrap();

    let sent: Vec<Vec<u8>> =
        [10, 1000, 99_000, 350_000].iter().zip(1..).map(|(size, n)| message(n, *size)).collect();
    for raw in &sent {
        let place = session.append(&folder, raw, &["\\Seen", "to&ACA-do"], None).await.unwrap().place;
        assert!(place.is_some());
    }
    let selected = session.select(&folder).await.unwrap();
    assert_eq!(selected.exists, 4);
    assert!(selected.allows_keywords && selected.highest_modseq.is_some());
    let uids = session.uids().await.unwrap();
    let metas = session.sizes(&uids).await.unwrap();
    assert!(metas.iter().all(|meta| meta.flags.seen && meta.flags.keywords == ["to&ACA-do"]));
    let mut fetched = Vec::new();
    session.fetch(&metas, &mut fetched).await.unwrap();
    fetched.sort_by_key(Fetched::uid);
    for (fetched, sent) in fetched.iter().zip(&sent) {
        assert!(matches!(fetched, Fetched::Message { raw, .. } if raw == sent));
    }
    assert_eq!(session.find_message_id("<2.net@lab.test>").await.unwrap(), [uids[1]]);
    // The rest has a session of its own eyes: what a second one changes, the first one hears of.
    let position = selected.highest_modseq.unwrap();
    let mut other = Session::open(&dialer, &login).await.unwrap();
    other.select(&folder).await.unwrap();
    other.store(&uids[..1], &["\\Flagged"], &["\\Seen"]).await.unwrap();
    assert_eq!(other.move_to(&uids[1..2], "Archive").await.unwrap().len(), 1);
    assert!(other.delete(&uids[2..3]).await.unwrap());
    assert_eq!(
        session.idle(std::future::pending(), Duration::from_secs(20)).await.unwrap(),
        IdleOutcome::News
    );
    assert_eq!(session.uids().await.unwrap(), [uids[0], uids[3]]);
    let changed = session.flags(UidRange::ALL, Some(position)).await.unwrap();
    assert!(changed[0].flags.flagged && !changed[0].flags.seen);
    assert_eq!(session.flags(UidRange::ALL, None).await.unwrap().len(), 2);
    assert_eq!(session.flags(UidRange::ALL, Some(position)).await.unwrap().len(), 1);
    session.logout().await;
    other.logout().await;
}

#[tokio::test]
async fn a_real_server_is_strict_about_who_comes_in() {
    let Some((dialer, login)) = lab() else { return };
    let clear: u16 = std::env::var("LAB_IMAP_PORT").unwrap().parse().unwrap();
    let open = async |host: &str, port, security, password: &str| {
        let login = Login {
            host: host.into(),
            port,
            security,
            password: SecretText::new(password.into()),
            ..login.clone()
        };
        Session::open(&dialer, &login).await.err()
    };
    let right = login.password.expose();
    assert!(open("localhost", clear, Security::StartTls, right).await.is_none());
    assert!(open("localhost", clear, Security::None, right).await.is_none());
    let wrong = open("localhost", clear, Security::StartTls, "wrong").await;
    assert!(matches!(wrong, Some(ImapError::Refused { temporary: false, .. })), "{wrong:?}");
    let refused = open("127.0.0.2", clear, Security::None, right).await;
    assert!(matches!(refused, Some(ImapError::NoLogin { .. })), "{refused:?}");
    let no_tls = open("127.0.0.3", clear, Security::StartTls, right).await;
    assert!(matches!(no_tls, Some(ImapError::NoTls { .. })), "{no_tls:?}");
    let bad = open("127.0.0.4", login.port, Security::Tls, right).await;
    assert!(matches!(bad, Some(ImapError::Dial(DialError::Certificate { .. }))), "{bad:?}");
}

/// Every odd message there is goes to the server and comes back, byte for byte but for carriage returns.
#[tokio::test]
async fn odd_messages_come_back_as_they_went() {
    let (Some((dialer, login)), Ok(corpora)) = (lab(), std::env::var("MAILKEEP_CORPORA")) else { return };
    let mut session = Session::open(&dialer, &login).await.unwrap();
    let folder = session.create_folder("Corpus").await.unwrap();
    session.select(&folder).await.unwrap();
    let old = session.uids().await.unwrap();
    session.delete(&old).await.unwrap();
    let mut sent = std::collections::HashMap::new();
    let mut folders = vec![std::path::Path::new(&corpora).join("mime")];
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let raw = std::fs::read(&path).unwrap();
        match session.append(&folder, &raw, &[], None).await {
            Ok(appended) => {
                sent.insert(appended.place.unwrap().1, raw);
            }
            Err(error) => assert!(error.leaves_session_usable(), "{path:?}: {error}"),
        }
    }
    session.select(&folder).await.unwrap();
    let uids = session.uids().await.unwrap();
    let metas = session.sizes(&uids).await.unwrap();
    assert_eq!(metas.len(), sent.len());
    // Dovecot makes every line end a CRLF; which one it was is its business.
    let lines = |raw: &[u8]| raw.iter().copied().filter(|&byte| byte != b'\r').collect::<Vec<u8>>();
    for batch in metas.chunks(100) {
        let mut fetched = Vec::new();
        session.fetch(batch, &mut fetched).await.unwrap();
        for one in fetched {
            let Fetched::Message { uid, raw, .. } = one else { panic!("{one:?}") };
            assert_eq!(lines(&raw), lines(&sent[&uid]));
        }
    }
    eprintln!("{} messages came back", sent.len());
}
