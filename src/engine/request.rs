//! What can be asked of Mailkeep, in one list for all doors: the command line speaks it directly or through the running
//! server's socket, and the REST API answers with the same nouns.

mod perform;

pub use perform::perform;

use super::accounts::NewAccount;
use super::drafts::Content;
use super::export::Format;
use super::peers::Choice;
use super::search::Sort;
use super::settings::Scope;
use super::tags::Which;
use super::{remote_access, senders};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// Something asked of the open store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Adds an account, or changes the one of this address.
    AccountAdd(NewAccount),
    /// All accounts.
    AccountList,
    /// Logs in to the servers of one account or all.
    AccountCheck(Option<String>),
    /// Says whether mail of an account is kept private whenever that is possible.
    AccountPrefer {
        /// Its address.
        email: String,
        /// `mutual` or `nopreference`.
        prefer_encrypt: String,
    },
    /// Says how the servers of an account are reached.
    AccountRoute {
        /// Its address.
        email: String,
        /// `direct` or `tor`.
        route: String,
    },
    /// Removes an account.
    AccountRemove {
        /// Its address.
        email: String,
        /// Whether its mail stays here.
        keep_mail: bool,
    },
    /// One full pass over one account or all.
    Sync(Option<String>),
    /// Takes in mail from files; absolute paths.
    Import {
        /// Where it lies.
        paths: Vec<PathBuf>,
        /// A tag for all of it.
        tag: Option<String>,
    },
    /// Writes mail to files; an absolute path.
    Export {
        /// Where to.
        path: PathBuf,
        /// In which form.
        format: Format,
        /// What.
        query: String,
    },
    /// Searches.
    Search {
        /// The query.
        query: String,
        /// How many rows.
        limit: usize,
        /// How many rows to leave out.
        offset: usize,
        /// In which order.
        sort: Sort,
        /// One row for each thread.
        threads: bool,
    },
    /// Counts.
    Count(String),
    /// A message.
    Show {
        /// Its id.
        id: String,
        /// In which form.
        form: Form,
    },
    /// All messages of a thread.
    Thread(String),
    /// A part of a message, decoded.
    Part {
        /// The message's id.
        id: String,
        /// The part's number.
        n: u32,
    },
    /// Changes tags.
    Tag {
        /// Which messages.
        which: Which,
        /// Tags to add.
        add: Vec<String>,
        /// Tags to remove.
        remove: Vec<String>,
    },
    /// Deletes messages for ever.
    Delete(Vec<String>),
    /// Queues a message.
    Send(Content),
    /// Begins a draft.
    DraftAdd(Content),
    /// Changes a draft.
    DraftChange {
        /// Its id.
        id: String,
        /// What it holds now.
        content: Content,
    },
    /// Discards a draft.
    DraftDiscard(String),
    /// Sends a draft.
    DraftSend(String),
    /// The outbox.
    OutboxList,
    /// Tries all that is due, and waits.
    OutboxFlush,
    /// Makes an entry due now.
    OutboxRetry(String),
    /// Takes an entry back.
    OutboxCancel(String),
    /// Reads and verifies everything.
    Check {
        /// Whether to mend what can be mended.
        repair: bool,
    },
    /// Makes an API token.
    TokenCreate {
        /// What the owner calls it.
        name: String,
        /// What it may do.
        scope: Scope,
    },
    /// All tokens.
    TokenList,
    /// Revokes a token.
    TokenRevoke(String),
    /// Leaves the list that a message came from.
    Unsubscribe(String),
    /// A setting, or all.
    ConfigGet(Option<String>),
    /// Sets a setting.
    ConfigSet {
        /// Which.
        key: String,
        /// To what.
        value: String,
    },
    /// What was decided about senders.
    SenderList,
    /// Decides about a sender.
    SenderSet {
        /// The address.
        address: String,
        /// What changes.
        change: senders::Change,
    },
    /// Forgets what was decided about a sender.
    SenderForget(String),
    /// All keys.
    KeyList,
    /// Makes a key for an address.
    KeyMake(String),
    /// Makes a new key for an address that has one.
    KeyRenew(String),
    /// Hands a key out.
    KeyExport {
        /// Whose.
        email: String,
        /// With its secret half.
        secret: bool,
    },
    /// Hands out what takes an address's key back.
    KeyRevocation(String),
    /// Takes keys in.
    KeyImport {
        /// The file.
        bytes: Vec<u8>,
        /// What opens a secret key in it.
        password: Option<String>,
    },
    /// A copy of all keys, which the passphrase opens.
    KeyBackup {
        /// The store's passphrase.
        passphrase: String,
    },
    /// Sends the owner a message with the key of an address.
    SetupMake(String),
    /// Takes the key of such a message in.
    SetupOpen {
        /// The message's id.
        id: String,
        /// Its code.
        code: String,
    },
    /// Looks for the keys of an address.
    KeyLookup(String),
    /// Hands the key of an address of the owner's to the key servers.
    KeyPublish(String),
    /// Asks them to remove it.
    KeyUnpublish(String),
    /// Where the owner's keys are published.
    KeyPublications,
    /// Confirms what the mail of a key server asks about.
    KeyConfirm(String),
    /// Writes the owner's keys as a Web Key Directory; an absolute path.
    KeyWkdExport(PathBuf),
    /// Correspondents who have a key.
    PeerList,
    /// A correspondent.
    PeerShow(String),
    /// Decides about a correspondent's key.
    PeerChoose {
        /// Whose.
        email: String,
        /// What.
        choice: Choice,
    },
    /// Makes an invitation to compare keys.
    PeerInvite {
        /// For whom.
        email: String,
        /// From which account; empty for the first.
        from: String,
    },
    /// Takes up an invitation to compare keys.
    PeerJoin {
        /// The link.
        link: String,
        /// With which account; empty for the first.
        from: String,
    },
    /// Invitations to compare keys, made and taken up.
    PeerInvitations,
    /// The owner's devices.
    DeviceList,
    /// This device asks to be let in by the others of an account.
    DevicePair(Option<String>),
    /// This device shows a code that lets another one in, for an account or the only one.
    DeviceCode(Option<String>),
    /// This device asks by the code of another one, and waits for how it ends.
    DeviceJoin {
        /// What the other one shows.
        code: String,
        /// The account; told by the code where it is left out.
        email: Option<String>,
    },
    /// The devices that ask here to be let in.
    DeviceRequests,
    /// Lets the request of a device go on to the comparison.
    DeviceAccept(String),
    /// The person compared.
    DeviceConfirm {
        /// The device.
        id: String,
        /// What the new device shows.
        sas: String,
    },
    /// Removes a device for good.
    DeviceRemove(String),
    /// Ends the pairing that goes on.
    DeviceCancel(Option<String>),
    /// Names a device, on all devices.
    DeviceName {
        /// The device.
        id: String,
        /// What to call it.
        name: String,
    },
    /// How everything is.
    Status,
    /// Something of remote access.
    Remote(remote_access::ask::Ask),
    /// Tor, and which way things go.
    NetworkStatus,
    /// The connections that left.
    NetworkLog {
        /// How many, the newest first.
        limit: usize,
    },
}

/// In which form a message is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As fields.
    Fields,
    /// The stored bytes.
    Raw,
    /// The readable text.
    Text,
    /// The sanitised document, as the frame gets it.
    Html,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// A value.
    Json(Value),
    /// Bytes, with their media type and the file name they go by.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// The media type.
        media_type: String,
        /// The file name.
        name: String,
    },
}
