//! Which web addresses may be asked at all. An address from mail leads to an ordinary server of the public Internet or
//! nowhere (`threats.md` §18); one that the owner named may lead home.

use url::{Host, Url};

use super::address_guard;

/// The longest address that is read, in bytes.
const LONGEST: usize = 8 << 10;

/// An address that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    url: Url,
    host: String,
    port: u16,
    by_owner: bool,
}

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAllowed {
    /// It cannot be read, or is too long.
    #[error("it is no web address")]
    Unreadable,
    /// Neither http nor https.
    #[error("it is neither http nor https")]
    Scheme,
    /// Another port than 80 of http and 443 of https.
    #[error("it names a port of its own")]
    Port,
    /// It holds a user name or a password.
    #[error("it holds a user name")]
    User,
    /// A bare address, an onion, or a name that is known at home only.
    #[error("it names no public server")]
    NotPublic,
    /// From a secure address to one in clear.
    #[error("it leads from a secure address to one in clear text")]
    Downgrade,
}

impl WebAddress {
    /// Reads an address that came with mail or from a stranger's server.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn from_mail(text: &str) -> Result<Self, NotAllowed> {
        Self::read(&parse(text)?, false)
    }

    /// Reads an address that the owner typed: any port, any name, also at home.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn from_owner(text: &str) -> Result<Self, NotAllowed> {
        Self::read(&parse(text)?, true)
    }

    /// Where a redirect leads. Whoever named this address, the next one is named by its server.
    pub(super) fn elsewhere(&self, location: &str) -> Result<Self, NotAllowed> {
        if location.len() > LONGEST {
            return Err(NotAllowed::Unreadable);
        }
        let url = self.url.join(location).map_err(|_| NotAllowed::Unreadable)?;
        let next = Self::read(&url, false)?;
        if self.is_secure() && !next.is_secure() { Err(NotAllowed::Downgrade) } else { Ok(next) }
    }

    fn read(url: &Url, by_owner: bool) -> Result<Self, NotAllowed> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NotAllowed::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(NotAllowed::User);
        }
        // The parser reads hosts as browsers do: 0x7f.1 and 2130706433 are the address 127.0.0.1, and no names.
        let host = match url.host().ok_or(NotAllowed::Unreadable)? {
            Host::Domain(name) => name.trim_end_matches('.').to_owned(),
            Host::Ipv4(address) if by_owner => address.to_string(),
            Host::Ipv6(address) if by_owner => address.to_string(),
            Host::Ipv4(_) | Host::Ipv6(_) => return Err(NotAllowed::NotPublic),
        };
        // The port of the scheme is not kept by the parser; any other is.
        if !by_owner && url.port().is_some() {
            return Err(NotAllowed::Port);
        }
        if !by_owner && !address_guard::is_public_name(&host) {
            return Err(NotAllowed::NotPublic);
        }
        let port = url.port_or_known_default().ok_or(NotAllowed::Port)?;
        Ok(Self { url: url.clone(), host, port, by_owner })
    }

    /// An address below this one, on the same server. Whatever stands in the segments of its path and in the pairs of its
    /// query is escaped; a path or a query of this one's own ends where it begins.
    ///
    /// # Errors
    /// Where it would be too long.
    pub fn below(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Self, NotAllowed> {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.path_segments_mut().map_err(|()| NotAllowed::Unreadable)?.pop_if_empty().extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        if url.as_str().len() > LONGEST {
            return Err(NotAllowed::Unreadable);
        }
        Self::read(&url, self.by_owner)
    }

    /// The server's name in ASCII and small letters, or its address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the owner named it.
    #[must_use]
    pub const fn is_by_owner(&self) -> bool {
        self.by_owner
    }

    /// What the server is asked for: path and query.
    pub(super) fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// How the server is named to itself.
    pub(super) fn host_field(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

impl std::fmt::Display for WebAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.url.fmt(f)
    }
}

fn parse(text: &str) -> Result<Url, NotAllowed> {
    if text.len() > LONGEST {
        return Err(NotAllowed::Unreadable);
    }
    Url::parse(text).map_err(|_| NotAllowed::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mail_may_name() {
        let good = WebAddress::from_mail("HTTP://Pixel.EXAMPLE.:80/a b?c#d").unwrap();
        assert_eq!((good.host(), good.port(), good.is_secure()), ("pixel.example", 80, false));
        assert_eq!((good.path().as_str(), good.host_field().as_str()), ("/a%20b?c", "pixel.example"));
        let secure = WebAddress::from_mail("https://bücher.example").unwrap();
        assert_eq!((secure.host(), secure.port()), ("xn--bcher-kva.example", 443));
        for (bad, why) in [
            ("ftp://a.example/", NotAllowed::Scheme),
            ("file:///etc/passwd", NotAllowed::Scheme),
            ("gopher://a.example/", NotAllowed::Scheme),
            ("data:image/png;base64,AAAA", NotAllowed::Scheme),
            ("a.example/x", NotAllowed::Unreadable),
            ("http://a.example:8080/", NotAllowed::Port),
            ("http://a.example:443/", NotAllowed::Port),
            ("https://a.example:80/", NotAllowed::Port),
            ("https://a.example:22/", NotAllowed::Port),
            ("https://user@a.example/", NotAllowed::User),
            ("https://:pass@a.example/", NotAllowed::User),
            ("http://a.onion/", NotAllowed::NotPublic),
            ("http://a.onion./", NotAllowed::NotPublic),
            ("http://printer.local/", NotAllowed::NotPublic),
            ("http://x.localhost/", NotAllowed::NotPublic),
            ("http://localhost/", NotAllowed::NotPublic),
            ("http://db.internal/", NotAllowed::NotPublic),
            ("http://intranet/", NotAllowed::NotPublic),
        ] {
            assert_eq!(WebAddress::from_mail(bad), Err(why), "{bad}");
        }
        assert_eq!(
            WebAddress::from_mail(&format!("https://a.example/{}", "x".repeat(9000))),
            Err(NotAllowed::Unreadable)
        );
    }

    /// Every spelling of an address that a browser would understand.
    #[test]
    fn no_spelling_of_an_address_is_a_name() {
        for bad in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://%31%32%37.0.0.1/",
            "http://127。0。0。1/",
            "http://１２７.0.0.1/",
            "http://①②⑦.⓪.⓪.①/",
            "http:\\\\127.0.0.1\\",
            "http:/127.0.0.1/",
            "http://127.0.0.1\t/",
            "http://9.9.9.9/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[2620:fe::fe]/",
            "http://[fe80::1]/",
        ] {
            assert_eq!(WebAddress::from_mail(bad), Err(NotAllowed::NotPublic), "{bad}");
        }
        for bad in [
            "http://[fe80::1%25eth0]/",
            "http://256.256.256.256/",
            "http://0x100000000/",
            "http://a..example/ b",
        ] {
            assert!(WebAddress::from_mail(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redirect_is_read_like_an_address_from_mail() {
        let from = WebAddress::from_mail("https://a.example/x/y?z").unwrap();
        let to =
            |location: &str| from.elsewhere(location).map(|next| format!("{}{}", next.host(), next.path()));
        assert_eq!(to("/p?q#r").unwrap(), "a.example/p?q");
        assert_eq!(to("p").unwrap(), "a.example/x/p");
        assert_eq!(to("//b.example/p").unwrap(), "b.example/p");
        assert_eq!(to("https://b.example:443?x").unwrap(), "b.example/?x");
        assert_eq!(to("http://b.example/"), Err(NotAllowed::Downgrade));
        for bad in [
            "https://127.0.0.1/",
            "//[::1]/",
            "https://0x7f.1/",
            "https://b.example:8443/",
            "https://u@b.example/",
            "https://b.onion/",
            "https://localhost/",
            "ftp://b.example/",
        ] {
            assert!(to(bad).is_err(), "{bad}");
        }
        let home = WebAddress::from_owner("http://127.0.0.1:8053/dns-query").unwrap();
        assert!(home.is_by_owner());
        assert_eq!((home.host_field().as_str(), home.port()), ("127.0.0.1:8053", 8053));
        assert!(home.elsewhere("/other").is_err(), "a redirect is never the owner's word");
    }
}
