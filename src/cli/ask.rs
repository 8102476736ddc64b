//! From arguments to a question, to whoever has the store open, or to the store itself.

use super::args::{
    self, Account, Arguments, Command, Config, Encrypt, Global, Network, Outbox, Passphrase, Sign, Token,
};
use super::socket::{self, Ask, Asked, Host};
use super::watch::Bar;
use super::{demo, output, recovery, remote_access, serve};
use crate::crypto::recovery::RecoveryKey;
use crate::crypto::secret::SecretText;
use crate::engine::accounts::{self, NewAccount, Server};
use crate::engine::attach::attach;
use crate::engine::drafts::Content;
use crate::engine::export::Format;
use crate::engine::failure::Failure;
use crate::engine::import::plain;
use crate::engine::outgoing::Wish;
use crate::engine::peers::Choice;
use crate::engine::request::{Answer, Form, Request, perform};
use crate::engine::restore;
use crate::engine::search::Sort;
use crate::engine::senders::Change;
use crate::engine::settings::Scope;
use crate::engine::tags::Which;
use crate::engine::vault::Vault;
use crate::storage::data_dir::DataDir;
use serde_json::{Value, json};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Does what the arguments say; gives the exit status.
pub(super) async fn dispatch(arguments: Arguments) -> Result<u8, Failure> {
    let Arguments { global, command } = arguments;
    let data = data_dir(&global)?;
    match command {
        Command::Init => init(&data, &global).await,
        Command::Serve { listen, open, remote } => serve::serve(&data, &global, &listen, open, remote).await,
        Command::Demo { listen } => demo::demo(&listen).await,
        Command::Lock => lock(&data, &global).await,
        Command::Passphrase(Passphrase::Change { new_passphrase_file }) => {
            change_passphrase(&data, &global, &new_passphrase_file).await
        }
        Command::Recovery(command) => recovery::dispatch(&data, &global, command).await,
        Command::Check { repair } => run_check(&data, &global, repair).await,
        Command::Backup { .. } => Err(not_yet("backup")),
        Command::Key(args::Key::Backup { file }) => back_up_keys(&data, &global, &file).await,
        command => {
            let request = request(command)?;
            let what = output::What::of(&request);
            let bar = Bar::new();
            let answer = ask_store(&data, &global, request, &bar).await;
            drop(bar);
            let answer = answer?;
            let status = output::print(&answer, what, global.json)?;
            complete(&answer, what).map(|()| status)
        }
    }
}

/// What was done in part, or not at all, was told, and is a failure all the same.
fn complete(answer: &Answer, what: output::What) -> Result<(), Failure> {
    let Answer::Json(value) = answer else { return Ok(()) };
    let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or_default();
    match what {
        output::What::Export if number("failed") > 0 => Err(Failure::failed(format!(
            "{} damaged messages are missing from the export; `mailkeep check --repair` mends what can be mended",
            number("failed")
        ))),
        output::What::Import if number("failed") > 0 && number("messages") + number("duplicates") == 0 => {
            let first = value.pointer("/failures/0").and_then(Value::as_str).unwrap_or_default();
            Err(Failure::failed(format!("Nothing could be imported: {first}")))
        }
        output::What::AccountCheck => {
            let bad = |one: &&Value| one.get("ok") == Some(&Value::Bool(false));
            match value.as_array().and_then(|all| all.iter().find(bad)) {
                Some(one) => Err(Failure::failed(why_not(one))),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// What keeps an account from working, as `account check` found it.
fn why_not(account: &Value) -> String {
    let said = |key: &str| account.get(key).and_then(Value::as_str).unwrap_or_default();
    let why = [said("imap"), said("smtp")].into_iter().find(|words| !["", "ok"].contains(words));
    format!("{} cannot be used as it is: {}", said("email"), why.unwrap_or("its server refuses"))
}

fn not_yet(command: &str) -> Failure {
    Failure::usage(format!("`mailkeep {command}` is not there yet; it comes with a later version"))
}

fn data_dir(global: &Global) -> Result<PathBuf, Failure> {
    let named = global.data.clone().or_else(|| std::env::var_os("MAILKEEP_DATA").map(PathBuf::from));
    let shared = || {
        let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
        base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))
            .map(|base| base.join("mailkeep"))
    };
    let path = named.filter(|p| !p.as_os_str().is_empty()).or_else(shared);
    let path = path.ok_or_else(|| {
        Failure::usage("Say where the data lies with --data DIR; there is no home directory")
    })?;
    absolute(&path)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|e| Failure::failed(format!("Cannot use {}: {}", path.display(), plain(&e))))
}

/// The first line of a file that holds a secret; of a recovery key all lines.
pub(super) fn secret_file(path: &Path, what: &str) -> Result<SecretText, Failure> {
    let cannot =
        |why: &str| Failure::failed(format!("Cannot read the {what} from {}: {why}", path.display()));
    let mut text = zeroize::Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(|e| cannot(plain(&e)))?;
    file.take(1 << 16).read_to_string(&mut text).map_err(|_| cannot("it is no text"))?;
    let whole = text.parse::<RecoveryKey>().is_ok();
    let secret = if whole { text.as_str() } else { text.lines().next().unwrap_or_default() };
    Ok(SecretText::new(secret.to_owned()))
}

/// The file that the passphrase is in, if one was named.
pub(super) fn passphrase_file(global: &Global) -> Option<PathBuf> {
    let named =
        || std::env::var_os("MAILKEEP_PASSPHRASE_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    global.passphrase_file.clone().or_else(named)
}

/// The passphrase: from its file, or asked for on the terminal with echo off.
pub(super) fn passphrase(global: &Global, prompt: &str) -> Result<SecretText, Failure> {
    if let Some(path) = passphrase_file(global) {
        return secret_file(&path, "passphrase");
    }
    prompted(prompt, "the passphrase with --passphrase-file FILE")
}

pub(super) fn prompted(prompt: &str, instead: &str) -> Result<SecretText, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::locked(format!("There is no terminal to ask on; give {instead}")));
    }
    rpassword::prompt_password(format!("{prompt}: "))
        .map(SecretText::new)
        .map_err(|_| Failure::locked("Nothing was typed on the terminal"))
}

pub(super) fn store_must_be_there(data: &Path) -> Result<(), Failure> {
    if DataDir::holds_store(data) {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "There is no store in {}; `mailkeep init` or `mailkeep serve` makes one",
        data.display()
    )))
}

async fn init(data: &Path, global: &Global) -> Result<u8, Failure> {
    if DataDir::holds_store(data) {
        return Err(Failure::failed(format!(
            "{} holds a store already; nothing was changed",
            data.display()
        )));
    }
    let words = passphrase(global, "Choose a passphrase")?;
    if passphrase_file(global).is_none() {
        let again = prompted("Once more", "the passphrase with --passphrase-file FILE")?;
        if again.expose() != words.expose() {
            return Err(Failure::usage("The two passphrases differ; nothing was made"));
        }
    }
    let vault = Vault::new(data);
    vault.create(&words, None).await?;
    vault.lock().await;
    output::print(&Answer::Json(json!({"data": data})), output::What::Init, global.json)
}

async fn lock(data: &Path, global: &Global) -> Result<u8, Failure> {
    store_must_be_there(data)?;
    match socket::ask(data, &SecretText::default(), Ask::Lock, &crate::engine::events::Nobody).await? {
        Asked::Nobody => {
            Err(Failure::failed(format!("No server is running on {}; the store is locked", data.display())))
        }
        Asked::Answered(answer) => output::print(&answer?, output::What::Lock, global.json),
    }
}

async fn change_passphrase(data: &Path, global: &Global, new: &Path) -> Result<u8, Failure> {
    store_must_be_there(data)?;
    let old = passphrase(global, "Passphrase")?;
    let new = secret_file(new, "new passphrase")?;
    let ask = Ask::ChangePassphrase { new: new.expose().to_owned() };
    let answer = match socket::ask(data, &old, ask, &crate::engine::events::Nobody).await? {
        Asked::Answered(answer) => answer?,
        Asked::Nobody => {
            let vault = Vault::new(data);
            vault.take().await?;
            vault.change_passphrase(&old, &new).await?;
            Answer::Json(json!({"data": data}))
        }
    };
    output::print(&answer, output::What::PassphraseChange, global.json)
}

async fn run_check(data: &Path, global: &Global, repair: bool) -> Result<u8, Failure> {
    store_must_be_there(data)?;
    let words = passphrase(global, "Passphrase")?;
    let bar = Bar::new();
    let ask = Ask::Store(Box::new(Request::Check { repair }));
    let mut mended = None;
    let answer = match socket::ask(data, &words, ask, &bar).await? {
        Asked::Answered(answer) => answer?,
        Asked::Nobody => {
            let vault = Vault::new(data);
            if repair {
                mended = restore::mend_database(&vault, &words).await?;
            }
            let app = vault.unlock(&words).await?;
            let answer = perform(&app, Request::Check { repair }, &bar).await;
            vault.lock().await;
            answer?
        }
    };
    drop(bar);
    let Answer::Json(mut value) = answer else { return Ok(1) };
    if let Some(words) = mended {
        let count = |v: &Value| v.as_u64().unwrap_or(0) + 1;
        for key in ["damaged", "repaired"] {
            let now = value.get(key).map_or(1, count);
            value.as_object_mut().map(|fields| fields.insert(key.into(), now.into()));
        }
        if let Some(fields) = value.as_object_mut() {
            let findings = fields.entry("findings").or_insert_with(|| json!([]));
            if let Some(findings) = findings.as_array_mut() {
                findings.insert(0, words.into());
            }
        }
    }
    let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
    let hurt = number("lost") > 0 || (!repair && number("damaged") > 0);
    let status = output::print(&Answer::Json(value.clone()), output::What::Check, global.json)?;
    Ok(if hurt { 5 } else { status })
}

/// Asks whoever has the store open; where nobody has, opens it for this command, and answers others meanwhile.
async fn ask_store(data: &Path, global: &Global, request: Request, bar: &Bar) -> Result<Answer, Failure> {
    store_must_be_there(data)?;
    let words = passphrase(global, "Passphrase")?;
    let encoded = serde_json::to_vec(&request).map_err(|e| Failure::failed(e.to_string()))?;
    let again = || serde_json::from_slice::<Request>(&encoded).map_err(|e| Failure::failed(e.to_string()));
    // Another command may hold the store while it opens or closes it: a moment later it answers or is gone.
    for attempt in 0..600 {
        if let Asked::Answered(answer) =
            socket::ask(data, &words, Ask::Store(Box::new(again()?)), bar).await?
        {
            return answer;
        }
        let vault = Arc::new(Vault::new(data));
        if vault.take().await.is_err() {
            if attempt == 599 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        let app = vault.unlock(&words).await?;
        // Where no socket can be made (the disk is full or read-only), others cannot ask meanwhile; this one is answered.
        let host = Host::begin(Arc::clone(&vault))
            .inspect_err(|error| tracing::debug!(%error, "Nobody else can ask meanwhile"));
        let answer = perform(&app, request, bar).await;
        if let Ok(host) = host {
            host.end().await;
        }
        drop(app);
        vault.lock().await;
        return answer;
    }
    Err(Failure::failed(format!(
        "{} is in use by another Mailkeep that does not answer; end it and try again",
        data.display()
    )))
}

fn server(
    at: Option<String>,
    security: Option<args::Security>,
    default: (u16, u16),
) -> Result<Option<Server>, Failure> {
    let Some(at) = at else { return Ok(None) };
    let security = security.map_or("tls", args::Security::word);
    let port_by_default = if security == "tls" { default.0 } else { default.1 };
    let (host, port) = match at.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => {
            let port = port.parse().map_err(|_| {
                Failure::usage(format!("{at:?} is no server; write it like mail.example.org:993"))
            })?;
            (host.trim_matches(['[', ']']).to_owned(), port)
        }
        _ => (at, port_by_default),
    };
    Ok(Some(Server { host, port, security: security.to_owned() }))
}

fn account_add(add: args::AccountAdd) -> Result<NewAccount, Failure> {
    if add.pop3.is_some() || add.pop3_security.is_some() {
        return Err(Failure::usage(
            "Fetching mail by POP3 is not there yet; give the IMAP server with --imap",
        ));
    }
    // Before anybody is asked for a password.
    accounts::acceptable(&add.email)?;
    let imap = server(add.imap, add.imap_security, (993, 143))?;
    let smtp = server(add.smtp, add.smtp_security, (465, 587))?;
    let password = match &add.password_file {
        Some(path) => secret_file(path, "password")?,
        None => prompted(&format!("Password of {}", add.email), "the password with --password-file FILE")?,
    };
    let ca = add.ca_file.as_deref().map(|path| {
        std::fs::read_to_string(path)
            .map_err(|e| Failure::failed(format!("Cannot read {}: {}", path.display(), plain(&e))))
    });
    Ok(NewAccount {
        address: add.email,
        name: add.name,
        imap,
        smtp,
        user: add.user,
        password: password.expose().to_owned(),
        ca: ca.transpose()?,
        prefer_encrypt: Some(add.prefer_encrypt),
        route: Some(add.route),
    })
}

fn send(send: args::Send) -> Result<Request, Failure> {
    let encrypt = match send.encrypt {
        Encrypt::Auto => Wish::Auto,
        Encrypt::Yes => Wish::Yes,
        Encrypt::No => Wish::No,
    };
    let body = std::fs::read(&send.body_file)
        .map_err(|e| Failure::failed(format!("Cannot read {}: {}", send.body_file.display(), plain(&e))))?;
    let reply_to_id = send
        .reply_to_id
        .map(|id| id.parse().map_err(|_| Failure::not_found(format!("No message has the id {id:?}"))))
        .transpose()?;
    Ok(Request::Send(Content {
        from: send.from,
        to: send.to.join(", "),
        cc: send.cc.join(", "),
        bcc: send.bcc.join(", "),
        subject: send.subject,
        body: String::from_utf8_lossy(&body).into_owned(),
        reply_to_id,
        encrypt,
        unsigned: send.sign == Some(Sign::No),
        attachments: send.attach.iter().map(|path| attach(path)).collect::<Result<_, _>>()?,
        ..Content::default()
    }))
}

fn request(command: Command) -> Result<Request, Failure> {
    Ok(match command {
        Command::Account(Account::Add(add)) => Request::AccountAdd(account_add(*add)?),
        Command::Account(Account::List) => Request::AccountList,
        Command::Account(Account::Check { email }) => Request::AccountCheck(email),
        Command::Account(Account::Prefer { email, prefer_encrypt }) => {
            Request::AccountPrefer { email, prefer_encrypt }
        }
        Command::Account(Account::Route { email, route }) => Request::AccountRoute { email, route },
        Command::Account(Account::Remove { email, keep_mail }) => Request::AccountRemove { email, keep_mail },
        Command::Sync { email } => Request::Sync(email),
        Command::Import { paths, tag } => {
            Request::Import { paths: paths.iter().map(|p| absolute(p)).collect::<Result<_, _>>()?, tag }
        }
        Command::Export { path, format, query } => Request::Export {
            path: absolute(&path)?,
            format: match format {
                args::Format::Mbox => Format::Mbox,
                args::Format::Maildir => Format::Maildir,
                args::Format::Eml => Format::Eml,
            },
            query,
        },
        Command::Search { query, limit, offset, sort, threads } => {
            let sort = match sort {
                args::Sort::Newest => Sort::Newest,
                args::Sort::Oldest => Sort::Oldest,
                args::Sort::Relevance => Sort::Relevance,
            };
            Request::Search { query, limit, offset, sort, threads }
        }
        Command::Count { query } => Request::Count(query),
        Command::Show { id, raw, text, html } => {
            let form = if raw {
                Form::Raw
            } else if html {
                Form::Html
            } else if text {
                Form::Text
            } else {
                Form::Fields
            };
            Request::Show { id, form }
        }
        Command::Tag { changes, query } => tag(&changes, query)?,
        Command::Delete { ids } => Request::Delete(ids),
        Command::Unsubscribe { id } => Request::Unsubscribe(id),
        Command::Send(message) => send(*message)?,
        Command::Outbox(Outbox::List) => Request::OutboxList,
        Command::Outbox(Outbox::Flush) => Request::OutboxFlush,
        Command::Outbox(Outbox::Retry { id }) => Request::OutboxRetry(id),
        Command::Outbox(Outbox::Cancel { id }) => Request::OutboxCancel(id),
        Command::Remote(asked) => Request::Remote(remote_access::question(asked)),
        Command::Network(Network::Log { limit }) => Request::NetworkLog { limit },
        Command::Network(Network::Status) => Request::NetworkStatus,
        Command::Sender(sender) => about_sender(sender)?,
        Command::Token(Token::Create { name, scope }) => {
            let scope = match scope {
                args::Scope::Read => Scope::Read,
                args::Scope::Write => Scope::Write,
                args::Scope::Admin => Scope::Admin,
            };
            Request::TokenCreate { name, scope }
        }
        Command::Token(Token::List) => Request::TokenList,
        Command::Token(Token::Revoke { name }) => Request::TokenRevoke(name),
        Command::Config(Config::Get { key }) => Request::ConfigGet(key),
        Command::Config(Config::Set { key, value }) => {
            let value = if ["extra-ca", "tor.config"].contains(&key.as_str()) && !value.is_empty() {
                absolute(Path::new(&value))?.to_string_lossy().into_owned()
            } else {
                value
            };
            Request::ConfigSet { key, value }
        }
        Command::Key(key) => about_key(key)?,
        Command::Peer(peer) => about_peer(peer),
        Command::Device(device) => about_device(device)?,
        Command::Status => Request::Status,
        _ => return Err(Failure::usage("That is no question for the store")),
    })
}

fn about_key(key: args::Key) -> Result<Request, Failure> {
    Ok(match key {
        args::Key::List => Request::KeyList,
        args::Key::Make { email } => Request::KeyMake(email),
        args::Key::Renew { email } => Request::KeyRenew(email),
        args::Key::Export { email, secret } => Request::KeyExport { email, secret },
        args::Key::Revocation { email } => Request::KeyRevocation(email),
        args::Key::Import { file, password_file } => {
            let bytes = read_bounded(&file, KEY_FILE)?;
            let password = password_file.map(|file| secret_file(&file, "password")).transpose()?;
            Request::KeyImport { bytes, password: password.map(|p| p.expose().to_owned()) }
        }
        args::Key::SetupMessage(args::SetupMessage::Make { email }) => Request::SetupMake(email),
        args::Key::SetupMessage(args::SetupMessage::Open { id, code_file }) => {
            let code = secret_file(&code_file, "setup code")?;
            Request::SetupOpen { id, code: code.expose().to_owned() }
        }
        args::Key::Lookup { email } => Request::KeyLookup(email),
        args::Key::Publish { email } => Request::KeyPublish(email),
        args::Key::Unpublish { email } => Request::KeyUnpublish(email),
        args::Key::Publications => Request::KeyPublications,
        args::Key::Confirm { id } => Request::KeyConfirm(id),
        args::Key::WkdExport { dir } => Request::KeyWkdExport(absolute(&dir)?),
        args::Key::Backup { .. } => {
            return Err(Failure::usage("That is no question for the store"));
        }
    })
}

fn about_peer(peer: args::Peer) -> Request {
    match peer {
        args::Peer::List => Request::PeerList,
        args::Peer::Show { email } => Request::PeerShow(email),
        args::Peer::Verify { email, fingerprint } => {
            Request::PeerChoose { email, choice: Choice::Verify(fingerprint) }
        }
        args::Peer::Invite { email, from } => Request::PeerInvite { email, from },
        args::Peer::Join { link, from } => Request::PeerJoin { link, from },
        args::Peer::Invitations => Request::PeerInvitations,
        args::Peer::Accept { email, key } => {
            Request::PeerChoose { email, choice: key.map_or(Choice::Accept, Choice::Use) }
        }
        args::Peer::Keep { email } => Request::PeerChoose { email, choice: Choice::Keep },
    }
}

/// The largest file that keys are taken in from, in bytes.
const KEY_FILE: u64 = 16 << 20;

/// A file, if it is not larger than so many bytes.
pub(super) fn read_bounded(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let cannot =
        |e: std::io::Error| Failure::failed(format!("Cannot read {}: {}", path.display(), plain(&e)));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(Failure::failed(format!("{} is larger than a file of keys can be", path.display())));
    }
    Ok(bytes)
}

/// Writes the copy of the owner's keys to a new file that only the owner can read.
async fn back_up_keys(data: &Path, global: &Global, file: &Path) -> Result<u8, Failure> {
    if file.exists() {
        return Err(Failure::failed(format!(
            "{} is there already and was not touched; name a new file",
            file.display()
        )));
    }
    let bar = Bar::new();
    let passphrase = passphrase(global, "Passphrase")?.expose().to_owned();
    let answer = ask_store(data, global, Request::KeyBackup { passphrase }, &bar).await?;
    drop(bar);
    let Answer::Bytes { bytes, .. } = answer else {
        return Err(Failure::failed("The server gave no copy; is it the same version of Mailkeep?"));
    };
    crate::engine::backup::write_new(file, &bytes)?;
    let answer = Answer::Json(json!({"file": absolute(file)?, "bytes": bytes.len()}));
    output::print(&answer, output::What::Other, global.json)
}

fn about_device(device: args::Device) -> Result<Request, Failure> {
    Ok(match device {
        args::Device::List => Request::DeviceList,
        args::Device::Pair { email } => Request::DevicePair(email),
        args::Device::Requests => Request::DeviceRequests,
        args::Device::Accept { id } => Request::DeviceAccept(id),
        args::Device::Confirm { id, sas: Some(sas) } => Request::DeviceConfirm { id, sas },
        args::Device::Confirm { id, sas: None } => {
            if !std::io::stdin().is_terminal() {
                return Err(Failure::usage("Say what the new device shows with --sas"));
            }
            let sas = prompted("The numbers that the new device shows", "them with --sas")?;
            Request::DeviceConfirm { id, sas: sas.expose().to_owned() }
        }
        args::Device::Code { email } => Request::DeviceCode(email),
        args::Device::Join { code: Some(code), email } => Request::DeviceJoin { code, email },
        args::Device::Join { code: None, email } => Request::DeviceJoin { code: told_code()?, email },
        args::Device::Cancel { email } => Request::DeviceCancel(email),
        args::Device::Name { id, name } => Request::DeviceName { id, name },
        args::Device::Remove { id } => Request::DeviceRemove(id),
    })
}

/// The code of another device, from the terminal or from standard input: on a command line others on the machine could read it.
fn told_code() -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        let code = prompted("The code that the other device shows", "it as an argument")?;
        return Ok(code.expose().to_owned());
    }
    let mut code = String::new();
    // No code is nearly as long, however it was typed.
    let read = std::io::stdin().lock().take(2000).read_to_string(&mut code);
    match read {
        Ok(_) if !code.trim().is_empty() => Ok(code),
        _ => Err(Failure::usage(
            "Give the code that the other device shows, as an argument or on standard input",
        )),
    }
}

fn about_sender(sender: args::Sender) -> Result<Request, Failure> {
    Ok(match sender {
        args::Sender::List => Request::SenderList,
        args::Sender::Set { pictures: None, view: None, .. } => {
            return Err(Failure::usage("Say what to decide, with --pictures or --view"));
        }
        args::Sender::Set { address, pictures, view } => {
            let view = view.map(|view| match view {
                args::View::Html => "html".to_owned(),
                args::View::Text => "text".to_owned(),
                args::View::Usual => String::new(),
            });
            let pictures = pictures.map(|pictures| pictures == args::Pictures::Always);
            Request::SenderSet { address, change: Change { pictures, view } }
        }
        args::Sender::Forget { address } => Request::SenderForget(address),
    })
}

fn tag(changes: &[String], query: String) -> Result<Request, Failure> {
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for change in changes {
        if let Some(tag) = change.strip_prefix('+') {
            add.push(tag.to_owned());
        } else if let Some(tag) = change.strip_prefix('-') {
            remove.push(tag.to_owned());
        } else {
            return Err(Failure::usage(format!(
                "{change:?} is neither +tag nor -tag; the query comes after --"
            )));
        }
    }
    Ok(Request::Tag { which: Which::Query(query), add, remove })
}
