//! The door opens where it should, and only there.

use super::*;
use crate::network::test_server::{Identity, serve, serve_tls};

fn dialer() -> Dialer {
    Dialer::new(&[]).unwrap()
}

async fn tls(dialer: &Dialer, host: &str, port: u16, ca: Option<&[u8]>) -> Result<(), DialError> {
    dialer
        .connect(Purpose::Imap, host, port, Security::Tls, ca)
        .await
        .map(|stream| assert!(stream.is_encrypted()))
}

#[tokio::test]
async fn the_accounts_own_ca_is_trusted_for_its_own_names_only() {
    let identity = Identity::new(&["localhost"]);
    let address = serve_tls(&identity, |_| async {}).await;
    let (dialer, ca) = (dialer(), Some(identity.ca_pem.as_slice()));
    tls(&dialer, "localhost", address.port(), ca).await.unwrap();
    let unknown = tls(&dialer, "localhost", address.port(), None).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "The certificate of localhost comes from an authority that is not trusted. If this is your own server, give the certificate of its authority with the account."
    );
    let wrong_name = tls(&dialer, "127.0.0.1", address.port(), ca).await.unwrap_err();
    assert!(wrong_name.to_string().contains("127.0.0.1 is not valid for that name"));
    let not_a_ca = tls(&dialer, "localhost", address.port(), Some(b"hello")).await;
    assert!(matches!(not_a_ca, Err(DialError::BadCa { .. })));
    tls(&Dialer::new(std::slice::from_ref(&identity.ca_pem)).unwrap(), "localhost", address.port(), None)
        .await
        .unwrap();
    let outcomes: Vec<String> = dialer.log().into_iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes.len(), 4);
    assert_eq!((outcomes[0].as_str(), &outcomes[1]), ("connected", &unknown.to_string()));
}

#[tokio::test]
async fn a_server_that_signed_itself_is_known_by_its_very_certificate() {
    let (mine, other) = (Identity::self_signed("localhost"), Identity::self_signed("localhost"));
    let address = serve_tls(&mine, |_| async {}).await;
    tls(&dialer(), "localhost", address.port(), Some(&mine.ca_pem)).await.unwrap();
    let refused = tls(&dialer(), "localhost", address.port(), Some(&other.ca_pem)).await;
    assert!(matches!(refused, Err(DialError::Certificate { .. })));
}

#[tokio::test]
async fn nothing_goes_out_while_offline_or_without_tor() {
    let address = serve(|_| async { panic!("somebody came") }).await;
    let dialer = dialer();
    let call =
        |purpose, host: &'static str| dialer.connect(purpose, host, address.port(), Security::None, None);
    dialer.set_offline(true);
    assert!(matches!(call(Purpose::Imap, "127.0.0.1").await, Err(DialError::Offline { .. })));
    dialer.set_offline(false);
    assert!(matches!(call(Purpose::KeyLookup, "127.0.0.1").await, Err(DialError::NoTor { .. })));
    assert!(matches!(call(Purpose::Imap, "abcdef.onion").await, Err(DialError::NoTor { .. })));
    dialer.set_tor_for_everything(true);
    assert!(matches!(call(Purpose::Imap, "127.0.0.1").await, Err(DialError::NoTor { .. })));
    assert_eq!(dialer.log().len(), 4);
}

#[tokio::test]
async fn a_strangers_name_never_leads_home() {
    let address = serve(|_| async { panic!("somebody came") }).await;
    let dialer = dialer();
    for host in ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "printer.local"] {
        let result = dialer.connect_public(Purpose::Autoconfig, host, address.port(), Security::None).await;
        assert!(matches!(result, Err(DialError::NotPublic { .. })), "{host}");
    }
}

#[tokio::test]
async fn what_does_not_answer_or_speaks_no_tls_is_said_in_words() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = tls(&dialer(), "127.0.0.1", closed.port(), None).await.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(error.is_temporary());
    let clear = serve(|mut client| async move { client.say("* OK hello\r\n").await }).await;
    let error = tls(&dialer(), "127.0.0.1", clear.port(), None).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(!error.is_temporary());
}
