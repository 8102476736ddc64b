//! How the failures of the lower floors become sentences with a kind.

use super::failure::Failure;
use crate::crypto::recovery::RecoveryError;
use crate::crypto::shares::ShareError;
use crate::crypto::vault::VaultError;
use crate::network::autoconfig::FindError;
use crate::network::dialer::{BadCa, DialError};
use crate::network::imap::ImapError;
use crate::network::smtp::SubmitError;
use crate::storage::data_dir::DataDirError;
use crate::storage::disk::DiskError;
use crate::storage::index::IndexError;
use crate::storage::packs::PackError;

macro_rules! plainly {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::failed(error.to_string())
            }
        })*
    };
}

plainly!(FindError, BadCa, DialError, ImapError, SubmitError, DiskError);

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::WrongPassphrase => Self::locked("The passphrase is wrong"),
            VaultError::MistypedRecoveryKey | VaultError::OtherRecoveryKey => Self::locked(error.to_string()),
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<RecoveryError> for Failure {
    fn from(error: RecoveryError) -> Self {
        Self::locked(error.to_string())
    }
}

impl From<ShareError> for Failure {
    fn from(error: ShareError) -> Self {
        match error {
            ShareError::Numbers => Self::usage(error.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        match error {
            DataDirError::Vault { .. } => Self::damaged(error.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Damaged => Self::damaged(error.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        match error {
            PackError::Damaged(_) | PackError::Missing(_) => Self::damaged(error.to_string()),
            other => Self::failed(other.to_string()),
        }
    }
}
