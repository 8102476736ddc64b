//! Names by DNS over HTTPS (RFC 8484), from the resolver that the owner chose, by the route of whoever asks.

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
    let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).map_err(|_| DohError::BadName)?;
    let question = question(&name).ok_or(DohError::BadName)?;
    let ask = Ask { purpose, address: resolver, accept: MEDIA_TYPE, circuit: Some(circuit), limits: LIMITS };
    let answer = http::post(dialer, &ask, MEDIA_TYPE, question).await?;
    let is_dns = answer.content_type.as_deref().is_some_and(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(MEDIA_TYPE)
    });
    let found = (answer.status == 200 && is_dns).then(|| read(&answer.body, &name)).flatten();
    found.ok_or_else(|| DohError::NoAnswer { host: resolver.host().to_owned() })
}

/// The question on the wire: id 0, and a wish to hear whether DNSSEC held (RFC 6840 §5.7).
fn question(name: &Name) -> Option<Vec<u8>> {
    let mut message = Message::query();
    message.metadata.id = 0;
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = true;
    message.add_query(Query::query(name.clone(), RecordType::TXT));
    message.to_vec().ok()
}

/// Reads an answer to the question for `name`; `None` where it is none.
fn read(bytes: &[u8], name: &Name) -> Option<Texts> {
    let message = Message::from_vec(bytes).ok()?;
    let asked = message.queries.first()?;
    let fits = message.metadata.message_type == MessageType::Response
        && asked.query_type() == RecordType::TXT
        && asked.name() == name
        && !message.metadata.truncation;
    if !fits {
        return None;
    }
    let is_authentic = message.metadata.authentic_data;
    match message.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Some(Texts { records: Vec::new(), is_authentic }),
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
    let mut records = Vec::new();
    for record in message.answers.iter().filter(|r| r.name == owner && r.dns_class == DNSClass::IN) {
        if let RData::TXT(text) = &record.data
            && records.len() < MOST_RECORDS
        {
            let whole: Vec<u8> = text.txt_data.iter().flat_map(|piece| piece.iter().copied()).collect();
            if whole.len() <= LONGEST_RECORD {
                records.push(whole);
            }
        }
    }
    Some(Texts { records, is_authentic })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::Record;
    use hickory_proto::rr::rdata::{CNAME, TXT};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn answer(code: ResponseCode, records: Vec<Record>) -> Vec<u8> {
        let mut message = Message::from_vec(&question(&name("s._domainkey.bob.example.")).unwrap()).unwrap();
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
        assert_eq!(read(&question(&name(ASKED)).unwrap(), &name(ASKED)), None);
        for rubbish in [&b""[..], b"\0", &[0xc0; 4096]] {
            assert_eq!(read(rubbish, &name(ASKED)), None);
        }
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
