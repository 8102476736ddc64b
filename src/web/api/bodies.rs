//! What the bodies of calls hold, and how a draft is answered.

use crate::crypto::secret::SecretText;
use crate::engine::accounts::{NewAccount, Server};
use crate::engine::attach::media_type;
use crate::engine::drafts::{Attached, Content, Kept, write_people};
use crate::engine::export::Format;
use crate::engine::failure::Failure;
use crate::engine::outgoing::Wish;
use crate::engine::request::Request;
use crate::engine::settings::Scope;
use crate::engine::tags::Which;
use crate::mail::address::Person;
use crate::mail::compose::parse_people;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;

fn id(text: &str) -> Result<crate::mail::ids::MessageId, Failure> {
    let nobody = || {
        Failure::not_found(format!("No message has the id {:?}", text.chars().take(40).collect::<String>()))
    };
    text.parse().map_err(|_| nobody())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagsApply {
    query: Option<String>,
    ids: Option<Vec<String>>,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

impl TagsApply {
    pub(super) fn request(self) -> Result<Request, Failure> {
        let which = match (self.query, self.ids) {
            (Some(query), None) => Which::Query(query),
            (None, Some(ids)) => Which::Ids(ids.iter().map(|text| id(text)).collect::<Result<_, _>>()?),
            _ => return Err(Failure::usage("Say which messages are meant: either with query or with ids")),
        };
        if self.add.is_empty() && self.remove.is_empty() {
            return Err(Failure::usage("Say what to add or to remove"));
        }
        Ok(Request::Tag { which, add: self.add, remove: self.remove })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    content_type: Option<String>,
    base64: String,
}

impl File {
    fn attached(self) -> Result<Attached, Failure> {
        let content_type = self.content_type.unwrap_or_else(|| media_type(&self.name).to_owned());
        let sound = content_type.len() <= 200
            && content_type.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
            && content_type.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !sound {
            return Err(Failure::usage(
                "An attachment's content_type is no media type; write it like text/plain",
            ));
        }
        if self.name.is_empty() || self.name.len() > 1000 || self.name.chars().any(char::is_control) {
            return Err(Failure::usage(
                "An attachment's name is empty, too long, or holds control characters",
            ));
        }
        // Nothing may be kept that cannot be sent later.
        if data_encoding::BASE64.decode(self.base64.as_bytes()).is_err() {
            return Err(Failure::usage(format!(
                "The attachment {:?} is no base64 (the common alphabet, padded)",
                self.name
            )));
        }
        Ok(Attached { name: self.name, content_type, base64: self.base64 })
    }
}

/// A message as one writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    #[serde(default)]
    from: Value,
    #[serde(default)]
    to: Value,
    #[serde(default)]
    cc: Value,
    #[serde(default)]
    bcc: Value,
    #[serde(default)]
    subject: String,
    text: Option<String>,
    body: Option<String>,
    reply_to_id: Option<String>,
    #[serde(default)]
    attachments: Vec<File>,
    encrypt: Option<String>,
    sign: Option<String>,
}

impl Draft {
    pub(super) fn content(self) -> Result<Content, Failure> {
        let encrypt = match self.encrypt.as_deref() {
            None | Some("auto") => Wish::Auto,
            Some("yes") => Wish::Yes,
            Some("no") => Wish::No,
            Some(_) => return Err(Failure::usage("encrypt is auto, yes or no")),
        };
        let unsigned = match self.sign.as_deref() {
            None | Some("yes") => false,
            Some("no") => true,
            Some(_) => return Err(Failure::usage("sign is yes or no")),
        };
        let body = match (self.text, self.body) {
            (Some(_), Some(_)) => return Err(Failure::usage("text and body are the same; give one of them")),
            (text, body) => text.or(body).unwrap_or_default(),
        };
        let from = match self.from {
            person @ Value::Object(_) => people("from", Value::Array(vec![person]))?,
            Value::Array(_) => return Err(Failure::usage("from is one person, not several")),
            other => people("from", other)?,
        };
        Ok(Content {
            from,
            to: people("to", self.to)?,
            cc: people("cc", self.cc)?,
            bcc: people("bcc", self.bcc)?,
            subject: self.subject,
            body,
            reply_to_id: self.reply_to_id.as_deref().map(id).transpose()?,
            encrypt,
            unsigned,
            attachments: self.attachments.into_iter().map(File::attached).collect::<Result<_, _>>()?,
            ..Content::default()
        })
    }
}

/// People as one types them, from one text or from an array of people.
fn people(field: &str, value: Value) -> Result<String, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "{field} is one text or an array of {{\"name\", \"address\"}}, and each address one address"
        ))
    };
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        Value::Array(all) => {
            let people = all
                .into_iter()
                .map(|value| person(value).ok_or_else(wrong))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(write_people(&people))
        }
        _ => Err(wrong()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Someone {
    name: Option<String>,
    address: String,
}

/// One person, whose address is one address, so that none can be hidden in another.
fn person(value: Value) -> Option<Person> {
    let person = match value {
        Value::String(text) => {
            let mut people = parse_people(&text).ok()?;
            return people.pop().filter(|_| people.is_empty());
        }
        Value::Object(_) => {
            let someone: Someone = serde_json::from_value(value).ok()?;
            Person { name: someone.name.unwrap_or_default(), address: someone.address }
        }
        _ => return None,
    };
    let alone = parse_people(&person.address).ok()?;
    let written = parse_people(&write_people(std::slice::from_ref(&person))).ok()?;
    match (alone.as_slice(), written.as_slice()) {
        ([alone], [written]) if alone.address == written.address && alone.name.is_empty() => Some(person),
        _ => None,
    }
}

/// A draft as it is answered: people are people, and files are described.
pub(super) fn shown(kept: &Kept) -> Value {
    let content = &kept.content;
    let people = |typed: &str| {
        let half_typed = || vec![Person { name: typed.to_owned(), address: String::new() }];
        parse_people(typed).unwrap_or_else(|_| half_typed())
    };
    let files: Vec<Value> = content
        .attachments
        .iter()
        .map(|file| json!({"name": file.name, "content_type": file.content_type, "bytes": file.bytes()}))
        .collect();
    json!({
        "id": kept.id, "saved_at": kept.saved_at, "from": people(&content.from).first(), "to": people(&content.to),
        "cc": people(&content.cc), "bcc": people(&content.bcc), "subject": content.subject, "text": content.body,
        "reply_to_id": content.reply_to_id, "attachments": files,
    })
}

/// An account to add.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountAdd {
    email: String,
    #[serde(default)]
    name: String,
    imap: Option<Value>,
    imap_security: Option<String>,
    smtp: Option<Value>,
    smtp_security: Option<String>,
    user: Option<String>,
    password: String,
    ca: Option<String>,
    prefer_encrypt: Option<String>,
    route: Option<String>,
}

impl AccountAdd {
    pub(super) fn request(self) -> Result<Request, Failure> {
        let prefer_encrypt = self.prefer_encrypt.unwrap_or_else(|| "mutual".to_owned());
        if !["mutual", "nopreference"].contains(&prefer_encrypt.as_str()) {
            return Err(Failure::usage("prefer_encrypt is mutual or nopreference"));
        }
        Ok(Request::AccountAdd(NewAccount {
            address: self.email,
            name: self.name,
            imap: server("imap", self.imap, self.imap_security, (993, 143))?,
            smtp: server("smtp", self.smtp, self.smtp_security, (465, 587))?,
            user: self.user,
            password: self.password,
            ca: self.ca,
            prefer_encrypt: Some(prefer_encrypt),
            route: self.route,
        }))
    }
}

/// A server: an object, or `HOST:PORT` as on the command line. The ports are those with and without TLS from the start.
fn server(
    field: &str,
    value: Option<Value>,
    security: Option<String>,
    ports: (u16, u16),
) -> Result<Option<Server>, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "{field} is \"HOST:PORT\" or {{\"host\", \"port\", \"security\"}}, and its security tls, starttls or none"
        ))
    };
    let (host, port, security) = match value {
        None | Some(Value::Null) => return if security.is_none() { Ok(None) } else { Err(wrong()) },
        Some(Value::String(at)) => match at.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') => {
                (host.trim_matches(['[', ']']).to_owned(), Some(port.parse().map_err(|_| wrong())?), security)
            }
            _ => (at, None, security),
        },
        Some(value @ Value::Object(_)) if security.is_none() => {
            let at: At = serde_json::from_value(value).map_err(|_| wrong())?;
            (at.host, at.port, at.security)
        }
        Some(_) => return Err(wrong()),
    };
    let security = security.unwrap_or_else(|| "tls".to_owned());
    if host.is_empty() || !["tls", "starttls", "none"].contains(&security.as_str()) {
        return Err(wrong());
    }
    let port = port.unwrap_or(if security == "tls" { ports.0 } else { ports.1 });
    Ok(Some(Server { host, port, security }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    host: String,
    port: Option<u16>,
    security: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Import {
    paths: Vec<PathBuf>,
    tag: Option<String>,
}

impl Import {
    pub(super) fn request(self) -> Result<Request, Failure> {
        if self.paths.is_empty() || self.paths.iter().any(|path| !path.is_absolute()) {
            return Err(Failure::usage(
                "paths are absolute paths on the machine that Mailkeep runs on, one at least",
            ));
        }
        Ok(Request::Import { paths: self.paths, tag: self.tag })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Export {
    path: PathBuf,
    format: Format,
    query: Option<String>,
}

impl Export {
    pub(super) fn request(self) -> Result<Request, Failure> {
        if !self.path.is_absolute() {
            return Err(Failure::usage("path is an absolute path on the machine that Mailkeep runs on"));
        }
        let query = self.query.unwrap_or_else(|| "*".to_owned());
        Ok(Request::Export { path: self.path, format: self.format, query })
    }
}

/// Where a directory of keys is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WkdExport {
    directory: PathBuf,
}

impl WkdExport {
    pub(super) fn request(self) -> Result<Request, Failure> {
        if !self.directory.is_absolute() {
            return Err(Failure::usage("directory is an absolute path on the machine that Mailkeep runs on"));
        }
        Ok(Request::KeyWkdExport(self.directory))
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    #[serde(default)]
    repair: bool,
}

impl Check {
    pub(super) fn request(&self) -> Request {
        Request::Check { repair: self.repair }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenCreate {
    name: String,
    scope: Scope,
}

impl TokenCreate {
    pub(super) fn request(self) -> Request {
        Request::TokenCreate { name: self.name, scope: self.scope }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setting {
    value: String,
}

impl Setting {
    pub(super) fn request(self, key: String) -> Request {
        Request::ConfigSet { key, value: self.value }
    }
}

/// How mail of an account is to be encrypted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Preference {
    pub(super) prefer_encrypt: String,
}

/// How the servers of an account are reached.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountRoute {
    pub(super) route: String,
}

/// Whose key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyMake {
    pub(super) email: String,
}

/// Keys to take in: armoured as text, or any in base64.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyImport {
    text: Option<String>,
    base64: Option<String>,
    password: Option<String>,
}

impl KeyImport {
    pub(super) fn request(self) -> Result<Request, Failure> {
        let bytes = match (self.text, self.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => data_encoding::BASE64
                .decode(base64.as_bytes())
                .map_err(|_| Failure::usage("base64 is no base64 (the common alphabet, padded)"))?,
            _ => return Err(Failure::usage("Give the keys either as text or as base64")),
        };
        Ok(Request::KeyImport { bytes, password: self.password })
    }
}

/// A proof that the owner asks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Proof {
    passphrase: String,
}

impl Proof {
    pub(super) fn passphrase(self) -> SecretText {
        SecretText::new(self.passphrase)
    }
}

/// The code of a Setup Message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetupCode {
    pub(super) code: String,
}

/// What the new device of a pairing shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceSas {
    pub(super) sas: String,
}

/// The code that another device shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedCode {
    code: String,
}

impl TypedCode {
    pub(super) fn request(self, email: String) -> Request {
        Request::DeviceJoin { code: self.code, email: Some(email) }
    }
}

/// A fingerprint that was compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compared {
    pub(super) fingerprint: String,
}

/// A code of the second factor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactorCode {
    pub(super) code: String,
}

/// What to call something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Name {
    pub(super) name: String,
}

/// A device to add, by whoever knows the passphrase.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceAdd {
    name: String,
    passphrase: String,
}

impl DeviceAdd {
    /// The name and the passphrase.
    pub(super) fn both(self) -> (String, SecretText) {
        (self.name, SecretText::new(self.passphrase))
    }
}

/// From which account somebody is invited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invite {
    #[serde(default)]
    pub(super) from: String,
}

/// An invitation to take up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationLink {
    link: String,
    #[serde(default)]
    from: String,
}

impl InvitationLink {
    pub(super) fn request(self) -> Request {
        Request::PeerJoin { link: self.link, from: self.from }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PassphraseChange {
    passphrase: String,
    new_passphrase: String,
}

impl PassphraseChange {
    /// The old one and the new one.
    pub(super) fn both(self) -> (SecretText, SecretText) {
        (SecretText::new(self.passphrase), SecretText::new(self.new_passphrase))
    }
}
