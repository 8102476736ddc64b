//! From an address to its servers: a small table of large providers, then what the domain itself publishes, then
//! good guesses that answer. No third party is asked, no password is tried, nothing in clear is proposed.

use futures_util::future::join_all;
use tokio::time::{Duration, timeout};

use super::address_guard;
use super::dialer::{Dialer, Purpose, Security};
use super::http::{self, Ask, Limits};
use super::smtp;
use super::web_address::WebAddress;

mod known;
mod xml;

/// What a file may cost.
const LIMITS: Limits = Limits { bytes: 256 << 10, time: Duration::from_secs(10), redirects: 3 };
/// How long a guess may take to prove itself.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

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
    /// A guess; something answers there, securely.
    Guess,
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
}

/// Finds servers for an address, the best first. An empty list means that the owner has to name them.
///
/// # Errors
/// If it is no address, or the network is switched off.
pub async fn find(dialer: &Dialer, address: &str) -> Result<Vec<Candidate>, FindError> {
    let account = Account::read(address)
        .ok_or_else(|| FindError::NotAnAddress { address: address.chars().take(100).collect() })?;
    if let Some(candidate) = known::candidate(&account) {
        return Ok(vec![candidate]);
    }
    if dialer.is_offline() {
        return Err(FindError::Offline);
    }
    if !address_guard::is_public_name(&account.domain) {
        return Ok(Vec::new());
    }
    let published = published(dialer, &account).await;
    if !published.is_empty() {
        return Ok(published);
    }
    Ok(guessed(dialer, &account).await.into_iter().collect())
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
}

/// What the domain says about itself, by the scheme that Thunderbird made common.
async fn published(dialer: &Dialer, account: &Account) -> Vec<Candidate> {
    let domain = &account.domain;
    let places = [
        (format!("autoconfig.{domain}"), "/mail/config-v1.1.xml"),
        (domain.clone(), "/.well-known/autoconfig/mail/config-v1.1.xml"),
    ];
    let asked = places.iter().map(|(host, path)| async move {
        let place = format!("https://{host}{path}");
        let address = WebAddress::from_mail(&place).ok()?;
        let purpose = Purpose::Autoconfig;
        let ask = Ask { purpose, address: &address, accept: "*/*", circuit: None, limits: LIMITS };
        let answer = http::get(dialer, &ask).await.ok().filter(|answer| answer.status == 200)?;
        xml::candidate(&answer.body, account, &place)
    });
    let mut found: Vec<Candidate> = join_all(asked).await.into_iter().flatten().collect();
    found.dedup_by(|second, first| second.imap == first.imap && second.smtp == first.smtp);
    found
}

/// Names that are usual, and what really answers there.
async fn guessed(dialer: &Dialer, account: &Account) -> Option<Candidate> {
    let domain = &account.domain;
    let server = |prefix: &str, port: u16, security: Security| Server {
        host: format!("{prefix}{domain}"),
        port,
        security,
        user: account.address.clone(),
    };
    let imap = [
        server("imap.", 993, Security::Tls),
        server("mail.", 993, Security::Tls),
        server("", 993, Security::Tls),
    ];
    let smtp = [
        server("smtp.", 465, Security::Tls),
        server("mail.", 465, Security::Tls),
        server("", 465, Security::Tls),
        server("smtp.", 587, Security::StartTls),
        server("mail.", 587, Security::StartTls),
        server("", 587, Security::StartTls),
    ];
    let imap_answers = join_all(imap.iter().map(|server| answers_imap(dialer, server)));
    let smtp_answers = join_all(smtp.iter().map(|server| answers_smtp(dialer, server)));
    let (imap_answers, smtp_answers) = tokio::join!(imap_answers, smtp_answers);
    let first = |servers: &[Server], answers: &[bool]| {
        servers.iter().zip(answers).find(|(_, answers)| **answers).map(|(server, _)| server.clone())
    };
    let (imap, smtp) = (first(&imap, &imap_answers)?, first(&smtp, &smtp_answers)?);
    Some(Candidate { imap, smtp, source: Source::Guess, note: None })
}

/// A certificate for the right name is proof enough on the port of IMAP over TLS.
async fn answers_imap(dialer: &Dialer, server: &Server) -> bool {
    let probe = dialer.connect_public(Purpose::Autoconfig, &server.host, server.port, server.security);
    timeout(PROBE_LIMIT, probe).await.is_ok_and(|connection| connection.is_ok())
}

async fn answers_smtp(dialer: &Dialer, server: &Server) -> bool {
    let probe = smtp::greets(dialer, &server.host, server.port, server.security);
    timeout(PROBE_LIMIT, probe).await.unwrap_or(false)
}

#[cfg(test)]
mod tests;
