//! A question is answered within its bounds, or not at all; and it never gets where a stranger may not lead.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::network::address_guard;
use crate::network::dialer::{Proxy, Rule, Tor};
use crate::network::test_server::{Client, Identity, serve, serve_tls};
use crate::network::test_socks::Socks;

const LIMITS: Limits = Limits { bytes: 1000, time: Duration::from_secs(30), redirects: 3 };
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

async fn heard(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = client.hear().await;
        if line.is_empty() {
            return lines;
        }
        lines.push(line);
    }
}

async fn fetch(dialer: &Dialer, purpose: Purpose, address: &str) -> Result<Answer, HttpError> {
    let address = WebAddress::from_mail(address).unwrap();
    get(dialer, &Ask { purpose, address: &address, accept: "*/*", circuit: None, limits: LIMITS }).await
}

/// A dialer that goes direct for pictures, because its owner said so.
fn direct() -> Dialer {
    let dialer = Dialer::new(&[]).unwrap();
    dialer.set_rule(Purpose::RemoteImage, Rule::Direct);
    dialer
}

/// A server that counts who comes.
async fn counted(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let address = serve(move |mut client| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            heard(&mut client).await;
            client.say(answer).await;
        }
    })
    .await;
    (address, count)
}

async fn answered(script: impl Into<String>) -> Result<Answer, HttpError> {
    let script: String = script.into();
    let to = serve(move |mut client| {
        let script = script.clone();
        async move {
            heard(&mut client).await;
            client.say(script).await;
        }
    })
    .await;
    let dialer = direct();
    dialer.pin("a.example", 80, to);
    fetch(&dialer, Purpose::RemoteImage, "http://a.example/x").await
}

#[tokio::test]
async fn a_get_tells_nothing_about_who_asks() {
    let to = serve(|mut client| async move {
        let lines = heard(&mut client).await.join("\n").to_ascii_lowercase();
        assert!(lines.starts_with("get /p?q=1 http/1.1\n"), "{lines}");
        assert!(lines.contains("\nhost: a.example"), "{lines}");
        assert!(
            lines.contains("accept-encoding: identity") && lines.contains("user-agent: mozilla/5.0"),
            "{lines}"
        );
        for telling in ["cookie", "referer", "accept-language", "mailkeep", "authorization", "if-", "dnt"] {
            assert!(!lines.contains(telling), "{lines}");
        }
        assert_eq!(lines.lines().count(), 6, "{lines}");
        client.say("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Type: text/plain\r\n\r\nhello").await;
    })
    .await;
    let dialer = direct();
    dialer.pin("a.example", 80, to);
    for _ in 0..2 {
        let answer = fetch(&dialer, Purpose::RemoteImage, "http://a.example/p?q=1#f").await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"hello".as_slice()));
        assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    }
}

#[tokio::test]
async fn a_post_carries_its_body_and_follows_nothing() {
    let to = serve(|mut client| async move {
        let lines = heard(&mut client).await;
        assert_eq!(lines[0], "POST /leave HTTP/1.1");
        assert!(
            lines.iter().any(|l| l.eq_ignore_ascii_case("content-type: application/x-www-form-urlencoded"))
        );
        assert_eq!(client.hear_bytes(26).await, b"List-Unsubscribe=One-Click");
        client.say("HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\nContent-Length: 3\r\n\r\nabc").await;
    })
    .await;
    let (elsewhere, came) = counted(OK).await;
    let dialer = direct();
    dialer.pin("a.example", 80, to);
    dialer.pin("b.example", 80, elsewhere);
    let address = WebAddress::from_mail("http://a.example/leave").unwrap();
    let ask = Ask {
        purpose: Purpose::RemoteImage,
        address: &address,
        accept: "*/*",
        circuit: None,
        limits: LIMITS,
    };
    let body = b"List-Unsubscribe=One-Click".to_vec();
    let answer = post(&dialer, &ask, "application/x-www-form-urlencoded", body).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.is_success()), (302, 0, false));
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_too_large_or_no_answer_is_refused_while_it_is_read() {
    let garbled = || Err(HttpError::Garbled { host: "a.example".into() });
    let large = || Err(HttpError::TooLarge { host: "a.example".into(), most: 1000 });
    let head = "HTTP/1.1 200 OK\r\n";
    assert_eq!(answered(OK).await.unwrap().body, b"hello");
    assert_eq!(answered(format!("{head}Content-Length: 1001\r\n\r\n{}", "x".repeat(1001))).await, large());
    assert_eq!(answered(format!("{head}\r\n{}", "x".repeat(100_000))).await, large());
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    assert_eq!(
        answered(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", chunk.repeat(3))).await,
        large()
    );
    assert_eq!(answered(format!("{head}Content-Length: 10\r\n\r\nhello")).await, garbled(), "it broke off");
    assert_eq!(
        answered(format!("{head}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")).await,
        garbled()
    );
    assert_eq!(answered(format!("{head}X: {}\r\n\r\n", "x".repeat(100_000))).await, garbled());
    assert_eq!(answered(format!("{head}{}\r\n", "X: y\r\n".repeat(200))).await, garbled());
    assert_eq!(answered("SSH-2.0-OpenSSH\r\n").await, garbled());
    assert_eq!(answered("").await, garbled());
    assert_eq!(answered("HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nabc").await.unwrap().body, b"");
    let again = "HTTP/1.1 302 F\r\nLocation: /again\r\n\r\n";
    assert_eq!(answered(again).await, Err(HttpError::TooManyRedirects { host: "a.example".into() }));
}

#[tokio::test]
async fn no_name_leads_to_an_address_that_is_not_public() {
    let (home, came) = counted(OK).await;
    for special in address_guard::SPECIAL {
        let special: IpAddr = special.parse().unwrap();
        let public: IpAddr = "1.2.3.4".parse().unwrap();
        // Alone, and hidden before or behind one that is public.
        for answer in [vec![special], vec![public, special], vec![special, public]] {
            let dialer = direct();
            dialer.rigged().name("a.example", &[&answer]);
            for port in [80, 443] {
                dialer.rigged().road(SocketAddr::new(special, port), home);
                dialer.rigged().road(SocketAddr::new(public, port), home);
            }
            for address in ["http://a.example/", "https://a.example/"] {
                let result = fetch(&dialer, Purpose::RemoteImage, address).await;
                assert!(
                    matches!(result, Err(HttpError::Dial(DialError::NotPublic { .. }))),
                    "{special}: {result:?}"
                );
            }
            assert_eq!(dialer.rigged().tried(), [], "{special}");
        }
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_looked_up_once_for_each_connection_and_checked_each_time() {
    let public: IpAddr = "1.2.3.4".parse().unwrap();
    let home: IpAddr = "127.0.0.1".parse().unwrap();
    let (outside, outside_came) = counted("HTTP/1.1 302 F\r\nLocation: http://a.example/2\r\n\r\n").await;
    let (inside, inside_came) = counted(OK).await;
    let dialer = direct();
    dialer.rigged().name("a.example", &[&[public], &[home]]);
    dialer.rigged().road(SocketAddr::new(public, 80), outside);
    dialer.rigged().road(SocketAddr::new(home, 80), inside);
    let result = fetch(&dialer, Purpose::RemoteImage, "http://a.example/1").await;
    assert!(matches!(result, Err(HttpError::Dial(DialError::NotPublic { .. }))), "{result:?}");
    assert_eq!(dialer.rigged().looked_up(), ["a.example", "a.example"], "once for each connection");
    assert_eq!(dialer.rigged().tried(), [SocketAddr::new(public, 80)], "the address that was checked");
    assert_eq!((outside_came.load(Ordering::SeqCst), inside_came.load(Ordering::SeqCst)), (1, 0));
}

#[tokio::test]
async fn no_redirect_leads_home() {
    let (inside, came) = counted(OK).await;
    for location in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://localhost/",
        "http://x.localhost/",
        "http://router/",
        "http://printer.local/",
        "http://db.internal/",
        "http://abc.onion/",
        "http://a.example:8080/",
        "http://u:p@a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "//127.0.0.1/",
    ] {
        let outside = serve(move |mut client| async move {
            heard(&mut client).await;
            client.say(format!("HTTP/1.1 302 F\r\nLocation: {location}\r\n\r\n")).await;
        })
        .await;
        let dialer = direct();
        dialer.pin("a.example", 80, outside);
        for name in ["localhost", "x.localhost", "router", "printer.local", "db.internal"] {
            dialer.rigged().name(name, &[&["127.0.0.1".parse().unwrap()]]);
        }
        for address in ["127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            dialer.rigged().road(address.parse().unwrap(), inside);
        }
        let result = fetch(&dialer, Purpose::RemoteImage, "http://a.example/").await;
        assert!(matches!(result, Err(HttpError::Redirect { .. })), "{location}: {result:?}");
        assert_eq!(dialer.rigged().tried().len(), 1, "{location}");
        assert_eq!(dialer.rigged().looked_up(), ["a.example"], "{location}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn tor_hears_names_only_and_no_name_that_is_refused() {
    let identity = Identity::new(&["s.example"]);
    let secure = serve_tls(&identity, |mut client| async move {
        heard(&mut client).await;
        client.say(OK).await;
    })
    .await;
    let plain = serve(|mut client| async move {
        heard(&mut client).await;
        client.say("HTTP/1.1 302 F\r\nLocation: http://10.0.0.1/\r\n\r\n").await;
    })
    .await;
    let socks = Socks::begin(&[("s.example", secure), ("p.example", plain)]).await;
    let dialer = Dialer::new(std::slice::from_ref(&identity.ca_pem)).unwrap();
    // The system's resolver would lead home; nobody asks it.
    for name in ["s.example", "p.example", "unknown.example"] {
        dialer.rigged().name(name, &[&["127.0.0.1".parse().unwrap()]]);
    }
    let without = fetch(&dialer, Purpose::RemoteImage, "https://s.example/").await;
    assert!(matches!(without, Err(HttpError::Dial(DialError::NoTor { .. }))), "{without:?}");
    dialer.set_tor(Tor::Socks(socks.proxy.clone()));
    assert_eq!(fetch(&dialer, Purpose::RemoteImage, "https://s.example/").await.unwrap().body, b"hello");
    assert_eq!(fetch(&dialer, Purpose::Dkim, "https://s.example/").await.unwrap().body, b"hello");
    let led = fetch(&dialer, Purpose::RemoteImage, "http://p.example/").await;
    assert!(matches!(led, Err(HttpError::Redirect { .. })), "{led:?}");
    let unknown = fetch(&dialer, Purpose::RemoteImage, "http://unknown.example/").await;
    assert!(matches!(unknown, Err(HttpError::Dial(DialError::NameNotFound { .. }))), "{unknown:?}");
    let asked = socks.asked();
    assert_eq!(socks.hosts(), ["s.example", "s.example", "p.example", "unknown.example"]);
    assert!(asked.iter().all(|asked| asked.kind == 3), "names, never addresses");
    assert_eq!(dialer.rigged().looked_up(), [""; 0], "nothing is looked up here");
    assert_eq!(dialer.rigged().tried(), [], "and nobody is reached from here");
    // Another purpose, or another name: another circuit; and neither says who asks or what for.
    let circuit = |n: usize| (asked[n].user.clone(), asked[n].password.clone());
    assert_ne!(circuit(0), circuit(1));
    assert_ne!(circuit(0), circuit(2));
    assert_eq!((circuit(0).0, circuit(0).1), (circuit(2).0, circuit(1).1));
    // Tor goes: nothing goes direct instead.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    dialer.set_tor(Tor::Socks(Proxy { host: "127.0.0.1".into(), port: gone }));
    let without = fetch(&dialer, Purpose::RemoteImage, "https://s.example/").await;
    assert!(matches!(without, Err(HttpError::Dial(DialError::NoTor { .. }))), "{without:?}");
    assert_eq!((dialer.rigged().looked_up().len(), dialer.rigged().tried().len()), (0, 0));
}

#[tokio::test]
async fn the_owners_own_servers_may_be_at_home() {
    let (home, _) = counted(OK).await;
    let dialer = direct();
    let address = WebAddress::from_owner(&format!("http://127.0.0.1:{}/", home.port())).unwrap();
    let ask = Ask {
        purpose: Purpose::RemoteImage,
        address: &address,
        accept: "*/*",
        circuit: None,
        limits: LIMITS,
    };
    assert_eq!(get(&dialer, &ask).await.unwrap().body, b"hello");
}
