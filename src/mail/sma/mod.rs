//! Messages between one's own devices, laid into folders of one's own mailbox (`docs/sma.md`): names, marker, signed
//! messages, their bodies, the statements of the roster and what devices share. Bytes in, values out; who signed what is
//! checked in [`crate::crypto::devices`].

mod body;
mod contents;
mod fields;
mod folder;
mod letter;
mod marker;
mod merge;
mod payload;
mod shared;
mod statement;
#[cfg(test)]
mod tests;

pub use body::{Accept, Announce, Body, Cancel, Keys, Mac, OneTimeKey, Request, Reveal, Sealed};
pub use contents::{CONTENTS_MAX, Contents, ENTRY_MAX, Entry, OwnKey, PeerState, Preference, Trust};
pub use fields::{Flaw, Writer};
pub use folder::{ANNOUNCEMENTS, DeviceId, FolderKind};
pub use letter::{LETTER_MAX, Letter};
pub use marker::{Kind, Marker};
pub use merge::{merged_peer, merged_trust};
pub use payload::{Payload, Signed, next_seq};
pub use shared::{SHARED_NAME_MAX, SHARED_VALUE_MAX, Shared};
pub use statement::{Deed, Statement};
