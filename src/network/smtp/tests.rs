//! Alice hands in mail: to scripted servers, and to a real one if there is a lab.

use super::*;
use crate::network::test_server::{Client, Identity, serve};

fn submission(port: u16, security: Security) -> Submission {
    Submission {
        host: "localhost".into(),
        port,
        security,
        user: "alice".into(),
        password: SecretText::new("sesame".into()),
        ca: None,
        by_tor: false,
    }
}

async fn send(port: u16, recipients: &[&str], message: &[u8]) -> Result<Vec<(String, Outcome)>, SubmitError> {
    let dialer = Dialer::new(&[]).unwrap();
    let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    submit(&dialer, &submission(port, Security::None), "alice@a.example", &recipients, message, async || true)
        .await
}

/// Greets and lets Alice in.
async fn welcome(client: &mut Client, abilities: &str) {
    client.say("220 hello\r\n").await;
    assert_eq!(client.hear().await, "EHLO [127.0.0.1]");
    client.say(format!("250-mail\r\n{abilities}250 AUTH=PLAIN\r\n")).await;
    assert_eq!(client.hear().await, "AUTH PLAIN AGFsaWNlAHNlc2FtZQ==");
    client.say("235 in\r\n").await;
}

async fn expect(client: &mut Client, line: &str, answer: &str) {
    assert_eq!(client.hear().await, line);
    client.say(answer).await;
}

#[tokio::test]
async fn each_recipient_has_an_outcome_of_its_own_and_dots_are_kept() {
    let address = serve(|mut client| async move {
        welcome(&mut client, "250-SIZE 1000\r\n250-8BITMIME\r\n250-   \r\n").await;
        expect(&mut client, "MAIL FROM:<alice@a.example> SIZE=22 BODY=8BITMIME", "250 ok\r\n").await;
        expect(&mut client, "RCPT TO:<bob@b.example>", "250 ok\r\n").await;
        expect(
            &mut client,
            "RCPT TO:<carol@xn--bcher-kva.example>",
            "550-5.1.1 no\r\n550 5.1.1 such user\r\n",
        )
        .await;
        expect(&mut client, "RCPT TO:<dave@d.example>", "451 4.3.0 not now\r\n").await;
        expect(&mut client, "DATA", "354 go\r\n").await;
        for line in ["..one", "two", "ä", "....", "..", "end"] {
            assert_eq!(client.hear().await, line);
        }
        expect(&mut client, ".", "250 2.0.0 queued as 1\r\n").await;
        expect(&mut client, "QUIT", "221 bye\r\n").await;
    })
    .await;
    let outcomes = send(
        address.port(),
        &["bob@b.example", "carol@bücher.example", "dave@d.example", "eve@e.example>\r\nDATA"],
        ".one\r\ntwo\n\u{e4}\r...\n.\nend".as_bytes(),
    )
    .await
    .unwrap();
    assert_eq!(outcomes[0].1, Outcome::Accepted("250 2.0.0 queued as 1".into()));
    assert_eq!(
        outcomes[1],
        ("carol@bücher.example".into(), Outcome::Permanent("550 5.1.1 no 5.1.1 such user".into()))
    );
    assert_eq!(outcomes[2].1, Outcome::Temporary("451 4.3.0 not now".into()));
    assert!(matches!(outcomes[3].1, Outcome::Permanent(_)));
}

#[tokio::test]
async fn a_connection_lost_after_the_last_dot_is_unknown_and_before_it_is_not() {
    for after_the_dot in [true, false] {
        let address = serve(move |mut client| async move {
            welcome(&mut client, "").await;
            expect(&mut client, "MAIL FROM:<alice@a.example>", "250 ok\r\n").await;
            expect(&mut client, "RCPT TO:<bob@b.example>", "250 ok\r\n").await;
            expect(&mut client, "DATA", "354 go\r\n").await;
            while after_the_dot && client.hear().await != "." {}
        })
        .await;
        let large = "A line.\r\n".repeat(2_000_000);
        let message = if after_the_dot { "Hello" } else { large.as_str() };
        let outcomes = send(address.port(), &["bob@b.example"], message.as_bytes()).await.unwrap();
        match &outcomes[0].1 {
            Outcome::Unknown(_) => assert!(after_the_dot),
            Outcome::Temporary(_) => assert!(!after_the_dot),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_server_cannot_take_is_never_sent() {
    let address = serve(|mut client| async move {
        welcome(&mut client, "250-SIZE 10\r\n").await;
        assert_eq!(client.hear().await, "QUIT");
    })
    .await;
    let outcomes = send(address.port(), &["bob@b.example"], b"more than ten bytes").await.unwrap();
    assert!(matches!(&outcomes[0].1, Outcome::Permanent(words) if words.contains("no more than")));
    let address = serve(|mut client| async move {
        welcome(&mut client, "").await;
        assert_eq!(client.hear().await, "QUIT");
    })
    .await;
    let outcomes = send(address.port(), &["bøb@b.example"], b"hi").await.unwrap();
    assert!(matches!(&outcomes[0].1, Outcome::Permanent(words) if words.contains("SMTPUTF8")));
}

#[tokio::test]
async fn a_refused_login_and_a_full_server_are_told_apart() {
    let refusing = serve(|mut client| async move {
        client.say("220 hello\r\n").await;
        client.hear().await;
        client.say("250-mail\r\n250 AUTH LOGIN\r\n").await;
        expect(&mut client, "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n").await;
        expect(&mut client, "YWxpY2U=", "334 UGFzc3dvcmQ6\r\n").await;
        expect(&mut client, "c2VzYW1l", "535 5.7.8 Wrong password.\r\n").await;
    })
    .await;
    let error = send(refusing.port(), &["bob@b.example"], b"hi").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "localhost refused the login: 535 5.7.8 Wrong password. Check the user name and the password."
    );
    assert!(!error.is_temporary());
    let full = serve(|mut client| async move { client.say("421 too busy\r\n").await }).await;
    assert!(send(full.port(), &["bob@b.example"], b"hi").await.unwrap_err().is_temporary());
    let garbage = serve(|mut client| async move { client.say("* OK imap\r\n").await }).await;
    assert!(matches!(send(garbage.port(), &[], b"hi").await, Err(SubmitError::Protocol { .. })));
}

#[tokio::test]
async fn without_tls_no_password_leaves() {
    let dialer = Dialer::new(&[]).unwrap();
    let address = serve(|mut client| async move {
        client.say("220 hello\r\n").await;
        client.hear().await;
        client.say("250-mail\r\n250 AUTH PLAIN\r\n").await;
        assert_eq!(client.hear().await, "");
    })
    .await;
    let error = check(&dialer, &submission(address.port(), Security::StartTls)).await.unwrap_err();
    assert!(matches!(error, SubmitError::NoTls { .. }), "{error}");
    let address = serve(|mut client| async move {
        client.say("220 hello\r\n").await;
        client.hear().await;
        client.say("250 STARTTLS\r\n").await;
        client.hear().await;
        client.say("250-STARTTLS\r\n").await;
        client.hear().await;
    })
    .await;
    assert!(check(&dialer, &submission(address.port(), Security::StartTls)).await.is_err());
    let address = serve(|mut client| async move {
        client.say("220 hello\r\n").await;
        client.hear().await;
        client.say("250-mail\r\n250 STARTTLS\r\n").await;
        client.hear().await;
        client.say("220 go\r\n250 injected\r\n").await;
        client.hear().await;
    })
    .await;
    let error = check(&dialer, &submission(address.port(), Security::StartTls)).await.unwrap_err();
    assert!(matches!(error, SubmitError::Dial(DialError::Injected { .. })), "{error}");
}

#[tokio::test]
async fn starttls_begins_anew() {
    let identity = Identity::new(&["localhost"]);
    let acceptor = identity.acceptor.clone();
    let address = serve(move |mut client| {
        let acceptor = acceptor.clone();
        async move {
            client.say("220 hello\r\n").await;
            client.hear().await;
            client.say("250-mail\r\n250-AUTH EVIL\r\n250 STARTTLS\r\n").await;
            client.hear().await;
            client.say("220 go\r\n").await;
            let mut client = client.start_tls(&acceptor).await.unwrap();
            client.hear().await;
            client.say("250-mail\r\n250 AUTH PLAIN\r\n").await;
            client.hear().await;
            client.say("235 in\r\n").await;
            client.hear().await;
        }
    })
    .await;
    let submission =
        Submission { ca: Some(identity.ca_pem.clone()), ..submission(address.port(), Security::StartTls) };
    check(&Dialer::new(&[]).unwrap(), &submission).await.unwrap();
}

#[test]
fn paths_hold_addresses_and_nothing_else() {
    for good in ["", "bob@b.example", "\"b o b\"@b.example", "bob@[192.0.2.1]", "bøb@b.example"] {
        assert_eq!(path(good).as_deref(), Some(good));
    }
    for bad in [
        "bob",
        "@b.example",
        "bob@",
        "b b@b.example",
        "bob@b.example>",
        "bob@b.example\r\nDATA",
        "b<ob@b.example",
        "bob@b example",
    ] {
        assert_eq!(path(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn a_real_server_takes_refuses_and_defers() {
    let lab = |name: &str| std::env::var(name).ok();
    let Some(port) = lab("LAB_SUBMISSIONS_PORT").and_then(|port| port.parse().ok()) else { return };
    let submission = Submission {
        host: "localhost".into(),
        port,
        security: Security::Tls,
        user: "alice@lab.test".into(),
        password: SecretText::new(lab("LAB_PASSWORD").unwrap()),
        ca: Some(std::fs::read(lab("LAB_CA").unwrap()).unwrap()),
        by_tor: false,
    };
    let dialer = Dialer::new(&[]).unwrap();
    check(&dialer, &submission).await.unwrap();
    let start_tls = lab("LAB_SUBMISSION_PORT").unwrap().parse().unwrap();
    check(&dialer, &Submission { port: start_tls, security: Security::StartTls, ..submission.clone() })
        .await
        .unwrap();
    let wrong = Submission { password: SecretText::new("wrong".into()), ..submission.clone() };
    assert!(matches!(check(&dialer, &wrong).await, Err(SubmitError::Refused { temporary: false, .. })));
    let recipients = ["bob@lab.test", "defer@lab.test", "reject@lab.test", "nobody@lab.test"].map(Into::into);
    let message =
        b"From: alice@lab.test\r\nTo: bob@lab.test\r\nSubject: Hello\r\n\r\n.\r\n..\r\nHello Bob\r\n";
    let outcomes =
        submit(&dialer, &submission, "alice@lab.test", &recipients, message, async || true).await.unwrap();
    assert!(matches!(outcomes[0].1, Outcome::Accepted(_)), "{outcomes:?}");
    assert!(matches!(outcomes[1].1, Outcome::Temporary(_)), "{outcomes:?}");
    assert!(matches!(outcomes[2].1, Outcome::Permanent(_)), "{outcomes:?}");
    assert!(matches!(outcomes[3].1, Outcome::Permanent(_)), "{outcomes:?}");
    let data = ["defer-data@lab.test".to_owned()];
    let outcomes =
        submit(&dialer, &submission, "alice@lab.test", &data, message, async || true).await.unwrap();
    assert!(matches!(outcomes[0].1, Outcome::Temporary(_)), "{outcomes:?}");
}
