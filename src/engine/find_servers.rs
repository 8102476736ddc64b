//! The servers of an address, found for the owner: whom to ask, and who said so.

use super::accounts::Server;
use super::app::App;
use super::failure::Failure;
use super::settings;
use crate::network::autoconfig;
use crate::network::dialer::Security;
use crate::network::web_address::WebAddress;
use serde::Serialize;

/// The databases of mail servers that are asked where the owner named no others.
pub const DEFAULT_DATABASES: &str = "https://autoconfig.thunderbird.net/v1.1";
/// The most databases there can be.
const MOST_DATABASES: usize = 5;

/// Reads the databases of a list, blank-separated.
///
/// # Errors
/// Usage, where one cannot be read, would be spoken to in clear text, or there are too many.
pub fn databases(list: &str) -> Result<Vec<WebAddress>, Failure> {
    let read = |text: &str| {
        let address = WebAddress::from_owner(text).ok();
        address.filter(|address| address.is_secure() || address.host().ends_with(".onion")).ok_or_else(|| {
            Failure::usage(format!("{text:?} names no database of mail servers; write it as https://…"))
        })
    };
    let all: Vec<WebAddress> = list.split_whitespace().map(read).collect::<Result<_, _>>()?;
    if all.len() > MOST_DATABASES {
        return Err(Failure::usage(format!("That are more than {MOST_DATABASES} databases; name fewer")));
    }
    Ok(all)
}

/// Servers that were found for an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundServers {
    /// Where mail is fetched.
    pub imap: Server,
    /// Where mail is handed in.
    pub smtp: Server,
    /// The name that the servers want to know the owner by.
    pub user: String,
    /// Who named them, in sentences.
    pub found_by: String,
    /// Whether somebody who answers for the domain named them; otherwise the owner has to look at them before a password goes
    /// there.
    #[serde(skip)]
    pub is_sure: bool,
}

impl FoundServers {
    /// The servers in words.
    pub(in crate::engine) fn words(&self) -> String {
        let say = |server: &Server| format!("{}:{} ({})", server.host, server.port, server.security);
        format!("mail is read from {} and sent by {}", say(&self.imap), say(&self.smtp))
    }
}

/// Finds the servers of an address, through Tor or not at all.
///
/// # Errors
/// When none were found.
pub async fn find_servers(app: &App, address: &str) -> Result<FoundServers, Failure> {
    let advisers = {
        let mut c = app.reader.get().await?;
        // What cannot be read any more names nobody.
        let databases = databases(&settings::read(&mut c, "autoconfig.databases").await?).unwrap_or_default();
        let resolver = WebAddress::from_owner(&settings::read(&mut c, "dkim.resolver").await?).ok();
        autoconfig::Advisers { databases, resolver }
    };
    let findings = autoconfig::find(&app.dialer, address, &advisers).await?;
    let Some(found) = findings.found else {
        let refused: String = findings.refused.iter().map(|words| format!("{words} ")).collect();
        return Err(Failure::failed(format!(
            "{refused}No mail servers were found for {address}; name them (on the command line with --imap and --smtp)"
        )));
    };
    let server = |s: &autoconfig::Server| Server {
        host: s.host.clone(),
        port: s.port,
        security: match s.security {
            Security::Tls => "tls",
            Security::StartTls => "starttls",
            Security::None => "none",
        }
        .to_owned(),
    };
    let by = match &found.source {
        autoconfig::Source::Known => "Known to Mailkeep".to_owned(),
        autoconfig::Source::Domain(address) | autoconfig::Source::Database(address) => {
            format!("Found at {address}")
        }
        autoconfig::Source::Names { resolver, is_sure: true } => {
            format!("Named by the domain itself, as {resolver} says")
        }
        autoconfig::Source::Names { resolver, is_sure: false } => {
            format!(
                "Named by the domain, as {resolver} says without proof; look whether they are your provider's"
            )
        }
        autoconfig::Source::Exchanger { house, .. } => {
            format!(
                "Named for {house}, which takes in the mail of the domain; look whether it is your provider"
            )
        }
        autoconfig::Source::Guess => {
            "Guessed: servers answer there; look whether they are your provider's".to_owned()
        }
    };
    let note = found.note.map_or_else(String::new, |note| format!(" {note}"));
    Ok(FoundServers {
        imap: server(&found.imap),
        smtp: server(&found.smtp),
        user: found.imap.user,
        found_by: format!("{by}.{note}"),
        is_sure: found.source.is_sure(),
    })
}
