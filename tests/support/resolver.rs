//! A resolver by DNS over HTTPS that knows which servers domains name for services and for incoming mail, and nothing else.

use super::onion::Question;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{MX, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::HashMap;

/// Its name.
pub const RESOLVER: &str = "dns.example.net";

/// The server of each service, such as `_imaps._tcp.far.example`, or of a domain's incoming mail: port and name.
pub type Services = HashMap<String, (u16, String)>;

/// What the settings call it.
pub fn address() -> String {
    format!("https://{RESOLVER}/dns-query")
}

/// Its answer to a question.
pub fn resolve(services: &Services, question: &Question) -> (String, Vec<u8>) {
    let mut dns = Message::from_vec(&question.body).unwrap();
    let name = dns.queries[0].name().clone();
    dns.metadata.message_type = MessageType::Response;
    // No house here signs its names.
    dns.metadata.authentic_data = false;
    let kind = dns.queries[0].query_type();
    match services.get(name.to_ascii().trim_end_matches('.')) {
        Some((port, host)) => {
            let target = Name::from_ascii(format!("{host}.")).unwrap();
            let data = match kind {
                RecordType::MX => RData::MX(MX::new(10, target)),
                _ => RData::SRV(SRV::new(0, 1, *port, target)),
            };
            dns.answers = vec![Record::from_rdata(name, 300, data)];
        }
        None => dns.metadata.response_code = ResponseCode::NXDomain,
    }
    ("HTTP/1.1 200 OK\r\nContent-Type: application/dns-message".into(), dns.to_vec().unwrap())
}
