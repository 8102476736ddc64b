//! The file a domain publishes about its servers (Thunderbird's `clientConfig` format, version 1.1), read with care:
//! no entities, bounded, only what is secure and has a public name.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Account, Server};
use crate::network::address_guard;
use crate::network::dialer::Security;

/// How many elements and texts are looked at.
const MOST_EVENTS: usize = 20_000;
const LONGEST_TEXT: usize = 500;

/// A server while it is being read.
#[derive(Debug, Default)]
struct Draft {
    incoming: bool,
    kind: String,
    host: String,
    port: String,
    socket: String,
    user: String,
    authentication: Vec<String>,
}

impl Draft {
    fn set(&mut self, element: &str, text: String) {
        match element {
            "hostname" => self.host = text,
            "port" => self.port = text,
            "socketType" => self.socket = text,
            "username" => self.user = text,
            "authentication" if self.authentication.len() < 10 => self.authentication.push(text),
            _ => {}
        }
    }

    fn server(&self, account: &Account) -> Result<Server, Unusable> {
        let security = match self.socket.as_str() {
            "SSL" => Security::Tls,
            "STARTTLS" => Security::StartTls,
            "plain" => return Err(Unusable::InClear),
            _ => return Err(Unusable::Nothing),
        };
        let by_password = |word: &String| matches!(word.as_str(), "password-cleartext" | "plain");
        if !self.authentication.iter().any(by_password) {
            return Err(Unusable::NoPassword);
        }
        let host = account.fill(&self.host).to_ascii_lowercase();
        let user = account.fill(&self.user);
        let user = if user.is_empty() { account.address.clone() } else { user };
        let port = self.port.parse().ok().filter(|&port: &u16| port != 0).ok_or(Unusable::Nothing)?;
        let is_own_onion = account.is_onion() && host == account.domain;
        let is_fit = is_own_onion || address_guard::is_public_name(&host);
        if !is_fit || user.contains(char::is_control) {
            return Err(Unusable::Nothing);
        }
        Ok(Server { host, port, security, user })
    }
}

/// Why a file says nothing that can be used; the first of them is the least that can be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unusable {
    /// It names no servers of the right kind, or cannot be read.
    Nothing,
    /// Its servers take no password.
    NoPassword,
    /// Its servers would be spoken to in clear text.
    InClear,
}

impl Unusable {
    /// The same in a sentence, where there is something to be said.
    pub(super) fn words(self, place: &str) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::NoPassword => Some(format!(
                "The servers named at {place} take no password, only ways of signing in that Mailkeep does not know."
            )),
            Self::InClear => Some(format!(
                "The servers named at {place} are not used: they would get your password in clear text, readable on the way."
            )),
        }
    }
}

/// The first secure pair of servers in the file, for reading and for sending.
pub(super) fn read(document: &[u8], account: &Account) -> Result<(Server, Server), Unusable> {
    let text = std::str::from_utf8(document).map_err(|_| Unusable::Nothing)?;
    let drafts = drafts(text).ok_or(Unusable::Nothing)?;
    let server = |incoming: bool, kind: &str| {
        let (mut best, mut why) = (None::<Server>, Unusable::Nothing);
        for draft in drafts.iter().filter(|draft| draft.incoming == incoming && draft.kind == kind) {
            match draft.server(account) {
                // TLS from the first byte is to be preferred (RFC 8314); otherwise the order of the file counts.
                Ok(server) => {
                    let better =
                        |best: &Server| best.security != Security::Tls && server.security == Security::Tls;
                    if best.as_ref().is_none_or(better) {
                        best = Some(server);
                    }
                }
                Err(flaw) => why = why.max(flaw),
            }
        }
        best.ok_or(why)
    };
    match (server(true, "imap"), server(false, "smtp")) {
        (Ok(imap), Ok(smtp)) => Ok((imap, smtp)),
        (Err(one), Err(other)) => Err(one.max(other)),
        (Err(why), Ok(_)) | (Ok(_), Err(why)) => Err(why),
    }
}

fn drafts(text: &str) -> Option<Vec<Draft>> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut drafts = Vec::new();
    let mut current: Option<Draft> = None;
    let mut element = String::new();
    let mut content = String::new();
    for _ in 0..MOST_EVENTS {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                element = name(&start);
                content.clear();
                if matches!(element.as_str(), "incomingServer" | "outgoingServer") {
                    let kind = attribute(&start, "type").unwrap_or_default();
                    let incoming = element == "incomingServer";
                    current = Some(Draft { incoming, kind, ..Draft::default() });
                }
            }
            Event::Text(text) if content.len() < LONGEST_TEXT => content.push_str(&text.xml10_content()),
            Event::CData(text) if content.len() < LONGEST_TEXT => content.push_str(&text.xml10_content()),
            Event::GeneralRef(_) => content.push('\u{0}'),
            Event::End(end) => {
                if matches!(end.local_name().as_ref(), "incomingServer" | "outgoingServer") {
                    drafts.extend(current.take());
                } else if let Some(draft) = &mut current
                    && end.local_name().as_ref() == element
                {
                    draft.set(&element, content.trim().to_owned());
                }
                content.clear();
            }
            Event::Eof => return Some(drafts),
            // Nobody needs one, and with them come entities.
            Event::DocType(_) => return None,
            _ => {}
        }
    }
    None
}

fn name(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_owned()
}

fn attribute(start: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let attribute = start.attributes().take(20).flatten().find(|it| it.key.as_ref() == wanted)?;
    Some(attribute.value.chars().take(LONGEST_TEXT).collect())
}
