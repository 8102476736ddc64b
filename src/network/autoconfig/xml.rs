//! The file a domain publishes about its servers (Thunderbird's `clientConfig` format, version 1.1), read with care:
//! no entities, bounded, only what is secure and has a public name.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Account, Candidate, Server, Source};
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

    fn server(&self, account: &Account) -> Option<Server> {
        let security = match self.socket.as_str() {
            "SSL" => Security::Tls,
            "STARTTLS" => Security::StartTls,
            _ => return None,
        };
        let by_password = |word: &String| matches!(word.as_str(), "password-cleartext" | "plain");
        if !self.authentication.iter().any(by_password) {
            return None;
        }
        let host = account.fill(&self.host).to_ascii_lowercase();
        let user = account.fill(&self.user);
        let user = if user.is_empty() { account.address.clone() } else { user };
        let port = self.port.parse().ok().filter(|&port: &u16| port != 0)?;
        let sayable = !user.contains(char::is_control);
        (sayable && address_guard::is_public_name(&host)).then_some(Server { host, port, security, user })
    }
}

/// The first secure pair of servers in the file, if there is one.
pub(super) fn candidate(document: &[u8], account: &Account, place: &str) -> Option<Candidate> {
    let drafts = drafts(std::str::from_utf8(document).ok()?)?;
    let server = |incoming: bool, kind: &str| {
        drafts
            .iter()
            .filter(|draft| draft.incoming == incoming && draft.kind == kind)
            .filter_map(|draft| draft.server(account))
            // TLS from the first byte is to be preferred (RFC 8314); otherwise the order of the file counts.
            .min_by_key(|server| server.security != Security::Tls)
    };
    Some(Candidate {
        imap: server(true, "imap")?,
        smtp: server(false, "smtp")?,
        source: Source::Domain(place.to_owned()),
        note: None,
    })
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
