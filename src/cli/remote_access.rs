//! `mailkeep remote`: reading mail from afar.

use super::args::{Factor, Passkey, RemoteAccess, RemoteDevice, Session};
use crate::engine::remote_access::ask::Ask;

/// What is asked of the store.
pub(super) fn question(asked: RemoteAccess) -> Ask {
    match asked {
        RemoteAccess::Status => Ask::Status,
        RemoteAccess::Factor(Factor::Begin) => Ask::FactorBegin,
        RemoteAccess::Factor(Factor::Confirm { code }) => Ask::FactorConfirm(code),
        RemoteAccess::Factor(Factor::Forget) => Ask::FactorForget,
        RemoteAccess::Codes => Ask::SpareCodes,
        RemoteAccess::Session(Session::List) => Ask::SessionList,
        RemoteAccess::Session(Session::Name { id, name }) => Ask::SessionName { id, name },
        RemoteAccess::Session(Session::End { id }) => Ask::SessionEnd(id),
        RemoteAccess::Device(RemoteDevice::List) => Ask::DeviceList,
        RemoteAccess::Device(RemoteDevice::Add { name }) => Ask::DeviceAdd(name),
        RemoteAccess::Device(RemoteDevice::Remove { name }) => Ask::DeviceRemove(name),
        RemoteAccess::Passkey(Passkey::List) => Ask::PasskeyList,
        RemoteAccess::Passkey(Passkey::Name { name, new }) => Ask::PasskeyName { from: name, to: new },
        RemoteAccess::Passkey(Passkey::Remove { name }) => Ask::PasskeyRemove(name),
        RemoteAccess::Address => Ask::NewAddress,
    }
}
