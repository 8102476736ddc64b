//! Servers are found where a domain names them, and nobody is led astray.

use super::xml::Unusable;
use super::*;
use crate::network::dialer::{Route, Tor};
use crate::network::test_server::{Client, Identity, serve, serve_tls};
use crate::network::test_socks::Socks;
use std::net::SocketAddr;

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

/// A door whose only way out is a proxy in the place of Tor, with these servers behind it.
async fn door(identity: &Identity, roads: &[(&str, SocketAddr)]) -> (Dialer, Socks) {
    let dialer = Dialer::new(std::slice::from_ref(&identity.ca_pem)).unwrap();
    let socks = Socks::begin(roads).await;
    dialer.set_tor(Tor::Socks(socks.proxy.clone()));
    (dialer, socks)
}

/// Nobody beside the domain.
async fn find_alone(dialer: &Dialer, address: &str) -> Result<Findings, FindError> {
    find(dialer, address, &Advisers::default()).await
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
    let (dialer, socks) =
        door(&identity, &[("autoconfig.a.example", first), ("files.b.example", second)]).await;
    let findings = find_alone(&dialer, " alice@a.example").await.unwrap();
    assert_eq!(
        findings.found.unwrap(),
        Candidate {
            imap: server("imap.a.example", 993, Security::Tls, "alice"),
            smtp: server("smtp.mail.example", 587, Security::StartTls, "alice@a.example"),
            source: Source::Domain("https://autoconfig.a.example/mail/config-v1.1.xml".into()),
            note: None
        }
    );
    assert_eq!(socks.hosts(), ["autoconfig.a.example", "files.b.example"]);
    let by_tor = |entry: &crate::network::log::Entry| {
        (entry.purpose, entry.route) == (Purpose::Autoconfig, Route::Tor)
    };
    assert!(dialer.log().iter().all(by_tor));
}

#[tokio::test]
async fn a_guess_has_to_answer_securely() {
    let identity = Identity::new(&["mail.a.example"]);
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
    let roads = [("mail.a.example:993", imap), ("mail.a.example:587", smtp)];
    let (dialer, _socks) = door(&identity, &roads).await;
    let found = find_alone(&dialer, "alice@a.example").await.unwrap().found.unwrap();
    assert_eq!(found.imap, server("mail.a.example", 993, Security::Tls, "alice@a.example"));
    assert_eq!(found.smtp, server("mail.a.example", 587, Security::StartTls, "alice@a.example"));
    assert_eq!(found.source, Source::Guess);
    assert!(!found.source.is_sure(), "no password goes there unasked");
}

#[tokio::test]
async fn large_providers_are_known_without_a_question() {
    let dialer = Dialer::new(&[]).unwrap();
    dialer.set_offline(true);
    let found = find_alone(&dialer, "Alice@GMail.com").await.unwrap().found.unwrap();
    assert_eq!(found.imap, server("imap.gmail.com", 993, Security::Tls, "Alice@GMail.com"));
    assert!(found.note.is_some() && dialer.log().is_empty());
    assert_eq!(find_alone(&dialer, "alice@a.example").await, Err(FindError::Offline));
    dialer.set_offline(false);
    assert!(matches!(find_alone(&dialer, "alice@a.example").await, Err(FindError::NoTor { .. })));
    assert_eq!((dialer.rigged().looked_up().len(), dialer.rigged().tried().len()), (0, 0));
    assert_eq!(find_alone(&dialer, "alice@printer.local").await, Ok(Findings::default()));
    for wrong in ["alice", "@a.example", "alice@", "a b@a.example", "alice@a.example\r\nX", "a%b@a.example"] {
        assert!(matches!(find_alone(&dialer, wrong).await, Err(FindError::NotAnAddress { .. })), "{wrong}");
    }
}

#[test]
fn hostile_files_give_nothing() {
    let account = Account::read("alice@a.example").unwrap();
    let read = |text: &str| xml::read(text.as_bytes(), &account);
    let nothing = |text: &str| read(text) == Err(Unusable::Nothing);
    assert!(read(FILE).is_ok());
    assert_eq!(read(&FILE.replace("STARTTLS", "plain")), Err(Unusable::InClear));
    assert_eq!(read(&FILE.replace(">plain</a", ">OAuth2</a")), Err(Unusable::NoPassword));
    assert!(nothing(&FILE.replace("Smtp.Mail.Example", "localhost")));
    assert!(nothing(&FILE.replace("Smtp.Mail.Example", "abcdef.onion")));
    assert!(nothing(&FILE.replace("Smtp.Mail.Example", "a.example&#13;&#10;")));
    assert!(nothing(&FILE.replace("<clientConfig", "<!DOCTYPE x [<!ENTITY e \"f\">]><clientConfig")));
    assert!(nothing("<a>".repeat(100_000).as_str()));
    assert!(nothing("") && nothing("not xml at all <<<"));
    assert_eq!(xml::read(&[0xff, 0xfe, 0x00], &account), Err(Unusable::Nothing));
}

#[tokio::test]
async fn an_onion_tells_of_itself_by_http_and_nobody_else_is_asked() {
    let identity = Identity::new(&["a.example"]);
    let onion = format!("{}.onion", "a".repeat(56));
    let file = FILE.replace("imap.%EMAILDOMAIN%", &onion).replace("Smtp.Mail.Example", &onion);
    let there = serve(move |mut client| {
        let file = file.clone();
        async move {
            let length = file.len();
            http(&mut client, &format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{file}")).await;
        }
    })
    .await;
    let (dialer, socks) = door(&identity, &[(&onion, there)]).await;
    let database = WebAddress::from_owner("https://database.example/v1.1").unwrap();
    let advisers = Advisers { databases: vec![database.clone()], resolver: Some(database) };
    let found = find(&dialer, &format!("alice@{onion}"), &advisers).await.unwrap().found.unwrap();
    assert_eq!((found.imap.host, found.smtp.host), (onion.clone(), onion.clone()));
    assert_eq!(socks.asked().iter().map(|asked| asked.port).collect::<Vec<_>>(), [80]);
    let gone = format!("alice@{}.onion", "b".repeat(56));
    assert_eq!(find(&dialer, &gone, &advisers).await.unwrap(), Findings::default());
    assert!(socks.hosts().iter().all(|host| host.ends_with(".onion")), "{:?}", socks.hosts());
}
