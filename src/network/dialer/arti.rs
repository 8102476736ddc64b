//! Tor inside this program. All of arti is named here and nowhere else: what onion services need of it is experimental,
//! and its versions change together.
//!
//! It starts with the first connection that needs it, and ends with the store or the setting. On the disk it keeps its
//! guards and the public directory, in clear; keys never, they are in memory alone.

pub(super) mod onion;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Guarded, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use arti_client::config::{CfgPath, TorClientConfigBuilder};
use arti_client::isolation::IsolationHelper;
use arti_client::status::{BlockageKind, BootstrapStatus};
use arti_client::{DataStream, Error, ErrorKind, HasKind, StreamPrefs, TorClient, TorClientConfig};
use futures_util::{FutureExt, StreamExt};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use toml::{Table, Value};
use tor_rtcompat::PreferredRuntime;

use super::tor::{Apart, TorReport, TorState};
use super::{DialError, Purpose};

type Client = TorClient<PreferredRuntime>;

/// How long a connection may take while Tor gets on; starting included.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long one waits for a Tor that gets no further.
const PATIENCE_WHEN_STUCK: Duration = Duration::from_secs(20);
/// How often one looks whether it does.
const LOOK: Duration = Duration::from_secs(1);
/// After starting failed altogether, or no way was found, it is tried again.
const START_AGAIN: Duration = Duration::from_secs(30);
/// How long a connection may take before it is doubted that there is a way at all, and how long the answer to that may take: what
/// a key server may take in all is longer, so that who asks it is told.
const DOUBT: Duration = Duration::from_secs(10);
const DOUBT_SETTLED: Duration = Duration::from_secs(12);
/// How long the end of a connection may take to reach the other side.
const ENDING: Duration = Duration::from_secs(5);

/// A configuration that is none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("its configuration cannot be used ({0})")]
pub struct BadConfig(String);

/// The Tor inside, running or not. It ends when this is dropped.
pub(super) struct Arti {
    config: TorClientConfig,
    /// What Tor writes down of onion services: where they meet their callers, and what to replay to nobody.
    services: PathBuf,
    running: Mutex<Option<Arc<Client>>>,
    told: Told,
    ended: CancellationToken,
    _end: DropGuard,
}

/// How Tor is, as it is told. What arti says of itself is not enough: once it got somewhere it never takes that back.
#[derive(Clone)]
struct Told {
    news: Arc<watch::Sender<TorReport>>,
    /// Why the last connection found no way, or why it did not start; empty where it did.
    trouble: Arc<Guarded<String>>,
    /// Somebody waits longer than is usual.
    doubt: Arc<Notify>,
    /// How many connections got through.
    arrived: Arc<AtomicU64>,
}

impl Told {
    fn trouble(&self) -> String {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why there is no way, or, empty, that there is one.
    fn note(&self, client: &Client, trouble: &str) {
        let before = std::mem::replace(
            &mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner),
            trouble.to_owned(),
        );
        if before != trouble {
            self.tell(client);
        }
    }

    fn tell(&self, client: &Client) {
        let now = report(&client.bootstrap_status(), &self.trouble());
        self.news.send_if_modified(|last| {
            let changed = *last != now;
            *last = now;
            changed
        });
    }
}

impl Arti {
    /// Starts nothing yet. `config` is what the owner adds, as arti's TOML.
    pub(super) fn new(
        folder: &Path,
        config: &str,
        news: Arc<watch::Sender<TorReport>>,
    ) -> Result<Self, BadConfig> {
        let ended = CancellationToken::new();
        Ok(Self {
            config: Self::configure(folder, config)?,
            services: Self::place(folder, config).join("state/hss"),
            running: Mutex::default(),
            told: Told { news, trouble: Arc::default(), doubt: Arc::default(), arrived: Arc::default() },
            _end: ended.clone().drop_guard(),
            ended,
        })
    }

    /// Ends it for whoever still waits for it, too: what is being opened, what is announced.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// The folder of a network: guards and directory of one are nothing to another.
    fn place(folder: &Path, config: &str) -> PathBuf {
        folder.join(match config.trim() {
            "" => "public".to_owned(),
            own => data_encoding::HEXLOWER.encode(&Sha256::digest(own)).chars().take(16).collect(),
        })
    }

    /// What the owner adds, and our folder.
    pub(super) fn configure(folder: &Path, config: &str) -> Result<TorClientConfig, BadConfig> {
        let bad = |error: &dyn std::fmt::Display| {
            BadConfig(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        };
        let mut table: Table = config.parse().map_err(|error| bad(&error))?;
        // Where things are kept is ours to say, and keys are kept nowhere.
        let keys: Table = "keystore.primary.kind = \"ephemeral\"".parse().map_err(|error| bad(&error))?;
        table.insert("storage".into(), Value::Table(keys));
        let mut builder: TorClientConfigBuilder = table.try_into().map_err(|error| bad(&error))?;
        let folder = Self::place(folder, config);
        let storage = builder.storage();
        storage.state_dir(CfgPath::new_literal(folder.join("state")));
        storage.cache_dir(CfgPath::new_literal(folder.join("cache")));
        // The data directory is the owner's alone, and is made so whenever it is opened; what lies above it is no worse
        // for Tor than for the mail.
        storage.permissions().dangerously_trust_everyone();
        builder.build().map_err(|error| bad(&error))
    }

    /// Connects to a server by name, on a circuit shared with nothing that is to be apart.
    pub(super) async fn reach(
        &self,
        purpose: Purpose,
        (host, port): (&str, u16),
        apart: Apart,
    ) -> Result<Wire, DialError> {
        let no_tor = |why: String| DialError::NoTor { host: host.to_owned(), purpose, why };
        let asked = async {
            let client = self.client().await.map_err(no_tor)?;
            let mut prefs = StreamPrefs::new();
            prefs.set_isolation(apart);
            // Boxed: arti's own futures are as deep as the compiler bears.
            let connected = client.connect_with_prefs((host, port), &prefs).boxed().await;
            match &connected {
                // Why it has not started is known better by who starts it.
                Err(error) if error.kind() == ErrorKind::BootstrapRequired => {}
                Err(error) => self.told.note(&client, trouble_of(error)),
                Ok(_) => {
                    self.told.arrived.fetch_add(1, Ordering::Relaxed);
                    self.told.note(&client, "");
                }
            }
            connected.map_err(|error| {
                tracing::debug!(kind = ?error.kind(), "A connection through Tor failed");
                match answer(error.kind()) {
                    Answer::NoName => DialError::NameNotFound { host: host.to_owned() },
                    Answer::Late => DialError::TimedOut { host: host.to_owned(), port },
                    Answer::Says(why) => {
                        DialError::Unreachable { host: host.to_owned(), port, why: why.into() }
                    }
                    Answer::NoTor(why) => no_tor(self.why().unwrap_or_else(|| why.into())),
                }
            })
        };
        tokio::select! {
            stream = asked.boxed() => stream.map(Wire::new),
            why = self.gives_up() => match why {
                Some(why) => Err(no_tor(why)),
                None => Err(DialError::TimedOut { host: host.to_owned(), port }),
            },
            () = self.ended.cancelled() => Err(no_tor("it was just switched off".into())),
        }
    }

    /// Announces an onion service, which ends with this.
    pub(super) async fn publish(
        &self,
        key: &onion::OnionKey,
        clients: Option<&[Vec<u8>]>,
    ) -> Result<onion::Service, String> {
        let client = self.client().await.map_err(|why| format!("Tor is not there: {why}"))?;
        onion::Service::publish(&client, key, clients, self.ended.clone(), &self.services)
    }

    /// The running Tor; the first who needs it starts it.
    async fn client(&self) -> Result<Arc<Client>, String> {
        let mut running = self.running.lock().await;
        if let Some(client) = &*running {
            return Ok(Arc::clone(client));
        }
        // Each service has a new name at each start; what is left of those before is nobody's, unless another Tor of this
        // process announces one just now.
        if !onion::any_lives()
            && let Err(error) = std::fs::remove_dir_all(&self.services)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "What Tor wrote down of earlier onion services could not be removed");
        }
        let made = Client::builder().config(self.config.clone()).create_unbootstrapped_async().boxed().await;
        let client = made.map_err(|error| {
            let why = cannot_start(&error);
            self.told.news.send_replace(TorReport::stuck(&why));
            why
        })?;
        self.told.tell(&client);
        tokio::spawn(attend(Arc::clone(&client), self.told.clone(), self.ended.clone()));
        *running = Some(Arc::clone(&client));
        Ok(client)
    }

    /// Why it gets no further, where that is known.
    fn why(&self) -> Option<String> {
        self.told.news.borrow().why.clone()
    }

    /// Ends when waiting longer leads to nothing: with the reason where it is Tor's, with none where it is the server's.
    async fn gives_up(&self) -> Option<String> {
        let begun = Instant::now();
        let mut doubted = false;
        loop {
            sleep(LOOK).await;
            let (state, percent) = {
                let report = self.told.news.borrow();
                (report.state, report.percent)
            };
            if !doubted && begun.elapsed() >= DOUBT {
                self.told.doubt.notify_one();
                doubted = true;
            }
            if begun.elapsed() >= PATIENCE_WHEN_STUCK && state == TorState::Stuck {
                return self.why();
            }
            if begun.elapsed() >= PATIENCE {
                return match state {
                    TorState::Ready => None,
                    _ => Some(format!("it is still starting, {} % so far", percent.unwrap_or(0))),
                };
            }
        }
    }
}

/// Starts it, and tells how it is until it ends.
async fn attend(client: Arc<Client>, told: Told, ended: CancellationToken) {
    let start = async {
        while let Err(error) = client.bootstrap().boxed().await {
            told.note(&client, &cannot_start(&error));
            sleep(START_AGAIN).await;
        }
        told.note(&client, "");
        std::future::pending::<()>().await;
    };
    let tell = async {
        let mut events = client.bootstrap_events();
        // Time alone changes how it is, too: a directory gets old.
        while !matches!(timeout(LOOK * 5, events.next()).await, Ok(None)) {
            told.tell(&client);
        }
    };
    tokio::select! {
        () = start => {}
        () = tell => {}
        () = look_for_a_way(&client, &told) => {}
        () = ended.cancelled() => {}
    }
}

/// Looks whether there is a way: now and then once none was found, and when somebody waits longer than is usual, for when the relays
/// go, arti tries others for a minute before it says so.
async fn look_for_a_way(client: &Client, told: &Told) {
    loop {
        let patience = tokio::select! {
            () = sleep(START_AGAIN) => PATIENCE,
            () = told.doubt.notified() => DOUBT_SETTLED,
        };
        let is_lost = !told.trouble().is_empty();
        let is_doubted = patience == DOUBT_SETTLED && told.news.borrow().state == TorState::Ready;
        if !is_lost && !is_doubted {
            continue;
        }
        let before = told.arrived.load(Ordering::Relaxed);
        let trouble = timeout(patience, is_there_a_way(client)).await.unwrap_or("its relays do not answer");
        if trouble.is_empty() || told.arrived.load(Ordering::Relaxed) != before {
            told.note(client, "");
        } else if !is_lost {
            // Of one that is lost whoever found out knows better what is wrong.
            told.note(client, trouble);
        }
    }
}

/// Asks an exit for a name that cannot be; gives what is wrong with Tor, or nothing where it answers.
async fn is_there_a_way(client: &Client) -> &'static str {
    let mut prefs = StreamPrefs::new();
    prefs.set_isolation(Apart { purpose: "is there a way".into(), circuit: String::new() });
    match client.resolve_with_prefs("nobody.invalid", &prefs).boxed().await {
        Ok(_) => "",
        Err(error) => trouble_of(&error),
    }
}

/// What a failed connection says of Tor: nothing where it is the server's.
fn trouble_of(error: &Error) -> &'static str {
    match answer(error.kind()) {
        Answer::NoTor(why) => why,
        Answer::NoName | Answer::Late | Answer::Says(_) => "",
    }
}

/// How it is, in words. `trouble` is why the last connection found no way, or why it did not start.
fn report(status: &BootstrapStatus, trouble: &str) -> TorReport {
    if !trouble.is_empty() {
        return TorReport::stuck(trouble);
    }
    if status.ready_for_traffic() {
        return TorReport::new(TorState::Ready, "Tor is there.");
    }
    // Only its words for people say how far off the clock is.
    let clock = if status.to_string().contains("Clock is ") {
        "; the clock of this machine seems to be wrong"
    } else {
        ""
    };
    if let Some(blocked) = status.blocked() {
        let why = match blocked.kind() {
            BlockageKind::Offline => "none of its relays can be reached; this machine may have no connection",
            BlockageKind::Filtering => "something on the way to its relays breaks the connections",
            BlockageKind::ClockSkewed => "the clock of this machine seems to be wrong",
            BlockageKind::CantBootstrap => {
                "its directory cannot be had or is out of date; look whether the clock of this machine is right"
            }
            _ => "its relays do not answer",
        };
        let known = why.contains("clock");
        return TorReport::stuck(&format!("{why}{}", if known { "" } else { clock }));
    }
    let percent = (status.as_frac().clamp(0.0, 0.99) * 100.0).round() as u8;
    let words = format!("Tor is starting, {percent} % so far{clock}.");
    TorReport { percent: Some(percent), ..TorReport::new(TorState::Starting, words) }
}

fn cannot_start(error: &Error) -> String {
    match error.kind() {
        ErrorKind::FsPermissions
        | ErrorKind::PersistentStateAccessFailed
        | ErrorKind::PersistentStateCorrupted
        | ErrorKind::CacheAccessFailed
        | ErrorKind::CacheCorrupted => "its folder in the data directory cannot be used",
        ErrorKind::LocalResourceAlreadyInUse => "its folder in the data directory is in use",
        ErrorKind::ClockSkew | ErrorKind::DirectoryExpired => {
            "its directory is out of date; look whether the clock of this machine is right"
        }
        ErrorKind::SoftwareDeprecated => "this version is too old for the Tor network; update Mailkeep",
        _ => "it could not start",
    }
    .to_owned()
}

/// What a failed connection says.
enum Answer {
    /// The server's name is none.
    NoName,
    /// The server does not answer.
    Late,
    /// The server, or who stands before it, says no.
    Says(&'static str),
    /// It is Tor that is not there.
    NoTor(&'static str),
}

const fn answer(kind: ErrorKind) -> Answer {
    use ErrorKind as Kind;
    match kind {
        Kind::RemoteHostNotFound | Kind::RemoteHostResolutionFailed | Kind::OnionServiceAddressInvalid => {
            Answer::NoName
        }
        Kind::RemoteNetworkTimeout | Kind::ExitTimeout => Answer::Late,
        Kind::RemoteConnectionRefused => Answer::Says("connection refused"),
        Kind::RemoteStreamClosed | Kind::RemoteStreamReset | Kind::RemoteStreamError => {
            Answer::Says("it ended the connection")
        }
        Kind::RemoteNetworkFailed => Answer::Says("no way leads there"),
        Kind::ExitPolicyRejected | Kind::NoExit => {
            Answer::Says("no exit of the Tor network leads to that port")
        }
        Kind::InvalidStreamTarget | Kind::ForbiddenStreamTarget => {
            Answer::Says("Tor does not lead to such an address")
        }
        Kind::OnionServiceNotFound => Answer::Says("no onion service is known by that address"),
        Kind::OnionServiceNotRunning
        | Kind::OnionServiceConnectionFailed
        | Kind::OnionServiceProtocolViolation => Answer::Says("the onion service does not answer"),
        Kind::OnionServiceMissingClientAuth | Kind::OnionServiceWrongClientAuth => {
            Answer::Says("the onion service lets in only whom it knows")
        }
        Kind::DirectoryExpired | Kind::ClockSkew => {
            Answer::NoTor("its directory is out of date; look whether the clock of this machine is right")
        }
        Kind::BootstrapRequired => Answer::NoTor("it has not started"),
        Kind::TorAccessFailed | Kind::LocalNetworkError => {
            Answer::NoTor("none of its relays can be reached; this machine may have no connection")
        }
        _ => Answer::NoTor("it finds no way through its network"),
    }
}

impl IsolationHelper for Apart {
    fn compatible_same_type(&self, other: &Self) -> bool {
        self == other
    }

    fn join_same_type(&self, other: &Self) -> Option<Self> {
        (self == other).then(|| self.clone())
    }
}

/// A connection through the Tor inside.
pub(in crate::network) struct Wire {
    /// Gone once the other side was told that it ends.
    stream: Option<Box<DataStream>>,
}

impl Wire {
    fn new(stream: DataStream) -> Self {
        Self { stream: Some(Box::new(stream)) }
    }

    fn with<T>(
        self: Pin<&mut Self>,
        deed: impl FnOnce(Pin<&mut DataStream>) -> Poll<std::io::Result<T>>,
    ) -> Poll<std::io::Result<T>> {
        match &mut self.get_mut().stream {
            Some(stream) => deed(Pin::new(stream)),
            None => Poll::Ready(Err(std::io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Wire {
    /// The other side of a stream that is merely dropped takes it for broken.
    fn drop(&mut self) {
        let (Some(mut stream), Ok(runtime)) = (self.stream.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            if let Ok(Err(error)) = timeout(ENDING, stream.shutdown()).await {
                tracing::debug!(%error, "A connection through Tor did not end properly");
            }
        });
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.with(|stream| AsyncRead::poll_read(stream, cx, buf))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        self.with(|stream| AsyncWrite::poll_write(stream, cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.with(|stream| AsyncWrite::poll_flush(stream, cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.with(|stream| AsyncWrite::poll_shutdown(stream, cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = r#"
        [tor_network]
        fallback_caches = [{ rsa_identity = "0123456789abcdef0123456789abcdef01234567",
            ed_identity = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", orports = ["127.0.0.1:9001"] }]
        [tor_network.authorities]
        v3idents = ["0123456789abcdef0123456789abcdef01234567"]
        [storage]
        state_dir = "/etc"
        keystore.primary.kind = "native"
    "#;

    fn shown(config: &str) -> String {
        format!("{:?}", Arti::configure(Path::new("/home/alice/mail/tor"), config).unwrap())
    }

    #[test]
    fn an_owners_configuration_says_which_network_and_never_where_things_are_kept() {
        let (public, own) = (shown(""), shown(NETWORK));
        assert!(public.contains("/home/alice/mail/tor/public/state"), "{public}");
        assert!(own.contains("0123456789abcdef"), "{own}");
        for config in [&public, &own] {
            assert!(config.contains("Ephemeral") && !config.contains("/etc"), "{config}");
            assert!(config.matches("/home/alice/mail/tor/").count() >= 2, "{config}");
        }
        assert!(!own.contains("/tor/public/"), "each network has a folder of its own: {own}");
    }

    #[test]
    fn what_is_no_configuration_is_refused_in_one_line() {
        for bad in ["tor_network = 7", "[tor_network", "tor_network.authorities = [\"x\"]", "\0"] {
            let error = Arti::configure(Path::new("/"), bad).unwrap_err().to_string();
            assert!(
                !error.contains('\n') && error.starts_with("its configuration cannot be used"),
                "{error}"
            );
        }
    }

    #[test]
    fn connections_share_a_circuit_only_where_nothing_keeps_them_apart() {
        let apart = |purpose: &str, circuit: &str| Apart { purpose: purpose.into(), circuit: circuit.into() };
        let one = apart("dkim", "a.example");
        assert!(one.compatible_same_type(&one.clone()) && one.join_same_type(&one) == Some(one.clone()));
        for other in [apart("dkim", "b.example"), apart("avatar", "a.example")] {
            assert!(!one.compatible_same_type(&other) && one.join_same_type(&other).is_none());
        }
    }

    #[tokio::test]
    async fn nothing_is_started_and_nothing_written_before_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let news = Arc::new(watch::Sender::new(TorReport::resting()));
        let arti = Arti::new(&folder.path().join("tor"), "", Arc::clone(&news)).unwrap();
        assert_eq!(news.borrow().state, TorState::Resting);
        assert!(!folder.path().join("tor").exists());
        drop(arti);
    }
}
