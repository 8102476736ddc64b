//! Debian's `tor` as somebody's Tor Browser has it: a client of the tests' own network, which knows nothing but an address, and a
//! key if it was told one.

use super::tor::TorNet;
use super::{Request, Response, wait_for};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What is answered where nobody has told how the service is reached.
pub const UNKNOWN: u8 = 0xF0;
/// What is answered where a key is needed to read how the service is reached (Tor's proposal 304).
pub const KEY_MISSING: u8 = 0xF4;
/// The same where the key is none of those that may.
pub const KEY_WRONG: u8 = 0xF5;

/// A running client. Killed when dropped.
pub struct TorClient {
    home: Arc<tempfile::TempDir>,
    child: Child,
}

impl TorClient {
    /// Starts one; it gets ready while nobody waits for it.
    pub fn begin(net: &TorNet) -> Self {
        // Tor listens in no folder that others may look into.
        let own = std::fs::Permissions::from_mode(0o700);
        let home = tempfile::Builder::new().prefix("mkt.").permissions(own).tempdir().unwrap();
        std::fs::DirBuilder::new().mode(0o700).create(home.path().join("keys")).unwrap();
        let folder = Path::new(&net.toml).parent().unwrap();
        let relay = std::fs::read_to_string(folder.join("auth1/torrc")).unwrap();
        let network = relay.lines().filter(|line| line.starts_with("DirAuthority ")).collect::<Vec<_>>();
        assert!(!network.is_empty(), "{relay}");
        let at = home.path().display();
        let torrc = format!(
            "TestingTorNetwork 1\n{}\nDataDirectory {at}/data\nSocksPort unix:{at}/socks ExtendedErrors\n\
             ControlSocket {at}/control\nCookieAuthentication 0\nClientOnionAuthDir {at}/keys\nLog notice file {at}/log\n\
             __OwningControllerProcess {}\nShutdownWaitLength 0\n",
            network.join("\n"),
            std::process::id(),
        );
        std::fs::write(home.path().join("torrc"), torrc).unwrap();
        let mut tor = Command::new("tor");
        tor.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        tor.arg("-f").arg(home.path().join("torrc")).stdin(Stdio::null()).stdout(Stdio::null());
        let child = tor.spawn().expect("tor is there: tests/run installs it");
        let mut client = Self { home: Arc::new(home), child };
        wait_for("tor to listen", || {
            assert!(client.child.try_wait().unwrap().is_none(), "tor goes on");
            UnixStream::connect(client.path("control")).ok()
        });
        client
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Says one thing to it.
    fn tell(&self, what: &str) {
        let mut control = UnixStream::connect(self.path("control")).unwrap();
        write!(control, "AUTHENTICATE\r\n{what}\r\nQUIT\r\n").unwrap();
        let said: Vec<String> = BufReader::new(control).lines().map_while(Result::ok).collect();
        assert!(said.len() >= 2 && said.iter().all(|line| line.starts_with("250")), "{what}: {said:?}");
    }

    /// Tells it the key of a device, as the line of a file.
    pub fn learn(&self, line: &str) {
        self.learn_as("device", line);
    }

    /// The same beside what it was told by other names: each address has a line of its own.
    pub fn learn_as(&self, name: &str, line: &str) {
        std::fs::write(self.path(&format!("keys/{name}.auth_private")), format!("{line}\n")).unwrap();
        self.tell("SIGNAL HUP");
    }

    /// Lets it forget its ways, and what it was told of where services are.
    pub fn forget(&self) {
        self.tell("SIGNAL NEWNYM");
    }

    /// A way to a service; the code of Tor's answer where there is none.
    pub fn reach(&self, onion: &str) -> Result<UnixStream, u8> {
        reach(&self.path("socks"), onion)
    }

    /// A port of this machine from which all leads to a service, so that whoever knows nothing of Tor gets there. What fails on
    /// the way is tried again.
    pub fn bridge(&self, onion: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (home, onion) = (Arc::clone(&self.home), onion.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (socks, onion) = (home.path().join("socks"), onion.clone());
                std::thread::spawn(move || join(stream, &socks, &onion));
            }
        });
        address
    }
}

impl Drop for TorClient {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("tor said:\n{}", std::fs::read_to_string(self.path("log")).unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody at the other end of Tor, at the page of a service.
pub struct Far {
    bridge: String,
    onion: String,
}

impl Far {
    pub fn of(tor: &TorClient, onion: &str) -> Self {
        Self { bridge: tor.bridge(onion), onion: onion.to_owned() }
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(&self.bridge, method, path).host(&self.onion)
    }

    pub fn get(&self, path: &str, jar: &str) -> Response {
        self.request("GET", path).cookie(jar).send()
    }

    /// Fills in the form of the page at this path.
    pub fn try_in(&self, path: &str, jar: &str, passphrase: &str, code: &str) -> Response {
        let mut fields = self.get(path, jar).form_with("type=\"password\"").fields;
        let typed = [("passphrase", passphrase), ("code", code)];
        fields.extend(typed.map(|(k, v)| (k.to_owned(), v.to_owned())));
        let origin = format!("http://{}", self.onion);
        self.request("POST", path).cookie(jar).origin(&origin).form(&fields).send()
    }
}

/// SOCKS5 without a name (RFC 1928), to port 80.
fn reach(socks: &Path, onion: &str) -> Result<UnixStream, u8> {
    let mut stream = UnixStream::connect(socks).map_err(|_| 0xFF)?;
    // Of some ways tor itself does not see that they lead nowhere.
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(|_| 0xFF)?;
    let mut ask = |asked: &[u8], answer: &mut [u8]| {
        stream.write_all(asked).and_then(|()| stream.read_exact(answer)).map_err(|_| 0xFF)
    };
    ask(&[5, 1, 0], &mut [0; 2])?;
    let name = u8::try_from(onion.len()).unwrap();
    let mut answer = [0; 10];
    ask(&[&[5, 1, 0, 3, name], onion.as_bytes(), &80_u16.to_be_bytes()].concat(), &mut answer)?;
    stream.set_read_timeout(None).map_err(|_| 0xFF)?;
    if answer[1] == 0 { Ok(stream) } else { Err(answer[1]) }
}

fn join(near: TcpStream, socks: &Path, onion: &str) {
    let far = wait_for("a way through Tor", || reach(socks, onion).ok());
    let (mut from_near, mut to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    let there = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_near, &mut to_far);
        let _ = to_far.shutdown(Shutdown::Write);
    });
    let (mut from_far, mut to_near) = (far, near);
    let _ = std::io::copy(&mut from_far, &mut to_near);
    let _ = to_near.shutdown(Shutdown::Both);
    drop(there);
}
