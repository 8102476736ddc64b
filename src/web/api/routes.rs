//! Every call there is, in one table: the router and the description are both made from it, so neither can miss one.

use super::bodies::{
    AccountAdd, AccountRoute, Check, Compared, DeviceAdd, DeviceSas, Draft, Export, FactorCode, Import,
    InvitationLink, Invite, KeyImport, KeyMake, Name, PassphraseChange, Preference, Proof, Setting,
    SetupCode, TagsApply, TokenCreate, TypedCode, WkdExport,
};
use super::params::{Given, part_number};
use super::route::{Deed, Gives, Kind, Parameter, Route, Verb, call, parameter};
use crate::engine::failure::Failure;
use crate::engine::peers::Choice;
use crate::engine::remote_access::ask::Ask;
use crate::engine::request::{Form, Request};
use crate::engine::search::Sort;
use crate::engine::senders::Change;
use crate::engine::settings::Scope;

const Q: Parameter = parameter("q", Kind::Text, true, "A query in the search language; * is everything");
const SEARCH: &[Parameter] = &[
    Q,
    parameter("limit", Kind::Number, false, "How many rows, 50 if not said and 10,000 at most"),
    parameter("offset", Kind::Number, false, "How many rows to leave out"),
    parameter(
        "sort",
        Kind::Choice(&["newest", "oldest", "relevance"]),
        false,
        "In which order; newest if not said",
    ),
    parameter("threads", Kind::Flag, false, "One row for each thread"),
];
const COUNT: &[Parameter] = &[Q];
const LOG: &[Parameter] = &[parameter("limit", Kind::Number, false, "How many, 100 if not said")];
const REMOVE: &[Parameter] = &[parameter("keep_mail", Kind::Flag, false, "Whether its mail stays here")];

fn search(given: &Given) -> Result<Deed, Failure> {
    let sort = match given.text("sort").as_str() {
        "oldest" => Sort::Oldest,
        "relevance" => Sort::Relevance,
        _ => Sort::Newest,
    };
    Ok(Deed::Ask(Request::Search {
        query: given.text("q"),
        limit: given.number("limit", 50),
        offset: given.number("offset", 0),
        sort,
        threads: given.flag("threads"),
    }))
}

fn show(given: &Given, form: Form) -> Result<Deed, Failure> {
    Ok(Deed::Ask(Request::Show { id: given.segment("id"), form }))
}

fn part(given: &Given) -> Result<Deed, Failure> {
    Ok(Deed::Ask(Request::Part { id: given.segment("id"), n: part_number(&given.segment("n"))? }))
}

fn passphrase(given: &Given) -> Result<Deed, Failure> {
    let (old, new) = given.body::<PassphraseChange>()?.both();
    Ok(Deed::ChangePassphrase { old, new })
}

fn remote(ask: Ask) -> Result<Deed, Failure> {
    Ok(Deed::Ask(Request::Remote(ask)))
}

fn proved(given: &Given, ask: Ask) -> Result<Deed, Failure> {
    Ok(Deed::AskProved { passphrase: given.body::<Proof>()?.passphrase(), asked: Request::Remote(ask) })
}

fn secret_key(given: &Given) -> Result<Deed, Failure> {
    let asked = Request::KeyExport { email: given.segment("email"), secret: true };
    Ok(Deed::AskProved { passphrase: given.body::<Proof>()?.passphrase(), asked })
}

fn key_backup(given: &Given) -> Result<Deed, Failure> {
    let passphrase = given.body::<Proof>()?.passphrase();
    let asked = Request::KeyBackup { passphrase: passphrase.expose().to_owned() };
    Ok(Deed::AskProved { passphrase, asked })
}

fn choose(given: &Given, choice: Choice) -> Result<Deed, Failure> {
    Ok(Deed::Ask(Request::PeerChoose { email: given.segment("email"), choice }))
}

fn draft_change(given: &Given) -> Result<Deed, Failure> {
    Ok(Deed::AskDraft(Request::DraftChange {
        id: given.segment("id"),
        content: given.body::<Draft>()?.content()?,
    }))
}

fn account_remove(given: &Given) -> Result<Deed, Failure> {
    Ok(Deed::Ask(Request::AccountRemove {
        email: given.segment("email"),
        keep_mail: given.flag("keep_mail"),
    }))
}

use Gives::{Bytes, Description, Events, Many, One};
use Scope::{Admin, Read, Write};
use Verb::{Delete, Get, Post, Put};

/// The calls. A new command gets its line here, and nothing else is needed for it to be served and described.
pub(super) static TABLE: &[Route] = &[
    call(Get, "/api/v1/openapi.json", Read, "This description", |_| Ok(Deed::Describe)).gives(Description),
    call(Get, "/api/v1/search", Read, "Searches", search).query(SEARCH).gives(One("Found")),
    call(Get, "/api/v1/count", Read, "Counts", |g| Ok(Deed::Ask(Request::Count(g.text("q")))))
        .query(COUNT)
        .gives(One("Count")),
    call(Get, "/api/v1/threads/{id}", Read, "The messages of a thread, by the id of any of them", |g| {
        Ok(Deed::Ask(Request::Thread(g.segment("id"))))
    })
    .gives(One("Thread")),
    call(Get, "/api/v1/messages/{id}", Read, "A message", |g| show(g, Form::Fields)).gives(One("Message")),
    call(Get, "/api/v1/messages/{id}/raw", Read, "The stored bytes", |g| show(g, Form::Raw)).gives(Bytes),
    call(Get, "/api/v1/messages/{id}/text", Read, "The readable text", |g| show(g, Form::Text)).gives(Bytes),
    call(Get, "/api/v1/messages/{id}/html", Read, "The sanitised document, as the frame gets it", |g| {
        show(g, Form::Html)
    })
    .gives(Bytes),
    call(Get, "/api/v1/messages/{id}/parts/{n}", Read, "A part of a message, decoded", part).gives(Bytes),
    call(Delete, "/api/v1/messages/{id}", Write, "Deletes for ever a message that lies in the trash", |g| {
        Ok(Deed::Ask(Request::Delete(vec![g.segment("id")])))
    })
    .gives(One("Deleted")),
    call(Post, "/api/v1/messages/{id}/unsubscribe", Write, "Leaves the list that a message came from", |g| {
        Ok(Deed::Ask(Request::Unsubscribe(g.segment("id"))))
    })
    .gives(One("Left")),
    call(Post, "/api/v1/tags/apply", Write, "Changes tags, flags and places of all messages meant", |g| {
        Ok(Deed::Ask(g.body::<TagsApply>()?.request()?))
    })
    .body("TagsApply")
    .gives(One("Changed")),
    call(Post, "/api/v1/send", Write, "Queues a message", |g| {
        Ok(Deed::Ask(Request::Send(g.body::<Draft>()?.content()?)))
    })
    .body("Draft")
    .gives(One("Queued")),
    call(Post, "/api/v1/drafts", Write, "Begins a draft", |g| {
        Ok(Deed::AskDraft(Request::DraftAdd(g.body::<Draft>()?.content()?)))
    })
    .body("Draft")
    .gives(One("KeptDraft")),
    call(Get, "/api/v1/drafts/{id}", Read, "A draft", |g| Ok(Deed::Draft(g.segment("id"))))
        .gives(One("KeptDraft")),
    call(Put, "/api/v1/drafts/{id}", Write, "Replaces all that a draft holds", draft_change)
        .body("Draft")
        .gives(One("KeptDraft")),
    call(Delete, "/api/v1/drafts/{id}", Write, "Discards a draft", |g| {
        Ok(Deed::Ask(Request::DraftDiscard(g.segment("id"))))
    })
    .gives(One("Discarded")),
    call(Post, "/api/v1/drafts/{id}/send", Write, "Sends a draft", |g| {
        Ok(Deed::Ask(Request::DraftSend(g.segment("id"))))
    })
    .gives(One("Queued")),
    call(Get, "/api/v1/outbox", Read, "The queue", |_| Ok(Deed::Ask(Request::OutboxList)))
        .gives(Many("OutboxEntry")),
    call(Post, "/api/v1/outbox/flush", Write, "Tries all that is due now, and waits", |_| {
        Ok(Deed::Ask(Request::OutboxFlush))
    })
    .gives(Many("OutboxEntry")),
    call(Post, "/api/v1/outbox/{id}/retry", Write, "Makes an entry due now", |g| {
        Ok(Deed::Ask(Request::OutboxRetry(g.segment("id"))))
    })
    .gives(One("OutboxEntry")),
    call(Post, "/api/v1/outbox/{id}/cancel", Write, "Takes an entry back; it becomes a draft", |g| {
        Ok(Deed::Ask(Request::OutboxCancel(g.segment("id"))))
    })
    .gives(One("OutboxEntry")),
    call(Post, "/api/v1/sync", Write, "One full pass over all accounts in both directions", |_| {
        Ok(Deed::Ask(Request::Sync(None)))
    })
    .gives(One("Synced")),
    call(Get, "/api/v1/accounts", Read, "All accounts", |_| Ok(Deed::Ask(Request::AccountList)))
        .gives(Many("Account")),
    call(
        Post,
        "/api/v1/accounts",
        Admin,
        "Adds an account after a login to both servers, or changes it",
        |g| Ok(Deed::Ask(g.body::<AccountAdd>()?.request()?)),
    )
    .body("AccountAdd")
    .gives(One("Account")),
    call(Post, "/api/v1/accounts/check", Admin, "Logs in to the servers of all accounts", |_| {
        Ok(Deed::Ask(Request::AccountCheck(None)))
    })
    .gives(Many("AccountCheck")),
    call(
        Delete,
        "/api/v1/accounts/{email}",
        Admin,
        "Removes an account; the servers keep their mail",
        account_remove,
    )
    .query(REMOVE)
    .gives(One("Removed")),
    call(Post, "/api/v1/accounts/{email}/check", Admin, "Logs in to the servers of an account", |g| {
        Ok(Deed::Ask(Request::AccountCheck(Some(g.segment("email")))))
    })
    .gives(Many("AccountCheck")),
    call(
        Put,
        "/api/v1/accounts/{email}/prefer-encrypt",
        Admin,
        "Says whether its mail is kept private whenever that is possible",
        |g| {
            let prefer_encrypt = g.body::<Preference>()?.prefer_encrypt;
            Ok(Deed::Ask(Request::AccountPrefer { email: g.segment("email"), prefer_encrypt }))
        },
    )
    .body("Preference")
    .gives(One("Account")),
    call(Put, "/api/v1/accounts/{email}/route", Admin, "Says how its servers are reached", |g| {
        let route = g.body::<AccountRoute>()?.route;
        Ok(Deed::Ask(Request::AccountRoute { email: g.segment("email"), route }))
    })
    .body("AccountRoute")
    .gives(One("Account")),
    call(
        Post,
        "/api/v1/accounts/{email}/sync",
        Write,
        "One full pass over an account in both directions",
        |g| Ok(Deed::Ask(Request::Sync(Some(g.segment("email"))))),
    )
    .gives(One("Synced")),
    call(
        Post,
        "/api/v1/import",
        Admin,
        "Takes in mail from files of the machine that Mailkeep runs on",
        |g| Ok(Deed::Ask(g.body::<Import>()?.request()?)),
    )
    .body("Import")
    .gives(One("Imported")),
    call(Post, "/api/v1/export", Admin, "Writes mail to files of the machine that Mailkeep runs on", |g| {
        Ok(Deed::Ask(g.body::<Export>()?.request()?))
    })
    .body("Export")
    .gives(One("Exported")),
    call(Post, "/api/v1/check", Admin, "Reads everything and verifies every seal", |g| {
        Ok(Deed::Ask(g.body_or_default::<Check>()?.request()))
    })
    .body("Check")
    .gives(One("Checked")),
    call(Get, "/api/v1/status", Read, "How everything is", |_| Ok(Deed::Ask(Request::Status)))
        .gives(One("Status")),
    call(Get, "/api/v1/network/log", Read, "The connections that left, the newest first", |g| {
        Ok(Deed::Ask(Request::NetworkLog { limit: g.number("limit", 100) }))
    })
    .query(LOG)
    .gives(Many("Connection")),
    call(Get, "/api/v1/network/status", Admin, "Tor, and which way things go", |_| {
        Ok(Deed::Ask(Request::NetworkStatus))
    })
    .gives(One("NetworkStatus")),
    call(Get, "/api/v1/senders", Admin, "What was decided about senders", |_| {
        Ok(Deed::Ask(Request::SenderList))
    })
    .gives(Many("Sender")),
    call(Put, "/api/v1/senders/{email}", Admin, "Decides about a sender", |g| {
        Ok(Deed::Ask(Request::SenderSet { address: g.segment("email"), change: g.body::<Change>()? }))
    })
    .body("SenderChange")
    .gives(One("Sender")),
    call(Delete, "/api/v1/senders/{email}", Admin, "Forgets what was decided about a sender", |g| {
        Ok(Deed::Ask(Request::SenderForget(g.segment("email"))))
    })
    .gives(One("Forgotten")),
    call(Get, "/api/v1/keys", Read, "All keys: the owner's, then those of others", |_| {
        Ok(Deed::Ask(Request::KeyList))
    })
    .gives(Many("Key")),
    call(Post, "/api/v1/keys", Admin, "Makes a key for an address of the owner's", |g| {
        Ok(Deed::Ask(Request::KeyMake(g.body::<KeyMake>()?.email)))
    })
    .body("KeyMake")
    .gives(One("Key")),
    call(Post, "/api/v1/keys/import", Admin, "Takes keys in; none in use is changed", |g| {
        Ok(Deed::Ask(g.body::<KeyImport>()?.request()?))
    })
    .body("KeyImport")
    .gives(One("ImportedKeys")),
    call(Post, "/api/v1/keys/backup", Admin, "A copy of all keys, which the passphrase opens", key_backup)
        .body("Proof")
        .gives(Bytes),
    call(Get, "/api/v1/keys/{email}", Read, "The public key of an address, armoured", |g| {
        Ok(Deed::Ask(Request::KeyExport { email: g.segment("email"), secret: false }))
    })
    .gives(Bytes),
    call(Post, "/api/v1/keys/{email}/secret", Admin, "The secret key of an address, not locked", secret_key)
        .body("Proof")
        .gives(Bytes),
    call(Post, "/api/v1/keys/{email}/renew", Admin, "Makes a new key, which the old one signs", |g| {
        Ok(Deed::Ask(Request::KeyRenew(g.segment("email"))))
    })
    .gives(One("Key")),
    call(
        Post,
        "/api/v1/keys/{email}/setup-message",
        Admin,
        "Sends the owner a Setup Message with a key; its code is told this once",
        |g| Ok(Deed::Ask(Request::SetupMake(g.segment("email")))),
    )
    .gives(One("SetupMessage")),
    call(Post, "/api/v1/messages/{id}/setup-message", Admin, "Takes the key of a Setup Message in", |g| {
        Ok(Deed::Ask(Request::SetupOpen { id: g.segment("id"), code: g.body::<SetupCode>()?.code }))
    })
    .body("SetupCode")
    .gives(One("Key")),
    call(Post, "/api/v1/keys/{email}/lookup", Write, "Looks for the keys of an address, through Tor", |g| {
        Ok(Deed::Ask(Request::KeyLookup(g.segment("email"))))
    })
    .gives(Many("Candidate")),
    call(Post, "/api/v1/keys/{email}/publish", Admin, "Hands a key to the key servers, through Tor", |g| {
        Ok(Deed::Ask(Request::KeyPublish(g.segment("email"))))
    })
    .gives(Many("Publication")),
    call(Post, "/api/v1/keys/{email}/unpublish", Admin, "Asks the key servers to remove a key", |g| {
        Ok(Deed::Ask(Request::KeyUnpublish(g.segment("email"))))
    })
    .gives(Many("Publication")),
    call(Get, "/api/v1/publications", Read, "Where the owner's keys are published", |_| {
        Ok(Deed::Ask(Request::KeyPublications))
    })
    .gives(Many("Publication")),
    call(
        Post,
        "/api/v1/messages/{id}/confirm-key",
        Admin,
        "Confirms what the mail of a key server asks about, where the owner began it",
        |g| Ok(Deed::Ask(Request::KeyConfirm(g.segment("id")))),
    )
    .gives(One("Publication")),
    call(Post, "/api/v1/keys/wkd-export", Admin, "Writes the owner's keys as a Web Key Directory", |g| {
        Ok(Deed::Ask(g.body::<WkdExport>()?.request()?))
    })
    .body("WkdExport")
    .gives(One("WkdDirectory")),
    call(Get, "/api/v1/peers", Read, "Correspondents who have a key", |_| Ok(Deed::Ask(Request::PeerList)))
        .gives(Many("Peer")),
    call(Get, "/api/v1/peers/{email}", Read, "What is known of a correspondent's key", |g| {
        Ok(Deed::Ask(Request::PeerShow(g.segment("email"))))
    })
    .gives(One("Peer")),
    call(Post, "/api/v1/peers/{email}/accept", Admin, "Uses the newer key that waits", |g| {
        choose(g, Choice::Accept)
    })
    .gives(One("Peer")),
    call(Post, "/api/v1/peers/{email}/use", Admin, "Uses a key that a look-up found", |g| {
        choose(g, Choice::Use(g.body::<Compared>()?.fingerprint))
    })
    .body("Compared")
    .gives(One("Peer")),
    call(Post, "/api/v1/peers/{email}/keep", Admin, "Keeps the old key", |g| choose(g, Choice::Keep))
        .gives(One("Peer")),
    call(
        Post,
        "/api/v1/peers/{email}/verify",
        Admin,
        "Says that the key with this fingerprint was compared with its owner",
        |g| choose(g, Choice::Verify(g.body::<Compared>()?.fingerprint)),
    )
    .body("Compared")
    .gives(One("Peer")),
    call(Get, "/api/v1/remote", Admin, "How reading from afar stands", |_| remote(Ask::Status))
        .gives(One("RemoteAccess")),
    call(
        Post,
        "/api/v1/remote/factor",
        Admin,
        "Makes a secret for codes; it counts once one of them confirmed it",
        |g| proved(g, Ask::FactorBegin),
    )
    .body("Proof")
    .gives(One("FactorBegun")),
    call(
        Post,
        "/api/v1/remote/factor/confirm",
        Admin,
        "Puts that secret in force; spare codes are told this once",
        |g| remote(Ask::FactorConfirm(g.body::<FactorCode>()?.code)),
    )
    .body("FactorCode")
    .gives(One("SpareCodes")),
    call(Post, "/api/v1/remote/factor/forget", Admin, "Lets nobody in from afar", |g| {
        proved(g, Ask::FactorForget)
    })
    .body("Proof")
    .gives(One("SecondFactor")),
    call(Post, "/api/v1/remote/codes", Admin, "Makes new spare codes; they are told this once", |g| {
        proved(g, Ask::SpareCodes)
    })
    .body("Proof")
    .gives(One("SpareCodes")),
    call(Get, "/api/v1/remote/sessions", Admin, "Who is signed in from afar", |_| remote(Ask::SessionList))
        .gives(Many("RemoteSession")),
    call(Put, "/api/v1/remote/sessions/{id}", Admin, "Calls a remote session something else", |g| {
        remote(Ask::SessionName { id: g.segment("id"), name: g.body::<Name>()?.name })
    })
    .body("Name")
    .gives(One("RemoteSession")),
    call(Delete, "/api/v1/remote/sessions/{id}", Admin, "Signs a remote session out", |g| {
        remote(Ask::SessionEnd(g.segment("id")))
    })
    .gives(One("Ended")),
    call(Get, "/api/v1/remote/devices", Admin, "The owner's devices elsewhere", |_| remote(Ask::DeviceList))
        .gives(Many("RemoteDevice")),
    call(
        Post,
        "/api/v1/remote/devices",
        Admin,
        "Adds a device; what it needs to find the onion address is told this once",
        |g| {
            let (name, passphrase) = g.body::<DeviceAdd>()?.both();
            Ok(Deed::AskProved { passphrase, asked: Request::Remote(Ask::DeviceAdd(name)) })
        },
    )
    .body("RemoteDeviceAdd")
    .gives(One("NewRemoteDevice")),
    call(Delete, "/api/v1/remote/devices/{name}", Admin, "Removes a device and signs it out", |g| {
        remote(Ask::DeviceRemove(g.segment("name")))
    })
    .gives(One("RemovedName")),
    call(Get, "/api/v1/remote/passkeys", Admin, "The passkeys for signing in from afar", |_| {
        remote(Ask::PasskeyList)
    })
    .gives(Many("Passkey")),
    call(Put, "/api/v1/remote/passkeys/{name}", Admin, "Calls a passkey something else", |g| {
        remote(Ask::PasskeyName { from: g.segment("name"), to: g.body::<Name>()?.name })
    })
    .body("Name")
    .gives(One("Passkey")),
    call(
        Delete,
        "/api/v1/remote/passkeys/{name}",
        Admin,
        "Removes a passkey and ends the sessions that were begun with it",
        |g| remote(Ask::PasskeyRemove(g.segment("name"))),
    )
    .gives(One("RemovedName")),
    call(
        Post,
        "/api/v1/remote/address",
        Admin,
        "Makes a new onion address; the one before leads nowhere",
        |_| remote(Ask::NewAddress),
    )
    .gives(One("OnionAddress")),
    call(
        Post,
        "/api/v1/peers/{email}/invite",
        Admin,
        "Makes an invitation by which a correspondent compares keys with the owner",
        |g| {
            let from = g.body::<Invite>()?.from;
            Ok(Deed::Ask(Request::PeerInvite { email: g.segment("email"), from }))
        },
    )
    .body("Invite")
    .gives(One("Invitation")),
    call(Get, "/api/v1/invitations", Admin, "Invitations made and taken up, and how far they are", |_| {
        Ok(Deed::Ask(Request::PeerInvitations))
    })
    .gives(Many("Invitation")),
    call(Post, "/api/v1/invitations", Admin, "Takes up an invitation from its link", |g| {
        Ok(Deed::Ask(g.body::<InvitationLink>()?.request()))
    })
    .body("InvitationLink")
    .gives(One("Invitation")),
    call(Get, "/api/v1/devices", Read, "The owner's devices", |_| Ok(Deed::Ask(Request::DeviceList)))
        .gives(Many("Device")),
    call(
        Post,
        "/api/v1/accounts/{email}/pair",
        Admin,
        "Asks the other devices of an account to let this one in",
        |g| Ok(Deed::Ask(Request::DevicePair(Some(g.segment("email"))))),
    )
    .gives(One("Pairing")),
    call(
        Post,
        "/api/v1/accounts/{email}/code",
        Admin,
        "Shows a code that lets another device of an account in; it works once, for ten minutes",
        |g| Ok(Deed::Ask(Request::DeviceCode(Some(g.segment("email"))))),
    )
    .gives(One("DeviceCode")),
    call(
        Post,
        "/api/v1/accounts/{email}/join",
        Admin,
        "Pairs this device by the code that another one shows, and waits for how it ends",
        |g| Ok(Deed::Ask(g.body::<TypedCode>()?.request(g.segment("email")))),
    )
    .body("TypedCode")
    .gives(One("Pairing")),
    call(Get, "/api/v1/devices/requests", Admin, "Devices that ask here to be let in", |_| {
        Ok(Deed::Ask(Request::DeviceRequests))
    })
    .gives(Many("Pairing")),
    call(Post, "/api/v1/devices/{id}/accept", Admin, "Lets a request go on to the comparison", |g| {
        Ok(Deed::Ask(Request::DeviceAccept(g.segment("id"))))
    })
    .gives(One("Pairing")),
    call(
        Post,
        "/api/v1/devices/{id}/confirm",
        Admin,
        "Says what the new device shows; another string ends the pairing",
        |g| Ok(Deed::Ask(Request::DeviceConfirm { id: g.segment("id"), sas: g.body::<DeviceSas>()?.sas })),
    )
    .body("DeviceSas")
    .gives(One("Pairing")),
    call(Delete, "/api/v1/devices/requests", Admin, "Ends the pairing that goes on", |_| {
        Ok(Deed::Ask(Request::DeviceCancel(None)))
    })
    .gives(One("CancelledPairings")),
    call(Put, "/api/v1/devices/{id}/name", Admin, "Names a device, on all devices", |g| {
        Ok(Deed::Ask(Request::DeviceName { id: g.segment("id"), name: g.body::<Name>()?.name }))
    })
    .body("Name")
    .gives(One("Device")),
    call(Delete, "/api/v1/devices/{id}", Admin, "Removes a device for good", |g| {
        Ok(Deed::Ask(Request::DeviceRemove(g.segment("id"))))
    })
    .gives(One("RemovedDevice")),
    call(Get, "/api/v1/tokens", Admin, "All tokens, without what they are", |_| {
        Ok(Deed::Ask(Request::TokenList))
    })
    .gives(Many("Token")),
    call(Post, "/api/v1/tokens", Admin, "Makes a token; it is told this once", |g| {
        Ok(Deed::Ask(g.body::<TokenCreate>()?.request()))
    })
    .body("TokenCreate")
    .gives(One("NewToken")),
    call(Delete, "/api/v1/tokens/{name}", Admin, "Revokes a token", |g| {
        Ok(Deed::Ask(Request::TokenRevoke(g.segment("name"))))
    })
    .gives(One("Revoked")),
    call(Get, "/api/v1/config", Admin, "All settings", |_| Ok(Deed::Ask(Request::ConfigGet(None))))
        .gives(Many("Setting")),
    call(Get, "/api/v1/config/{key}", Admin, "A setting", |g| {
        Ok(Deed::Ask(Request::ConfigGet(Some(g.segment("key")))))
    })
    .gives(One("Setting")),
    call(Put, "/api/v1/config/{key}", Admin, "Sets a setting", |g| {
        Ok(Deed::Ask(g.body::<Setting>()?.request(g.segment("key"))))
    })
    .body("SettingValue")
    .gives(One("Setting")),
    call(Post, "/api/v1/passphrase", Admin, "Changes the passphrase", passphrase)
        .body("PassphraseChange")
        .gives(One("Data")),
    call(Post, "/api/v1/lock", Admin, "Locks Mailkeep; only the passphrase unlocks it again", |_| {
        Ok(Deed::Lock)
    })
    .gives(One("Data")),
    call(
        Get,
        "/api/v1/events",
        Read,
        "What happens, while it happens: new mail, tag changes, progress, trouble",
        |_| Ok(Deed::Events),
    )
    .gives(Events),
];
