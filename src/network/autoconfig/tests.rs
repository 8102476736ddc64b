//! Servers are found where a domain names them, and nobody is led astray.

use super::*;
use crate::network::test_server::{Client, Identity, serve, serve_tls};

const FILE: &str = r#"<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="x">
  <incomingServer type="pop3"><hostname>pop.mail.example</hostname><port>995</port><socketType>SSL</socketType>
    <username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></incomingServer>
  <incomingServer type="imap"><hostname>clear.mail.example</hostname><port>143</port><socketType>plain</socketType>
    <username>x</username><authentication>password-cleartext</authentication></incomingServer>
  <incomingServer type="imap"><hostname>imap.%EMAILDOMAIN%</hostname><port>993</port><socketType>SSL</socketType>
    <username>%EMAILLOCALPART%</username><authentication>OAuth2</authentication>
    <authentication>password-cleartext</authentication></incomingServer>
  <outgoingServer type="smtp"><hostname>127.0.0.1</hostname><port>465</port><socketType>SSL</socketType>
    <username>x</username><authentication>password-cleartext</authentication></outgoingServer>
  <outgoingServer type="smtp"><hostname>Smtp.Mail.Example</hostname><port>587</port><socketType>STARTTLS</socketType>
    <authentication>plain</authentication></outgoingServer>
</emailProvider></clientConfig>"#;

fn server(host: &str, port: u16, security: Security, user: &str) -> Server {
    Server { host: host.into(), port, security, user: user.into() }
}

async fn http(client: &mut Client, answer: &str) -> String {
    let request = client.hear().await;
    while !client.hear().await.is_empty() {}
    client.say(answer).await;
    request
}

#[tokio::test]
async fn the_domains_own_file_is_found_behind_a_redirect() {
    let identity = Identity::new(&["autoconfig.a.example", "files.b.example"]);
    let dialer = Dialer::new(std::slice::from_ref(&identity.ca_pem)).unwrap();
    let first = serve_tls(&identity, |mut client| async move {
        let request = http(
            &mut client,
            "HTTP/1.1 302 Found\r\nLocation: https://files.b.example/x.xml\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        assert_eq!(request, "GET /mail/config-v1.1.xml HTTP/1.1", "no address is told");
    })
    .await;
    let second = serve_tls(&identity, |mut client| async move {
        let (one, two) = FILE.split_at(100);
        let body = format!("{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
        http(&mut client, &format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await;
    })
    .await;
    let nothing = serve(|_| async {}).await;
    dialer.pin("autoconfig.a.example", 443, first);
    dialer.pin("files.b.example", 443, second);
    dialer.pin("a.example", 443, nothing);
    let found = find(&dialer, " alice@a.example").await.unwrap();
    assert_eq!(
        found,
        [Candidate {
            imap: server("imap.a.example", 993, Security::Tls, "alice"),
            smtp: server("smtp.mail.example", 587, Security::StartTls, "alice@a.example"),
            source: Source::Domain("https://autoconfig.a.example/mail/config-v1.1.xml".into()),
            note: None
        }]
    );
    assert!(dialer.log().iter().all(|entry| entry.purpose == Purpose::Autoconfig));
}

#[tokio::test]
async fn a_guess_has_to_answer_securely() {
    let identity = Identity::new(&["mail.a.example"]);
    let dialer = Dialer::new(std::slice::from_ref(&identity.ca_pem)).unwrap();
    let nothing = serve(|_| async {}).await;
    for host in ["autoconfig.a.example", "a.example", "imap.a.example", "mail.a.example", "smtp.a.example"] {
        for port in [443, 465, 587, 993] {
            if (host, port) != ("mail.a.example", 993) && (host, port) != ("mail.a.example", 587) {
                dialer.pin(host, port, nothing);
            }
        }
    }
    let imap = serve_tls(&identity, |_| async {}).await;
    let acceptor = identity.acceptor.clone();
    let smtp = serve(move |mut client| {
        let acceptor = acceptor.clone();
        async move {
            client.say("220 hello\r\n").await;
            client.hear().await;
            client.say("250-mail\r\n250 STARTTLS\r\n").await;
            client.hear().await;
            client.say("220 go\r\n").await;
            let mut client = client.start_tls(&acceptor).await.unwrap();
            client.hear().await;
            client.say("250 mail\r\n").await;
            assert_eq!(client.hear().await, "QUIT", "no login is tried");
        }
    })
    .await;
    dialer.pin("mail.a.example", 993, imap);
    dialer.pin("mail.a.example", 587, smtp);
    let found = find(&dialer, "alice@a.example").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].imap, server("mail.a.example", 993, Security::Tls, "alice@a.example"));
    assert_eq!(found[0].smtp, server("mail.a.example", 587, Security::StartTls, "alice@a.example"));
    assert_eq!(found[0].source, Source::Guess);
}

#[tokio::test]
async fn large_providers_are_known_without_a_question() {
    let dialer = Dialer::new(&[]).unwrap();
    dialer.set_offline(true);
    let found = find(&dialer, "Alice@GMail.com").await.unwrap();
    assert_eq!(found[0].imap, server("imap.gmail.com", 993, Security::Tls, "Alice@GMail.com"));
    assert!(found[0].note.is_some() && dialer.log().is_empty());
    assert_eq!(find(&dialer, "alice@a.example").await, Err(FindError::Offline));
    for wrong in ["alice", "@a.example", "alice@", "a b@a.example", "alice@a.example\r\nX", "a%b@a.example"] {
        assert!(matches!(find(&dialer, wrong).await, Err(FindError::NotAnAddress { .. })), "{wrong}");
    }
}

#[test]
fn hostile_files_give_nothing() {
    let account = Account::read("alice@a.example").unwrap();
    let read = |text: &str| xml::candidate(text.as_bytes(), &account, "x");
    assert!(read(FILE).is_some());
    assert!(read(&FILE.replace("STARTTLS", "plain")).is_none());
    assert!(read(&FILE.replace("Smtp.Mail.Example", "localhost")).is_none());
    assert!(read(&FILE.replace("Smtp.Mail.Example", "a.example&#13;&#10;")).is_none());
    assert!(read(&FILE.replace("<clientConfig", "<!DOCTYPE x [<!ENTITY e \"f\">]><clientConfig")).is_none());
    assert!(read("<a>".repeat(100_000).as_str()).is_none());
    assert!(read("").is_none() && read("not xml at all <<<").is_none());
    assert!(xml::candidate(&[0xff, 0xfe, 0x00], &account, "x").is_none());
}
