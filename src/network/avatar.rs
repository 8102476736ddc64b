//! Avatar servers: Gravatar, Libravatar, and the server that a domain names for its own people (Libravatar's federation). They
//! are told a hash of the address and nothing else, through Tor only.

use super::address_guard;
use super::dialer::{DialError, Dialer, Purpose};
use super::doh::{self, DohError};
use super::http::{self, Ask, HttpError, Limits};
use super::web_address::WebAddress;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What an answer may cost. No redirect is followed: Libravatar would hand the question on to Gravatar by one.
const LIMITS: Limits = Limits { bytes: 512 << 10, time: Duration::from_secs(20), redirects: 0 };
/// How large a picture is asked for, in pixels.
const SIZE: &str = "96";
const ACCEPT: &str = "image/png,image/jpeg,image/webp,image/gif;q=0.9";

/// Where Gravatar is.
pub const GRAVATAR: &str = "https://gravatar.com";
/// Where Libravatar is.
pub const LIBRAVATAR: &str = "https://seccdn.libravatar.org";

/// Why there is no answer. It may be otherwise later.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AvatarError {
    /// The server was not reached, or broke off.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It says that something is wrong, or that too much was asked for.
    #[error("{host} does not answer as it should (status {status}).")]
    Status {
        /// The server.
        host: String,
        /// What it said.
        status: u16,
    },
}

impl AvatarError {
    /// Whether the way out is not there, so that asking for anybody else would fail alike.
    #[must_use]
    pub const fn has_no_way(&self) -> bool {
        matches!(
            self,
            Self::Http(HttpError::Dial(
                DialError::NoTor { .. } | DialError::Offline { .. } | DialError::Never { .. }
            ))
        )
    }
}

/// What servers know an address by: SHA-256 of it in small letters, hexadecimal.
fn hash(address: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(address.trim().to_lowercase()))
}

/// Asks a server for somebody's picture, as it comes; nothing where it has none. Each address has a circuit of its own.
///
/// # Errors
/// Says why there is no answer. What is too large, or leads elsewhere, is an answer: there is no picture.
pub async fn find(
    dialer: &Dialer,
    server: &WebAddress,
    address: &str,
) -> Result<Option<Vec<u8>>, AvatarError> {
    let hash = hash(address);
    let Ok(place) = server.below(&["avatar", &hash], &[("s", SIZE), ("d", "404"), ("r", "g")]) else {
        return Ok(None);
    };
    let ask = Ask {
        purpose: Purpose::Avatar,
        address: &place,
        accept: ACCEPT,
        circuit: Some(&hash),
        limits: LIMITS,
    };
    match http::get(dialer, &ask).await {
        Ok(answer) if answer.is_success() => Ok(Some(answer.body).filter(|body| !body.is_empty())),
        Ok(answer) if answer.status >= 500 || answer.status == 429 => {
            Err(AvatarError::Status { host: place.host().to_owned(), status: answer.status })
        }
        Ok(_)
        | Err(HttpError::TooLarge { .. } | HttpError::Redirect { .. } | HttpError::TooManyRedirects { .. }) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The server that a domain names for the pictures of its people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnServer {
    /// It names none: Libravatar itself is asked.
    None,
    /// This one.
    Named(WebAddress),
    /// One that is not asked: no public name, or another port than that of https.
    Unfit,
}

/// Asks the resolver which server a domain names (`_avatars-sec._tcp`).
///
/// # Errors
/// Where the resolver was not reached.
pub async fn own_server(
    dialer: &Dialer,
    resolver: &WebAddress,
    domain: &str,
) -> Result<OwnServer, AvatarError> {
    if !address_guard::is_public_name(domain) {
        return Ok(OwnServer::None);
    }
    let name = format!("_avatars-sec._tcp.{domain}");
    let named = match doh::services(dialer, Purpose::Avatar, resolver, &name, domain).await {
        Ok(services) => services.found.into_iter().next(),
        Err(DohError::Http(error)) => return Err(error.into()),
        Err(DohError::NoAnswer { .. } | DohError::BadName) => None,
    };
    Ok(named.map_or(OwnServer::None, |service| {
        let address = WebAddress::from_mail(&format!("https://{}:{}", service.host, service.port));
        address.map_or(OwnServer::Unfit, OwnServer::Named)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_know_an_address_by_its_hash_in_small_letters() {
        // `printf %s alice@example.org | sha256sum`
        let known = "7a64adf28737ea90719cbdf0b1a87a5effff3753b79c91d717f4f4153ead0498";
        assert_eq!(hash(" Alice@Example.ORG "), known);
        let at = |server: &str| {
            let server = WebAddress::from_owner(server).unwrap();
            server.below(&["avatar", "ab"], &[("s", SIZE), ("d", "404")]).unwrap().path()
        };
        assert_eq!(at(GRAVATAR), "/avatar/ab?s=96&d=404");
        assert_eq!(at("https://pictures.example/of/people/"), "/of/people/avatar/ab?s=96&d=404");
    }

    #[tokio::test]
    async fn nobody_is_asked_without_tor() {
        let dialer = Dialer::new(&[]).unwrap();
        let server = WebAddress::from_owner(GRAVATAR).unwrap();
        let error = find(&dialer, &server, "bob@example.org").await.unwrap_err();
        assert!(error.has_no_way(), "{error}");
        let error = own_server(&dialer, &server, "example.org").await.unwrap_err();
        assert!(error.has_no_way(), "{error}");
        assert_eq!(own_server(&dialer, &server, "printer.local").await, Ok(OwnServer::None));
        assert_eq!((dialer.rigged().looked_up().len(), dialer.rigged().tried().len()), (0, 0));
    }
}
