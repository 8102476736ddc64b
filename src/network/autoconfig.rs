//! From an address to its servers: a small table of large providers, then what the domain itself publishes, then a database
//! of providers, then what its names say, then usual names that answer. All of it through Tor or not at all. Nobody is told
//! more than the domain, no password is tried, nothing in clear is proposed.

use tokio::time::{Duration, timeout};

use super::address_guard;
use super::dialer::{DialError, Dialer, Purpose, Security};
use super::http::{self, Ask, HttpError, Limits};
use super::web_address::WebAddress;
use crate::mail::domain;

mod guess;
mod known;
mod services;
mod xml;

/// The largest file that is read, in bytes.
const LARGEST: usize = 256 << 10;
/// How long a question may take through a Tor that is there, and through one that has to start first.
const PATIENCE: Duration = Duration::from_secs(25);
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(100);
/// How long all of it may take.
const WHOLE_LIMIT: Duration = Duration::from_secs(115);

/// One server of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS or STARTTLS; never clear text.
    pub security: Security,
    /// The user name it wants.
    pub user: String,
}

/// Where a proposal comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The table in this program.
    Known,
    /// A file that the domain publishes, at this address.
    Domain(String),
    /// A file of a database that the owner named, at this address.
    Database(String),
    /// The names of the domain (RFC 6186, RFC 8314), as the resolver of this name gives them.
    Names {
        /// The resolver.
        resolver: String,
        /// Whether DNSSEC held, or the servers are of the domain's own house.
        is_sure: bool,
    },
    /// What a table or a database says of the house that takes the domain's mail in (MX).
    Exchanger {
        /// That house.
        house: String,
        /// Whether DNSSEC held.
        is_sure: bool,
    },
    /// A guess; something answers there, securely.
    Guess,
}

impl Source {
    /// Whether somebody who answers for the domain says so. Otherwise the owner has to look at it before a password goes there.
    #[must_use]
    pub const fn is_sure(&self) -> bool {
        match self {
            Self::Known | Self::Domain(_) | Self::Database(_) => true,
            Self::Names { is_sure, .. } | Self::Exchanger { is_sure, .. } => *is_sure,
            Self::Guess => false,
        }
    }
}

/// Servers that may be the right ones.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Candidate {
    /// Where mail is read.
    pub imap: Server,
    /// Where mail is sent.
    pub smtp: Server,
    /// Where this comes from.
    pub source: Source,
    /// What the owner has to know, such as that a password for programs is needed.
    pub note: Option<String>,
}

/// What came of looking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The servers to be used; nothing where the owner has to name them.
    pub found: Option<Candidate>,
    /// What was found and cannot be used, and why, in sentences.
    pub refused: Vec<String>,
}

/// Whom to ask beside the domain itself.
#[derive(Clone, Debug, Default)]
pub struct Advisers {
    /// Databases of providers, in their order; the domain is put behind their addresses.
    pub databases: Vec<WebAddress>,
    /// The resolver for the domain's names.
    pub resolver: Option<WebAddress>,
}

/// Why nothing could be looked for.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FindError {
    /// It has no user or no domain.
    #[error("{address:?} is not an e-mail address.")]
    NotAnAddress {
        /// What was given.
        address: String,
    },
    /// The network is switched off.
    #[error(
        "Mailkeep is offline, so no servers were looked for. Switch it online again or name the servers."
    )]
    Offline,
    /// Servers are looked for through Tor only.
    #[error(
        "Servers are looked for through Tor only, and Tor is not there: {why}. Name the servers, or try again later."
    )]
    NoTor {
        /// Why not: part of a sentence.
        why: String,
    },
    /// The owner wants none looked for.
    #[error(
        "The network settings say that no servers are looked for (network.autoconfig). Name the servers."
    )]
    Never,
    /// It took too long.
    #[error("Looking for the servers took too long. Name the servers, or try again later.")]
    TimedOut,
}

/// Finds servers for an address.
///
/// # Errors
/// If it is no address, or nobody may be asked now.
pub async fn find(dialer: &Dialer, address: &str, advisers: &Advisers) -> Result<Findings, FindError> {
    let account = Account::read(address)
        .ok_or_else(|| FindError::NotAnAddress { address: address.chars().take(100).collect() })?;
    if let Some(candidate) = known::candidate(&account) {
        return Ok(Findings { found: Some(candidate), refused: Vec::new() });
    }
    if dialer.is_offline() {
        return Err(FindError::Offline);
    }
    if !address_guard::is_public_name(&account.domain) && !account.is_onion() {
        return Ok(Findings::default());
    }
    let asking = Asking { dialer, account: &account, patience: patience(dialer).await };
    timeout(WHOLE_LIMIT, asking.everybody(advisers)).await.unwrap_or(Err(FindError::TimedOut))
}

async fn patience(dialer: &Dialer) -> Duration {
    use super::dialer::TorState::{Resting, Starting};
    let starts = matches!(dialer.tor_report().await.state, Resting | Starting);
    if starts { PATIENCE_AT_FIRST } else { PATIENCE }
}

/// An address in its parts.
#[derive(Debug)]
struct Account {
    address: String,
    local: String,
    /// In ASCII and small letters.
    domain: String,
}

impl Account {
    fn read(address: &str) -> Option<Self> {
        let address = address.trim();
        let (local, domain) = address.rsplit_once('@')?;
        let odd = |c: char| c.is_control() || c.is_whitespace() || "<>,;:%\"".contains(c);
        if local.is_empty() || address.len() > 320 || address.contains(odd) {
            return None;
        }
        let domain = idna::domain_to_ascii(domain).ok()?.to_ascii_lowercase();
        domain.contains('.').then(|| Self { address: address.to_owned(), local: local.to_owned(), domain })
    }

    fn fill(&self, template: &str) -> String {
        template
            .replace("%EMAILADDRESS%", &self.address)
            .replace("%EMAILLOCALPART%", &self.local)
            .replace("%EMAILDOMAIN%", &self.domain)
    }

    /// Whether the domain is an onion: that is reached in secret without a certificate.
    fn is_onion(&self) -> bool {
        self.domain
            .strip_suffix(".onion")
            .is_some_and(|rest| !rest.is_empty() && domain::is_name(&self.domain))
    }
}

/// One search for the servers of an address.
struct Asking<'a> {
    dialer: &'a Dialer,
    account: &'a Account,
    patience: Duration,
}

impl Asking<'_> {
    /// Everybody in their order, until somebody knows.
    async fn everybody(&self, advisers: &Advisers) -> Result<Findings, FindError> {
        let mut refused = Vec::new();
        for address in self.own_places() {
            if let Some(found) = self.file(&address, true, &mut refused).await? {
                return Ok(Findings { found: Some(found), refused });
            }
        }
        // An onion is known to itself alone: no database, no resolver, no usual names.
        if self.account.is_onion() {
            return Ok(Findings { found: None, refused });
        }
        for database in &advisers.databases {
            let Ok(address) = database.below(&[&self.account.domain], &[]) else { continue };
            if let Some(found) = self.file(&address, false, &mut refused).await? {
                return Ok(Findings { found: Some(found), refused });
            }
        }
        if let Some(resolver) = &advisers.resolver {
            if let Some(found) = self.services(resolver).await? {
                return Ok(Findings { found: Some(found), refused });
            }
            if let Some(found) = self.by_exchanger(resolver, advisers, &mut refused).await? {
                return Ok(Findings { found: Some(found), refused });
            }
        }
        let found = self.guessed().await;
        Ok(Findings { found, refused })
    }

    /// Where the domain may publish its file, by the scheme that Thunderbird made common.
    fn own_places(&self) -> Vec<WebAddress> {
        let domain = &self.account.domain;
        let well_known = ".well-known/autoconfig/mail/config-v1.1.xml";
        let places = if self.account.is_onion() {
            vec![format!("http://{domain}/{well_known}"), format!("https://{domain}/{well_known}")]
        } else {
            vec![
                format!("https://autoconfig.{domain}/mail/config-v1.1.xml"),
                format!("https://{domain}/{well_known}"),
            ]
        };
        places.iter().filter_map(|place| WebAddress::from_owner(place).ok()).collect()
    }

    /// What a file at an address says; where it cannot be used, why goes to `refused`.
    async fn file(
        &self,
        address: &WebAddress,
        by_domain: bool,
        refused: &mut Vec<String>,
    ) -> Result<Option<Candidate>, FindError> {
        let limits = Limits { bytes: LARGEST, time: self.patience, redirects: 3 };
        let circuit = Some(self.account.domain.as_str());
        let ask = Ask { purpose: Purpose::Autoconfig, address, accept: "*/*", circuit, limits };
        let answer = match http::get(self.dialer, &ask).await {
            Ok(answer) if answer.status == 200 => answer,
            Err(HttpError::Dial(error)) => return no_way(error).map_or(Ok(None), Err),
            Ok(_) | Err(_) => return Ok(None),
        };
        let place = address.to_string();
        match xml::read(&answer.body, self.account) {
            Ok((imap, smtp)) => {
                let source = if by_domain { Source::Domain(place) } else { Source::Database(place) };
                Ok(Some(Candidate { imap, smtp, source, note: None }))
            }
            Err(why) => {
                refused.extend(why.words(&place));
                Ok(None)
            }
        }
    }
}

/// Why nobody at all could be asked, where that is what an error says.
fn no_way(error: DialError) -> Option<FindError> {
    match error {
        DialError::NoTor { why, .. } => Some(FindError::NoTor { why }),
        DialError::Offline { .. } => Some(FindError::Offline),
        DialError::Never { .. } => Some(FindError::Never),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
