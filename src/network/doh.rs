//! Names by DNS over HTTPS (RFC 8484), from the resolver that the owner chose, by the route of whoever asks.

use std::cmp::Reverse;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use super::dialer::{Dialer, Purpose};
use super::http::{self, Ask, HttpError, Limits};
use super::web_address::WebAddress;

const MEDIA_TYPE: &str = "application/dns-message";
const LIMITS: Limits = Limits { bytes: 16 << 10, time: Duration::from_secs(90), redirects: 0 };
/// A name may lead to another so many times.
const MOST_ALIASES: usize = 8;
/// So many records of one name are read, and so many bytes of each.
const MOST_RECORDS: usize = 8;
const LONGEST_RECORD: usize = 8 << 10;

/// What a resolver knows of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The text records, each in one piece; none where there is no such name.
    pub records: Vec<Vec<u8>>,
    /// The resolver says that DNSSEC held.
    pub is_authentic: bool,
}

/// A server that a domain names for a service (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name, without a dot at the end.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What a resolver knows of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The servers, the preferred one first; none where the domain names none, or says that it has no such service.
    pub found: Vec<Service>,
    /// The resolver says that DNSSEC held.
    pub is_authentic: bool,
}

/// Why there is no answer. All of it may be otherwise later.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DohError {
    /// The resolver was not reached.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It says that it cannot find out, or what came is no answer to the question.
    #[error("{host} gives no answer")]
    NoAnswer {
        /// The resolver.
        host: String,
    },
    /// The name is none.
    #[error("that is no name")]
    BadName,
}

/// Asks for the text records of a name. `circuit` keeps what is asked for one sender apart from all others.
///
/// # Errors
/// Says why there is no answer. That there is no such name is an answer.
pub async fn texts(
    dialer: &Dialer,
    purpose: Purpose,
    resolver: &WebAddress,
    name: &str,
    circuit: &str,
) -> Result<Texts, DohError> {
    ask(dialer, purpose, resolver, name, circuit, RecordType::TXT).await.map(Texts::from)
}

/// Asks which servers a domain names for a service: `name` is like `_imaps._tcp.example.org`.
///
/// # Errors
/// Says why there is no answer. That none are named is an answer.
pub async fn services(
    dialer: &Dialer,
    purpose: Purpose,
    resolver: &WebAddress,
    name: &str,
    circuit: &str,
) -> Result<Services, DohError> {
    ask(dialer, purpose, resolver, name, circuit, RecordType::SRV).await.map(Services::from)
}

/// Asks where a domain takes its mail in (MX), in the same form; the port is always 25.
///
/// # Errors
/// Says why there is no answer. That none are named is an answer.
pub async fn exchangers(
    dialer: &Dialer,
    purpose: Purpose,
    resolver: &WebAddress,
    domain: &str,
) -> Result<Services, DohError> {
    ask(dialer, purpose, resolver, domain, domain, RecordType::MX).await.map(Services::from)
}

async fn ask(
    dialer: &Dialer,
    purpose: Purpose,
    resolver: &WebAddress,
    name: &str,
    circuit: &str,
    kind: RecordType,
) -> Result<Records, DohError> {
    let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|_| DohError::BadName)?;
    let question = question(&name, kind).ok_or(DohError::BadName)?;
    let ask = Ask { purpose, address: resolver, accept: MEDIA_TYPE, circuit: Some(circuit), limits: LIMITS };
    let answer = http::post(dialer, &ask, MEDIA_TYPE, question).await?;
    let is_dns = answer.content_type.as_deref().is_some_and(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(MEDIA_TYPE)
    });
    let found = (answer.status == 200 && is_dns).then(|| read(&answer.body, &name, kind)).flatten();
    found.ok_or_else(|| DohError::NoAnswer { host: resolver.host().to_owned() })
}

/// The records of one kind that a resolver knows of a name.
#[derive(Clone, Debug, Default, PartialEq)]
struct Records {
    data: Vec<RData>,
    is_authentic: bool,
}

impl From<Records> for Texts {
    fn from(Records { data, is_authentic }: Records) -> Self {
        let text = |data: &RData| match data {
            RData::TXT(text) => Some(text.txt_data.iter().flat_map(|piece| piece.iter().copied()).collect()),
            _ => None,
        };
        let whole = data.iter().filter_map(text);
        let records = whole.filter(|text: &Vec<u8>| text.len() <= LONGEST_RECORD).collect();
        Self { records, is_authentic }
    }
}

impl From<Records> for Services {
    fn from(Records { data, is_authentic }: Records) -> Self {
        let host = |name: &Name| name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let mut found: Vec<_> = data
            .iter()
            .filter_map(|data| match data {
                // A lone dot says that the domain has no such service.
                RData::SRV(named) if !named.target.is_root() && named.port != 0 => {
                    let service = Service { host: host(&named.target), port: named.port };
                    Some((named.priority, Reverse(named.weight), service))
                }
                RData::MX(named) if !named.exchange.is_root() => {
                    let service = Service { host: host(&named.exchange), port: 25 };
                    Some((named.preference, Reverse(0), service))
                }
                _ => None,
            })
            .collect();
        found.sort_by_key(|(priority, weight, _)| (*priority, *weight));
        Self { found: found.into_iter().map(|(_, _, service)| service).collect(), is_authentic }
    }
}

/// The question on the wire: id 0, and a wish to hear whether DNSSEC held (RFC 6840 §5.7).
fn question(name: &Name, kind: RecordType) -> Option<Vec<u8>> {
    let mut message = Message::query();
    message.metadata.id = 0;
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = true;
    message.add_query(Query::query(name.clone(), kind));
    message.to_vec().ok()
}

/// Reads an answer to the question for `name`; `None` where it is none.
fn read(bytes: &[u8], name: &Name, kind: RecordType) -> Option<Records> {
    let message = Message::from_vec(bytes).ok()?;
    let asked = message.queries.first()?;
    let fits = message.metadata.message_type == MessageType::Response
        && asked.query_type() == kind
        && asked.name() == name
        && !message.metadata.truncation;
    if !fits {
        return None;
    }
    let is_authentic = message.metadata.authentic_data;
    match message.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Some(Records { data: Vec::new(), is_authentic }),
        _ => return None,
    }
    let mut owner = name.clone();
    for _ in 0..MOST_ALIASES {
        let alias = message.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(to) if record.name == owner => Some(to.0.clone()),
            _ => None,
        });
        let Some(alias) = alias else { break };
        owner = alias;
    }
    let of_owner = message.answers.iter().filter(|r| r.name == owner && r.dns_class == DNSClass::IN);
    let data = of_owner.map(|record| &record.data).filter(|data| data.record_type() == kind);
    Some(Records { data: data.take(MOST_RECORDS).cloned().collect(), is_authentic })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{CNAME, SRV, TXT};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn read(bytes: &[u8], name: &Name) -> Option<Texts> {
        super::read(bytes, name, RecordType::TXT).map(Texts::from)
    }

    fn answer(code: ResponseCode, records: Vec<Record>) -> Vec<u8> {
        answer_to(ASKED, RecordType::TXT, code, records)
    }

    fn answer_to(asked: &str, kind: RecordType, code: ResponseCode, records: Vec<Record>) -> Vec<u8> {
        let mut message = Message::from_vec(&question(&name(asked), kind).unwrap()).unwrap();
        message.metadata.message_type = MessageType::Response;
        message.metadata.response_code = code;
        message.metadata.authentic_data = true;
        message.answers = records;
        message.to_vec().unwrap()
    }

    fn text(owner: &str, pieces: &[&str]) -> Record {
        let data = TXT::new(pieces.iter().map(|piece| (*piece).to_owned()).collect());
        Record::from_rdata(name(owner), 60, RData::TXT(data))
    }

    const ASKED: &str = "s._domainkey.bob.example.";

    #[test]
    fn records_are_put_together_and_aliases_followed() {
        let alias = Record::from_rdata(name(ASKED), 60, RData::CNAME(CNAME(name("key.mailer.example."))));
        let other = text("eve.example.", &["p=eve"]);
        let bytes = answer(
            ResponseCode::NoError,
            vec![other, alias, text("key.mailer.example.", &["v=DKIM1; ", "p=x"])],
        );
        let found = read(&bytes, &name(ASKED)).unwrap();
        assert_eq!(found.records, [b"v=DKIM1; p=x".to_vec()]);
        assert!(found.is_authentic);
    }

    #[test]
    fn no_such_name_is_an_answer_and_trouble_is_none() {
        assert_eq!(read(&answer(ResponseCode::NXDomain, vec![]), &name(ASKED)).unwrap().records.len(), 0);
        assert_eq!(read(&answer(ResponseCode::NoError, vec![]), &name(ASKED)).unwrap().records.len(), 0);
        assert_eq!(read(&answer(ResponseCode::ServFail, vec![]), &name(ASKED)), None);
        // An answer to another question, the question itself, and rubbish.
        assert_eq!(read(&answer(ResponseCode::NoError, vec![]), &name("t._domainkey.bob.example.")), None);
        assert_eq!(read(&question(&name(ASKED), RecordType::TXT).unwrap(), &name(ASKED)), None);
        for rubbish in [&b""[..], b"\0", &[0xc0; 4096]] {
            assert_eq!(read(rubbish, &name(ASKED)), None);
        }
    }

    #[test]
    fn the_servers_of_a_service_come_in_the_order_that_their_domain_wants() {
        let asked = "_imaps._tcp.bob.example.";
        let served = |priority, weight, port, host: &str| {
            Record::from_rdata(name(asked), 60, RData::SRV(SRV::new(priority, weight, port, name(host))))
        };
        let read = |records: Vec<Record>| {
            let bytes = answer_to(asked, RecordType::SRV, ResponseCode::NoError, records);
            super::read(&bytes, &name(asked), RecordType::SRV).map(Services::from).unwrap()
        };
        let found = read(vec![
            served(20, 0, 993, "late.bob.example."),
            served(10, 1, 993, "light.bob.example."),
            served(10, 9, 1993, "Heavy.Bob.example."),
            text(asked, &["no server"]),
        ]);
        let hosts: Vec<(&str, u16)> = found.found.iter().map(|s| (s.host.as_str(), s.port)).collect();
        assert_eq!(
            hosts,
            [("heavy.bob.example", 1993), ("light.bob.example", 993), ("late.bob.example", 993)]
        );
        assert_eq!(read(vec![served(0, 0, 0, ".")]).found, [], "a dot says that there is no such service");
        let other = answer(ResponseCode::NoError, vec![]);
        assert_eq!(super::read(&other, &name(asked), RecordType::SRV), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_resolver_sends_is_read_without_a_panic(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), at in 0..80_usize, with: u8,
        ) {
            drop(read(&bytes, &name(ASKED)));
            let mut real = answer(ResponseCode::NoError, vec![text(ASKED, &["v=DKIM1; p=x"])]);
            if let Some(byte) = real.get_mut(at) {
                *byte = with;
            }
            drop(read(&real, &name(ASKED)));
        }
    }
}
