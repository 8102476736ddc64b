//! An onion service of the owner's own: its key, the keys of who may find it, and the connections that come in.
//!
//! All keys are made and kept elsewhere, and handed over in memory: Tor's folder knows neither them nor the address. Each
//! service goes by a random name there.

use super::Client;
use crate::crypto::secret::random;
use futures_util::{Stream, StreamExt};
use safelog::DisplayRedacted;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tor_cell::relaycell::msg::Connected;
use tor_config::Reconfigure;
use tor_hscrypto::pk::{HsClientDescEncKey, HsId, HsIdKey, HsIdKeypair};
use tor_hsservice::config::OnionServiceConfigBuilder;
use tor_hsservice::config::restricted_discovery::HsClientNickname;
use tor_hsservice::status::State;
use tor_hsservice::{
    HsNickname, OnionServiceConfig, RunningOnionService, StreamRequest, handle_rend_requests,
};
use tor_llcrypto::pk::{curve25519, ed25519};
use tor_proto::stream::IncomingStreamRequest;
use zeroize::Zeroizing;

/// The one port that is answered.
const PORT: u16 = 80;
/// How many connections one caller may have open at a time.
const MOST_STREAMS: u32 = 64;
/// How many callers may wait for an answer at a time.
const MOST_WAITING: usize = 256;

/// The secret key of an onion service: the seed of an Ed25519 key.
pub struct OnionKey(Zeroizing<[u8; 32]>);

impl OnionKey {
    /// A fresh random key.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random()))
    }

    /// A key from its bytes; nothing where there are more or fewer than 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The bytes, to be kept sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The address of the service, `….onion` (rend-spec-v3, 6).
    #[must_use]
    pub fn address(&self) -> String {
        HsId::from(HsIdKey::from(&self.pair())).display_unredacted().to_string()
    }

    fn pair(&self) -> HsIdKeypair {
        let pair = ed25519::Keypair::from_bytes(&self.0);
        HsIdKeypair::from(ed25519::ExpandedKeypair::from(&pair))
    }
}

/// The secret half of a key with which a device finds the onion service (X25519).
pub struct ClientKey(curve25519::StaticSecret);

impl ClientKey {
    /// A fresh random key.
    #[must_use]
    pub fn random() -> Self {
        Self(curve25519::StaticSecret::from(random::<32>()))
    }

    /// The public half, for the service.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        curve25519::PublicKey::from(&self.0).to_bytes()
    }

    /// The key as Tor Browser asks for it: 52 letters and digits.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.0.to_bytes());
        Zeroizing::new(data_encoding::BASE32_NOPAD.encode(&*bytes))
    }

    /// The line of a file `….auth_private` in Tor's `ClientOnionAuthDir` (tor(1), CLIENT AUTHORIZATION).
    #[must_use]
    pub fn to_line(&self, address: &str) -> Zeroizing<String> {
        let name = address.strip_suffix(".onion").unwrap_or(address);
        Zeroizing::new(format!("{name}:descriptor:x25519:{}", *self.to_text()))
    }
}

/// How often a service was announced.
static ANNOUNCED: AtomicUsize = AtomicUsize::new(0);
/// How often one may be while a process runs. Each leaves a thread behind, of the 512 that all waiting for the disk is done by.
const MOST_ANNOUNCED: usize = 256;

/// Whether Tor left a thread behind that sleeps for ever: each service that was announced has one, for its proof of work. It
/// panics when the clock is taken from under it, so a process that has one ends without that.
#[must_use]
pub fn leaves_a_thread() -> bool {
    ANNOUNCED.load(Ordering::Relaxed) > 0
}

/// How many services are announced now.
static LIVING: AtomicUsize = AtomicUsize::new(0);

/// Whether some service is announced now, by whichever Tor of this process.
pub(super) fn any_lives() -> bool {
    LIVING.load(Ordering::Relaxed) > 0
}

/// What Tor wrote down of a service; removed when the service has ended.
struct Kept(PathBuf);

impl Kept {
    fn begin(folder: PathBuf) -> Self {
        LIVING.fetch_add(1, Ordering::Relaxed);
        Self(folder)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::Relaxed);
        let folder = std::mem::take(&mut self.0);
        // Its parts end one after the other, and one may write once more.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                for n in 1..=TRIES {
                    if clear(&folder) {
                        return;
                    }
                    tokio::time::sleep(n * ENDING).await;
                }
                tracing::warn!("What Tor wrote down of an onion service could not be removed");
            })),
            Err(_) => drop(clear(&folder)),
        }
    }
}

/// Removes the folder of a service, and the file by which Tor keeps others out of it. Whether both are gone.
fn clear(folder: &Path) -> bool {
    let gone = |done: std::io::Result<()>| {
        done.map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |()| true)
    };
    gone(std::fs::remove_dir_all(folder)) && gone(std::fs::remove_file(folder.with_extension("lock")))
}

/// How often it is tried to remove what Tor wrote down, and by how much longer it is waited each time: 52 seconds in all.
const TRIES: u32 = 20;
const ENDING: Duration = Duration::from_millis(250);

/// An onion service that is announced while this is there.
pub struct Service {
    running: Arc<RunningOnionService>,
    name: HsNickname,
    requests: Pin<Box<dyn Stream<Item = StreamRequest> + Send>>,
    /// Cancelled when the Tor that it runs in ends.
    ended: CancellationToken,
    /// The last to go.
    _kept: Kept,
}

impl Service {
    /// Announces a service. With `clients`, only who has one of those keys finds it; with none of them, nobody does.
    pub(super) fn publish(
        client: &Client,
        key: &OnionKey,
        clients: Option<&[Vec<u8>]>,
        ended: CancellationToken,
        services: &Path,
    ) -> Result<Self, String> {
        if ANNOUNCED.load(Ordering::Relaxed) >= MOST_ANNOUNCED {
            return Err(
                "Tor announced it too often since Mailkeep was started; start Mailkeep anew".to_owned()
            );
        }
        let name = format!("s{}", data_encoding::HEXLOWER.encode(&random::<8>()));
        let name = HsNickname::new(name).map_err(|error| cannot(&error))?;
        let launched = client.launch_onion_service_with_hsid(configure(&name, clients)?, key.pair());
        let (running, rendezvous) = launched
            .map_err(|error| {
                tracing::debug!(%error, "The onion service could not be begun");
                "Tor could not begin the onion service".to_owned()
            })?
            .ok_or_else(|| "Tor has the onion service switched off".to_owned())?;
        ANNOUNCED.fetch_add(1, Ordering::Relaxed);
        let kept = Kept::begin(services.join(name.to_string()));
        Ok(Self { requests: Box::pin(handle_rend_requests(rendezvous)), running, name, ended, _kept: kept })
    }

    /// Changes who finds the service; it is announced anew. Who is connected stays so.
    ///
    /// # Errors
    /// When Tor refuses, in words.
    pub fn restrict(&self, clients: Option<&[Vec<u8>]>) -> Result<(), String> {
        let config = configure(&self.name, clients)?;
        self.running.reconfigure(config, Reconfigure::AllOrNothing).map_err(|error| cannot(&error))
    }

    /// Whether the service is announced, now and whenever that may have changed; none where it broke and will not be again.
    pub fn news(&self) -> impl Stream<Item = Option<bool>> + Send + use<> {
        let now = self.running.status();
        let all = futures_util::stream::once(std::future::ready(now)).chain(self.running.status_events());
        all.map(|status| match status.state() {
            State::Broken => None,
            // A network too young to have two of the values by which directories are chosen has one ring of them instead of
            // two. Arti calls that unreachable also where every directory took what was announced; then it names no problem.
            State::DegradedUnreachable => Some(status.current_problem().is_none()),
            state => Some(state.is_fully_reachable()),
        })
    }

    /// The next connection; none when the service ended.
    pub async fn next(&mut self) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        loop {
            let request = tokio::select! {
                request = self.requests.next() => request?,
                () = self.ended.cancelled() => return None,
            };
            let wanted =
                matches!(request.request(), IncomingStreamRequest::Begin(begin) if begin.port() == PORT);
            if !wanted {
                // As Tor itself does with ports that are none.
                drop(request.shutdown_circuit());
                continue;
            }
            match request.accept(Connected::new_empty()).await {
                Ok(stream) => return Some(super::Wire::new(stream)),
                Err(error) => tracing::debug!(%error, "A connection to the onion service was broken off"),
            }
        }
    }
}

fn cannot(error: &dyn std::fmt::Display) -> String {
    format!("The onion service cannot be set up: {error}")
}

fn configure(name: &HsNickname, clients: Option<&[Vec<u8>]>) -> Result<OnionServiceConfig, String> {
    let mut config = OnionServiceConfigBuilder::default();
    config
        .nickname(name.clone())
        .enable_pow(true)
        .pow_rend_queue_depth(MOST_WAITING)
        .max_concurrent_streams_per_circuit(MOST_STREAMS);
    if let Some(clients) = clients {
        let nobody = [ClientKey::random().public().to_vec()];
        let clients = if clients.is_empty() { &nobody } else { clients };
        let restricted = config.restricted_discovery();
        restricted.enabled(true);
        for (n, key) in clients.iter().enumerate() {
            let name: HsClientNickname = format!("c{n}").parse().map_err(|error| cannot(&error))?;
            let key = <[u8; 32]>::try_from(key.as_slice()).map_err(|error| cannot(&error))?;
            let key = HsClientDescEncKey::from(curve25519::PublicKey::from(key));
            restricted.static_keys().access().push((name, key));
        }
    }
    config.build().map_err(|error| cannot(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checked against OpenSSL's Ed25519 and the formula of rend-spec-v3.
    #[test]
    fn an_address_is_what_follows_from_the_key() {
        let key = OnionKey::from_bytes(&[7; 32]).unwrap();
        assert_eq!(key.address(), "5jfgyy7ctrjavpxvkb5rglwf7gkuo5vox27hxescd3vgsfcg2iwfmxqd.onion");
        assert_ne!(OnionKey::random().address(), OnionKey::random().address());
        assert!(OnionKey::from_bytes(&[7; 31]).is_none());
    }

    /// Checked against OpenSSL's X25519.
    #[test]
    fn a_client_key_is_written_as_tor_reads_it() {
        let secret: [u8; 32] = std::array::from_fn(|n| u8::try_from(n).unwrap());
        let key = ClientKey(curve25519::StaticSecret::from(secret));
        let public = data_encoding::HEXLOWER.encode(&key.public());
        assert_eq!(public, "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f");
        let line = key.to_line("abc.onion");
        assert_eq!(*line, "abc:descriptor:x25519:AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQ");
    }

    #[test]
    fn who_may_find_it_can_be_everybody_some_or_nobody() {
        let name = HsNickname::new("s1".to_owned()).unwrap();
        assert!(configure(&name, None).is_ok());
        assert!(configure(&name, Some(&[])).is_ok(), "nobody");
        assert!(configure(&name, Some(&[ClientKey::random().public().to_vec()])).is_ok());
        assert!(configure(&name, Some(&[vec![1, 2, 3]])).is_err());
    }
    /// A network whose relays do not answer: what is written down is so when the service begins.
    const NETWORK: &str = r#"
        [tor_network]
        fallback_caches = [{ rsa_identity = "0123456789abcdef0123456789abcdef01234567",
            ed_identity = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", orports = ["127.0.0.1:1"] }]
        [tor_network.authorities]
        v3idents = ["0123456789abcdef0123456789abcdef01234567"]
    "#;

    /// All names and contents below a folder. Tor writes and removes there meanwhile: what has gone since is left out.
    fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        let there = |error: &std::io::Error| error.kind() != std::io::ErrorKind::NotFound;
        let entries = match std::fs::read_dir(folder) {
            Err(error) if !there(&error) => return,
            entries => entries.unwrap(),
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            found.push((path.display().to_string(), Vec::new()));
            if path.is_dir() {
                files(&path, found);
                continue;
            }
            match std::fs::read(&path) {
                Err(error) if !there(&error) => {}
                bytes => found.push((path.display().to_string(), bytes.unwrap())),
            }
        }
    }

    #[test]
    fn tors_folder_says_nothing_of_keys_and_address() {
        // A thread of Tor's sleeps for ever, and a runtime that is dropped waits for it, in a panic too.
        let runtime = std::mem::ManuallyDrop::new(tokio::runtime::Runtime::new().unwrap());
        runtime.block_on(look_through_tors_folder());
    }

    async fn look_through_tors_folder() {
        let home = tempfile::tempdir().unwrap();
        let news = Arc::new(tokio::sync::watch::Sender::new(super::super::TorReport::resting()));
        let arti = super::super::Arti::new(home.path(), NETWORK, news).unwrap();
        let (key, device) = (OnionKey::random(), ClientKey::random());
        let services = arti.services.clone();
        std::fs::create_dir_all(services.join("s0123/iptreplay")).unwrap();
        std::fs::write(services.join("s0123/ipts.json"), "of an earlier start").unwrap();
        let service = arti.publish(&key, Some(&[device.public().to_vec()])).await.unwrap();
        service.restrict(Some(&[])).unwrap();
        let again = arti.publish(&key, None).await.unwrap();
        let pair = key.pair();
        let public = HsIdKey::from(&pair).id();
        let expanded = ed25519::ExpandedKeypair::from(&ed25519::Keypair::from_bytes(key.expose()));
        let expanded = expanded.to_secret_key_bytes();
        let secret = expanded.split_at(32).0;
        let mut needles: Vec<Vec<u8>> = vec![key.address().trim_end_matches(".onion").as_bytes().to_vec()];
        for bytes in
            [key.expose().as_slice(), public.as_ref(), secret, &device.public(), &device.0.to_bytes()]
        {
            needles.push(bytes.to_vec());
            needles.push(data_encoding::HEXLOWER.encode(bytes).into_bytes());
            needles.push(data_encoding::HEXUPPER.encode(bytes).into_bytes());
            needles.push(data_encoding::BASE64_NOPAD.encode(bytes).into_bytes());
            needles.push(data_encoding::BASE32_NOPAD.encode(bytes).into_bytes());
            needles.push(data_encoding::BASE32_NOPAD.encode(bytes).to_lowercase().into_bytes());
        }
        let mut found = Vec::new();
        files(home.path(), &mut found);
        let all = |name: &str| found.iter().filter(|(path, _)| path.contains(name)).count();
        assert!(all("/hss/") > 0, "what Tor writes of a service is found: {found:?}");
        for (path, bytes) in &found {
            for needle in &needles {
                let within =
                    |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle.as_slice());
                assert!(!within(bytes) && !within(path.as_bytes()), "{path} tells {needle:?}");
            }
        }
        assert!(!services.join("s0123").exists(), "what was left of an earlier start is gone");
        drop((service, again));
        let left = || {
            let mut found = Vec::new();
            files(&services, &mut found);
            found.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        for _ in 0..2000 {
            if left().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(left(), Vec::<String>::new(), "nothing is left of a service that ended");
    }
}
