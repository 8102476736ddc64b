//! Settings by name, and API tokens.

use super::app::App;
use super::devices::{SIGNATURE_SETTING, note_signature};
use super::failure::Failure;
use super::remote_access::unlock_onion;
use super::{avatars, find_servers, lookup};
use crate::crypto::secret::random;
use crate::network::dialer::{BadProxy, Proxy, Purpose, Rule, Tor};
use crate::network::web_address::WebAddress;
use crate::storage::database::{Connection, TokenRow, commit, settings, signatures};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

/// A setting the owner may set.
struct Known {
    key: &'static str,
    default: &'static str,
    allowed: &'static [&'static str],
}

/// Every setting there is; an empty list of allowed values means any text.
const KNOWN: [Known; 32] = [
    Known { key: "extra-ca", default: "", allowed: &[] },
    Known { key: "appearance.theme", default: "auto", allowed: &["auto", "light", "dark"] },
    Known { key: "appearance.density", default: "normal", allowed: &["compact", "normal", "roomy"] },
    Known { key: "writing.signature", default: "", allowed: &[] },
    Known { key: "writing.undo-seconds", default: "10", allowed: &["0", "5", "10", "20", "30"] },
    // The resolver that is asked for DKIM keys, as an https address; `off` asks nobody.
    Known { key: "dkim.resolver", default: "https://dns.quad9.net/dns-query", allowed: &[] },
    // The names under which the owner's servers note what they checked; empty for those that were learnt.
    Known { key: "authentication.servers", default: "", allowed: &[] },
    // Nothing goes out that is not encrypted, signed, and by a protected way.
    Known { key: "secure-mode", default: "off", allowed: &["off", "on"] },
    Known { key: "sync.minutes", default: "5", allowed: &["1", "5", "15", "60"] },
    // Whether pictures of correspondents are looked for, and where; and the server that is asked instead of the usual one.
    Known { key: "avatars", default: "off", allowed: &["off", "gravatar", "libravatar"] },
    Known { key: "avatars.server", default: "", allowed: &[] },
    // Databases of mail servers, blank-separated, in the order in which they are asked; empty asks none.
    Known { key: "autoconfig.databases", default: find_servers::DEFAULT_DATABASES, allowed: &[] },
    // The key servers, blank-separated, in the order in which they are asked; empty asks none.
    Known { key: "lookup.servers", default: lookup::DEFAULT_SERVERS, allowed: &[] },
    // Whether the domain of an address is asked before them (Web Key Directory).
    Known { key: "lookup.wkd", default: "on", allowed: &["on", "off"] },
    // Pictures on other people's servers: fetched where the owner says so for a message or a sender, or never at all.
    Known { key: "remote-images", default: "ask", allowed: &["ask", "never"] },
    Known { key: "remote-images.route", default: "tor", allowed: &["tor", "direct"] },
    // Reachable from afar through Tor; found by everybody who knows the address, or only by devices with a key.
    Known { key: super::remote_access::onion::WANTED, default: "off", allowed: &["off", "on"] },
    Known { key: super::remote_access::onion::RESTRICTED, default: "off", allowed: &["off", "on"] },
    // Whether a locked store can be unlocked from afar, by an address of its own whose key lies readable on the disk.
    Known { key: unlock_onion::WANTED, default: "off", allowed: &["off", "on"] },
    // The Tor inside, one that the owner runs, or none.
    Known { key: "tor.mode", default: "embedded", allowed: &["embedded", "socks", "off"] },
    Known { key: "tor.socks", default: "", allowed: &[] },
    // A file in arti's TOML that adds to the configuration of the Tor inside.
    Known { key: "tor.config", default: "", allowed: &[] },
    // Whether this Mailkeep shows itself to the owner's others in the mailbox, and what it shares with paired ones beyond keys.
    Known { key: super::devices::ANNOUNCE, default: "on", allowed: &["on", "off"] },
    Known { key: super::devices::SHARE, default: "off", allowed: &["off", "on"] },
    Known { key: "network.offline", default: "off", allowed: &["off", "on"] },
    Known { key: "network.tor-for-everything", default: "off", allowed: &["off", "on"] },
    // What becomes of a purpose; what is not by the owner's own servers goes through Tor or not at all.
    Known { key: "network.autoconfig", default: "tor", allowed: &["tor", "never"] },
    Known { key: "network.key-lookup", default: "tor", allowed: &["tor", "never"] },
    Known { key: "network.key-publication", default: "tor", allowed: &["tor", "never"] },
    Known { key: "network.avatar", default: "tor", allowed: &["tor", "never"] },
    Known { key: "network.unsubscribe", default: "tor", allowed: &["tor", "never"] },
    Known { key: "network.dkim", default: "tor", allowed: &["tor", "never"] },
];

/// The setting that says what becomes of a purpose; none for mail servers, which each account has a route for, and for addresses
/// of one's own, which are there through Tor or not at all.
#[must_use]
pub const fn rule_setting(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Imap | Purpose::Submission | Purpose::OnionAddress | Purpose::UnlockAddress => None,
        Purpose::Autoconfig => Some("network.autoconfig"),
        Purpose::KeyLookup => Some("network.key-lookup"),
        Purpose::KeyPublication => Some("network.key-publication"),
        Purpose::Avatar => Some("network.avatar"),
        Purpose::RemoteImage => Some("remote-images.route"),
        Purpose::Unsubscribe => Some("network.unsubscribe"),
        Purpose::Dkim => Some("network.dkim"),
    }
}

/// The largest file of `tor.config`, in bytes.
const LARGEST_TOR_CONFIG: u64 = 1 << 20;

fn known(key: &str) -> Result<&'static Known, Failure> {
    KNOWN.iter().find(|k| k.key == key).ok_or_else(|| {
        let names: Vec<&str> = KNOWN.iter().map(|k| k.key).collect();
        Failure::usage(format!("There is no setting {key:?}; there are {}", names.join(", ")))
    })
}

/// The value of a setting: what was set, or the default.
///
/// # Errors
/// Usage, for a name that is none.
pub async fn get(app: &App, key: &str) -> Result<String, Failure> {
    read(&mut *app.reader.get().await?, key).await
}

/// The same for whoever holds a connection.
///
/// # Errors
/// Usage, for a name that is none.
pub(in crate::engine) async fn read(c: &mut Connection, key: &str) -> Result<String, Failure> {
    let known = known(key)?;
    Ok(settings::get(c, key).await?.unwrap_or_else(|| known.default.to_owned()))
}

/// All settings with their values.
///
/// # Errors
/// When the store fails.
pub async fn all(app: &App) -> Result<Vec<(String, String)>, Failure> {
    let mut values = Vec::new();
    for known in &KNOWN {
        values.push((known.key.to_owned(), get(app, known.key).await?));
    }
    Ok(values)
}

/// Sets a setting.
///
/// # Errors
/// Usage, for a name or a value that cannot be; refused, where something else is to be set first.
pub async fn set(app: &App, key: &str, value: &str) -> Result<(), Failure> {
    let known = known(key)?;
    if !known.allowed.is_empty() && !known.allowed.contains(&value) {
        return Err(Failure::usage(format!(
            "{key} cannot be {value:?}; it can be {}",
            known.allowed.join(", ")
        )));
    }
    if key == "dkim.resolver" && value != "off" && !WebAddress::from_owner(value).is_ok_and(|a| a.is_secure())
    {
        return Err(Failure::usage(format!(
            "{key} cannot be {value:?}; give the https address of a resolver, or off"
        )));
    }
    match key {
        "lookup.servers" => drop(lookup::servers(value)?),
        "autoconfig.databases" => drop(find_servers::databases(value)?),
        "avatars.server" if !value.is_empty() => drop(avatars::server(value)?),
        _ => {}
    }
    if key == "extra-ca" && !value.is_empty() {
        let pem = std::fs::read(value)
            .map_err(|e| Failure::failed(format!("Cannot read {value}: {}", super::import::plain(&e))))?;
        app.dialer.set_extra_ca(&[pem])?;
    }
    if key == "extra-ca" {
        app.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove("Certificates");
    }
    if key == "tor.socks" && !value.is_empty() {
        proxy(value)?;
    }
    if key == "tor.config" {
        tor_config(value).map_err(|why| Failure::usage(format!("tor.config cannot be {value:?}: {why}")))?;
    }
    if (key, value) == ("tor.mode", "socks") && get(app, "tor.socks").await?.is_empty() {
        return Err(Failure::refused(
            "Say first where Tor listens: set `tor.socks` to HOST:PORT, such as 127.0.0.1:9050",
        ));
    }
    unlock_onion::before_setting(app, key, value).await?;
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    let changed = read(&mut c, key).await? != value;
    settings::set(&mut c, key, value).await?;
    if changed && key == SIGNATURE_SETTING {
        note_signature(&mut c, value, app.now()).await?;
    }
    // What waited for a way out is tried at once where these change.
    let opens_a_way =
        ["tor.", "network."].iter().any(|start| key.starts_with(start)) || key == "dkim.resolver";
    if opens_a_way {
        signatures::hurry(&mut c).await?;
    }
    commit(c).await?;
    drop(writer);
    if (key, value) == ("remote-images", "never") {
        super::remote::clear(app).await?;
    }
    // What one server said is nothing that another one did, and off means gone.
    if changed && ["avatars", "avatars.server"].contains(&key) {
        avatars::clear(app).await?;
    }
    apply(app).await?;
    if unlock_onion::DEPENDS_ON.contains(&key) {
        unlock_onion::settle(app).await?;
    }
    if key.starts_with("devices.") {
        app.devices.changed();
    }
    if key.starts_with("remote.") || opens_a_way {
        app.remote_access.changed.send_replace(());
    }
    if opens_a_way {
        app.avatars.hurry();
        app.signatures_wanted.notify_one();
        app.outbox_wanted.notify_one();
        app.accounts_changed.notify_waiters();
    }
    Ok(())
}

fn proxy(text: &str) -> Result<Proxy, Failure> {
    text.parse().map_err(|bad: BadProxy| Failure::usage(format!("tor.socks cannot be {text:?}. {bad}")))
}

/// What the file of `tor.config` adds to the configuration of the Tor inside; nothing where none is named. The error is
/// part of a sentence.
fn tor_config(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let plain = |e: std::io::Error| format!("it cannot be read ({})", super::import::plain(&e));
    let length = std::fs::metadata(path).map_err(plain)?.len();
    if length > LARGEST_TOR_CONFIG {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(plain)?;
    Tor::check(&text).map_err(|bad| bad.to_string())?;
    Ok(text)
}

/// Tells the network what the settings say about routes.
///
/// # Errors
/// When the store fails.
pub(in crate::engine) async fn apply(app: &App) -> Result<(), Failure> {
    // A value that cannot be used is no Tor; nothing goes direct instead.
    let tor = match get(app, "tor.mode").await?.as_str() {
        "embedded" => match tor_config(&get(app, "tor.config").await?) {
            Ok(config) => Tor::Embedded { folder: app.data.tor(), config },
            Err(why) => Tor::Unusable(format!("the file of tor.config cannot be used, {why}")),
        },
        "socks" => match proxy(&get(app, "tor.socks").await?) {
            Ok(proxy) => Tor::Socks(proxy),
            Err(_) => Tor::Unusable("tor.socks does not say where it listens".to_owned()),
        },
        _ => Tor::Off,
    };
    app.dialer.set_tor(tor);
    let secure = get(app, "secure-mode").await? == "on";
    app.dialer.set_secure(secure);
    for purpose in Purpose::ALL {
        let Some(key) = rule_setting(purpose) else { continue };
        let chosen = Rule::read(&get(app, key).await?).unwrap_or_else(|| purpose.rule());
        let rule = match (purpose, chosen) {
            (Purpose::RemoteImage, _) if get(app, "remote-images").await? == "never" => Rule::Never,
            (Purpose::RemoteImage, Rule::Direct) if secure => Rule::Tor,
            _ => chosen,
        };
        app.dialer.set_rule(purpose, rule);
    }
    app.dialer.set_tor_for_everything(get(app, "network.tor-for-everything").await? == "on");
    app.dialer.set_offline(get(app, "network.offline").await? == "on");
    Ok(())
}

/// What an API token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look.
    Read,
    /// Look, tag, write and send.
    Write,
    /// Everything, accounts and settings, too.
    Admin,
}

impl Scope {
    /// Reads the word for a scope.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// A token that was just made; it is shown this once.
#[derive(Debug, Serialize)]
pub struct NewToken {
    /// What the owner calls it.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// The token.
    pub token: String,
}

fn hash(app: &App, token: &str) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(app.tokens.expose()).expect("any length will do");
    mac.update(token.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The hash by which another secret of ours is known; `kind` keeps it from being taken for one of another kind.
pub(in crate::engine) fn keyed_hash(app: &App, kind: &str, secret: &str) -> Vec<u8> {
    hash(app, &format!("{kind}\0{secret}"))
}

/// Makes a token. Only its hash is kept.
///
/// # Errors
/// Usage, where the name is none; refused, where it is taken.
pub async fn make_token(app: &App, name: &str, scope: Scope) -> Result<NewToken, Failure> {
    let name = name.trim();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(Failure::usage("Give the token a name of 1 to 100 characters"));
    }
    let token = format!("mk_{}", data_encoding::BASE32_NOPAD.encode(&random::<20>()).to_lowercase());
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if !settings::add_token(&mut c, name, scope.word(), &hash(app, &token), app.now()).await? {
        return Err(Failure::refused(format!(
            "There is a token {name:?} already; revoke it first or choose another name"
        )));
    }
    commit(c).await?;
    Ok(NewToken { name: name.to_owned(), scope, token })
}

/// What a token may do; `None` for one that is none.
///
/// # Errors
/// When the store fails.
pub async fn token_scope(app: &App, token: &str) -> Result<Option<Scope>, Failure> {
    let scope = settings::token_scope(&mut *app.reader.get().await?, &hash(app, token)).await?;
    Ok(scope.as_deref().and_then(Scope::read))
}

/// All tokens, without the tokens themselves.
///
/// # Errors
/// When the store fails.
pub async fn tokens(app: &App) -> Result<Vec<TokenRow>, Failure> {
    Ok(settings::tokens(&mut *app.reader.get().await?).await?)
}

/// Revokes a token.
///
/// # Errors
/// Not found.
pub async fn revoke_token(app: &App, name: &str) -> Result<(), Failure> {
    let writer = app.writer.lock().await;
    let mut c = writer.begin().await?;
    if !settings::remove_token(&mut c, name).await? {
        return Err(Failure::not_found(format!(
            "There is no token {name:?}; look at the tokens for those there are"
        )));
    }
    commit(c).await?;
    Ok(())
}
