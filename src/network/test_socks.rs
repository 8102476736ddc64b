//! A SOCKS5 proxy on this machine, in the place of Tor: it writes down what it is asked, and leads where the test says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::dialer::Proxy;

/// What the proxy was asked once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// 3 is a name; 1 and 4 are addresses.
    pub(super) kind: u8,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
}

pub(super) struct Socks {
    pub(super) proxy: Proxy,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Socks {
    /// Listens; names, or names with a port behind a colon, lead to these servers, others are refused as unreachable.
    pub(super) async fn begin(roads: &[(&str, SocketAddr)]) -> Self {
        let roads: HashMap<String, SocketAddr> = roads.iter().map(|(h, to)| ((*h).to_owned(), *to)).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (roads, log) = (roads.clone(), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &roads, &log).await });
            }
        });
        Self { proxy, asked }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn hosts(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.host).collect()
    }
}

async fn take(stream: &mut TcpStream, count: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

async fn text(stream: &mut TcpStream) -> Option<String> {
    let length = take(stream, 1).await?[0];
    String::from_utf8(take(stream, length.into()).await?).ok()
}

async fn serve(
    mut stream: TcpStream,
    roads: &HashMap<String, SocketAddr>,
    log: &Mutex<Vec<Asked>>,
) -> Option<()> {
    let ways = take(&mut stream, 2).await?[1];
    assert!(take(&mut stream, ways.into()).await?.contains(&2), "circuits are kept apart by user names");
    stream.write_all(&[5, 2]).await.ok()?;
    take(&mut stream, 1).await?;
    let (user, password) = (text(&mut stream).await?, text(&mut stream).await?);
    stream.write_all(&[1, 0]).await.ok()?;
    let kind = take(&mut stream, 4).await?[3];
    let host = match kind {
        1 => format!("{:?}", take(&mut stream, 4).await?),
        3 => text(&mut stream).await?,
        _ => format!("{:?}", take(&mut stream, 16).await?),
    };
    let port = take(&mut stream, 2).await?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    log.lock().unwrap().push(Asked { kind, host: host.clone(), port, user, password });
    let Some(to) = roads.get(&format!("{host}:{port}")).or_else(|| roads.get(&host)) else {
        return stream.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok();
    };
    let mut there = TcpStream::connect(to).await.ok()?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    copy_bidirectional(&mut stream, &mut there).await.ok()?;
    Some(())
}
