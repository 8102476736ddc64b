//! The door opens where it should, and only there.

use super::*;
use crate::network::test_server::{Identity, serve, serve_tls};
use crate::network::test_socks::Socks;

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
async fn what_nobody_waits_for_to_the_end_is_in_the_log_too() {
    let (came, mut comes) = tokio::sync::mpsc::channel(1);
    let address = serve(move |silent| {
        let came = came.clone();
        async move {
            came.send(()).await.unwrap();
            std::future::pending::<()>().await;
            drop(silent);
        }
    })
    .await;
    let dialer = dialer();
    tokio::select! {
        opened = tls(&dialer, "127.0.0.1", address.port(), None) => panic!("a silent server: {opened:?}"),
        came = comes.recv() => came.unwrap(),
    }
    let outcomes: Vec<String> = dialer.log().into_iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, ["127.0.0.1 did not answer for as long as was waited."]);
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
    // Taken, and nobody listens.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = taken.local_addr().unwrap();
    let error = tls(&dialer(), "127.0.0.1", closed.port(), None).await.unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(error.is_temporary());
    let clear = serve(|mut client| async move { client.say("* OK hello\r\n").await }).await;
    let error = tls(&dialer(), "127.0.0.1", clear.port(), None).await.unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn an_onion_is_reached_by_tor_alone_and_only_where_the_owner_named_it() {
    let there = serve(|mut client| async move { client.say("* OK hello\r\n").await }).await;
    let socks = Socks::begin(&[("abcdef.onion", there)]).await;
    let dialer = dialer();
    dialer.rigged().name("abcdef.onion", &[&["127.0.0.1".parse().unwrap()]]);
    let mail = || dialer.connect(Purpose::Imap, "abcdef.onion", 143, Security::None, None);
    assert!(matches!(mail().await, Err(DialError::NoTor { .. })));
    dialer.set_tor(Tor::Socks(socks.proxy.clone()));
    mail().await.unwrap();
    let named = dialer.connect_public(Purpose::RemoteImage, "abcdef.onion", 80, Security::None).await;
    assert!(matches!(named, Err(DialError::NotPublic { .. })));
    // However it is typed.
    let typed = dialer.connect(Purpose::Imap, "ABCDEF。ｏｎｉｏｎ", 143, Security::None, None).await;
    typed.unwrap();
    assert_eq!(socks.hosts(), ["abcdef.onion", "abcdef.onion"]);
    assert_eq!((dialer.rigged().looked_up().len(), dialer.rigged().tried().len()), (0, 0));
    assert!(dialer.log().iter().take(3).all(|entry| entry.route == Route::Tor));
}

#[tokio::test]
async fn whether_tor_is_there_is_asked_of_the_proxy_itself() {
    let dialer = dialer();
    assert_eq!(dialer.tor_report().await.state, TorState::Off);
    let socks = Socks::begin(&[]).await;
    dialer.set_tor(Tor::Socks(socks.proxy.clone()));
    assert_eq!(dialer.tor_report().await.state, TorState::Answers);
    let other = serve(|mut client| async move { client.say("* OK no proxy\r\n").await }).await;
    dialer.set_tor(Tor::Socks(Proxy { host: "127.0.0.1".into(), port: other.port() }));
    assert_eq!(dialer.tor_report().await.state, TorState::Silent);
    assert_eq!(socks.hosts(), [""; 0], "no server is named for that");
}

#[test]
fn a_proxy_is_a_host_and_a_port() {
    for (text, shown) in
        [("127.0.0.1:9050", "127.0.0.1:9050"), (" [::1]:9150 ", "[::1]:9150"), ("tor:1", "tor:1")]
    {
        assert_eq!(text.parse::<Proxy>().unwrap().to_string(), shown);
    }
    for bad in [
        "",
        "9050",
        ":9050",
        "tor:",
        "tor:0",
        "tor:99999",
        "::1:9050",
        "[tor]:1",
        "a b:1",
        "http://tor:1",
        "a/b:1",
    ] {
        assert!(bad.parse::<Proxy>().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn switches_cut_what_should_not_be_open_any_more() {
    use tokio::io::AsyncReadExt;
    let server = || serve(|mut client| async move { while !client.hear().await.is_empty() {} });
    let (there, hidden) = (server().await, server().await);
    let socks = Socks::begin(&[("abcdef.onion", hidden)]).await;
    let dialer = dialer();
    dialer.set_tor(Tor::Socks(socks.proxy.clone()));
    let open = |host: &'static str, port| dialer.connect(Purpose::Imap, host, port, Security::None, None);
    let mut direct = open("127.0.0.1", there.port()).await.unwrap();
    let mut by_tor = open("abcdef.onion", 143).await.unwrap();
    let reading = tokio::spawn(async move { direct.read_u8().await });
    dialer.set_tor_for_everything(true);
    assert_eq!(reading.await.unwrap().unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
    let reading = tokio::spawn(async move { by_tor.read_u8().await });
    tokio::task::yield_now().await;
    assert!(!reading.is_finished(), "what goes through Tor stays");
    dialer.set_offline(true);
    assert_eq!(reading.await.unwrap().unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
    dialer.set_offline(false);
    dialer.set_tor_for_everything(false);
    open("127.0.0.1", there.port()).await.unwrap();
}

#[tokio::test]
async fn switches_cut_what_is_being_opened() {
    // Servers that hold the line and say nothing: no handshake ever ends.
    let silent = serve(|mut client| async move { while !client.hear().await.is_empty() {} }).await;
    let dialer = dialer();
    let offline = async {
        let opening = dialer.connect(Purpose::Imap, "127.0.0.1", silent.port(), Security::Tls, None);
        let switch = async {
            while dialer.rigged().tried().is_empty() {
                tokio::task::yield_now().await;
            }
            dialer.set_offline(true);
        };
        tokio::join!(opening, switch).0
    };
    assert!(matches!(offline.await, Err(DialError::Offline { .. })));
    dialer.set_offline(false);
    let opening = dialer.connect(Purpose::Imap, "127.0.0.1", silent.port(), Security::Tls, None);
    let switch = async {
        while dialer.rigged().tried().len() < 2 {
            tokio::task::yield_now().await;
        }
        dialer.set_tor_for_everything(true);
    };
    assert!(matches!(tokio::join!(opening, switch).0, Err(DialError::Cut { .. })));
}

#[tokio::test]
async fn the_policy_offers_each_purpose_only_what_it_may_do() {
    let dialer = dialer();
    for purpose in Purpose::ALL {
        assert_eq!(dialer.rule(purpose), purpose.rule());
        for rule in [Rule::Direct, Rule::Tor, Rule::Never] {
            dialer.set_rule(purpose, purpose.rule());
            dialer.set_rule(purpose, rule);
            let offered = purpose.rules().contains(&rule);
            assert_eq!(dialer.rule(purpose) == rule, offered || rule == purpose.rule(), "{purpose} {rule:?}");
        }
        dialer.set_rule(purpose, purpose.rule());
    }
    for third_party in
        [Purpose::KeyLookup, Purpose::KeyPublication, Purpose::Avatar, Purpose::Unsubscribe, Purpose::Dkim]
    {
        assert!(!third_party.rules().contains(&Rule::Direct), "{third_party}");
    }
    dialer.set_tor_for_everything(true);
    assert!(Purpose::ALL.iter().all(|purpose| dialer.rule(*purpose) == Rule::Tor));
    dialer.set_rule(Purpose::Avatar, Rule::Never);
    let never = dialer.connect_public(Purpose::Avatar, "avatars.example", 443, Security::Tls).await;
    assert!(matches!(never, Err(DialError::Never { .. })));
    assert_eq!(dialer.rigged().looked_up().len(), 0);
}

#[tokio::test]
async fn an_account_through_tor_goes_nowhere_without_it() {
    let address = serve(|_| async { panic!("somebody came") }).await;
    let dialer = dialer();
    let refused = dialer
        .through_tor(true)
        .connect(Purpose::Imap, "127.0.0.1", address.port(), Security::None, None)
        .await;
    let Err(error @ DialError::NoTor { .. }) = refused else { panic!("a connection past Tor") };
    assert_eq!(
        error.to_string(),
        "Tor is not there: it is switched off in the settings. So 127.0.0.1 was not asked (imap)."
    );
    assert_eq!(dialer.rigged().tried().len(), 0);
}
