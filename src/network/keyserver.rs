//! Key servers: VKS as keys.openpgp.org speaks it, the REST of the Mailvelope key server, and HKP (draft-ietf-openpgp-hkp).
//! Through Tor only; each answer bounded; what a server gives is bytes to be judged, never more.

use super::dialer::{DialError, Dialer, Purpose};
use super::http::{self, Ask, HttpError, Limits};
use super::web_address::{NotAllowed, WebAddress};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What an answer may cost. No redirect is followed: whoever was named is asked, and nobody else.
pub(super) const LIMITS: Limits = Limits { bytes: 1 << 20, time: Duration::from_secs(30), redirects: 0 };

/// keys.openpgp.org and its onion, which are one server with two doors.
const TWO_DOORS: [&str; 2] =
    ["keys.openpgp.org", "zkaan2xfbuxia2wpf7ofnkbz6r5zdbbvxbunvp5g2iebopbfc4iqmbad.onion"];

/// The longest token in a link of a VKS server; those that hold all they are about in themselves have some 130 letters.
const LONGEST_TOKEN: usize = 512;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `vks`: by address only what its holder confirmed by mail.
    Vks,
    /// `mailvelope`: likewise, one key for each address.
    Mailvelope,
    /// `hkp`: whatever anybody put there.
    Hkp,
}

impl Kind {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vks => "vks",
            Self::Mailvelope => "mailvelope",
            Self::Hkp => "hkp",
        }
    }
}

/// A key server that the owner named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServer {
    kind: Kind,
    base: WebAddress,
    text: String,
}

/// A text that names no key server.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadServer {
    /// It does not begin with a kind of server.
    #[error("it begins with none of vks+, mailvelope+ and hkp+")]
    Kind,
    /// What follows is no address.
    #[error(transparent)]
    Address(#[from] NotAllowed),
}

impl FromStr for KeyServer {
    type Err = BadServer;

    /// Reads `vks+https://keys.example`.
    fn from_str(text: &str) -> Result<Self, BadServer> {
        let (kind, address) = text.split_once('+').ok_or(BadServer::Kind)?;
        let kind = match kind {
            "vks" => Kind::Vks,
            "mailvelope" => Kind::Mailvelope,
            "hkp" => Kind::Hkp,
            _ => return Err(BadServer::Kind),
        };
        Ok(Self { kind, base: WebAddress::from_owner(address)?, text: text.to_owned() })
    }
}

impl fmt::Display for KeyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// The keys of an address (canonical).
    Address(&'a str),
    /// The key with a fingerprint, upper-case hexadecimal.
    Fingerprint(&'a str),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AskError {
    /// The server was not reached, or does not speak as it should.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It says that something is wrong.
    #[error("{host} does not answer as it should (status {status}).")]
    Status {
        /// The server.
        host: String,
        /// What it said.
        status: u16,
    },
    /// Its answer cannot be read.
    #[error("{host} answers with something else.")]
    Unreadable {
        /// The server.
        host: String,
    },
    /// There is none to be asked.
    #[error("There is no server to ask.")]
    NoServer,
}

impl From<NotAllowed> for AskError {
    fn from(_: NotAllowed) -> Self {
        Self::NoServer
    }
}

impl AskError {
    pub(super) fn status(host: &str, status: u16) -> Self {
        Self::Status { host: host.to_owned(), status }
    }

    /// Whether the way out is not there, so that asking anybody else would fail alike.
    #[must_use]
    pub const fn has_no_way(&self) -> bool {
        matches!(
            self,
            Self::Http(HttpError::Dial(
                DialError::NoTor { .. } | DialError::Offline { .. } | DialError::Cut { .. }
            ))
        )
    }

    /// Why Tor is not there, part of a sentence, where it is that.
    #[must_use]
    pub fn lacks_tor(&self) -> Option<&str> {
        match self {
            Self::Http(HttpError::Dial(DialError::NoTor { why, .. })) => Some(why),
            _ => None,
        }
    }

    /// Whether the server did answer, only not with what was asked for.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::Http(
                    HttpError::Redirect { .. }
                        | HttpError::TooManyRedirects { .. }
                        | HttpError::TooLarge { .. }
                )
        )
    }
}

/// What the Mailvelope key server answers; the rest of it is not believed.
#[derive(Deserialize)]
struct Found {
    #[serde(rename = "publicKeyArmored")]
    armored: String,
}

/// What VKS answers to an upload.
#[derive(Deserialize)]
struct Uploaded {
    key_fpr: String,
    token: String,
    #[serde(default)]
    status: std::collections::BTreeMap<String, String>,
}

impl KeyServer {
    /// What it speaks.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its name.
    #[must_use]
    pub fn host(&self) -> &str {
        self.base.host()
    }

    /// The name that it has for people, also where it is asked by its onion.
    #[must_use]
    pub fn known_as(&self) -> &str {
        if TWO_DOORS.contains(&self.host()) { TWO_DOORS[0] } else { self.host() }
    }

    /// Whether it is the same server as another, by another door.
    #[must_use]
    pub fn is_also(&self, other: &Self) -> bool {
        let both = [self.host(), other.host()];
        self.kind == other.kind && (both[0] == both[1] || both.iter().all(|host| TWO_DOORS.contains(host)))
    }

    fn ask<'a>(&self, purpose: Purpose, address: &'a WebAddress, circuit: &'a str) -> Ask<'a> {
        let accept = match self.kind {
            Kind::Mailvelope => "application/json",
            Kind::Vks if purpose == Purpose::KeyPublication => "application/json",
            Kind::Vks | Kind::Hkp => "application/pgp-keys",
        };
        Ask { purpose, address, accept, circuit: Some(circuit), limits: LIMITS }
    }

    /// Asks for keys: armoured or binary, of whomever the server likes. A circuit is kept for each question.
    ///
    /// # Errors
    /// Says why there is no answer; that there is no key is one.
    pub async fn find(&self, dialer: &Dialer, by: By<'_>) -> Result<Option<Vec<u8>>, AskError> {
        let (place, what) = match (self.kind, by) {
            (Kind::Vks, By::Address(a)) => (self.base.below(&["vks", "v1", "by-email", a], &[])?, a),
            (Kind::Vks, By::Fingerprint(f)) => {
                (self.base.below(&["vks", "v1", "by-fingerprint", f], &[])?, f)
            }
            (Kind::Mailvelope, By::Address(a)) => {
                (self.base.below(&["api", "v1", "key"], &[("email", a)])?, a)
            }
            (Kind::Mailvelope, By::Fingerprint(f)) => {
                (self.base.below(&["api", "v1", "key"], &[("fingerprint", &f.to_ascii_lowercase())])?, f)
            }
            (Kind::Hkp, By::Address(a)) => (self.hkp(a)?, a),
            (Kind::Hkp, By::Fingerprint(f)) => (self.hkp(&format!("0x{f}"))?, f),
        };
        let circuit = format!("{what} {}", self.host());
        let answer = http::get(dialer, &self.ask(Purpose::KeyLookup, &place, &circuit)).await?;
        match answer.status {
            200 if self.kind == Kind::Mailvelope => {
                let found: Found = serde_json::from_slice(&answer.body)
                    .map_err(|_| AskError::Unreadable { host: self.host().to_owned() })?;
                Ok(Some(found.armored.into_bytes()))
            }
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            status => Err(AskError::status(self.host(), status)),
        }
    }

    fn hkp(&self, search: &str) -> Result<WebAddress, NotAllowed> {
        let query = [("op", "get"), ("options", "mr"), ("exact", "on"), ("search", search)];
        self.base.below(&["pks", "lookup"], &query)
    }

    async fn post_json(
        &self,
        dialer: &Dialer,
        segments: &[&str],
        circuit: &str,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, AskError> {
        let place = self.base.below(segments, &[])?;
        let ask = self.ask(Purpose::KeyPublication, &place, circuit);
        let answer = http::post(dialer, &ask, "application/json", body.to_string().into_bytes()).await?;
        if answer.is_success() { Ok(answer.body) } else { Err(AskError::status(self.host(), answer.status)) }
    }

    /// Hands a key to the server and asks it to write to the address about it. Gives whether the address is published
    /// already, so that no mail comes.
    ///
    /// # Errors
    /// Says why it was not taken; HKP servers ask nobody, so nothing is handed to them.
    pub async fn upload(
        &self,
        dialer: &Dialer,
        address: &str,
        fingerprint: &str,
        armored: &str,
    ) -> Result<bool, AskError> {
        let unreadable = || AskError::Unreadable { host: self.host().to_owned() };
        match self.kind {
            Kind::Hkp => Err(AskError::NoServer),
            Kind::Mailvelope => {
                let body = serde_json::json!({"publicKeyArmored": armored, "emails": [address]});
                self.post_json(dialer, &["api", "v1", "key"], address, &body).await?;
                Ok(false)
            }
            Kind::Vks => {
                let read = |bytes: &[u8]| serde_json::from_slice::<Uploaded>(bytes).map_err(|_| unreadable());
                let body = serde_json::json!({"keytext": armored});
                let sent = read(&self.post_json(dialer, &["vks", "v1", "upload"], address, &body).await?)?;
                if !sent.key_fpr.eq_ignore_ascii_case(fingerprint) {
                    return Err(unreadable());
                }
                if sent.status.get(address).is_some_and(|state| state == "published") {
                    return Ok(true);
                }
                let body = serde_json::json!({"token": sent.token, "addresses": [address], "locale": ["en"]});
                let asked = self.post_json(dialer, &["vks", "v1", "request-verify"], address, &body).await?;
                let asked = read(&asked)?;
                Ok(asked.status.get(address).is_some_and(|state| state == "published"))
            }
        }
    }

    /// Asks the server to remove what it holds for an address; it writes to the address about it. VKS has no word for it: there
    /// it is the form on the page where people manage their keys.
    ///
    /// # Errors
    /// Says why not: 404 where it holds nothing, and of VKS also where it was asked a short while ago; HKP servers ask nobody.
    pub async fn remove(&self, dialer: &Dialer, address: &str) -> Result<(), AskError> {
        let answer = match self.kind {
            Kind::Hkp => return Err(AskError::NoServer),
            Kind::Mailvelope => {
                let place = self.base.below(&["api", "v1", "key"], &[("email", address)])?;
                http::delete(dialer, &self.ask(Purpose::KeyPublication, &place, address)).await?
            }
            Kind::Vks => self.post_form(dialer, &["manage"], address, &[("search_term", address)]).await?,
        };
        self.taken(&answer)
    }

    /// Says yes to what the server's mail asked: what the mail named is put into an address of the server's own.
    ///
    /// # Errors
    /// Says why it was not taken.
    pub async fn confirm(&self, dialer: &Dialer, address: &str, link: &Link) -> Result<(), AskError> {
        let answer = match (self.kind, link) {
            (Kind::Vks, Link::Vks { removes: true, token }) => {
                let fields = [("token", token.as_str()), ("address", address)];
                self.post_form(dialer, &["manage", "unpublish"], address, &fields).await?
            }
            (Kind::Mailvelope, Link::Mailvelope { removes, key_id, nonce }) => {
                let op = if *removes { "verifyRemove" } else { "verify" };
                let query = [("op", op), ("keyId", key_id.as_str()), ("nonce", nonce.as_str())];
                let place = self.base.below(&["api", "v1", "key"], &query)?;
                http::get(dialer, &self.ask(Purpose::KeyPublication, &place, address)).await?
            }
            (Kind::Vks, Link::Vks { removes: false, token }) => {
                let place = self.base.below(&["verify", token], &[])?;
                let form = http::get(dialer, &self.ask(Purpose::KeyPublication, &place, address)).await?;
                self.taken(&form)?;
                self.post_form(dialer, &["verify", token], address, &[]).await?
            }
            _ => return Err(AskError::NoServer),
        };
        self.taken(&answer)
    }

    /// Fills in a form of the server's.
    async fn post_form(
        &self,
        dialer: &Dialer,
        segments: &[&str],
        circuit: &str,
        fields: &[(&str, &str)],
    ) -> Result<http::Answer, AskError> {
        let place = self.base.below(segments, &[])?;
        let ask = self.ask(Purpose::KeyPublication, &place, circuit);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Ok(http::post(dialer, &ask, "application/x-www-form-urlencoded", body.into_bytes()).await?)
    }

    /// A page that follows is as good as one that comes at once.
    fn taken(&self, answer: &http::Answer) -> Result<(), AskError> {
        if answer.is_success() || answer.status == 303 {
            Ok(())
        } else {
            Err(AskError::status(self.host(), answer.status))
        }
    }

    /// Whether it runs on a port of its own: then it may know itself by another name than the owner does.
    #[must_use]
    pub fn has_own_port(&self) -> bool {
        !matches!((self.base.is_secure(), self.base.port()), (true, 443) | (false, 80))
    }

    /// The link of a mail that asks about a key, where it leads to this server and has just the shape of its own.
    #[must_use]
    pub fn link(&self, found: &str) -> Option<Link> {
        let found = WebAddress::from_owner(found).ok()?;
        let hosts = [found.host(), self.host()];
        if hosts[0] != hosts[1] && !hosts.iter().all(|host| TWO_DOORS.contains(host)) && !self.has_own_port()
        {
            return None;
        }
        match self.kind {
            Kind::Hkp => None,
            Kind::Vks => {
                let path = found.path();
                let (removes, token) = match path.strip_prefix("/manage/") {
                    Some(token) => (true, token),
                    None => (false, path.strip_prefix("/verify/")?),
                };
                let sound = (8..=LONGEST_TOKEN).contains(&token.len())
                    && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                sound.then(|| Link::Vks { removes, token: token.to_owned() })
            }
            Kind::Mailvelope => {
                let path = found.path();
                let query = path.strip_prefix("/api/v1/key?")?;
                let value = |name: &str| {
                    let mut all =
                        query.split('&').filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
                    all.next().filter(|_| all.next().is_none())
                };
                let hex =
                    |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
                let removes = match value("op")? {
                    "verify" => false,
                    "verifyRemove" => true,
                    _ => return None,
                };
                let (key_id, nonce) = (value("keyId")?, value("nonce")?);
                (hex(key_id, 16) && hex(nonce, 32)).then(|| Link::Mailvelope {
                    removes,
                    key_id: key_id.to_owned(),
                    nonce: nonce.to_owned(),
                })
            }
        }
    }
}

/// What a server's mail wants to be confirmed, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// `/verify/TOKEN`, or `/manage/TOKEN` where it is about removing.
    Vks {
        /// Whether it is about removing.
        removes: bool,
        /// Its token.
        token: String,
    },
    /// `/api/v1/key?op=…&keyId=…&nonce=…`.
    Mailvelope {
        /// Whether it is about removing.
        removes: bool,
        /// The key, 16 hexadecimal digits.
        key_id: String,
        /// 32 hexadecimal digits.
        nonce: String,
    },
}

impl Link {
    /// Whether it is about removing.
    #[must_use]
    pub const fn removes(&self) -> bool {
        match self {
            Self::Vks { removes, .. } | Self::Mailvelope { removes, .. } => *removes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> KeyServer {
        text.parse().unwrap()
    }

    #[test]
    fn servers_are_named_with_their_kind() {
        let one = server("vks+https://keys.openpgp.org");
        assert_eq!(
            (one.kind(), one.host(), one.to_string().as_str()),
            (Kind::Vks, "keys.openpgp.org", "vks+https://keys.openpgp.org")
        );
        assert!(server(&format!("vks+http://{}", TWO_DOORS[1])).is_also(&one));
        assert!(!server("hkp+https://keys.openpgp.org").is_also(&one));
        assert_eq!(
            server("hkp+http://127.0.0.1:11371/sub/").hkp("0xAB").unwrap().path(),
            "/sub/pks/lookup?op=get&options=mr&exact=on&search=0xAB"
        );
        for bad in [
            "",
            "https://keys.example",
            "ldap+https://x.example",
            "vks+ftp://x.example",
            "vks+https://u@x.example",
            "VKS+https://x.example",
        ] {
            assert!(bad.parse::<KeyServer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_cannot_break_out_of_its_place() {
        let keys = server("vks+https://keys.example");
        let odd = keys.base.below(&["vks", "v1", "by-email", "a/../../b?c#d%2e@x.example"], &[]).unwrap();
        assert_eq!(odd.path(), "/vks/v1/by-email/a%2F..%2F..%2Fb%3Fc%23d%252e@x.example");
        let odd = keys.hkp("a&op=index#@x.example").unwrap();
        assert!(odd.path().ends_with("search=a%26op%3Dindex%23%40x.example"), "{}", odd.path());
    }

    #[test]
    fn only_a_server_s_own_link_is_taken_apart() {
        let nonce = "0123456789abcdef0123456789abcdef";
        let keys = server("mailvelope+https://keys.mailvelope.com");
        let good =
            format!("https://keys.mailvelope.com/api/v1/key?op=verify&keyId=00112233aabbccdd&nonce={nonce}");
        let link =
            Link::Mailvelope { removes: false, key_id: "00112233aabbccdd".into(), nonce: nonce.into() };
        assert_eq!(keys.link(&good), Some(link));
        for bad in [
            good.replace("keys.mailvelope.com", "keys.mailvelope.com.evil.example"),
            good.replace("keys.mailvelope.com", "evil.example"),
            good.replace("https://", "https://keys.mailvelope.com@evil.example/"),
            good.replace("op=verify", "op=delete"),
            good.replace("op=verify", "op=verify&op=verifyRemove"),
            good.replace("/api/v1/key", "/api/v1/other"),
            good.replace(nonce, "abc"),
            good.replace("00112233aabbccdd", "../../etc/passwd"),
        ] {
            assert_eq!(keys.link(&bad), None, "{bad}");
        }
        let keys = server("vks+https://keys.openpgp.org");
        let token = |url: &str| keys.link(url);
        assert_eq!(
            token("https://keys.openpgp.org/verify/Abc-123_xyz"),
            Some(Link::Vks { removes: false, token: "Abc-123_xyz".into() })
        );
        assert_eq!(
            token("https://keys.openpgp.org/manage/Abc-123_xyz"),
            Some(Link::Vks { removes: true, token: "Abc-123_xyz".into() })
        );
        for bad in [
            "https://keys.openpgp.org/verify/",
            "https://keys.openpgp.org/verify/a/../b",
            "https://keys.openpgp.org/verify/abcdefgh?x=1",
            "https://keys.openpgp.org/manage",
            "https://keys.openpgp.org/manage/unpublish/abcdefgh",
            "https://keys.openpgp.org/pks/abcdefgh",
        ] {
            assert_eq!(token(bad), None, "{bad}");
        }
    }
}
