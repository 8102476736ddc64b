//! What the pages show: one plain struct for each page, rendered by a template of the same name.
//!
//! Nothing here looks anything up: who builds a struct has already decided every word that is shown. Templates
//! escape everything they are given; no text is ever passed through as markup.

mod compose;
mod contact;
mod devices;
mod invitation;
mod keys;
mod list;
mod network;
mod origin;
mod outbox;
mod pictures;
mod plain;
mod preview;
mod qr;
mod recovery;
mod remote_access;
mod settings;
mod setup;
mod shell;
mod status;
mod thread;
mod trust;

#[cfg(test)]
mod gallery;
#[cfg(test)]
mod landmarks;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sample_devices;
#[cfg(test)]
mod sample_files;
#[cfg(test)]
mod sample_keys;
#[cfg(test)]
mod sample_recovery;
#[cfg(test)]
mod sample_remote;

pub use compose::{ComposePage, Composer, Kept, SenderChoice};
pub use contact::{ContactKey, ContactPage, Decided, FoundKey, Qr};
pub use devices::{BeforeView, DevicesPage, HouseholdView, MemberView, RemovedView, StageView};
pub use invitation::{InvitationStep, InvitationView};
pub use keys::{KeyView, KeysPage, SetupCode};
pub use list::{Empty, ListPage, QueryTrouble, Row, Rows, RowsPart};
pub use network::{NetworkPage, RuleChoice, RuleView, TorView};
pub use origin::Origin;
pub use outbox::{Entry, OutboxPage, Recipient};
pub use pictures::{RemoteSettings, RemoteView, SenderView};
pub use plain::{Contact, ContactsPage, ErrorPage, KeyboardPage, LeavePage};
pub use preview::{CopyView, EventView, ListingRow, Picture, PreviewPage, Shown};
pub use recovery::{HolderView, RecoveryPage, RecoverySheet, SharesPage};
pub use remote_access::{
    DevicePage, DeviceView, FactorPage, LockedPage, PasskeyView, RemoteAccessPage, SessionView, SignInPage,
    SpareCodesPage, UnlockAfarPage, UnlockView, UnlockedAfarPage,
};
pub use settings::{AccountView, NewToken, SettingsPage, TokenView};
pub use setup::{AccountForm, SetupAccount, SetupDone, SetupPassphrase, SetupPrivacy, UnlockPage};
pub use shell::{
    Counts, Density, Nav, NetState, Notice, Place, Sent, Shell, Spot, Tag, Theme, Undo, encoded, grouped,
};
pub use status::{Fact, StatusPage, Task};
pub use thread::{
    Attachment, Block, Body, MessagePage, MessageView, Person, Piece, PublicationView, ThreadPage,
};
pub use trust::{Forecast, ForecastFor, ForecastPart, Trust, TrustFact};
